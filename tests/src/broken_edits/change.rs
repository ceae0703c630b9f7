//! Changes of a text, of which an edit consists.

use serde::Deserialize;

/// One change of a text.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    /// Replaces the whole text.
    Text(String),
    /// Replaces every occurrence of the first text with the second.
    Replace(String, String),
    /// Replaces the first occurrence of the first text with the second.
    First(String, String),
    /// Sets a member of the entry, which is a text or a list of texts, to this value.
    Set(String, String),
    /// Adds a group to the entry.
    AddGroup(String),
    /// Adds the text at the end.
    Append(String),
    /// Adds the text at the end, this many times.
    Repeat(String, usize),
    /// Adds the first text at the start and the second at the end.
    Around(String, String),
    /// Adds the second text after each occurrence of the first, this many times.
    Fill(String, String, usize),
    /// Removes the end.
    Cut(Cut),
    /// Writes the whole text twice.
    Twice,
    /// Encodes the text as UTF-16.
    Utf16,
    /// Adds a byte at the end that is not valid UTF-8.
    BadByte,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cut {
    /// The second half.
    Half,
    /// The last character.
    Last,
}

/// Returns the text after the changes, in their order.
pub(super) fn text_after(edit: &[Change], text: &str) -> String {
    String::from_utf8(bytes_after(edit, text)).expect("the edit leaves valid UTF-8")
}

/// Returns the bytes of the text after the changes, in their order.
pub(super) fn bytes_after(edit: &[Change], text: &str) -> Vec<u8> {
    let bytes = text.as_bytes().to_vec();
    edit.iter().fold(bytes, |bytes, change| change.apply(bytes))
}

impl Change {
    fn apply(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if let Self::BadByte = self {
            bytes.push(0xff);
            return bytes;
        }
        if let Self::Append(more) = self {
            bytes.extend(more.as_bytes());
            return bytes;
        }
        let text = String::from_utf8(bytes).expect("text");
        if let Self::Utf16 = self {
            return text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        self.apply_to_text(&text).into_bytes()
    }

    fn apply_to_text(&self, text: &str) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Replace(from, to) => text.replace(from, to),
            Self::First(from, to) => text.replacen(from, to, 1),
            Self::Set(key, value) => {
                let (before, _, after) = member(text, key);
                format!("{before}{value}{after}")
            }
            Self::AddGroup(group) => {
                let (before, groups, after) = member(text, "groups");
                let groups = groups.strip_suffix(']').expect("a list");
                let comma = if groups == "[" { "" } else { ", " };
                format!("{before}{groups}{comma}{group}]{after}")
            }
            Self::Append(more) => format!("{text}{more}"),
            Self::Repeat(more, times) => text.to_owned() + &more.repeat(*times),
            Self::Around(before, after) => format!("{before}{text}{after}"),
            Self::Fill(place, more, times) => {
                text.replace(place, &format!("{place}{}", more.repeat(*times)))
            }
            Self::Cut(cut) => {
                let length = text.chars().count();
                let length = match cut {
                    Cut::Half => length / 2,
                    Cut::Last => length - 1,
                };
                text.chars().take(length).collect()
            }
            Self::Twice => text.repeat(2),
            Self::Utf16 | Self::BadByte => unreachable!("changes of bytes are applied above"),
        }
    }
}

/// Splits `entry` into the text before the value of `key`, the value, and the text after it. The value is a text or a
/// list of texts.
fn member<'a>(entry: &'a str, key: &str) -> (&'a str, &'a str, &'a str) {
    let key = format!("\"{key}\":");
    let start = entry.find(&key).expect("the member") + key.len();
    let start = start + (entry[start..].len() - entry[start..].trim_start().len());
    let end = if entry[start..].starts_with('[') {
        ']'
    } else {
        '"'
    };
    let length = entry[start + 1..].find(end).expect("the value's end") + 2;
    let end = start + length;
    (&entry[..start], &entry[start..end], &entry[end..])
}
