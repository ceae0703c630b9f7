//! Characters that are invisible or look like a space.

/// Returns the name of `character` if it is invisible or looks like a space. Returns `None` for space, tab and newline.
#[must_use]
pub fn character_name(character: char) -> Option<&'static str> {
    Some(match character {
        '\0' => "a NUL character",
        '\r' => "a carriage return",
        '\t' | '\n' => return None,
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            "a non-standard space"
        }
        '\u{ad}' => "a soft hyphen",
        '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{180e}' => "a zero-width character",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "a text direction mark"
        }
        '\u{2028}' | '\u{2029}' | '\u{85}' => "a line separator",
        '\u{feff}' => "a byte order mark",
        other if other.is_control() => "a control character",
        _ => return None,
    })
}

/// Returns a description of `character` and the fix, if the character is invisible.
#[must_use]
pub fn describe_problem(character: char) -> Option<String> {
    let name = character_name(character)?;
    let code = u32::from(character);
    Some(format!(
        "{name} (U+{code:04X}), which is invisible; remove it, or replace it with a plain space"
    ))
}
