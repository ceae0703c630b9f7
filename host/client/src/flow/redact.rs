//! Shortens the standard error of a process for a message, and hides what may be a secret.

/// The maximum number of lines that a message shows.
const MAX_LINES: usize = 3;
/// The maximum number of characters of a line that a message shows.
const MAX_CHARACTERS: usize = 200;
/// The length from which a run of letters and digits is hidden. Access key secrets have 30 characters.
const SECRET_LENGTH: usize = 16;

/// Returns the first lines of `text`, joined by ` / `, without what may be a secret.
pub(super) fn redact_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.take(MAX_LINES).map(redact).collect();
    lines.join(" / ")
}

fn redact(line: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for character in line.chars().take(MAX_CHARACTERS) {
        if character.is_ascii_alphanumeric() || "+/=_-.".contains(character) {
            run.push(character);
        } else {
            push_run(&mut out, &mut run);
            if !character.is_control() {
                out.push(character);
            }
        }
    }
    push_run(&mut out, &mut run);
    out
}

fn push_run(out: &mut String, run: &mut String) {
    // The path of a program has short parts.
    let longest = run
        .split(['/', '.', '-', '_'])
        .map(str::len)
        .max()
        .unwrap_or_default();
    let has_digit_or_upper = run
        .bytes()
        .any(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if longest >= SECRET_LENGTH && has_digit_or_upper {
        out.push_str("(hidden)");
    } else {
        out.push_str(run);
    }
    run.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shortened_and_secrets_hidden() {
        for (text, expected) in [
            ("", ""),
            ("\n a \n\nb\nc\nd", "a / b / c"),
            (
                "no such file: /usr/local/bin/helper-2.sh",
                "no such file: /usr/local/bin/helper-2.sh",
            ),
            ("secret=wJalrXUtnFEMIK7MDENG1234567890", "(hidden)"),
            (
                "key LTAI5tFakeAccessKeyId001 refused",
                "key (hidden) refused",
            ),
            ("\u{1b}[31mred", "[31mred"),
            ("misunderstandings happen", "misunderstandings happen"),
        ] {
            assert_eq!(redact_lines(text.as_bytes()), expected);
        }
        assert!(redact_lines("x ".repeat(1000).as_bytes()).len() <= MAX_CHARACTERS);
        assert_eq!(redact_lines(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}
