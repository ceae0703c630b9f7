//! Shortens the standard error of a process for a message, and hides what may be a secret.

use ack_ram_core::secret::Secret;

/// The maximum number of lines that a message shows.
const MAX_LINES: usize = 3;
/// The maximum number of characters of a line that a message shows.
const MAX_CHARACTERS: usize = 200;
/// The length from which a run of letters and digits is hidden. Access key secrets have 30 characters.
const SECRET_LENGTH: usize = 16;
/// The length from which a word with marks is hidden, if it is not a path.
const MIXED_SECRET_LENGTH: usize = 24;
/// The length from which an argument of the command is hidden. Shorter texts occur in any message.
const MIN_ARGUMENT_LENGTH: usize = 4;
/// What is shown in place of a secret.
const HIDDEN: &str = "(hidden)";
/// Parts of the names of secrets, in lower case.
const LABELS: [&str; 9] = [
    "secret",
    "token",
    "passw",
    "credential",
    "authorization",
    "bearer",
    "signature",
    "accesskey",
    "key",
];

/// Returns the first lines of `text`, joined by ` / `, without what may be a secret. `arguments` are those of the
/// command, which may be secrets.
pub(super) fn redact_lines(text: &[u8], arguments: &[Secret]) -> String {
    let mut text = String::from_utf8_lossy(text).into_owned();
    for value in argument_values(arguments) {
        text = text.replace(value, HIDDEN);
    }
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.take(MAX_LINES).map(redact).collect();
    lines.join(" / ")
}

/// Returns the arguments that are not names of options, and the values of options. The longest is first, so that no
/// part of it is left.
fn argument_values(arguments: &[Secret]) -> Vec<&str> {
    let mut values: Vec<&str> = arguments
        .iter()
        .filter_map(|argument| match argument.expose() {
            option if option.starts_with('-') => Some(option.split_once('=')?.1),
            value => Some(value),
        })
        .filter(|value| value.len() >= MIN_ARGUMENT_LENGTH)
        .collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values
}

/// What a word means, by the words before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    /// Nothing is known.
    Text,
    /// The last word is the name of a secret.
    Label,
    /// A secret follows.
    Value,
    /// The text is inside a secret, which ends at white space or a quote.
    InValue,
}

fn redact(line: &str) -> String {
    let mut out = String::new();
    let mut word = String::new();
    let mut context = Context::Text;
    for character in line.chars() {
        if is_in_word(character) {
            word.push(character);
            continue;
        }
        context = push_word(&mut out, &mut word, context);
        context = after(character, context);
        if context != Context::InValue && !is_invisible(character) {
            out.push(character);
        }
    }
    push_word(&mut out, &mut word, context);
    out.chars().take(MAX_CHARACTERS).collect()
}

fn is_in_word(character: char) -> bool {
    !character.is_whitespace()
        && !character.is_control()
        && !"\"'`,;=:(){}[]<>?&".contains(character)
}

/// Returns whether a terminal shows nothing for a character, or shows the text in another order.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn after(separator: char, context: Context) -> Context {
    match (context, separator) {
        (Context::Label, '=' | ':') => Context::Value,
        (Context::Label | Context::Value, '"' | '\'' | '`') => context,
        (Context::Label | Context::Value, ' ' | '\t') => context,
        (Context::Value, '=' | ':') => Context::Value,
        (Context::InValue, '=' | ':' | '(' | ')' | '[' | ']' | '<' | '>' | '?' | '&' | '{') => {
            Context::InValue
        }
        _ => Context::Text,
    }
}

/// Adds a word, or what is shown in its place. Returns the context of the next.
fn push_word(out: &mut String, word: &mut String, context: Context) -> Context {
    if word.is_empty() {
        return context;
    }
    let lower = word.to_ascii_lowercase();
    let is_scheme = matches!(&*lower, "bearer" | "basic");
    let next = match context {
        Context::Value if is_scheme => {
            out.push_str(word);
            Context::Value
        }
        Context::Value | Context::InValue => {
            if context == Context::Value {
                out.push_str(HIDDEN);
            }
            Context::InValue
        }
        Context::Text | Context::Label => {
            let shown: &str = if looks_secret(word) { HIDDEN } else { word };
            out.extend(shown.chars().filter(|character| !is_invisible(*character)));
            let is_label = LABELS.iter().any(|label| lower.contains(label));
            if is_scheme || (is_label && word.starts_with('-')) {
                Context::Value
            } else if is_label {
                Context::Label
            } else {
                Context::Text
            }
        }
    };
    word.clear();
    next
}

fn looks_secret(word: &str) -> bool {
    let is_path = word.starts_with(['/', '.', '~']) || word.contains("//");
    // The path of a program has short parts.
    let longest = word
        .split(|character: char| !character.is_ascii_alphanumeric())
        .map(str::len)
        .max()
        .unwrap_or_default();
    let has_digit = word.bytes().any(|b| b.is_ascii_digit());
    let has_upper = word.bytes().any(|b| b.is_ascii_uppercase());
    (longest >= SECRET_LENGTH && (has_digit || has_upper))
        || (!is_path && word.len() >= MIXED_SECRET_LENGTH && has_digit && has_upper)
}

#[cfg(test)]
mod tests;
