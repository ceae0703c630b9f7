//! JSON as a plain tree that keeps repeated members, so that the model can refuse them.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::outcome::Kind;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A number that is not an integer of 64 bits.
    OtherNumber,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a text. Returns `None` if it is not JSON, or if an object repeats a member. Names that differ only in
    /// case are the same member for the CLI and ack-ram-tool, which are written in Go.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let json: Self = serde_json::from_str(text).ok()?;
        (!json.repeats_a_member()).then_some(json)
    }

    /// Returns a member of an object that is not null. Choice: a member in another case is an error, because clients that
    /// are written in Go read it, and others do not.
    pub(crate) fn member(&self, name: &str) -> Result<Option<&Self>, Kind> {
        let Self::Object(members) = self else {
            return Ok(None);
        };
        let mut members = members.iter();
        match members.find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((known, _)) if known != name => Err(Kind::Value),
            Some((_, Self::Null)) | None => Ok(None),
            Some((_, value)) => Ok(Some(value)),
        }
    }

    fn repeats_a_member(&self) -> bool {
        match self {
            Self::Object(members) => members.iter().enumerate().any(|(index, (name, value))| {
                let is_repeated = members[..index]
                    .iter()
                    .any(|(earlier, _)| earlier.eq_ignore_ascii_case(name));
                is_repeated || value.repeats_a_member()
            }),
            Self::List(values) => values.iter().any(Self::repeats_a_member),
            _ => false,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::OtherNumber, Json::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Json::Object(object))
    }
}
