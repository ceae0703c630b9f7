//! Splits the command of a process into words, as a POSIX shell does. No shell runs.

use ack_ram_core::secret::Secret;

use crate::error::SetupError;
use crate::origin::Setting;

/// Splits a command. The words may contain secrets.
pub(super) fn split(command: &Setting<&str>) -> Result<Vec<Secret>, SetupError> {
    let fail = |reason| SetupError::Command {
        place: command.origin.clone(),
        reason,
    };
    if command.value.contains('\0') {
        return Err(fail("contains a NUL character"));
    }
    let words = if cfg!(windows) {
        shlex::split(&with_literal_backslashes(command.value))
    } else {
        shlex::split(command.value)
    };
    let words = words.ok_or(fail(
        "has a quote that is not closed, or ends with a backslash",
    ))?;
    if words.first().is_none_or(String::is_empty) {
        return Err(fail("names no program"));
    }
    Ok(words.into_iter().map(Secret::new).collect())
}

/// Doubles the backslashes of a Windows command, in which a backslash is literal, except before a double quote.
fn with_literal_backslashes(command: &str) -> String {
    let mut out = String::with_capacity(command.len());
    let mut characters = command.chars().peekable();
    let mut in_single_quotes = false;
    let mut in_double_quotes = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' if in_double_quotes && characters.peek() == Some(&'"') => {
                out.push('\\');
                out.extend(characters.next());
                continue;
            }
            '\\' if !in_single_quotes => out.push('\\'),
            '\'' if !in_double_quotes => in_single_quotes = !in_single_quotes,
            '"' if !in_single_quotes => in_double_quotes = !in_double_quotes,
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
    fn command_is_split_as_a_shell_does() {
        for (command, expected) in [
            ("a b  c", Some(vec!["a", "b", "c"])),
            ("'a b' \"c d\"", Some(vec!["a b", "c d"])),
            ("a\\ b", Some(vec!["a b"])),
            ("a $HOME `x` | y", Some(vec!["a", "$HOME", "`x`", "|", "y"])),
            ("a 'b", None),
            ("a\\", None),
            ("", None),
            ("''", None),
            ("a\0b", None),
        ] {
            let words = split(&Setting::new(command, Origin::Default)).ok();
            let words = words.as_ref().map(|words| {
                let words = words.iter().map(Secret::expose);
                words.collect::<Vec<_>>()
            });
            assert_eq!(words, expected, "{command:?}");
        }
    }

    #[test]
    fn backslash_of_windows_is_literal_except_before_a_double_quote() {
        for (command, expected) in [
            (r"C:\a\b.exe c", vec![r"C:\a\b.exe", "c"]),
            (
                r#""C:\my dir\b.exe" "x\"y""#,
                vec![r"C:\my dir\b.exe", r#"x"y"#],
            ),
            (r"'C:\a' b", vec![r"C:\a", "b"]),
        ] {
            let words = shlex::split(&with_literal_backslashes(command)).unwrap();
            assert_eq!(words, expected, "{command}");
        }
    }
}
