//! Splits the command of a process into words, as a POSIX shell does. No shell runs.

use ack_ram_core::secret::Secret;

use crate::error::SetupError;
use crate::origin::Setting;

/// How a command treats a backslash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backslash {
    /// It takes the meaning of the next character away, as in a POSIX shell.
    Escapes,
    /// It is literal, except before a double quote in double quotes. Paths of Windows contain backslashes.
    IsLiteral,
}

const BACKSLASH: Backslash = if cfg!(windows) {
    Backslash::IsLiteral
} else {
    Backslash::Escapes
};

/// Splits a command. The words may contain secrets.
pub(super) fn split(command: &Setting<&str>) -> Result<Vec<Secret>, SetupError> {
    match split_text(command.value, BACKSLASH) {
        Ok(words) => Ok(words.into_iter().map(Secret::new).collect()),
        Err(reason) => Err(SetupError::Command {
            place: command.origin.clone(),
            reason,
        }),
    }
}

fn split_text(command: &str, backslash: Backslash) -> Result<Vec<String>, &'static str> {
    if command.contains('\0') {
        return Err("contains a NUL character");
    }
    let command = escape(command.trim(), backslash);
    let words =
        shlex::split(&command).ok_or("has a quote that is not closed, or ends with a backslash")?;
    if words.first().is_none_or(String::is_empty) {
        return Err("names no program");
    }
    Ok(words)
}

/// Escapes what `shlex` would read in another way than the official clients: a `#` at the start of a word, which would
/// start a comment and hide the arguments behind it, and a literal backslash.
fn escape(command: &str, backslash: Backslash) -> String {
    let mut out = String::with_capacity(command.len());
    let mut characters = command.chars().peekable();
    let mut quote = None;
    let mut starts_word = true;
    while let Some(character) = characters.next() {
        let starts = std::mem::replace(&mut starts_word, false);
        match (character, quote) {
            ('\\', Some('\'')) => {}
            ('\\', _) => {
                let escapes = match backslash {
                    Backslash::Escapes => true,
                    Backslash::IsLiteral => quote.is_some() && characters.peek() == Some(&'"'),
                };
                out.push('\\');
                if escapes {
                    out.extend(characters.next());
                    continue;
                }
            }
            ('#', None) if starts => out.push('\\'),
            ('"' | '\'', None) => quote = Some(character),
            (' ' | '\t' | '\n', None) => starts_word = true,
            (_, Some(open)) if open == character => quote = None,
            _ => {}
        }
        out.push(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Origin;

    #[test]
    fn command_is_split_as_a_posix_shell_does() {
        for (command, expected) in [
            ("a b  c", Ok(vec!["a", "b", "c"])),
            ("  a\tb\r\n", Ok(vec!["a", "b"])),
            ("'a b' \"c d\"", Ok(vec!["a b", "c d"])),
            ("a\\ b", Ok(vec!["a b"])),
            ("a \"\" ''", Ok(vec!["a", "", ""])),
            ("a'b'\"c\"d", Ok(vec!["abcd"])),
            (r#"a "x\"y\\z\w""#, Ok(vec!["a", r#"x"y\z\w"#])),
            (r"a 'b\'", Ok(vec!["a", r"b\"])),
            ("a $HOME `x` | y", Ok(vec!["a", "$HOME", "`x`", "|", "y"])),
            // No shell runs, so that nothing is a comment.
            (
                "a #b c#d '#e' \"f #g\"",
                Ok(vec!["a", "#b", "c#d", "#e", "f #g"]),
            ),
            ("#a", Ok(vec!["#a"])),
            (r"a \#b \\ #c", Ok(vec!["a", "#b", r"\", "#c"])),
            (
                "a 'b",
                Err("has a quote that is not closed, or ends with a backslash"),
            ),
            (
                "a\\",
                Err("has a quote that is not closed, or ends with a backslash"),
            ),
            ("", Err("names no program")),
            (" \t", Err("names no program")),
            ("'' a", Err("names no program")),
            ("a\0b", Err("contains a NUL character")),
        ] {
            let expected = expected.map(|words| words.into_iter().map(str::to_owned).collect());
            assert_eq!(
                split_text(command, Backslash::Escapes),
                expected,
                "{command:?}"
            );
        }
    }

    #[test]
    fn backslash_of_windows_is_literal_except_before_a_double_quote() {
        for (command, expected) in [
            (r"C:\a\b.exe c\", vec![r"C:\a\b.exe", r"c\"]),
            (
                r#""C:\my dir\b.exe" "x\"y""#,
                vec![r"C:\my dir\b.exe", r#"x"y"#],
            ),
            (r"'C:\a' b", vec![r"C:\a", "b"]),
            (
                r#"a \\host\share "\\host\s s""#,
                vec!["a", r"\\host\share", r"\\host\s s"],
            ),
            (r#"a "it's" 'say "x"'"#, vec!["a", "it's", r#"say "x""#]),
            (r"a #b \#c", vec!["a", "#b", r"\#c"]),
        ] {
            let words = split_text(command, Backslash::IsLiteral);
            assert_eq!(words.unwrap(), expected, "{command}");
        }
        assert!(split_text(r#"a "b\""#, Backslash::IsLiteral).is_err());
    }

    #[test]
    fn error_names_the_place_and_hides_the_command() {
        let command = Setting::new("tool 'CANARY", Origin::Output("process_command"));
        let error = split(&command).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`process_command` in the output of the process has a quote that is not closed, or ends with a backslash"
        );
    }
}
