use super::*;

#[test]
fn secret_in_standard_error_is_hidden() {
    for (text, expected) in [
        ("", ""),
        ("\n a \n\nb\nc\nd", "a / b / c"),
        (
            "no such file: /usr/local/bin/helper-2.sh",
            "no such file: /usr/local/bin/helper-2.sh",
        ),
        ("the token is invalid", "the token is invalid"),
        ("misunderstandings happen", "misunderstandings happen"),
        (
            "key LTAI5tFakeAccessKeyId001 refused",
            "key (hidden) refused",
        ),
        ("Xwjal/UtnFEMI/K7MDENG/bPxRfiCY", "(hidden)"),
        ("secret=abc", "secret=(hidden)"),
        ("SECRET = abc, next", "SECRET = (hidden), next"),
        (
            "password: p=s:s&w(rd) is wrong",
            "password: (hidden) is wrong",
        ),
        (
            r#"{"AccessKeySecret": "abc", "a": 1}"#,
            r#"{"AccessKeySecret": "(hidden)", "a": 1}"#,
        ),
        (
            "Authorization: Bearer abc",
            "Authorization: Bearer (hidden)",
        ),
        ("Bearer abc", "Bearer (hidden)"),
        ("--password abc --user me", "--password (hidden) --user me"),
        ("--token=abc", "--token=(hidden)"),
        ("https://h/?token=abc&user=me", "https://h/?token=(hidden)"),
        ("\u{1b}[31mred\u{202e}", "[31mred"),
        ("\u{4e2d}\u{6587} error", "\u{4e2d}\u{6587} error"),
    ] {
        assert_eq!(redact_lines(text.as_bytes(), &[]), expected);
    }
    assert_eq!(redact_lines(b"\xff\xfe", &[]), "\u{fffd}\u{fffd}");
}

#[test]
fn argument_in_standard_error_is_hidden() {
    let arguments = ["get", "hunter2", "hunter2-long", "--pin=12345", "--verbose"].map(Secret::new);
    let shown = redact_lines(
        b"get --verbose failed: hunter2-long hunter2 12345",
        &arguments,
    );
    assert_eq!(shown, "get --verbose failed: (hidden) (hidden) (hidden)");
}

#[test]
fn secret_across_the_end_of_a_shown_line_is_hidden_whole() {
    for start in MAX_CHARACTERS - 20..=MAX_CHARACTERS {
        let line = format!("{} FakeSecret0123456789", "x ".repeat(start / 2));
        let shown = redact_lines(line.as_bytes(), &[]);
        assert!(!shown.contains('F'), "{shown}");
        assert!(shown.chars().count() <= MAX_CHARACTERS);
    }
}
