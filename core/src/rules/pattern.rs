//! Patterns: globs that match whole canonical ARNs, such as `acs:ram::123:role/AliyunReservedSSO-*`.
//!
//! - `*` matches any number of characters except `/`.
//! - `**` matches any number of characters.
//! - `?` matches one character except `/`.
//!
//! Case is ignored. The account cannot contain a wildcard, so a pattern never matches identities of another account.
//!
//! The reasons for a syntax of our own are in [`crate::manual::patterns_and_templates`].

use std::fmt;

use crate::arn::{AccountId, ArnError, ArnKey};

/// The maximum length of a pattern.
const MAX_BYTES: usize = 512;
/// The maximum number of `*` and `**` in one pattern, because matching backtracks over them.
const MAX_STARS: usize = 8;

/// A glob over canonical ARNs.
///
/// # Examples
///
/// ```
/// use ack_ram_core::arn::Arn;
/// use ack_ram_core::rules::pattern::{Pattern, PatternError};
///
/// let pattern = Pattern::parse("acs:ram::123:role/team-*")?;
/// let matches = |arn| Arn::parse(arn).is_ok_and(|arn| pattern.matches(&arn.key()));
/// assert!(matches("acs:ram::123:role/Team-A"));
/// assert!(matches("acs:ram::123:assumed-role/team-a/alice"));
///
/// // `*` stops at a slash, and a pattern matches the whole ARN.
/// assert!(!matches("acs:ram::123:role/team-a/b"));
/// assert!(!matches("acs:ram::123:role/my-team-a"));
///
/// assert_eq!(Pattern::parse("acs:ram::*:role/team"), Err(PatternError::WildcardInAccount));
/// # Ok::<(), PatternError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    account: AccountId,
    /// The text before the first wildcard, in lower case.
    prefix: Box<str>,
    /// The tokens after the prefix.
    tokens: Box<[PatternToken]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PatternToken {
    /// A literal byte, in lower case.
    Byte(u8),
    /// `?`: one byte except `/`.
    AnyByte,
    /// `*`: any bytes except `/`.
    Star,
    /// `**`: any bytes.
    DoubleStar,
}

impl PatternToken {
    /// Returns the token, or `**` in place of `*`.
    fn crossing_segments(self) -> Self {
        match self {
            Self::Star => Self::DoubleStar,
            Self::Byte(_) | Self::AnyByte | Self::DoubleStar => self,
        }
    }
}

/// The reason why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The text is longer than 512 bytes.
    #[error("a pattern can have at most {MAX_BYTES} bytes")]
    TooLong,
    /// The text does not start with `acs:ram::<account>:`, or contains an invalid name.
    #[error("{0}")]
    Arn(ArnError),
    /// The account contains a wildcard.
    #[error(
        "the account in a pattern cannot contain a wildcard; write one pattern for each account"
    )]
    WildcardInAccount,
    /// The text contains more than two `*` in a row.
    #[error("more than two `*` in a row; use `*` within one segment, `**` across segments")]
    ConsecutiveStars,
    /// The text contains more than eight `*` or `**`.
    #[error("a pattern can have at most {MAX_STARS} `*` or `**`")]
    TooManyStars,
    /// The text contains no wildcard.
    #[error("no wildcard; use an exact ARN")]
    NoWildcard,
    /// The text starts with `assumed-role/` after the account. Identities are looked up by their role, not by their
    /// session.
    #[error("a pattern cannot match sessions of a role; use a pattern for the role, `role/...`")]
    AssumedRole,
}

impl Pattern {
    /// Returns whether `text` has a wildcard.
    #[must_use]
    pub fn has_wildcard(text: &str) -> bool {
        text.contains(['*', '?'])
    }

    /// Returns whether both patterns are equal if case is ignored. Equal patterns match the same ARNs.
    pub(crate) fn is_equivalent(&self, other: &Self) -> bool {
        self.text.eq_ignore_ascii_case(&other.text)
    }

