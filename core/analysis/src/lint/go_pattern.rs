//! How the Go implementation reads a pattern, and how that differs from this implementation.
//!
//! Go treats the pattern as a regular expression that may match anywhere in the canonical ARN, with both in lower case:
//! `*` repeats the character before it, `?` makes that character optional, and `.` matches any character. To find
//! differences, both readings are tried on candidate ARNs that are derived from the pattern.

use ack_ram_core::arn::Arn;
use ack_ram_core::rules::pattern::Pattern;
use regex_lite::Regex;

/// Words that replace wildcards, or that are appended to a truncated pattern.
const WORDS: [&str; 5] = ["admin", "zed", "x", "team/admin", ""];

/// The start of an ARN in a sample account.
const ACCOUNT: &str = "acs:ram::1234567890123456:";

/// Describes how `pattern` differs from Go, with an example ARN; `None` if no ARN that shows a difference was found.
pub(super) fn describe_difference(pattern: &Pattern) -> Option<String> {
    let text = pattern.to_string();
    let Some(regex) = GoRegex::parse(&text) else {
        let example = candidate_arns(&text).find(|arn| pattern.matches(&arn.key()))?;
        return Some(format!(
            "in Go it is not valid and matches no identity; here it matches `{example}`"
        ));
    };
    let lost = candidate_arns(&text).find(|arn| regex.matches(arn) && !pattern.matches(&arn.key()));
    let gained =
        candidate_arns(&text).find(|arn| !regex.matches(arn) && pattern.matches(&arn.key()));
    match (lost, gained) {
        (None, None) => None,
        (Some(lost), None) => Some(format!("it matches `{lost}` in Go, but not here")),
        (None, Some(gained)) => Some(format!("it matches `{gained}` here, but not in Go")),
        (Some(lost), Some(gained)) => Some(format!(
            "it matches `{lost}` in Go, but not here, and `{gained}` here, but not in Go"
        )),
    }
}

/// Finds an ARN that `text` matches in Go. `text` need not be a valid pattern here.
pub(super) fn find_matched_arn(text: &str) -> Option<Arn> {
    let regex = GoRegex::parse(text)?;
    let anyone = ["user/admin", "role/admin"].map(|resource| format!("{ACCOUNT}{resource}"));
    let any_account = text.replace("acs:ram::.*:", ACCOUNT);
    candidate_arns(&any_account)
        .chain(candidate_arns(&format!("{ACCOUNT}{text}")))
        .chain(anyone.iter().filter_map(|arn| Arn::parse(arn).ok()))
        .find(|arn| regex.matches(arn))
}

/// A pattern as Go reads it: an unanchored regular expression.
struct GoRegex(Regex);

impl GoRegex {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        if has_nested_repetition(&text) {
            return None;
        }
        Regex::new(&text).ok().map(Self)
    }

    fn matches(&self, arn: &Arn) -> bool {
        self.0.is_match(arn.key().as_str())
    }
}

/// Returns whether `text` has nested repetitions such as `**` or `?*`, which Go refuses and other engines accept.
fn has_nested_repetition(text: &str) -> bool {
    text.as_bytes()
        .windows(2)
        .any(|pair| matches!(pair, [b'*' | b'?' | b'+', b'*' | b'+']))
        || ["*??", "+??", "???"].iter().any(|run| text.contains(run))
}

/// Returns ARNs that one of the two readings may match: `text` with each wildcard replaced by a word, `text` without
/// the parts that a repetition makes optional, and `text` truncated before the first wildcard or before the character
/// that the wildcard repeats, followed by a word.
fn candidate_arns(text: &str) -> impl Iterator<Item = Arn> {
    let first = text.find(['*', '?']).unwrap_or(text.len());
    let before = text.get(..first).unwrap_or_default();
    let mut shorter = before.chars();
    shorter.next_back();
    let shorter = shorter.as_str();
    let cut = WORDS.map(|word| format!("{shorter}{word}"));
    let filled = WORDS.map(|word| fill_wildcards(text, word));
    let extended = WORDS.map(|word| format!("{before}{word}"));
    let suffixed =
        ["-admin", "/admin"].map(|suffix| format!("{}{suffix}", fill_wildcards(text, "x")));
    let left_out = ["", "-admin"].map(|suffix| format!("{}{suffix}", without_repetitions(text)));
    let dots = WORDS.map(|word| fill_wildcards(&text.replace('.', "x"), word));
    cut.into_iter()
        .chain(extended)
        .chain(filled)
        .chain(suffixed)
        .chain(left_out)
        .chain(dots)
        .filter_map(|text| Arn::parse(&text).ok())
        .filter(|arn| *arn == arn.canonical())
}

/// Replaces each run of `*` in `text` with `word`, and each `?` with the first character of `word`.
fn fill_wildcards(text: &str, word: &str) -> String {
    let one = word.get(..1).unwrap_or("x");
    text.replace("**", "*").replace('*', word).replace('?', one)
}

/// Removes each wildcard in `text` together with the character before it.
fn without_repetitions(text: &str) -> String {
    let mut rest = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?') {
            rest.pop();
        } else {
            rest.push(character);
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_from_go_has_example_arn() {
        for (pattern, expected) in [
            (
                "role/dev-*",
                "it matches `acs:ram::1:role/devadmin` in Go, but not here",
            ),
            (
                "user/a*",
                "it matches `acs:ram::1:user/zed` in Go, but not here",
            ),
            (
                "role/de?",
                "it matches `acs:ram::1:role/dadmin` in Go, but not here",
            ),
            (
                "role/*-admin",
                "it matches `acs:ram::1:role/admin-admin` here, but not in Go",
            ),
            (
                "role/**",
                "in Go it is not valid and matches no identity; here it matches `acs:ram::1:role/admin`",
            ),
        ] {
            let pattern = Pattern::parse(&format!("acs:ram::1:{pattern}")).unwrap();
            assert_eq!(
                describe_difference(&pattern).as_deref(),
                Some(expected),
                "{pattern}"
            );
        }
    }

    #[test]
    fn pattern_that_go_refuses_is_not_parsed() {
        for (text, refused) in [
            ("a**", true),
            ("a?*", true),
            ("a*??", true),
            ("*a", true),
            ("a[", true),
            ("a*?", false),
            ("a??", false),
            ("a*b*", false),
        ] {
            assert_eq!(GoRegex::parse(text).is_none(), refused, "{text}");
        }
    }
}
