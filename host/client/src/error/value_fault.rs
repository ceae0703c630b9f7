//! Faults in the values of credentials.

use std::fmt;

/// What is wrong with the value of a credential. Keys and tokens contain only visible ASCII characters without quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValueFault {
    position: FaultPosition,
    character: ForbiddenCharacter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FaultPosition {
    Start,
    End,
    Inside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ForbiddenCharacter {
    Quote,
    LineBreak,
    WhiteSpace,
    Control,
    NotAscii,
}

impl ValueFault {
    /// Returns a fault of `value`, if it has one. A fault at the start or end of the value comes first, since it says
    /// most about the cause.
    pub(crate) fn find(value: &str) -> Option<Self> {
        let first = value.chars().next();
        let last = value.chars().next_back();
        let inside = value
            .chars()
            .find(|character| ForbiddenCharacter::classify(*character).is_some());
        [
            (FaultPosition::Start, first),
            (FaultPosition::End, last),
            (FaultPosition::Inside, inside),
        ]
        .into_iter()
        .find_map(|(position, character)| {
            let character = ForbiddenCharacter::classify(character?)?;
            Some(Self {
                position,
                character,
            })
        })
    }
}

impl ForbiddenCharacter {
    fn classify(character: char) -> Option<Self> {
        match character {
            '"' | '\'' => Some(Self::Quote),
            '\n' | '\r' => Some(Self::LineBreak),
            other if other.is_whitespace() => Some(Self::WhiteSpace),
            other if other.is_control() => Some(Self::Control),
            other if !other.is_ascii() => Some(Self::NotAscii),
            _ => None,
        }
    }
}

impl fmt::Display for ValueFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let position = match self.position {
            FaultPosition::Start => "begins with",
            FaultPosition::End => "ends with",
            FaultPosition::Inside => "contains",
        };
        let character = match self.character {
            ForbiddenCharacter::Quote => "a quote",
            ForbiddenCharacter::LineBreak => "a line break",
            ForbiddenCharacter::WhiteSpace => "white space",
            ForbiddenCharacter::Control => "a control character",
            ForbiddenCharacter::NotAscii => "a character that is not ASCII",
        };
        write!(f, "{position} {character}")
    }
}
