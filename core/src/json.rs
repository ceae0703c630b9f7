//! Strict JSON: one document, bounded, each name once.
//!
//! serde_json's own error texts quote the input, which may be a token. The errors here never do, but for the name of
//! a member that stands there twice.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::token::Shown;

/// Deeper nesting is refused. A token has two levels, a TokenReview five.
const MAX_DEPTH: usize = 16;
/// More members in one object are refused. A token has nine at most.
const MAX_MEMBERS: usize = 64;

/// A JSON value.
#[derive(Debug, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A number. It is only read where it is whole and not negative.
    Number(Option<u64>),
    /// A string.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Value<'a>>),
    /// An object.
    Object(Object<'a>),
}

/// Members in the order of the text; no two names are equal, not even when case is ignored.
#[derive(Debug, Default, PartialEq)]
pub struct Object<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// The names and values, in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The member with exactly this name.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value<'a>> {
        self.iter()
            .find(|(member, _)| *member == name)
            .map(|(_, value)| value)
    }

    /// The member with exactly this name, when it is a string.
    pub(crate) fn string(&self, name: &str) -> Option<&str> {
        match self.member(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The member with exactly this name, when it is an object.
    pub(crate) fn object(&self, name: &str) -> Option<&Self> {
        match self.member(name)? {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// Why a text is not JSON that we take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// It does not parse as one JSON document; line and column count from 1.
    Syntax {
        /// Line of the first error.
        line: usize,
        /// Column of the first error.
        column: usize,
    },
    /// It is JSON, but not an object.
    NotAnObject,
    /// It nests deeper than any honest input.
    TooDeep,
    /// One object has more members than any honest input.
    TooManyMembers,
    /// One object has two members whose names are equal when case is ignored.
    Repeated {
        /// The second of the two.
        name: Shown,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { line, column } => {
                write!(f, "not valid JSON at line {line}, column {column}")
            }
            Self::NotAnObject => f.write_str("not a JSON object"),
            Self::TooDeep => write!(f, "JSON nested deeper than {MAX_DEPTH} levels"),
            Self::TooManyMembers => {
                write!(f, "a JSON object with more than {MAX_MEMBERS} members")
            }
            Self::Repeated { name } => write!(f, "the name {name} stands there twice"),
        }
    }
}

/// Parses `text`, which must be one object and nothing after it.
///
/// # Errors
/// Says why it is not taken, and quotes none of it but a name.
pub fn parse_object(text: &[u8]) -> Result<Object<'_>, JsonError> {
    let refused = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let seed = Strict {
        depth: 0,
        refused: &refused,
    };
    let parsed = seed
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match parsed {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(JsonError::NotAnObject),
        Err(error) => Err(refused.take().unwrap_or(JsonError::Syntax {
            line: error.line(),
            column: error.column(),
        })),
    }
}

/// Builds a [`Value`]; leaves the reason in `refused` when a limit is passed, since a serde error can carry only text.
#[derive(Clone, Copy)]
struct Strict<'r> {
    depth: usize,
    refused: &'r RefCell<Option<JsonError>>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(self, reason: JsonError) -> E {
        self.refused.replace(Some(reason));
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.refuse(JsonError::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number.try_into().ok()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(Some(number)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(None))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::String(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let seed = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(seed)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value<'de>, A::Error> {
        let seed = self.deeper()?;
        let mut object: Vec<(Cow<'de, str>, Value<'de>)> = Vec::new();
        while let Some(name) = members.next_key_seed(Name)? {
            if object.len() >= MAX_MEMBERS {
                return Err(self.refuse(JsonError::TooManyMembers));
            }
            if object
                .iter()
                .any(|(known, _)| known.eq_ignore_ascii_case(&name))
            {
                let name = Shown::new(&name);
                return Err(self.refuse(JsonError::Repeated { name }));
            }
            let value = members.next_value_seed(seed)?;
            object.push((name, value));
        }
        Ok(Value::Object(Object(object)))
    }
}

/// A member's name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
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
    fn refuses_what_no_honest_client_writes() {
        let deep = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
        let deep_array = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let wide = format!(
            "{{{}}}",
            (0..65)
                .map(|i| format!("\"k{i}\":1"))
                .collect::<Vec<_>>()
                .join(",")
        );
        let repeated = |name: &str| JsonError::Repeated {
            name: Shown::new(name),
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
            (wide.as_str(), JsonError::TooManyMembers),
        ] {
            assert_eq!(parse_object(text.as_bytes()), Err(expected), "{text:.60}");
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}").is_err(), "not UTF-8");
    }

    #[test]
    fn reads_members_by_exact_name() {
        let object =
            parse_object(br#"{"a":"x","b":{"c":"y\n"},"n":null,"f":1.5,"g":-1,"h":7,"l":[true]}"#)
                .unwrap();
        assert_eq!(object.string("a"), Some("x"));
        assert_eq!(object.string("A"), None);
        assert_eq!(object.object("b").and_then(|b| b.string("c")), Some("y\n"));
        assert_eq!(object.string("b"), None);
        assert_eq!(object.member("n"), Some(&Value::Null));
        assert_eq!(object.member("f"), Some(&Value::Number(None)));
        assert_eq!(object.member("g"), Some(&Value::Number(None)));
        assert_eq!(object.member("h"), Some(&Value::Number(Some(7))));
        let list = Value::Array(vec![Value::Bool(true)]);
        assert_eq!(object.member("l"), Some(&list));
    }
}
