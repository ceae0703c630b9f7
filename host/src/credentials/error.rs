//! Why there is no key to sign with.

use std::fmt;

/// Why there is no key to sign with. All of these are the fault of how the client is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialError {
    /// Nothing is set.
    NotSet,
    /// One half of the key is set, and the other is not.
    IncompleteKey {
        /// The variable that is set.
        present: &'static str,
        /// The variable that would hold the other half.
        missing: &'static str,
    },
    /// The value holds what no credential does. It is not shown.
    Malformed {
        /// The variable that holds it.
        variable: &'static str,
        /// What is wrong with it.
        fault: ValueFault,
    },
    /// The value is not an access key id. It is not shown: it may be a secret in the wrong place.
    MalformedId {
        /// The variable that holds it.
        variable: &'static str,
    },
    /// The environment asks for a source that this version does not have. Another one would be another identity.
    NotSupported {
        /// The variable that asks for it.
        variable: &'static str,
        /// What it asks for.
        wanted: &'static str,
    },
}

/// What is wrong with the value of a credential: keys and tokens are visible ASCII without quotes.
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
    /// Returns the first fault of `value`, if it has one. What surrounds the value says most of where it came from.
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
            FaultPosition::Inside => "holds",
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

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet => f.write_str(
                "no access key in the environment; set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, and `ALIBABA_CLOUD_SECURITY_TOKEN` for a temporary key",
            ),
            Self::IncompleteKey { present, missing } => {
                write!(f, "`{present}` is set, but no `{missing}`; set it, too")
            }
            Self::Malformed { variable, fault } => write!(
                f,
                "`{variable}` {fault}; set it to the value alone, in visible ASCII characters"
            ),
            Self::MalformedId { variable } => write!(
                f,
                "what `{variable}` holds is not an access key id; set it to an id such as `LTAI5t...`"
            ),
            Self::NotSupported { variable, wanted } => write!(
                f,
                "`{variable}` asks for {wanted}, which this version cannot do, and any other key would be another identity; unset it, or set a temporary key with its `ALIBABA_CLOUD_SECURITY_TOKEN`"
            ),
        }
    }
}

impl std::error::Error for CredentialError {}
