//! Planned changes of kubeconfig files, and the texts after them.

use zeroize::Zeroizing;

use super::edit::{self, Change, EditError};
use super::error::{EntryName, KubeconfigError};
use super::store::KubeconfigFile;

/// The changes of an entry, all or none of which are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryChange {
    /// The index of the file.
    pub(super) file: usize,
    pub(super) entry: EntryName,
    pub(super) changes: Vec<Change>,
    /// The entry as text, for a file that cannot be edited safely.
    pub(super) fragment: String,
    /// Whether the entry replaces the identity, which needs a backup.
    pub(super) needs_backup: bool,
}

/// The text of a file after some changes.
pub(super) struct EditedText {
    /// The index of the file.
    pub(super) file: usize,
    pub(super) text: Zeroizing<String>,
    pub(super) needs_backup: bool,
}

/// Applies changes to the texts of files, and returns the texts that are different.
pub(super) fn apply<'a>(
    files: &[KubeconfigFile],
    changes: impl Iterator<Item = &'a EntryChange>,
) -> Result<Vec<EditedText>, KubeconfigError> {
    let mut edited: Vec<EditedText> = Vec::new();
    for change in changes.filter(|change| !change.changes.is_empty()) {
        let source = files.get(change.file).ok_or(KubeconfigError::Busy)?;
        let at = match edited.iter().position(|text| text.file == change.file) {
            Some(at) => at,
            None => {
                edited.push(EditedText {
                    file: change.file,
                    text: source.text.clone(),
                    needs_backup: false,
                });
                edited.len() - 1
            }
        };
        if let Some(text) = edited.get_mut(at) {
            text.needs_backup |= change.needs_backup;
            text.text = change.apply(source, &text.text)?;
        }
    }
    edited.retain(|edited| {
        let source = files.get(edited.file);
        source.is_none_or(|source| *source.text != *edited.text)
    });
    Ok(edited)
}

impl EntryChange {
    /// Returns the text after the changes.
    pub(super) fn apply(
        &self,
        source: &KubeconfigFile,
        text: &str,
    ) -> Result<Zeroizing<String>, KubeconfigError> {
        self.apply_all(text).map_err(|error| KubeconfigError::Edit {
            path: source.path.clone(),
            entry: self.entry.clone(),
            error,
            fragment: self.fragment.clone(),
        })
    }

    fn apply_all(&self, text: &str) -> Result<Zeroizing<String>, EditError> {
        let mut text = Zeroizing::new(text.to_owned());
        for change in &self.changes {
            text = edit::apply(&text, change)?;
        }
        Ok(text)
    }
}
