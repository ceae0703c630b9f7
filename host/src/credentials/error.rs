//! Why there is no key to sign with.

use std::fmt;

/// Why there is no key to sign with. All of these are the fault of how the client is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialError {
    /// Nothing is set.
    NotSet,
    /// One half of the key is set, and the other is not.
    Half {
        /// The variable that is set.
        present: &'static str,
        /// The variable that would hold the other half.
        missing: &'static str,
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

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet => f.write_str(
                "no access key in the environment; set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, and `ALIBABA_CLOUD_SECURITY_TOKEN` for a temporary key",
            ),
            Self::Half { present, missing } => {
                write!(f, "`{present}` is set, but no `{missing}`; set it, too")
            }
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
