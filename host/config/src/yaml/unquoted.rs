//! Values that are meant as text, but that YAML does not read as text without quotes.

use std::fmt;

use serde_saphyr::Spanned;

use super::{Parsed, ParsedKey};

/// A value that is meant as text, but that YAML does not read as text without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnquotedValue {
    /// The intended text, if it is certain.
    pub text: Option<String>,
    trigger: QuoteTrigger,
}

/// The reason why a value needs quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuoteTrigger {
    Braces,
    Asterisk,
    At,
    Backtick,
    Percent,
    /// `.inf` and `.nan`.
    SpecialFloat,
    /// A colon with a space after it, anywhere in the value.
    Colon,
}

/// Words that YAML reads as numbers, but that a configuration never means as numbers.
const SPECIAL_FLOATS: [&str; 4] = [".inf", "+.inf", "-.inf", ".nan"];

impl UnquotedValue {
    pub(super) const fn new(trigger: QuoteTrigger) -> Self {
        Self {
            text: None,
            trigger,
        }
    }

    /// Returns the error text for the value in place of a list.
    pub fn instead_of_list(&self) -> impl fmt::Display + use<> {
        format!(
            "{}; write a list and put quotes around its items",
            self.trigger
        )
    }

    /// Returns the unquoted template that a map of `entries` is meant to be; `None` for a real map. `source` is the
    /// document from the start of the map.
    pub(super) fn from_braces(
        entries: &[(Spanned<ParsedKey>, Spanned<Parsed>)],
        source: &str,
    ) -> Option<Self> {
        let has_complex_key = |(key, _): &(Spanned<ParsedKey>, Spanned<Parsed>)| {
            matches!(key.value, ParsedKey::Complex { .. })
        };
        if !source.starts_with("{{") || !entries.iter().any(has_complex_key) {
            return None;
        }
        let is_template = match entries {
            [(key, value)] => {
                matches!(value.value, Parsed::Null)
                    && matches!(
                        key.value,
                        ParsedKey::Complex {
                            is_word_in_braces: true
                        }
                    )
            }
            _ => false,
        };
        Some(Self {
            text: template_prefix(source)
                .filter(|_| is_template)
                .map(str::to_owned),
            trigger: QuoteTrigger::Braces,
        })
    }
}

impl QuoteTrigger {
    /// Returns the trigger at the start of `value`, which has no quotes; `None` if `value` needs none.
    pub(super) fn detect(value: &str) -> Option<Self> {
        let mut words = value.split_whitespace();
        let first = words.next().unwrap_or_default();
        let is_single_word = words.next().is_none_or(|next| next.starts_with('#'));
        let is_special_float = |word: &&str| is_single_word && first.eq_ignore_ascii_case(word);
        if value.starts_with("{{") {
            return Some(Self::Braces);
        }
        match value.chars().next()? {
            '*' => Some(Self::Asterisk),
            '@' => Some(Self::At),
            '`' => Some(Self::Backtick),
            '%' => Some(Self::Percent),
            _ => SPECIAL_FLOATS
                .iter()
                .any(is_special_float)
                .then_some(Self::SpecialFloat),
        }
    }
}

/// Returns the template variable at the start of `text`, such as `{{SessionName}}`.
fn template_prefix(text: &str) -> Option<&str> {
    let end = text.find("}}")? + 2;
    let template = text.get(..end)?;
    let name = template.strip_prefix("{{")?.strip_suffix("}}")?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then_some(template)
}

/// Formats the error text for the value in place of text.
impl fmt::Display for UnquotedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trigger.fmt(f)?;
        match &self.text {
            Some(text) => write!(f, "; put quotes around `{text}`"),
            None => f.write_str("; put quotes around the whole value"),
        }
    }
}

impl fmt::Display for QuoteTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Braces => "has `{{` without quotes, which YAML reads as a map inside a map",
            Self::Asterisk => {
                "starts with `*` without quotes, which YAML reads as the name of an anchor"
            }
            Self::At => "starts with `@` without quotes, which YAML does not allow",
            Self::Backtick => "starts with a backtick without quotes, which YAML does not allow",
            Self::Percent => "starts with `%` without quotes, which YAML does not allow",
            Self::SpecialFloat => {
                "is `.inf` or `.nan` without quotes, which YAML reads as a number"
            }
            Self::Colon => "has a colon with a space after it, which YAML reads as a map",
        })
    }
}
