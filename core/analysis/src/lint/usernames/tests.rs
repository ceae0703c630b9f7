use super::*;

/// Builds a set of usernames: `*` is a name, `~` a name that may be empty, `#` digits, and `%` a session name with `@`.
fn usernames(text: &str) -> UsernameSet {
    let mut usernames = UsernameSet::exact("");
    for character in text.chars() {
        match character {
            '*' => usernames.push(Alphabet::Name),
            '#' => usernames.push(Alphabet::Digits),
            '%' => usernames.push(Alphabet::Session),
            '~' => usernames.parts.push(UsernamePart::Repeated {
                alphabet: Alphabet::Name,
                may_be_empty: true,
            }),
            other => usernames.parts.push(UsernamePart::Literal(other)),
        }
    }
    usernames
}

#[test]
fn username_sets_with_common_text_overlap() {
    let long = "a".repeat(65);
    for (one, other, expected) in [
        ("admin", "admin", true),
        ("admin", "Admin", false),
        ("*", "admin", true),
        ("*", "a", true),
        ("*", "dev:admin", false),
        ("*", "a@b", false),
        ("%", "a@b", true),
        ("*", "a b", false),
        ("*", "\u{e9}", false),
        ("*", &long, false),
        ("a*", &long, true),
        ("dev:*", "dev:", false),
        ("dev:~", "dev:", true),
        ("dev:*", "dev:bob", true),
        ("dev:*", "ops:*", false),
        ("dev:*", "dev:bob:x", false),
        ("*", "*", true),
        ("*-x", "y-*", true),
        ("*-x", "*-y", false),
        ("#", "*", true),
        ("#:*", "*:#", true),
        ("#a", "*b", false),
        ("acs:ram::1:user/*", "acs:ram::1:user/alice", true),
        ("acs:ram::#:user/*", "acs:ram::1:user/*", true),
        ("acs:ram::1:user/*", "acs:ram::2:user/*", false),
        ("acs:ram::1:*", "acs:ram::1:root", true),
        ("acs:ram::1:*", "acs:ram::1:user/*", false),
        ("**", "a", false),
        ("**", "ab", true),
        ("*x*x*x*x*", "axbxcxdxe", true),
        ("*x*x*x*x*", "axbxcxde", false),
    ] {
        let (one, other) = (usernames(one), usernames(other));
        assert_eq!(one.overlaps(&other), expected, "{one:?} {other:?}");
        assert_eq!(other.overlaps(&one), expected, "{other:?} {one:?}");
    }
}

#[test]
fn username_set_has_common_prefix_and_suffix() {
    let one = usernames("dev:*-x");
    assert_eq!((&*one.prefix(), &*one.suffix()), ("dev:", "x-"));
    assert_eq!(one.single(), None);
    assert_eq!(usernames("bob").single().as_deref(), Some("bob"));
}
