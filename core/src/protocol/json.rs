//! A strict JSON parser: one object of bounded size without duplicate keys.
//!
//! The error messages of serde_json quote the input, which may be a token. The errors of this module quote only a
//! duplicate key.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::protocol::quoted::Quoted;

/// The maximum nesting depth. A token has two levels, a TokenReview has five.
const MAX_DEPTH: usize = 16;
/// The maximum number of members of one object. A token has at most nine.
const MAX_MEMBERS: usize = 64;

/// A JSON value.
#[derive(Debug, PartialEq)]
pub enum JsonValue<'a> {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A number; `None` unless it is an integer and not negative.
    Number(Option<u64>),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<JsonValue<'a>>),
    /// An object.
    Object(JsonObject<'a>),
}

/// The members of an object in the order of the text. No two names are equal, even if case is ignored.
#[derive(Debug, Default, PartialEq)]
pub struct JsonObject<'a>(Vec<(Cow<'a, str>, JsonValue<'a>)>);

impl<'a> JsonObject<'a> {
    /// Returns the names and values, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &JsonValue<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// Returns the value of the member with exactly this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&JsonValue<'a>> {
        self.iter()
            .find(|(member, _)| *member == name)
            .map(|(_, value)| value)
    }

    /// Returns the text of the member with exactly this name, if it is a string.
    #[must_use]
    pub fn string_member(&self, name: &str) -> Option<&str> {
        match self.member(name)? {
            JsonValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the member with exactly this name, if it is an object.
    #[must_use]
    pub fn object_member(&self, name: &str) -> Option<&Self> {
        match self.member(name)? {
            JsonValue::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// The reason why JSON is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text is not one JSON document.
    #[error("not valid JSON at line {line}, column {column}")]
    Syntax {
        /// The line of the first error, from 1.
        line: usize,
        /// The column of the first error, from 1.
        column: usize,
    },
    /// The text is JSON, but not an object.
    #[error("not a JSON object")]
    NotAnObject,
    /// The nesting is deeper than that of any valid input.
    #[error("JSON is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// An object has more members than any valid input.
    #[error("a JSON object has more than {max} members")]
    TooManyMembers {
        /// The maximum.
        max: usize,
    },
    /// An object has two keys that are equal if case is ignored.
    #[error("duplicate key {name}")]
    DuplicateKey {
        /// The second of the two keys.
        name: Quoted,
    },
}

/// Parses `text`, which must consist of one JSON object.
///
/// # Errors
/// Returns the reason why `text` is refused. The error quotes at most a key of `text`.
pub fn parse_object(text: &[u8]) -> Result<JsonObject<'_>, JsonError> {
    parse_object_with(text, MAX_MEMBERS)
}

/// Parses `text` as [`parse_object`] does, but objects may have up to `max_members` members.
///
/// # Errors
/// Returns the same errors as [`parse_object`].
pub fn parse_object_with(text: &[u8], max_members: usize) -> Result<JsonObject<'_>, JsonError> {
    let error_slot = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let seed = ValueSeed {
        depth: 0,
        max_members,
        error_slot: &error_slot,
    };
    let parsed = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match parsed {
        Ok(JsonValue::Object(object)) => Ok(object),
        Ok(_) => Err(JsonError::NotAnObject),
        Err(error) => Err(error_slot.take().unwrap_or(JsonError::Syntax {
            line: error.line(),
            column: error.column(),
        })),
    }
}

/// Deserializes a [`JsonValue`]. Stores a [`JsonError`] in `error_slot` if one applies, because an error of serde can
/// contain only text.
#[derive(Clone, Copy)]
struct ValueSeed<'r> {
    depth: usize,
    max_members: usize,
    error_slot: &'r RefCell<Option<JsonError>>,
}

impl ValueSeed<'_> {
    fn fail<E: serde::de::Error>(self, reason: JsonError) -> E {
        self.error_slot.replace(Some(reason));
        E::custom("refused")
    }

    fn descend<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fail(JsonError::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = JsonValue<'de>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<JsonValue<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = JsonValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Number(number.try_into().ok()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Number(Some(number)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Number(None))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonValue<'de>, A::Error> {
        let seed = self.descend()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(seed)? {
            array.push(item);
        }
        Ok(JsonValue::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonValue<'de>, A::Error> {
        let seed = self.descend()?;
        let mut object: Vec<(Cow<'de, str>, JsonValue<'de>)> = Vec::new();
        while let Some(name) = members.next_key_seed(NameSeed)? {
            if object.len() >= self.max_members {
                return Err(self.fail(JsonError::TooManyMembers {
                    max: self.max_members,
                }));
            }
            if object
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&name))
            {
                let name = Quoted::new(&name);
                return Err(self.fail(JsonError::DuplicateKey { name }));
            }
            let value = members.next_value_seed(seed)?;
            object.push((name, value));
        }
        Ok(JsonValue::Object(JsonObject(object)))
    }
}

/// Deserializes the name of a member, and borrows it if it has no escapes.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_object_rejects_malformed_and_oversized_json() {
        let deep = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
        let deep_array = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let wide = format!(
            "{{{}}}",
            (0..65)
                .map(|i| format!("\"k{i}\":1"))
                .collect::<Vec<_>>()
                .join(",")
        );
        let repeated = |name: &str| JsonError::DuplicateKey {
            name: Quoted::new(name),
        };
        for (text, expected) in [
            ("", JsonError::Syntax { line: 1, column: 0 }),
            ("{", JsonError::Syntax { line: 1, column: 1 }),
            ("{} {}", JsonError::Syntax { line: 1, column: 4 }),
            ("[]", JsonError::NotAnObject),
            ("null", JsonError::NotAnObject),
            ("\"k8s\"", JsonError::NotAnObject),
            (r#"{"a":1,"a":1}"#, repeated("a")),
            (r#"{"a":1,"A":1}"#, repeated("A")),
            (r#"{"a":1,"\u0061":1}"#, repeated("a")),
            (r#"{"x":{"a":1,"a":1}}"#, repeated("a")),
            (deep.as_str(), JsonError::TooDeep),
            (deep_array.as_str(), JsonError::TooDeep),
            (wide.as_str(), JsonError::TooManyMembers { max: 64 }),
        ] {
            assert_eq!(parse_object(text.as_bytes()), Err(expected), "{text:.60}");
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}").is_err(), "not UTF-8");
    }

    #[test]
    fn object_members_match_exact_name() {
        let object =
            parse_object(br#"{"a":"x","b":{"c":"y\n"},"n":null,"f":1.5,"g":-1,"h":7,"l":[true]}"#)
                .unwrap();
        assert_eq!(object.string_member("a"), Some("x"));
        assert_eq!(object.string_member("A"), None);
        assert_eq!(
            object.object_member("b").and_then(|b| b.string_member("c")),
            Some("y\n")
        );
        assert_eq!(object.string_member("b"), None);
        assert_eq!(object.member("n"), Some(&JsonValue::Null));
        assert_eq!(object.member("f"), Some(&JsonValue::Number(None)));
        assert_eq!(object.member("g"), Some(&JsonValue::Number(None)));
        assert_eq!(object.member("h"), Some(&JsonValue::Number(Some(7))));
        let list = JsonValue::Array(vec![JsonValue::Bool(true)]);
        assert_eq!(object.member("l"), Some(&list));
    }
}