    /// Parses a pattern.
    ///
    /// # Errors
    /// Returns the defect of `text`.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_BYTES {
            return Err(PatternError::TooLong);
        }
        if !Self::has_wildcard(text) {
            return Err(PatternError::NoWildcard);
        }
        let lower = text.to_ascii_lowercase();
        let rest = lower
            .strip_prefix("acs:ram::")
            .ok_or(PatternError::Arn(ArnError::Prefix))?;
        let (account, resource) = rest
            .split_once(':')
            .ok_or(PatternError::Arn(ArnError::Resource))?;
        if Self::has_wildcard(account) {
            return Err(PatternError::WildcardInAccount);
        }
        let account = AccountId::parse(account).ok_or(PatternError::Arn(ArnError::Account))?;
        if resource.starts_with("assumed-role/") {
            return Err(PatternError::AssumedRole);
        }
        if !resource
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b':')
        {
            return Err(PatternError::Arn(ArnError::Name));
        }
        let wildcard = lower.find(['*', '?']).unwrap_or(lower.len());
        let (prefix, rest) = lower
            .split_at_checked(wildcard)
            .ok_or(PatternError::Arn(ArnError::Name))?;
        Ok(Self {
            tokens: parse_tokens(rest)?.into(),
            prefix: prefix.into(),
            account,
            text: text.into(),
        })
    }

    /// Returns the account of the pattern.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the text before the first wildcard, in lower case. If two patterns match, the pattern with the longer
    /// prefix takes precedence.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns whether the pattern matches the whole of `arn`.
    #[must_use]
    pub fn matches(&self, arn: &ArnKey) -> bool {
        arn.as_str()
            .strip_prefix(&*self.prefix)
            .is_some_and(|rest| tokens_match(&self.tokens, rest.as_bytes()))
    }

    /// Returns whether the pattern would match `arn` if `*` did not stop at a `/`.
    pub(crate) fn matches_across_segments(&self, arn: &ArnKey) -> bool {
        let tokens: Vec<PatternToken> = self
            .tokens
            .iter()
            .map(|token| token.crossing_segments())
            .collect();
        arn.as_str()
            .strip_prefix(&*self.prefix)
            .is_some_and(|rest| tokens_match(&tokens, rest.as_bytes()))
    }
}

/// Displays the pattern as it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.text)
    }
}

fn parse_tokens(text: &str) -> Result<Vec<PatternToken>, PatternError> {
    let mut tokens = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        match (byte, tokens.last_mut()) {
            (b'*', Some(last @ PatternToken::Star)) => *last = PatternToken::DoubleStar,
            (b'*', Some(PatternToken::DoubleStar)) => return Err(PatternError::ConsecutiveStars),
            (b'*', _) => tokens.push(PatternToken::Star),
            (b'?', _) => tokens.push(PatternToken::AnyByte),
            (byte, _) => tokens.push(PatternToken::Byte(byte)),
        }
    }
    let stars = tokens
        .iter()
        .filter(|token| matches!(token, PatternToken::Star | PatternToken::DoubleStar));
    if stars.count() > MAX_STARS {
        return Err(PatternError::TooManyStars);
    }
    Ok(tokens)
}

/// Returns whether `tokens` match the whole of `text`.
///
/// Each star first matches as little as possible. If the following tokens do not match, the last `*` is lengthened, up
/// to the next `/`, and then the last `**`. Earlier stars need no other length: a later star can match everything that
/// a longer match of an earlier star would cover.
fn tokens_match(tokens: &[PatternToken], text: &[u8]) -> bool {
    if !suffix_matches(tokens, text) {
        return false;
    }
    let (mut tokens, mut text) = (tokens, text);
    let mut star: Option<(&[PatternToken], &[u8])> = None;
    let mut double_star: Option<(&[PatternToken], &[u8])> = None;
    loop {
        match (tokens.split_first(), text.split_first()) {
            (None, None) => return true,
            (Some((PatternToken::Star, rest)), _) => {
                star = Some((rest, text));
                tokens = rest;
                continue;
            }
            (Some((PatternToken::DoubleStar, rest)), _) => {
                double_star = Some((rest, text));
                star = None;
                tokens = rest;
                continue;
            }
            (Some((PatternToken::Byte(expected), after)), Some((byte, rest)))
                if expected == byte =>
            {
                (tokens, text) = (after, rest);
                continue;
            }
            (Some((PatternToken::AnyByte, after)), Some((byte, rest))) if *byte != b'/' => {
                (tokens, text) = (after, rest);
                continue;
            }
            _ => {}
        }
        let longer_star = star.and_then(|(after, from)| match from.split_first() {
            Some((byte, rest)) if *byte != b'/' => Some((after, rest)),
            _ => None,
        });
        if let Some(next) = longer_star {
            star = Some(next);
            (tokens, text) = next;
            continue;
        }
        let longer_double_star =
            double_star.and_then(|(after, from)| from.split_first().map(|(_, rest)| (after, rest)));
        let Some(next) = longer_double_star else {
            return false;
        };
        star = None;
        double_star = Some(next);
        (tokens, text) = next;
    }
}

