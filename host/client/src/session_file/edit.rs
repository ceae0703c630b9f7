//! Changes members of a profile in the text of a file, and nothing else.

use std::borrow::Cow;
use std::fmt;

use ack_ram_core::secret::Secret;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use zeroize::Zeroizing;

use crate::flow::{MemberValue, SessionUpdate};

/// The reason why a file cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EditError {
    /// The file is not JSON with a list of profiles.
    #[error("the file is not valid")]
    Invalid,
    /// The profile is not in the file any more.
    #[error("the profile does not exist any more")]
    NoProfile,
    /// The profile has other tokens than those that were used.
    #[error("the profile has changed: somebody has signed in again")]
    Changed,
    /// The result would not be the expected one.
    #[error("the file has a layout that cannot be changed safely")]
    Unsafe,
}

#[derive(Deserialize)]
struct Root<'a> {
    #[serde(borrow)]
    profiles: Vec<&'a RawValue>,
}

/// The members of an object, with the text of each value.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// Returns `text` with the members of `update`.
pub(super) fn edit(text: &str, update: &SessionUpdate) -> Result<Zeroizing<String>, EditError> {
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let body = text.get(start..).ok_or(EditError::Invalid)?;
    let root: Root<'_> = serde_json::from_str(body).map_err(|_| EditError::Invalid)?;
    let (profile, members) = find_profile(&root, &update.profile.name)?;
    check_expected(&members, &update.expected)?;

    let mut changes: Vec<(usize, usize, Zeroizing<String>)> = Vec::new();
    let mut added = Zeroizing::new(String::new());
    let layout = Layout::of(profile.get());
    for (name, value) in &update.members {
        let json = Zeroizing::new(to_json(value).to_string());
        if members.get(name).is_none() {
            added.push_str(&layout.member(name, &json));
        }
        // Of a repeated member, some programs read the first and some the last.
        for old in members.all(name) {
            let offset = offset_in(text, old.get()).ok_or(EditError::Unsafe)?;
            changes.push((offset, offset + old.get().len(), json.clone()));
        }
    }
    if let (false, Some((_, last))) = (added.is_empty(), members.0.last()) {
        let end = offset_in(text, last.get()).ok_or(EditError::Unsafe)? + last.get().len();
        changes.push((end, end, added));
    }
    changes.sort_by_key(|(start, end, _)| (*start, *end));
    let mut out = Zeroizing::new(String::with_capacity(text.len() + 4096));
    let mut at = 0;
    for (start, end, new) in &changes {
        out.push_str(text.get(at..*start).ok_or(EditError::Unsafe)?);
        out.push_str(new);
        at = *end;
    }
    out.push_str(text.get(at..).ok_or(EditError::Unsafe)?);
    check_result(body, out.get(start..).unwrap_or_default(), update)?;
    Ok(out)
}

/// Returns the first profile of this name.
fn find_profile<'a>(root: &Root<'a>, name: &str) -> Result<(&'a RawValue, Members<'a>), EditError> {
    for profile in &root.profiles {
        // What is not an object is not a profile.
        let Ok(members) = serde_json::from_str::<Members<'a>>(profile.get()) else {
            continue;
        };
        if members.text("name").is_some_and(|found| *found == name) {
            return Ok((profile, members));
        }
    }
    Err(EditError::NoProfile)
}

fn check_expected(
    members: &Members<'_>,
    (name, token): &(&'static str, Secret),
) -> Result<(), EditError> {
    match members.text(name) {
        Some(found) if *found == *token.expose() => Ok(()),
        _ => Err(EditError::Changed),
    }
}

/// Checks that the new text differs from the old one in the members only.
fn check_result(old: &str, new: &str, update: &SessionUpdate) -> Result<(), EditError> {
    let parse = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| EditError::Unsafe);
    let mut expected = parse(old)?;
    let profiles = expected.get_mut("profiles").and_then(Value::as_array_mut);
    let profile = profiles
        .into_iter()
        .flatten()
        .find(|profile| profile.get("name").and_then(Value::as_str) == Some(&update.profile.name));
    let profile = profile
        .and_then(Value::as_object_mut)
        .ok_or(EditError::Unsafe)?;
    for (name, value) in &update.members {
        profile.insert((*name).to_owned(), to_json(value));
    }
    if parse(new)? == expected {
        Ok(())
    } else {
        Err(EditError::Unsafe)
    }
}

fn to_json(value: &MemberValue) -> Value {
    match value {
        MemberValue::Text(text) => Value::String(text.expose().to_owned()),
        MemberValue::Number(number) => Value::Number(Number::from(*number)),
    }
}

/// Returns where `part`, a part of `text`, starts in it.
fn offset_in(text: &str, part: &str) -> Option<usize> {
    let offset = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (text.get(offset..offset.checked_add(part.len())?) == Some(part)).then_some(offset)
}

/// How members are written in an object.
struct Layout<'a> {
    /// White space before the name of a member.
    before: &'a str,
    /// White space after the colon.
    after_colon: &'static str,
}

impl<'a> Layout<'a> {
    fn of(object: &'a str) -> Self {
        let inside = object.strip_prefix('{').unwrap_or_default();
        let end = inside.len() - inside.trim_start().len();
        let before = inside.get(..end).unwrap_or_default();
        let after_colon = if before.is_empty() { "" } else { " " };
        Self {
            before,
            after_colon,
        }
    }

    fn member(&self, name: &str, value: &str) -> String {
        format!(",{}\"{name}\":{}{value}", self.before, self.after_colon)
    }
}

impl Members<'_> {
    fn all(&self, name: &str) -> impl Iterator<Item = &RawValue> {
        let members = self.0.iter();
        members.filter_map(move |(known, value)| (known == name).then_some(*value))
    }

    fn get(&self, name: &str) -> Option<&RawValue> {
        self.all(name).next()
    }

    fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        serde_json::from_str(self.get(name)?.get())
            .ok()
            .map(Zeroizing::new)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Cow<'de, str>, &RawValue>()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
