//! The table of `tests/vectors/broken-edits.yaml`: edits that break mappings, for the tests that apply them.

mod change;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use change::{Change, bytes_after, text_after};

/// Parses the table.
///
/// # Panics
/// If the file does not match [`BrokenEdits`], or has fewer cases than before.
#[must_use]
pub fn table() -> BrokenEdits {
    let text = include_str!("../vectors/broken-edits.yaml");
    let table: BrokenEdits = serde_saphyr::from_str(text).expect("broken-edits.yaml");
    let counts = [
        (table.entries.len(), 45),
        (table.accounts.len(), 8),
        (table.texts.len(), 14),
        (table.dynamic_file.len(), 18),
        (table.configuration_file.len(), 14),
        (table.config_map_keys.len(), 12),
        (table.lists.len(), 27),
        (table.rules.len(), 19),
        (runs(&table.sequences), 75),
        (runs(&table.condition_sequences), 5),
    ];
    for (section, (count, at_least)) in counts.into_iter().enumerate() {
        assert!(count >= at_least, "section {section} has lost cases");
    }
    table
}

fn runs(sequences: &[Sequence]) -> usize {
    sequences
        .iter()
        .map(|sequence| sequence.each.len().max(1))
        .sum()
}

/// The table of edits that break mappings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokenEdits {
    /// Edits of one entry of `mapRoles` or `mapUsers`.
    pub entries: Vec<EntryEdit>,
    /// Edits of one entry of `mapAccounts`.
    pub accounts: Vec<TextEdit>,
    /// Edits of the text of one list.
    pub texts: Vec<TextEdit>,
    /// Edits of a whole dynamic file.
    pub dynamic_file: Vec<TextEdit>,
    /// Edits of a whole configuration file.
    pub configuration_file: Vec<TextEdit>,
    /// Keys of a ConfigMap, each with its new name.
    pub config_map_keys: Vec<(String, String)>,
    /// Edits of a whole list of any source.
    pub lists: Vec<ListEdit>,
    /// Edits of a whole list of rules or of objects.
    pub rules: Vec<ListEdit>,
    /// Sequences of documents.
    pub sequences: Vec<Sequence>,
    /// Sequences of documents with conditions.
    pub condition_sequences: Vec<Sequence>,
}

/// An edit of one entry.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryEdit {
    /// A description of the mistake in the entry.
    pub name: String,
    edit: Vec<Change>,
    /// The part of the entry that stays in effect.
    pub keeps: Keeps,
    /// Whether the edit applies to documents only, because it makes no difference in an object.
    #[serde(default)]
    pub documents_only: bool,
    /// Whether servers in a real cluster are also tested with the edit.
    #[serde(default)]
    pub cluster: bool,
}

/// The part of an entry that stays in effect.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Keeps {
    /// The entry as it was before the edit.
    #[serde(rename = "all")]
    All,
    /// The user without its groups.
    #[serde(rename = "no groups")]
    NoGroups,
    /// Nothing: the entry maps no identity.
    #[serde(rename = "nothing")]
    Nothing,
}

/// An edit of a text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextEdit {
    /// A description of the mistake in the text.
    pub name: String,
    edit: Vec<Change>,
    /// Whether servers in a real cluster are also tested with the edit.
    #[serde(default)]
    pub cluster: bool,
}

/// An edit of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListEdit {
    /// A description of the edit.
    pub name: String,
    /// The list before the edit.
    pub before: Value,
    /// The list after the edit.
    pub after: Value,
    /// The mappings in effect after the edit: `<subject> = <username> <groups>`, sorted.
    pub in_effect: Vec<String>,
    /// The fate of each entry that is refused.
    pub refused: Vec<Fate>,
    objects: Option<ObjectsAfter>,
}

/// The differences where each entry is an object.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectsAfter {
    in_effect: Vec<String>,
    refused: Vec<Fate>,
}

/// The fate of an entry that is refused.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// At least a part of the previous form of the entry stays in effect.
    Kept,
    /// No part of the entry is in effect.
    Lost,
}

/// A sequence of documents.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// A description of the case that the sequence shows.
    pub name: String,
    /// The name of the backend that reads the documents.
    pub source: String,
    /// The value of `server.protect`.
    pub protect: Option<String>,
    /// Texts that replace `$EDIT`, one for each run, by name.
    #[serde(default)]
    each: BTreeMap<String, String>,
    /// The documents.
    pub steps: Vec<Step>,
}

/// A document, and the mappings in effect after the backend has read it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When the document is read, in seconds.
    pub at: i64,
    /// How long last good forms stay in effect, in seconds. Defaults to a day.
    pub ttl: Option<i64>,
    /// The document.
    pub text: String,
    /// The mappings in effect afterwards, in the order of the document.
    pub in_effect: Vec<String>,
}

impl EntryEdit {
    /// Returns the entry as it is after the edit.
    #[must_use]
    pub fn apply(&self, entry: &str) -> String {
        text_after(&self.edit, entry)
    }
}

impl TextEdit {
    /// Returns the text as it is after the edit.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        text_after(&self.edit, text)
    }

    /// Returns the bytes of the text as they are after the edit, which may not be UTF-8.
    #[must_use]
    pub fn apply_to_bytes(&self, text: &str) -> Vec<u8> {
        bytes_after(&self.edit, text)
    }
}

impl ListEdit {
    /// Returns the mappings in effect where each entry is an object.
    #[must_use]
    pub fn objects_in_effect(&self) -> &[String] {
        let objects = self.objects.as_ref();
        objects.map_or(&self.in_effect, |objects| &objects.in_effect)
    }

    /// Returns the fate of each object that is refused.
    #[must_use]
    pub fn objects_refused(&self) -> &[Fate] {
        let objects = self.objects.as_ref();
        objects.map_or(&self.refused, |objects| &objects.refused)
    }
}

impl Sequence {
    /// Returns the steps of each run of the sequence, with the name of the run.
    #[must_use]
    pub fn runs(&self) -> Vec<(String, Vec<Step>)> {
        if self.each.is_empty() {
            return vec![(self.name.clone(), self.steps.clone())];
        }
        let with = |text: &str| {
            let steps = self.steps.iter().map(|step| Step {
                text: step.text.replace("$EDIT", text),
                ..step.clone()
            });
            steps.collect()
        };
        let runs = self.each.iter();
        runs.map(|(name, text)| (format!("{}: {name}", self.name), with(text)))
            .collect()
    }
}
