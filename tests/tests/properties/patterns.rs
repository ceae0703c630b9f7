//! Patterns match like their translation to an anchored regular expression, inside one account.

use ack_ram_core::arn::{AccountId, Arn};
use ack_ram_core::rules::pattern::Pattern;
use proptest::prelude::*;
use regex::Regex;

use crate::{CASES, cases};

proptest! {
    #![proptest_config(cases(4 * CASES))]

    #[test]
    fn pattern_matches_as_its_regular_expression(case in Case::any()) {
        let Ok(pattern) = Pattern::parse(&format!("acs:ram::1:{}", case.pattern)) else {
            return Ok(());
        };
        let Ok(arn) = Arn::parse(&format!("acs:ram::1:{}", case.resource)) else {
            return Ok(());
        };
        let expected = reference(&case.pattern).is_match(arn.key().as_str());
        prop_assert_eq!(pattern.matches(&arn.key()), expected, "{} {}", pattern, arn);
    }

    #[test]
    fn pattern_never_matches_outside_its_account(case in Case::any(), own in "[0-9]{1,3}", other in "[0-9]{1,3}") {
        prop_assume!(own != other);
        let Ok(pattern) = Pattern::parse(&format!("acs:ram::{own}:{}", case.pattern)) else {
            return Ok(());
        };
        let own_account = AccountId::parse(&own);
        prop_assert_eq!(Some(pattern.account()), own_account.as_ref());
        if let Ok(arn) = Arn::parse(&format!("acs:ram::{other}:{}", case.resource)) {
            prop_assert!(!pattern.matches(&arn.key()), "{} {}", pattern, arn);
        }
    }

    #[test]
    fn arbitrary_pattern_never_matches_another_account(text in "acs:ram::[0-9*?:/.a]{1,12}[*]{1,2}[a-z/:*]{0,6}", account in "[0-9]{1,2}", name in "[a-z0-9/]{1,6}") {
        if let Ok(pattern) = Pattern::parse(&text)
            && let Ok(arn) = Arn::parse(&format!("acs:ram::{account}:role/{name}"))
            && pattern.account() != arn.account()
        {
            prop_assert!(!pattern.matches(&arn.key()), "{} {}", pattern, arn);
        }
    }
}

/// The resources of a pattern and of an ARN that probably matches it.
#[derive(Clone, Debug)]
struct Case {
    pattern: String,
    resource: String,
}

impl Case {
    fn any() -> impl Strategy<Value = Self> {
        let text = "[abA./-]{0,3}";
        let piece = ("[*]{1,2}|[?]|[abA./\\[$+|-]{1,2}", text);
        (
            proptest::sample::select(vec!["role/", "user/", ""]),
            prop::collection::vec(piece, 1..8),
            text,
        )
            .prop_map(|(kind, pieces, end)| {
                let mut pattern = kind.to_owned();
                let mut resource = kind.to_owned();
                for (piece, replacement) in &pieces {
                    pattern.push_str(piece);
                    resource.push_str(if piece.contains(['*', '?']) {
                        replacement
                    } else {
                        piece
                    });
                }
                resource.push_str(if end.len() > 2 { &end } else { "" });
                Self { pattern, resource }
            })
    }
}

fn reference(pattern: &str) -> Regex {
    let mut regex = "^acs:ram::1:".to_owned();
    let mut rest = pattern.to_ascii_lowercase();
    while let Some(first) = rest.chars().next() {
        let (token, meaning) = match first {
            '*' if rest.starts_with("**") => ("**", ".*".to_owned()),
            '*' => ("*", "[^/]*".to_owned()),
            '?' => ("?", "[^/]".to_owned()),
            _ => ("_", regex::escape(&first.to_string())),
        };
        regex.push_str(&meaning);
        rest.drain(..token.len());
    }
    Regex::new(&(regex + "$")).unwrap()
}
