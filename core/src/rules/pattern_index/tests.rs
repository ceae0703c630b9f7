use super::*;
use crate::arn::Arn;
use crate::rules::subject::Subject;
use crate::rules::{Backend, Mapping, Precedence, Rule, Source, WildcardMode};

fn rule(text: &str) -> Arc<Rule> {
    let source = Source {
        backend: Backend::Crd,
        position: text.to_owned(),
    };
    let mapping = Mapping {
        wildcards: WildcardMode::Enabled,
        ..Mapping::for_arn(source, Precedence::ListIndex(0), text, "u", Vec::new())
    };
    Arc::new(Rule::compile(mapping).unwrap())
}

fn change(index: &mut PatternIndex, rule: &Arc<Rule>, is_added: bool) {
    let Subject::Pattern(pattern) = rule.subject() else {
        panic!("{rule:?}");
    };
    index.alter(pattern, |old| {
        let old = old.unwrap_or(&RuleList::None);
        let new = if is_added {
            old.with(rule)
        } else {
            old.without(rule)
        };
        (!matches!(new, RuleList::None)).then_some(new)
    });
}

/// Returns the patterns whose literal prefix is a prefix of `arn`, in the order in which they are tried.
fn prefix_matches(index: &PatternIndex, arn: &str) -> Vec<String> {
    let arn = Arn::parse(arn).unwrap();
    let key = arn.key();
    let rules = index.with_matching_prefix(arn.account(), &key);
    rules
        .flat_map(RuleList::iter)
        .map(|rule| rule.subject().to_string())
        .collect()
}

#[test]
fn matching_prefixes_are_found_once_longest_first() {
    // Two prefixes have the same length.
    let texts = [
        "acs:ram::1:user/b*",
        "acs:ram::1:user/*",
        "acs:ram::1:user/a*",
        "acs:ram::1:user/al*",
        "acs:ram::1:**",
        "acs:ram::2:user/al*",
    ];
    let alice = [
        "acs:ram::1:user/al*",
        "acs:ram::1:user/a*",
        "acs:ram::1:user/*",
        "acs:ram::1:**",
    ];
    for turn in 0..texts.len() {
        let mut index = PatternIndex::default();
        for place in 0..texts.len() {
            change(&mut index, &rule(texts[(turn + place) % texts.len()]), true);
        }
        assert_eq!(prefix_matches(&index, "acs:ram::1:user/alice"), alice);
        assert_eq!(prefix_matches(&index, "acs:ram::1:user/carol"), alice[2..]);
        assert_eq!(prefix_matches(&index, "acs:ram::2:user/alice"), texts[5..]);
        assert_eq!(prefix_matches(&index, "acs:ram::3:user/alice").len(), 0);
        assert_eq!(index.values().count(), texts.len());
    }
}

#[test]
fn last_pattern_removal_drops_prefix_length() {
    let texts = [
        "acs:ram::1:user/a*",
        "acs:ram::1:user/b*",
        "acs:ram::1:role/*",
    ];
    let mut index = PatternIndex::default();
    let lengths = |index: &PatternIndex| -> Vec<(usize, usize)> {
        index
            .lengths
            .get("1")
            .map_or_else(Vec::new, |lengths| lengths.to_vec())
    };
    for text in texts {
        change(&mut index, &rule(text), true);
    }
    assert_eq!(lengths(&index), [(17, 2), (16, 1)]);
    change(&mut index, &rule(texts[0]), false);
    assert_eq!(lengths(&index), [(17, 1), (16, 1)]);
    assert_eq!(prefix_matches(&index, "acs:ram::1:user/bob"), texts[1..2]);
    change(&mut index, &rule(texts[1]), false);
    assert_eq!(lengths(&index), [(16, 1)]);
    change(&mut index, &rule(texts[2]), false);
    assert_eq!(lengths(&index), []);
    assert_eq!((index.lengths.len(), index.by_prefix.len()), (0, 0));
}
