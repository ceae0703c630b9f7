//! Values as the parser reports them. The parser does not report the spelling of numbers, which is taken from the file.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value as the parser reports it.
pub(super) enum Parsed {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Spanned<Parsed>>),
    Map(Vec<(Spanned<ParsedKey>, Spanned<Parsed>)>),
}

/// The key of a map entry.
pub(super) enum ParsedKey {
    Text(String),
    /// A number, a boolean or null. The name of the key is its spelling in the file.
    Plain,
    /// A map or a list.
    Complex {
        /// Whether the key is a map of a single key without a value, as in `{{SessionName}}`.
        is_word_in_braces: bool,
    },
}

impl<'de> Deserialize<'de> for ParsedKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Parsed::deserialize(deserializer)? {
            Parsed::Text(text) => Self::Text(text),
            Parsed::Null | Parsed::Bool(_) | Parsed::Number => Self::Plain,
            Parsed::List(_) => Self::Complex {
                is_word_in_braces: false,
            },
            Parsed::Map(entries) => Self::Complex {
                is_word_in_braces: match entries.as_slice() {
                    [(key, value)] => {
                        matches!((&key.value, &value.value), (Self::Text(_), Parsed::Null))
                    }
                    _ => false,
                },
            },
        })
    }
}

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ParsedVisitor)
    }
}

struct ParsedVisitor;

impl<'de> Visitor<'de> for ParsedVisitor {
    type Value = Parsed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_none<E>(self) -> Result<Parsed, E> {
        Ok(Parsed::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Parsed, E> {
        Ok(Parsed::Bool(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Parsed, E> {
        Ok(Parsed::Number)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Parsed, E> {
        Ok(Parsed::Number)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Parsed, E> {
        Ok(Parsed::Number)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Parsed, E> {
        Ok(Parsed::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Parsed, E> {
        Ok(Parsed::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Parsed, E> {
        Ok(Parsed::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Parsed, E> {
        Ok(Parsed::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Parsed, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Parsed::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Parsed, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Parsed::Map(map))
    }
}
