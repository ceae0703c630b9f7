use crate::rules::pattern::{Pattern, PatternError};

#[test]
fn pattern_takes_eight_stars_and_512_bytes() {
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
        // `**` counts once.
        (format!("acs:ram::1:{}", "a**".repeat(8)), None),
        (format!("acs:ram::1:{}", "a?".repeat(9)), None),
        (long(511), None),
        (long(512), None),
        (long(513), Some(PatternError::TooLong)),
    ] {
        assert_eq!(Pattern::parse(&text).err(), error, "{text}");
    }
}
