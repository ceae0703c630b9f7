//! The first gate: counts the tokens before the parser sees them.
//!
//! The parser recurses into brackets and `?:`. For `a + b + c + ...`, it builds a tree as deep as the expression is
//! long, and trees are walked and dropped recursively. The lexer is a simple loop and safe for any text.

use cel::parser::pratt_parser::{Lexer, TokenKind};

use super::error::{ExpressionError, ExpressionPosition, Reason};
use super::limits::{MAX_NESTING, MAX_OPERATORS, MAX_SOURCE_BYTES};

/// Refuses `source` if the parser cannot parse it safely or an unsupported token occurs.
pub(super) fn scan(source: &str) -> Result<(), ExpressionError> {
    if source.len() > MAX_SOURCE_BYTES {
        let bytes = source.len();
        return Err(scan_error(source, 0, Reason::TooLong { bytes }));
    }
    let mut tokens = 0_usize;
    let mut operators = 0_usize;
    let mut nesting = 0_usize;
    let mut lexer = Lexer::new(source);
    loop {
        let token = lexer.lex();
        let class = match classify(token.kind) {
            TokenClass::Space => continue,
            TokenClass::End if tokens == 0 => return Err(scan_error(source, 0, Reason::Empty)),
            TokenClass::End => return Ok(()),
            class => class,
        };
        tokens += 1;
        let scan_error = |reason| Err(scan_error(source, token.start, reason));
        match class {
            TokenClass::Broken => {
                let message = lexer.get_error().map_or("", |error| &error.message);
                return scan_error(Reason::Syntax(message.into()));
            }
            TokenClass::Unsupported(what) => return scan_error(Reason::Unsupported(what)),
            TokenClass::Open => nesting += 1,
            TokenClass::Close => nesting = nesting.saturating_sub(1),
            TokenClass::Operator | TokenClass::Plain | TokenClass::Space | TokenClass::End => {}
        }
        operators += usize::from(matches!(class, TokenClass::Open | TokenClass::Operator));
        if nesting > MAX_NESTING {
            return scan_error(Reason::TooNested);
        }
        if operators > MAX_OPERATORS {
            return scan_error(Reason::TooManyOperators);
        }
    }
}

fn scan_error(source: &str, offset: usize, reason: Reason) -> ExpressionError {
    ExpressionError {
        position: ExpressionPosition::from_offset(source, offset),
        reason,
    }
}

/// The classes of tokens, by their effect on the limits.
#[derive(Clone, Copy)]
enum TokenClass {
    Open,
    Close,
    Operator,
    Plain,
    Space,
    End,
    Broken,
    Unsupported(&'static str),
}

fn classify(kind: TokenKind) -> TokenClass {
    use TokenKind as T;
    match kind {
        T::TokLeftParen | T::TokLeftBracket => TokenClass::Open,
        T::TokRightParen | T::TokRightBracket => TokenClass::Close,
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
        | T::TokIn => TokenClass::Operator,
        T::TokTrue
        | T::TokFalse
        | T::TokInt
        | T::TokString
        | T::TokIdent
        | T::TokReservedWord
        | T::TokComma
        | T::TokColon => TokenClass::Plain,
        T::TokWhitespace | T::TokComment => TokenClass::Space,
        T::TokEnd => TokenClass::End,
        T::TokError => TokenClass::Broken,
        T::TokNull => TokenClass::Unsupported("`null`"),
        T::TokUint | T::TokFloat => TokenClass::Unsupported("a number that is not an `int`"),
        T::TokBytes => TokenClass::Unsupported("a `bytes` literal"),
        T::TokLeftBrace | T::TokRightBrace => TokenClass::Unsupported("a map or an object"),
        T::TokAsterisk | T::TokSlash | T::TokPercent => {
            TokenClass::Unsupported("arithmetic other than `+` and `-`")
        }
    }
}
