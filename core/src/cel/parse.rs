//! Parses expressions, and finds the positions of nodes in the source.
//!
//! Of the two parsers of the `cel` crate, this module uses the Pratt parser, because the ANTLR parser makes a
//! WebAssembly module 700 KB larger. The Pratt parser is new and hidden in the documentation of the crate, so the
//! version in `Cargo.toml` is exact.

use cel::parser::{ParseError, PrattParser};
use cel::{IdedExpr, ParseErrors};

use super::error::{ExpressionError, ExpressionPosition, Reason};

/// Parses `source`, which [`super::scan`] has accepted.
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

/// Returns the offset in bytes of a position. The parser counts lines, and columns in bytes, from 1.
fn offset_of(source: &str, line: isize, column: isize) -> usize {
    let from_zero = |number: isize| usize::try_from(number - 1).unwrap_or(0);
    let lines = source.split_inclusive('\n').take(from_zero(line));
    lines.map(str::len).sum::<usize>() + from_zero(column)
}

/// Returns the offset in bytes of the node `id` of the tree of `source`: of its operator, bracket or first character.
///
/// The parser reports positions only with an error, so this function parses the source again with an error at the end.
pub(super) fn offset_of_node(source: &str, id: u64) -> Option<usize> {
    let ParseErrors { errors } = PrattParser::new().parse(&format!("{source}\n)")).err()?;
    let info = errors.first()?.source_info.as_ref()?;
    let (start, _) = info.offset_for(id)?;
    usize::try_from(start).ok()
}
