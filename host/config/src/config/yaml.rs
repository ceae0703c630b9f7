//! YAML as a tree that remembers where each value stands and how a number was written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{MessageFormatter as _, Spanned, UserMessageFormatter};

use crate::config::error::spelt_out;

/// Nesting that no honest file reaches: mappings stand at depth five.
const MAX_DEPTH: usize = 32;

/// Room for a quarter of a million mappings; the parser's own limit stops below a hundred thousand.
const MAX_NODES: usize = 2_000_000;

/// So many nodes any text may have, and one more for so many of its bytes. An honest mapping takes more bytes; a text
/// that is nothing but brackets, or aliases of aliases, would take hundreds of times its length of memory.
const FREE_NODES: usize = 50_000;
const BYTES_PER_NODE: usize = 6;

/// Line and column, both counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: u64,
    pub column: u64,
}

/// A value and where it stands.
#[derive(Debug)]
pub struct Node {
    pub value: Value,
    pub position: Position,
}

/// What YAML 1.2 takes the text for.
#[derive(Debug)]
pub enum Value {
    Null,
    Bool(bool),
    Text(String),
    /// Anything unquoted that some version of YAML reads as a number, as it is written.
    Number(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// The kind, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// A key and where it stands.
#[derive(Debug)]
pub struct Key {
    pub name: String,
    pub position: Position,
}

/// Why a file is not YAML.
#[derive(Debug)]
pub struct SyntaxError {
    pub position: Option<Position>,
    pub message: String,
}

/// Parses one document. An empty one is null.
pub fn parse(source: &str) -> Result<Node, SyntaxError> {
    let max_nodes = MAX_NODES.min(FREE_NODES + source.len() / BYTES_PER_NODE);
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: max_nodes,
            max_events: 2 * max_nodes,
            max_anchors: max_nodes,
            max_aliases: max_nodes,
            max_merge_keys: max_nodes,
            max_recorded_anchor_events: max_nodes,
            // One list of groups may be that of everybody.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: max_nodes },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // A snippet would quote lines that may hold what is nobody else's business.
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Spanned<Parsed>>(source, options)
        .map(|root| locate(root, source))
        .map_err(|error| SyntaxError {
            position: error.location().map(position),
            message: message(&error),
        })
}

fn message(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error::{AliasError, AliasReplayLimitExceeded, Budget};
    match error {
        AliasError { error, .. } => message(error),
        Budget { .. } | AliasReplayLimitExceeded { .. } => {
            "it is nested too deep, or has far more parts than its length explains".to_owned()
        }
        error => spelt_out(&UserMessageFormatter.format_message(error)),
    }
}

fn position(location: serde_saphyr::Location) -> Position {
    Position {
        line: location.line(),
        column: location.column(),
    }
}

fn locate(parsed: Spanned<Parsed>, source: &str) -> Node {
    let value = match parsed.value {
        Parsed::Null => Value::Null,
        Parsed::Bool(value) => Value::Bool(value),
        Parsed::Number => Value::Number(written(parsed.defined, source).to_owned()),
        Parsed::Text(text) => match written(parsed.defined, source) {
            written if written == text && starts_like_a_number(&text) => Value::Number(text),
            _ => Value::Text(text),
        },
        Parsed::List(items) => {
            Value::List(items.into_iter().map(|item| locate(item, source)).collect())
        }
        Parsed::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let key = Key {
                        name: key.value,
                        position: position(key.referenced),
                    };
                    (key, locate(value, source))
                })
                .collect(),
        ),
    };
    Node {
        value,
        position: position(parsed.referenced),
    }
}

/// The text of the file at `location`, quotes included.
fn written(location: serde_saphyr::Location, source: &str) -> &str {
    let span = location.span();
    let range = || {
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        source.get(start..start.checked_add(length)?)
    };
    range().unwrap_or_default().trim_end()
}

/// Whether plain text is digits and underscores: YAML 1.1, which Go's reader follows, makes `0123` and `1_000`
/// other numbers.
fn starts_like_a_number(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
}