/// Returns whether `text` ends with the bytes after the last wildcard of `tokens`. This check rejects most texts early.
fn suffix_matches(tokens: &[PatternToken], text: &[u8]) -> bool {
    let literal = tokens.iter().rev().map_while(|token| match token {
        PatternToken::Byte(byte) => Some(byte),
        PatternToken::AnyByte | PatternToken::Star | PatternToken::DoubleStar => None,
    });
    literal
        .zip(text.iter().rev())
        .all(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arn::Arn;

    #[test]
    fn pattern_matches_whole_arn_in_one_account() {
        for (pattern, arn, expected) in [
            ("role/dev-*", "role/dev-a", true),
            ("role/dev-*", "role/dev-", true),
            ("role/dev-*", "role/developer-admin", false),
            ("role/dev-*", "role/dev-a/b", false),
            ("role/dev-**", "role/dev-a/b", true),
            ("role/*", "role/x", true),
            ("role/*", "role/p/x", false),
            ("role/**", "role/p/x", true),
            ("role/**/x", "role/p/q/x", true),
            ("role/**/x", "role/x", false),
            ("role/**x", "role/x", true),
            ("user/a*", "user/zed", false),
            ("user/a*", "user/Alice", true),
            ("USER/A*", "user/alice", true),
            ("user/?", "user/a", true),
            ("user/?", "user/ab", false),
            ("role/?x", "role/a/x", false),
            ("*", "root", true),
            ("*", "user/a", false),
            ("**", "user/a", true),
            ("role/*-*-*", "role/a-b-c-d", true),
            ("role/*a*b", "role/aXbXab", true),
            ("role/*a*b", "role/aXbXa", false),
            ("role/**/a*/**b", "role/x/ay/a/q/zb", true),
            ("role/.*", "role/x", false),
            ("role/[ab]*", "role/a", false),
            ("role/{a,b}*", "role/a", false),
        ] {
            let pattern = Pattern::parse(&format!("acs:ram::1:{pattern}")).unwrap();
            let inside = Arn::parse(&format!("acs:ram::1:{arn}")).unwrap();
            assert_eq!(
                pattern.matches(&inside.key()),
                expected,
                "{pattern} {inside}"
            );
            let outside = Arn::parse(&format!("acs:ram::11:{arn}")).unwrap();
            assert!(!pattern.matches(&outside.key()), "{pattern} {outside}");
        }
    }

    #[test]
    fn pattern_parse_rejects_malformed_text() {
        let stars = format!("acs:ram::1:role/{}", "a*".repeat(9));
        let long = format!("acs:ram::1:role/{}*", "a".repeat(512));
        for (text, error) in [
            ("acs:ram::1:role/x", PatternError::NoWildcard),
            ("acs:ram::*:role/x", PatternError::WildcardInAccount),
            ("acs:ram::1?:role/x", PatternError::WildcardInAccount),
            ("acs:ram::1*", PatternError::Arn(ArnError::Resource)),
            ("*", PatternError::Arn(ArnError::Prefix)),
            ("acs:*:1:role/x", PatternError::Arn(ArnError::Prefix)),
            ("acs:ram::1:role/***", PatternError::ConsecutiveStars),
            ("acs:ram::1:assumed-role/x/*", PatternError::AssumedRole),
            ("acs:ram::1:role/a b*", PatternError::Arn(ArnError::Name)),
            (stars.as_str(), PatternError::TooManyStars),
            (long.as_str(), PatternError::TooLong),
        ] {
            assert_eq!(Pattern::parse(text), Err(error), "{text}");
        }
    }
}
