//! The text of a YAML document as a tree of ranges, which edits are based on.
//!
//! `ack_ram_config::yaml` has only the start of each value, and replaces aliases. Edits need the end of each value, its
//! style, and the places of aliases.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle};
use zeroize::Zeroizing;

use super::edit::EditError;

/// A value in the text.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) syntax: Syntax,
    /// The bytes of the value: with its quotes or brackets, and without its anchor and tag. Block style has none of
    /// its own, so the range is that of its contents.
    pub(super) range: Range<usize>,
    /// Whether the value has an anchor or a tag.
    pub(super) has_properties: bool,
}

/// How a value is written.
#[derive(Debug)]
pub(super) enum Syntax {
    Scalar {
        text: Zeroizing<String>,
        style: ScalarStyle,
    },
    Alias,
    List {
        items: Vec<Node>,
        is_flow: bool,
    },
    Map {
        members: Vec<(Node, Node)>,
        is_flow: bool,
    },
}

type Events<'a> = Parser<'a, StrInput<'a>>;

/// Parses a text with at most one document; `None` if the text has only comments.
pub(super) fn parse(text: &str) -> Result<Option<Node>, EditError> {
    // Another crate of the program may enable the events of comments.
    let options = granit_parser::options! { emit_comments: false };
    let mut events = Parser::new_from_str_with_options(text, options);
    let mut root = None;
    let mut documents = 0_usize;
    while let Some(next) = events.next() {
        match next.map_err(|error| EditError::syntax(&error))? {
            (Event::StreamStart | Event::StreamEnd | Event::DocumentEnd, _) => {}
            (Event::DocumentStart(..), _) => {
                documents += 1;
                if documents > 1 {
                    return Err(EditError::SeveralDocuments);
                }
            }
            (event, span) => root = Some(build(text, event, span, &mut events)?),
        }
    }
    Ok(root)
}

/// Builds the value that starts with `event`. The parser limits the depth.
fn build<'a>(
    text: &str,
    event: Event<'a>,
    span: Span,
    events: &mut Events<'a>,
) -> Result<Node, EditError> {
    let mut range = byte_range(&span).ok_or(EditError::UnsupportedLayout)?;
    let (syntax, has_properties) = match event {
        Event::Scalar(value, style, anchor, tag) => {
            if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                range.end = block_scalar_end(text, &range, &value);
            }
            let text = Zeroizing::new(value.into_owned());
            (Syntax::Scalar { text, style }, anchor != 0 || tag.is_some())
        }
        Event::Alias(_) => (Syntax::Alias, false),
        Event::SequenceStart(style, anchor, tag) => {
            let is_flow = style == StructureStyle::Flow;
            let mut items = Vec::new();
            let end = loop {
                match next(events)? {
                    (Event::SequenceEnd, span) => break span,
                    (event, span) => items.push(build(text, event, span, events)?),
                }
            };
            range.end = end_of(is_flow, &end, items.last(), range.start)?;
            (
                Syntax::List { items, is_flow },
                anchor != 0 || tag.is_some(),
            )
        }
        Event::MappingStart(style, anchor, tag) => {
            let is_flow = style == StructureStyle::Flow;
            let mut members = Vec::new();
            let end = loop {
                match next(events)? {
                    (Event::MappingEnd, span) => break span,
                    (event, span) => {
                        let key = build(text, event, span, events)?;
                        let (event, span) = next(events)?;
                        members.push((key, build(text, event, span, events)?));
                    }
                }
            };
            let last = members.last().map(|(_, value)| value);
            range.end = end_of(is_flow, &end, last, range.start)?;
            (
                Syntax::Map { members, is_flow },
                anchor != 0 || tag.is_some(),
            )
        }
        _ => return Err(EditError::UnsupportedLayout),
    };
    Ok(Node {
        syntax,
        range,
        has_properties,
    })
}

fn next<'a>(events: &mut Events<'a>) -> Result<(Event<'a>, Span), EditError> {
    match events.next() {
        Some(next) => next.map_err(|error| EditError::syntax(&error)),
        None => Err(EditError::UnsupportedLayout),
    }
}

fn byte_range(span: &Span) -> Option<Range<usize>> {
    Some(span.start.byte_offset()?..span.end.byte_offset()?)
}

fn end_of(
    is_flow: bool,
    end: &Span,
    last: Option<&Node>,
    start: usize,
) -> Result<usize, EditError> {
    match (is_flow, last) {
        (true, _) => end.end.byte_offset().ok_or(EditError::UnsupportedLayout),
        (false, Some(last)) => Ok(last.range.end),
        (false, None) => Ok(start),
    }
}

/// Returns the end of a block scalar, without the empty lines after it unless they belong to its value.
fn block_scalar_end(text: &str, range: &Range<usize>, value: &str) -> usize {
    if value.ends_with("\n\n") {
        return range.end;
    }
    let content = text.get(range.clone()).unwrap_or_default();
    range.start + content.trim_end().len()
}

impl Node {
    /// Returns the text of a scalar, unless it may be read as another type.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.syntax {
            Syntax::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Returns whether the value is null.
    pub(super) fn is_null(&self) -> bool {
        match &self.syntax {
            Syntax::Scalar { text, style } => {
                *style == ScalarStyle::Plain
                    && matches!(&***text, "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }

    /// Returns the index, key and value of a member of a map.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &Node, &Node)> {
        let mut members = self.members().iter().enumerate();
        members.find_map(|(index, (key, value))| {
            (key.as_text() == Some(name)).then_some((index, key, value))
        })
    }

    /// Returns the first merge key that is not the first member of its map.
    pub(super) fn late_merge(&self) -> Option<&Node> {
        let late = self.members().iter().skip(1).map(|(key, _)| key);
        let values = self.members().iter().map(|(_, value)| value);
        let mut children = values.chain(self.items());
        late.into_iter()
            .find(|key| key.as_text() == Some("<<"))
            .or_else(|| children.find_map(Self::late_merge))
    }

    /// Returns the members of a map; none for another value.
    pub(super) fn members(&self) -> &[(Node, Node)] {
        match &self.syntax {
            Syntax::Map { members, .. } => members,
            _ => &[],
        }
    }

    /// Returns the items of a list; none for another value.
    pub(super) fn items(&self) -> &[Node] {
        match &self.syntax {
            Syntax::List { items, .. } => items,
            _ => &[],
        }
    }

    /// Returns whether the value is a list or a map in flow style.
    pub(super) fn is_flow(&self) -> bool {
        matches!(
            self.syntax,
            Syntax::List { is_flow: true, .. } | Syntax::Map { is_flow: true, .. }
        )
    }

    /// Returns whether the value is null, or a list or a map without contents.
    pub(super) fn is_empty(&self) -> bool {
        match &self.syntax {
            Syntax::List { items, .. } => items.is_empty(),
            Syntax::Map { members, .. } => members.is_empty(),
            _ => self.is_null(),
        }
    }
}
