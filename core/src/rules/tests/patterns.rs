use crate::arn::Arn;
use crate::rules::pattern::{Pattern, PatternError};

#[test]
fn literal_between_wildcards_must_match() {
    for (pattern, arn, expected) in [
        ("role/*-x-*", "role/a-x-b", true),
        ("role/*-x-*", "role/a-y-b", false),
        ("role/**-x-**", "role/a/b-y-c/d", false),
        ("role/?x?", "role/axb", true),
        ("role/?x?", "role/ayb", false),
        // `?` does not match `/` at any position.
        ("role/a?x", "role/a-x", true),
        ("role/a?x", "role/a/x", false),
        ("role/*?x", "role/a/x", false),
        ("role/**?x", "role/a/x", false),
    ] {
        let pattern = Pattern::parse(&format!("acs:ram::1:{pattern}")).unwrap();
        let arn = Arn::parse(&format!("acs:ram::1:{arn}")).unwrap();
        assert_eq!(pattern.matches(&arn.key()), expected, "{pattern} {arn}");
    }
}

#[test]
fn pattern_displays_as_written() {
    let pattern = Pattern::parse("acs:ram::1:user/A*").unwrap();
    assert_eq!(pattern.to_string(), "acs:ram::1:user/A*");
    assert_eq!(format!("{pattern:?}"), "Pattern(acs:ram::1:user/A*)");
    assert_eq!(pattern.prefix(), "acs:ram::1:user/a");
    assert_eq!(pattern.account().as_str(), "1");
}

#[test]
fn pattern_beyond_eight_stars_or_512_bytes_is_refused() {
    let stars = |count: usize| format!("acs:ram::1:role/{}", "a*".repeat(count));
    let long = |bytes: usize| {
        let start = "acs:ram::1:role/*";
        format!("{start}{}", "a".repeat(bytes - start.len()))
    };
    for (text, error) in [
        (stars(1), None),
        (stars(7), None),
        (stars(8), None),
        (stars(9), Some(PatternError::TooManyStars)),
        // `**` counts as one wildcard.
        (format!("acs:ram::1:{}", "a**".repeat(8)), None),
        (format!("acs:ram::1:{}", "a?".repeat(9)), None),
        (long(511), None),
        (long(512), None),
        (long(513), Some(PatternError::TooLong)),
    ] {
        assert_eq!(Pattern::parse(&text).err(), error, "{text}");
    }
}
