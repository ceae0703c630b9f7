//! Parsing, and where things stand in the source.
//!
//! The crate's own parser is taken rather than its ANTLR one, which makes a WebAssembly module 700 KB larger. It is
//! new and still hidden in the crate's documentation, so the version in `Cargo.toml` is exact.

use cel::parser::{ParseError, PrattParser};
use cel::{IdedExpr, ParseErrors};

use super::error::{ExpressionError, ExpressionPosition, Reason};

/// The tree of `source`, which [`super::scan`] has passed.
pub(super) fn parse(source: &str) -> Result<IdedExpr, ExpressionError> {
    PrattParser::new()
        .parse(source)
        .map_err(|ParseErrors { errors }| match errors.first() {
            Some(error) => syntax_error(source, error),
            None => ExpressionError {
                position: ExpressionPosition::from_offset(source, 0),
                reason: Reason::Syntax("the expression cannot be parsed".into()),
            },
        })
}

fn syntax_error(source: &str, error: &ParseError) -> ExpressionError {
    let (line, column) = error.pos;
    let message = error.msg.trim_start_matches("Syntax error: ");
    ExpressionError {
        position: ExpressionPosition::from_offset(source, offset_of(source, line, column)),
        reason: Reason::Syntax(message.into()),
    }
}

/// The parser counts columns in bytes, from 1.
fn offset_of(source: &str, line: isize, column: isize) -> usize {
    let from_zero = |number: isize| usize::try_from(number - 1).unwrap_or(0);
    let lines = source.split_inclusive('\n').take(from_zero(line));
    lines.map(str::len).sum::<usize>() + from_zero(column)
}

/// The byte at which the node `id` of `source`'s tree stands: its operator, bracket or first character.
///
/// The parser tells that only along with an error, so it is given the source once more, with one at the end.
pub(super) fn offset_of_node(source: &str, id: u64) -> Option<usize> {
    let ParseErrors { errors } = PrattParser::new().parse(&format!("{source}\n)")).err()?;
    let info = errors.first()?.source_info.as_ref()?;
    let (start, _) = info.offset_for(id)?;
    usize::try_from(start).ok()
}
