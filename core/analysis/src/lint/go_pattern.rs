//! What Go makes of a pattern: a regular expression that may match anywhere in the canonical ARN, both in lower case.
//!
//! `*` there repeats the character before it, `?` makes it optional, `.` is any. Which ARNs one of the two readings
//! matches and the other does not is found by trying: both are asked about ARNs that are made from the pattern.

use ack_ram_core::arn::Arn;
use ack_ram_core::rules::pattern::Pattern;
use regex_lite::Regex;

/// What stands in for wildcards, and what follows a cut.
const WORDS: [&str; 5] = ["admin", "zed", "x", "team/admin", ""];

/// An account that stands for any.
const ACCOUNT: &str = "acs:ram::1234567890123456:";

/// Describes how `pattern` differs from Go, with an ARN that shows it; `None` where no such ARN was found.
pub(super) fn describe_difference(pattern: &Pattern) -> Option<String> {
    let text = pattern.to_string();
    let Some(regex) = GoRegex::parse(&text) else {
        let example = candidate_arns(&text).find(|arn| pattern.matches(&arn.key()))?;
        return Some(format!(
            "Go cannot read it, and it matched nobody; now it matches `{example}`"
        ));
    };
    let lost = candidate_arns(&text).find(|arn| regex.matches(arn) && !pattern.matches(&arn.key()));
    let gained =
        candidate_arns(&text).find(|arn| !regex.matches(arn) && pattern.matches(&arn.key()));
    match (lost, gained) {
        (None, None) => None,
        (Some(lost), None) => Some(format!("`{lost}` matched, and does not now")),
        (None, Some(gained)) => Some(format!("`{gained}` did not match, and does now")),
        (Some(lost), Some(gained)) => Some(format!(
            "`{lost}` matched, and does not now; `{gained}` did not, and does now"
        )),
    }
}

/// Finds an ARN that Go matched by `text`, which need not be a pattern.
pub(super) fn find_matched_arn(text: &str) -> Option<Arn> {
    let regex = GoRegex::parse(text)?;
    let anyone = ["user/admin", "role/admin"].map(|resource| format!("{ACCOUNT}{resource}"));
    let any_account = text.replace("acs:ram::.*:", ACCOUNT);
    candidate_arns(&any_account)
        .chain(candidate_arns(&format!("{ACCOUNT}{text}")))
        .chain(anyone.iter().filter_map(|arn| Arn::parse(arn).ok()))
        .find(|arn| regex.matches(arn))
}

/// A pattern as Go reads it: a regular expression.
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

/// Go refuses `**` and `?*`, which other engines take.
fn has_nested_repetition(text: &str) -> bool {
    text.as_bytes()
        .windows(2)
        .any(|pair| matches!(pair, [b'*' | b'?' | b'+', b'*' | b'+']))
        || ["*??", "+??", "???"].iter().any(|run| text.contains(run))
}

/// ARNs that one of the two readings may match: each wildcard replaced by a word; what a repetition may leave out left
/// out; the text cut before the first wildcard, and before the character that it repeats, with a word after it.
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

/// `text` with `word` for each run of `*`, and its first character for each `?`.
fn fill_wildcards(text: &str, word: &str) -> String {
    let one = word.get(..1).unwrap_or("x");
    text.replace("**", "*").replace('*', word).replace('?', one)
}

/// `text` without its wildcards and the characters before them.
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
    fn difference_from_go_is_shown_by_an_arn() {
        for (pattern, expected) in [
            (
                "role/dev-*",
                "`acs:ram::1:role/devadmin` matched, and does not now",
            ),
            ("user/a*", "`acs:ram::1:user/zed` matched, and does not now"),
            (
                "role/de?",
                "`acs:ram::1:role/dadmin` matched, and does not now",
            ),
            (
                "role/*-admin",
                "`acs:ram::1:role/admin-admin` did not match, and does now",
            ),
            (
                "role/**",
                "Go cannot read it, and it matched nobody; now it matches `acs:ram::1:role/admin`",
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