enum Parsed {
    Null,
    Bool(bool),
    Number,
    Text(String),
    List(Vec<Spanned<Parsed>>),
    Map(Vec<(Spanned<String>, Spanned<Parsed>)>),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree on one line: `#` marks a number, `@` the place of each list item and map value.
    fn outline(node: &Node) -> String {
        let at = |node: &Node| {
            format!(
                "{}@{}:{}",
                outline(node),
                node.position.line,
                node.position.column
            )
        };
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Text(text) => format!("'{text}'"),
            Value::Number(text) => format!("#{text}"),
            Value::List(items) => {
                format!("[{}]", items.iter().map(at).collect::<Vec<_>>().join(", "))
            }
            Value::Map(entries) => {
                let entry = |(key, value): &(Key, Node)| format!("{}: {}", key.name, at(value));
                format!(
                    "{{{}}}",
                    entries.iter().map(entry).collect::<Vec<_>>().join(", ")
                )
            }
        }
    }

    fn check(source: &str, expected: &str) {
        let outcome = match parse(source) {
            Ok(node) => outline(&node),
            Err(error) => {
                let place = error
                    .position
                    .map_or(String::new(), |p| format!("{}:{}", p.line, p.column));
                format!("{place} {}", error.message)
            }
        };
        assert_eq!(outcome, expected, "{source}");
    }

    #[test]
    fn values_keep_their_place_and_their_spelling() {
        for (source, expected) in [
            ("", "null"),
            ("# nothing\n", "null"),
            (
                "a: 1\nb:\n  - x\n  - 'y'\n",
                "{a: #1@1:4, b: ['x'@3:5, 'y'@4:5]@3:3}",
            ),
            (
                "[000123, '000123', \"000123\", 1_000, '1_000']",
                "[#000123@1:2, '000123'@1:10, '000123'@1:20, #1_000@1:30, '1_000'@1:37]",
            ),
            (
                "[1234567890123456, 0x10, 0o17, 1.50, 1e9, -3, .5]",
                "[#1234567890123456@1:2, #0x10@1:20, #0o17@1:26, #1.50@1:32, #1e9@1:38, #-3@1:43, #.5@1:47]",
            ),
            (
                "[99999999999999999999999999]",
                "[#99999999999999999999999999@1:2]",
            ),
            (
                "[yes, no, on, true, False, ~, null, '']",
                "['yes'@1:2, 'no'@1:7, 'on'@1:11, true@1:15, false@1:21, null@1:28, null@1:31, ''@1:37]",
            ),
            (
                "- 0123 # comment\n- &a 0456\n- *a\n",
                "[#0123@1:3, #0456@2:6, #0456@3:3]",
            ),
            (
                "a: acs:ram::000000000000:role/x\n",
                "{a: 'acs:ram::000000000000:role/x'@1:4}",
            ),
        ] {
            check(source, expected);
        }
    }

    #[test]
    fn what_is_not_yaml_is_refused_where_it_stands() {
        for (source, line, column, word) in [
            ("a: 1\na: 2\n", 2, 1, "duplicate"),
            ("a: [1\nb: 2\n", 2, 2, "':'"),
            ("a: 1\n---\nb: 2\n", 3, 1, "single"),
            ("a: *nobody\n", 1, 4, "unknown"),
            ("a: \t- x\n  b\n", 1, 5, "not allowed"),
            ("a: SECRET\n b: [\n", 2, 3, "not allowed"),
            (
                "\"a\\n\\u001b[1m\": 1\n\"a\\n\\u001b[1m\": 2\n",
                2,
                1,
                "`a\\n\\u{1b}[1m`",
            ),
        ] {
            let error = parse(source).unwrap_err();
            let expected = Some(Position { line, column });
            assert_eq!(error.position, expected, "{source}: {}", error.message);
            assert!(error.message.contains(word), "{source}: {}", error.message);
            assert!(
                !error.message.contains("SECRET"),
                "{source}: {}",
                error.message
            );
        }
    }

    #[test]
    fn one_list_may_be_that_of_everybody() {
        let mut source = "all: &all [a, b]\nusers:\n".to_owned();
        for index in 0..2_000 {
            source += &format!("- {{username: user-{index}, groups: *all}}\n");
        }
        assert!(parse(&source).is_ok());
        check(
            "one: &one {a: 1, b: 2}\ntwo:\n  <<: *one\n  b: 3\n",
            "{one: {a: #1@1:15, b: #2@1:21}@1:11, two: {b: #3@4:6, a: #1@3:7}@3:3}",
        );
    }

    #[test]
    fn a_text_that_grows_while_it_is_read_is_refused() {
        let ten = |item: &str| [item; 10].join(", ");
        let mut laughs = format!("a: &a [{}]\n", ten("x"));
        for (one, next) in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f")] {
            laughs += &format!("{next}: &{next} [{}]\n", ten(&format!("*{one}")));
        }
        let loud = format!(
            "a: &a {}\nb: [{}]\n",
            "x".repeat(100_000),
            "*a,".repeat(1_000)
        );
        let nested = format!("{}x{}", "[".repeat(40), "]".repeat(40));
        let brackets = format!("[{}]", "{},".repeat(120_000));
        for source in [laughs, loud, nested, brackets] {
            let error = parse(&source).unwrap_err();
            assert!(
                error
                    .message
                    .contains("more parts than its length explains"),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        assert!(parse(&"[".repeat(10_000)).is_err());
        assert!(parse(&format!("{}{}", "[".repeat(40), "]".repeat(40))).is_err());
    }
}
