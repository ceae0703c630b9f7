//! INI files with credentials, as ack-ram-tool reads them.
//!
//! A wrong reading would be a login as somebody else, so the grammar is exact: `#` and `;` start a comment, also behind
//! a value without quotes; a value can stand in single or double quotes; of several sections of a name the first counts,
//! and in it the last of several equal keys.

use std::collections::BTreeSet;

/// The sections of a file, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ini<'a>(Vec<Section<'a>>);

/// A section.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    /// The name.
    pub(crate) name: &'a str,
    keys: Vec<(&'a str, &'a str)>,
}

/// The reason why a text is not a valid INI file. The message shows no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {fault}")]
pub struct IniError {
    /// The number of the line, from 1.
    pub line: usize,
    /// The fault.
    pub fault: IniFault,
}

/// What is wrong with a line. `Display` is a predicate, whose subject is the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IniFault {
    /// The line starts with `[`, but is not the name of a section.
    #[error("starts with `[`, but does not have the form `[name]`")]
    SectionName,
    /// The line has no `=`.
    #[error("has no `=`")]
    NoValue,
    /// There is no name before `=`.
    #[error("has no name before `=`")]
    NoKey,
    /// A quote is not closed.
    #[error("has a value whose quote is not closed")]
    OpenQuote,
    /// There is text after a value in quotes.
    #[error("has text after a value in quotes")]
    AfterQuote,
    /// The line contains a control character.
    #[error("contains a control character")]
    Control,
}

impl<'a> Ini<'a> {
    /// Parses the text of a file.
    ///
    /// # Errors
    /// Returns the first line that is malformed.
    pub(crate) fn parse(text: &'a str) -> Result<Self, IniError> {
        let mut sections: Vec<Section<'a>> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let fail = |fault| IniError {
                line: index + 1,
                fault,
            };
            let line = line.trim();
            if line.contains(|c: char| c.is_control() && c != '\t') {
                return Err(fail(IniFault::Control));
            }
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if line.starts_with('[') {
                let name = section_name(line).ok_or(fail(IniFault::SectionName))?;
                sections.push(Section {
                    name,
                    keys: Vec::new(),
                });
                continue;
            }
            let (key, value) = line.split_once('=').ok_or(fail(IniFault::NoValue))?;
            let key = key.trim();
            if key.is_empty() {
                return Err(fail(IniFault::NoKey));
            }
            let value = unquote(value.trim()).map_err(fail)?;
            // A key before the first section belongs to no section.
            if let Some(section) = sections.last_mut() {
                section.keys.push((key, value));
            }
        }
        Ok(Self(sections))
    }

    /// Returns the section of this name; of several the first.
    #[must_use]
    pub(crate) fn section(&self, name: &str) -> Option<&Section<'a>> {
        self.0.iter().find(|section| section.name == name)
    }

    /// Returns the names of the sections, each once, in the order of the file.
    #[must_use]
    pub(crate) fn names(&self) -> Vec<&'a str> {
        let mut seen = BTreeSet::new();
        let names = self.0.iter().map(|section| section.name);
        names.filter(|name| seen.insert(*name)).collect()
    }
}

impl<'a> Section<'a> {
    /// Returns the names of the keys, in the order of the file.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.keys.iter().map(|(name, _)| *name)
    }

    /// Returns the value of a key; of several the last.
    #[must_use]
    pub(crate) fn get(&self, key: &str) -> Option<&'a str> {
        let mut keys = self.keys.iter().rev();
        keys.find_map(|(name, value)| (*name == key).then_some(*value))
    }
}

/// `Debug` shows the names of the keys only, because values may be secrets.
impl std::fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.keys.iter().map(|(name, _)| *name).collect();
        f.debug_struct("Section")
            .field("name", &self.name)
            .field("keys", &names)
            .finish()
    }
}

/// Returns the name in a line such as `[name] # comment`.
fn section_name(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix('[')?.split_once(']')?;
    let (name, rest) = (name.trim(), rest.trim());
    let is_comment = rest.is_empty() || rest.starts_with(['#', ';']);
    (!name.is_empty() && is_comment).then_some(name)
}

fn unquote(value: &str) -> Result<&str, IniFault> {
    for quote in ['"', '\''] {
        let Some(rest) = value.strip_prefix(quote) else {
            continue;
        };
        let (inner, rest) = rest.split_once(quote).ok_or(IniFault::OpenQuote)?;
        let rest = rest.trim();
        return if rest.is_empty() || rest.starts_with(['#', ';']) {
            Ok(inner)
        } else {
            Err(IniFault::AfterQuote)
        };
    }
    let end = value.find(['#', ';']).unwrap_or(value.len());
    Ok(value
        .split_at_checked(end)
        .map_or(value, |(text, _)| text)
        .trim())
}

#[cfg(test)]
mod tests;
