//! The errors of credentials.

use std::fmt;

use thiserror::Error;

/// Why there is no access key to sign with. Each variant is a mistake in the setup of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// No access key is set.
    #[error(
        "no access key in the environment; set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, and for a temporary key also `ALIBABA_CLOUD_SECURITY_TOKEN`"
    )]
    NotSet,
    /// Only the ID or only the secret is set.
    #[error("`{present}` is set, but `{missing}` is not; set both")]
    IncompleteKey {
        /// The variable that is set.
        present: &'static str,
        /// The variable that is missing.
        missing: &'static str,
    },
    /// The value contains characters that no credential contains. The message does not show the value.
    #[error("`{variable}` {fault}; set it to only the value, in visible ASCII characters")]
    Malformed {
        /// The variable.
        variable: &'static str,
        /// What is wrong with the value.
        fault: ValueFault,
    },
    /// The value is not an access key ID. The message does not show the value, which may be a secret in the wrong
    /// place.
    #[error("`{variable}` is not an access key ID; set it to an ID such as `LTAI5t...`")]
    MalformedId {
        /// The variable.
        variable: &'static str,
    },
    /// The environment selects a source that this version does not support. Any other source has another identity.
    #[error(
        "`{variable}` selects {wanted}, which this version does not support; unset it to use an access key, whose identity is different, or set a temporary key with its `ALIBABA_CLOUD_SECURITY_TOKEN`"
    )]
    NotSupported {
        /// The variable that selects the source.
        variable: &'static str,
        /// A description of the source.
        wanted: &'static str,
    },
}

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
    pub(super) fn find(value: &str) -> Option<Self> {
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
