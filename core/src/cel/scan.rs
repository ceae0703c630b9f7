//! The first gate: the tokens, counted before the parser sees them.
//!
//! The parser recurses into brackets and `?:`, and builds trees as deep as `a + b + c + ...` is long, which are then
//! walked and dropped by recursion. Its lexer is a plain loop and safe on any text.

use cel::parser::pratt_parser::{Lexer, TokenKind};

use super::MAX_SOURCE_BYTES;
use super::error::{ExpressionError, Position, Reason};

/// Brackets in brackets.
pub(super) const MAX_NESTING: usize = 16;
/// Tokens that can make the tree deeper by one, all of them together.
pub(super) const MAX_OPERATORS: usize = 160;

/// Refuses what the parser should not see.
pub(super) fn scan(source: &str) -> Result<(), ExpressionError> {
    if source.len() > MAX_SOURCE_BYTES {
        let bytes = source.len();
        return Err(refuse(source, 0, Reason::TooLong { bytes }));
    }
    let mut tokens = 0_usize;
    let mut operators = 0_usize;
    let mut nesting = 0_usize;
    let mut lexer = Lexer::new(source);
    loop {
        let token = lexer.lex();
        let role = match role(token.kind) {
            Role::Space => continue,
            Role::End if tokens == 0 => return Err(refuse(source, 0, Reason::Empty)),
            Role::End => return Ok(()),
            role => role,
        };
        tokens += 1;
        let refuse = |reason| Err(refuse(source, token.start, reason));
        match role {
            Role::Broken => {
                let message = lexer.get_error().map_or("", |error| &error.message);
                return refuse(Reason::Syntax(message.into()));
            }
            Role::Unsupported(what) => return refuse(Reason::Unsupported(what)),
            Role::Open => nesting += 1,
            Role::Close => nesting = nesting.saturating_sub(1),
            Role::Operator | Role::Plain | Role::Space | Role::End => {}
        }
        operators += usize::from(matches!(role, Role::Open | Role::Operator));
        if nesting > MAX_NESTING {
            return refuse(Reason::TooNested);
        }
        if operators > MAX_OPERATORS {
            return refuse(Reason::TooManyOperators);
        }
    }
}

fn refuse(source: &str, offset: usize, reason: Reason) -> ExpressionError {
    ExpressionError {
        position: Position::at(source, offset),
        reason,
    }
}

#[derive(Clone, Copy)]
enum Role {
    Open,
    Close,
    Operator,
    Plain,
    Space,
    End,
    Broken,
    Unsupported(&'static str),
}

fn role(kind: TokenKind) -> Role {
    use TokenKind as T;
    match kind {
        T::TokLeftParen | T::TokLeftBracket => Role::Open,
        T::TokRightParen | T::TokRightBracket => Role::Close,
        T::TokDot
        | T::TokMinus
        | T::TokPlus
        | T::TokQuestion
        | T::TokExclamation
        | T::TokEqual
        | T::TokEqualEqual
        | T::TokExclamationEqual
        | T::TokLess
        | T::TokLessEqual
        | T::TokGreater
        | T::TokGreaterEqual
        | T::TokLogicalAnd
        | T::TokLogicalOr
        | T::TokIn => Role::Operator,
        T::TokTrue
        | T::TokFalse
        | T::TokInt
        | T::TokString
        | T::TokIdent
        | T::TokReservedWord
        | T::TokComma
        | T::TokColon => Role::Plain,
        T::TokWhitespace | T::TokComment => Role::Space,
        T::TokEnd => Role::End,
        T::TokError => Role::Broken,
        T::TokNull => Role::Unsupported("`null`"),
        T::TokUint | T::TokFloat => Role::Unsupported("a number that is not an `int`"),
        T::TokBytes => Role::Unsupported("a `bytes` literal"),
        T::TokLeftBrace | T::TokRightBrace => Role::Unsupported("a map or an object"),
        T::TokAsterisk | T::TokSlash | T::TokPercent => {
            Role::Unsupported("arithmetic besides `+` and `-`")
        }
    }
}
