//! YAML as a tree in which values keep their position, and numbers keep their spelling.

use serde_saphyr::{MessageFormatter as _, Spanned, UserMessageFormatter};

use crate::diagnostic::{Diagnostic, Location, Position, escape_control};

mod advice;
mod parsed;
mod recovery;
mod unquoted;

use parsed::{Parsed, ParsedKey};
pub use unquoted::UnquotedValue;

/// Maximum depth of nesting. In a real file, mappings are at depth five.
const MAX_DEPTH: usize = 32;

/// Maximum number of nodes: enough for a quarter of a million mappings. The default limit of the parser is enough for
/// fewer than a hundred thousand.
const MAX_NODES: usize = 2_000_000;

/// Number of nodes that any text may have, in addition to one node for every [`BYTES_PER_NODE`] bytes.
///
/// A real mapping takes more bytes than that. A text that consists of brackets, or of aliases of aliases, would take
/// hundreds of times its length in memory.
const FREE_NODES: usize = 50_000;
const BYTES_PER_NODE: usize = 6;

/// A value and its position.
#[derive(Debug)]
pub struct Node {
    /// Value of the node.
    pub value: Value,
    /// Position where the value starts.
    pub position: Position,
}

/// A value, as YAML 1.2 reads it.
#[derive(Debug)]
pub enum Value {
    /// Null, or no value.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Text, with or without quotes.
    Text(String),
    /// An unquoted value that some version of YAML reads as a number, as it is written.
    Number(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text.
    Map(Vec<(Key, Node)>),
    /// A value that is meant as text but needs quotes and has none, such as `{{SessionName}}`.
    Unquoted(UnquotedValue),
    /// A map with a key that is a map or a list.
    ComplexMap,
}

impl Value {
    /// Returns the type of the value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "no value",
            Self::Bool(_) => "a boolean",
            Self::Text(_) => "text",
            Self::Number(_) => "a number",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Unquoted(_) => "unquoted text",
            Self::ComplexMap => "a map with a key that is not text",
        }
    }
}

/// A key and its position.
#[derive(Debug)]
pub struct Key {
    /// Name of the key.
    pub name: String,
    /// Position where the key starts.
    pub position: Position,
}

/// Reason why a file is not valid YAML.
#[derive(Debug)]
pub struct SyntaxError {
    /// Position of the error, if known.
    pub position: Option<Position>,
    /// Description of the problem and the fix.
    pub message: String,
}

impl SyntaxError {
    /// Returns the diagnostic of the error in the text `name`.
    #[must_use]
    pub fn into_diagnostic(self, name: &str) -> Diagnostic {
        let location = match self.position {
            Some(position) => Location::in_file(name, position),
            None => Location::file(name),
        };
        Diagnostic::unreadable(location, self.message)
    }
}

/// Parses one document. An empty document is null. A value that needs quotes and has none becomes [`Value::Unquoted`],
/// and the rest of the document is still readable.
///
/// # Errors
/// Returns the first syntax error.
pub fn parse(source: &str) -> Result<Node, SyntaxError> {
    parse_strictly(source).or_else(|failure| match failure {
        ParseFailure::LimitExceeded(error) => Err(error),
        ParseFailure::Syntax(error) => {
            recovery::parse_around(source, &error).ok_or_else(|| advice::add_advice(source, error))
        }
    })
}

/// Reason why a document cannot be parsed.
enum ParseFailure {
    /// The document is nested too deeply, or has too many nodes for its length.
    LimitExceeded(SyntaxError),
    Syntax(SyntaxError),
}

/// Parses one document without recovery from errors.
fn parse_strictly(source: &str) -> Result<Node, ParseFailure> {
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
            // All users may share one list of groups through an alias.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: max_nodes },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        // A snippet would quote lines that may be confidential.
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Spanned<Parsed>>(source, options)
        .map(|root| to_node(root, source))
        .map_err(|error| classify_error(&error))
}

fn classify_error(error: &serde_saphyr::Error) -> ParseFailure {
    use serde_saphyr::Error::{AliasError, AliasReplayLimitExceeded, Budget};
    let at = |message| SyntaxError {
        position: error.location().map(position),
        message,
    };
    match error {
        AliasError { error, .. } => classify_error(error),
        Budget { .. } | AliasReplayLimitExceeded { .. } => ParseFailure::LimitExceeded(at(
            "the YAML is nested too deeply, or has too many values for its length; simplify it there"
                .to_owned(),
        )),
        error => ParseFailure::Syntax(at(escape_control(&UserMessageFormatter.format_message(error)))),
    }
}

fn position(location: serde_saphyr::Location) -> Position {
    Position {
        line: location.line(),
        column: location.column(),
    }
}

fn to_node(parsed: Spanned<Parsed>, source: &str) -> Node {
    let value = match parsed.value {
        Parsed::Null => Value::Null,
        Parsed::Bool(value) => Value::Bool(value),
        Parsed::Number => Value::Number(source_text(parsed.defined, source).to_owned()),
        Parsed::Text(text) => match source_text(parsed.defined, source) {
            written if written == text && is_digits_and_underscores(&text) => Value::Number(text),
            _ => Value::Text(text),
        },
        Parsed::List(items) => Value::List(
            items
                .into_iter()
                .map(|item| to_node(item, source))
                .collect(),
        ),
        Parsed::Map(entries) => to_map(entries, parsed.defined, source),
    };
    Node {
        value,
        position: position(parsed.referenced),
    }
}

fn to_map(
    entries: Vec<(Spanned<ParsedKey>, Spanned<Parsed>)>,
    defined: serde_saphyr::Location,
    source: &str,
) -> Value {
    if let Some(unquoted) = UnquotedValue::from_braces(&entries, source_from(defined, source)) {
        return Value::Unquoted(unquoted);
    }
    let entries = entries.into_iter().map(|(key, value)| {
        let name = match key.value {
            ParsedKey::Text(text) => text,
            ParsedKey::Plain => source_text(key.defined, source).to_owned(),
            ParsedKey::Complex { .. } => return None,
        };
        let position = position(key.referenced);
        Some((Key { name, position }, to_node(value, source)))
    });
    entries
        .collect::<Option<_>>()
        .map_or(Value::ComplexMap, Value::Map)
}

/// Returns the text of the file from `location` to the end.
fn source_from(location: serde_saphyr::Location, source: &str) -> &str {
    let start = location.span().byte_offset();
    let start = start.and_then(|offset| usize::try_from(offset).ok());
    start
        .and_then(|start| source.get(start..))
        .unwrap_or_default()
}

/// Returns the text of the file at `location`, including quotes.
fn source_text(location: serde_saphyr::Location, source: &str) -> &str {
    let span = location.span();
    let range = || {
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        source.get(start..start.checked_add(length)?)
    };
    range().unwrap_or_default().trim_end()
}

/// Returns whether plain text consists of digits and underscores. YAML 1.1, which the Go parser follows, reads `0123`
/// and `1_000` as different numbers.
fn is_digits_and_underscores(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests;
