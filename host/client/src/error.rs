//! The errors of the client, by who can correct them. Each has a cause, which names the place, and a remedy.

mod setup;
mod value_fault;

use std::fmt;
use std::sync::Arc;

use ack_ram_core::time::UnixTime;

use crate::origin::Profile;
use crate::plan::OAuthSite;
pub use setup::SetupError;
pub use value_fault::ValueFault;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// The settings, the environment or a file are wrong. The person who set them can correct them.
    Setup(Box<SetupError>),
    /// A session has ended, and a person has to sign in.
    SignIn(SignIn),
    /// A service or a process refused to issue a key. The same request will be refused again.
    Refused(Refusal),
    /// There was no usable answer. The same request may succeed later.
    Unavailable(Unavailable),
}

/// A session that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The profile of the session.
    pub profile: Arc<Profile>,
    /// The kind of session.
    pub kind: SessionKind,
    /// Why the session cannot be used.
    pub reason: String,
}

/// A kind of session that a person starts in a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// A CloudSSO session.
    CloudSso,
    /// An OAuth session of a site.
    OAuth(OAuthSite),
}

/// A definite refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was refused, by whom, and with which code: a sentence without a full stop.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

/// A missing answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// What failed: a sentence without a full stop.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

impl ClientError {
    /// Returns what failed and where, on one line.
    #[must_use]
    pub fn cause(&self) -> String {
        let text = match self {
            Self::Setup(error) => error.to_string(),
            Self::SignIn(sign_in) => format!(
                "the {} session of {} {}",
                sign_in.kind.name(),
                sign_in.profile,
                sign_in.reason
            ),
            Self::Refused(refusal) => refusal.cause.clone(),
            Self::Unavailable(unavailable) => unavailable.cause.clone(),
        };
        one_line(&text)
    }

    /// Returns what to do, on one line.
    #[must_use]
    pub fn remedy(&self) -> String {
        let text = match self {
            Self::Setup(error) => error.remedy(),
            Self::SignIn(sign_in) => format!("sign in again: run `{}`", sign_in.command()),
            Self::Refused(refusal) => refusal.remedy.clone(),
            Self::Unavailable(unavailable) => unavailable.remedy.clone(),
        };
        one_line(&text)
    }

    /// Returns whether the same request will be refused again, so that it is not repeated for a few seconds.
    #[must_use]
    pub fn is_definite(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::SignIn(_))
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.cause(), self.remedy())
    }
}

impl std::error::Error for ClientError {}

impl From<SetupError> for ClientError {
    fn from(error: SetupError) -> Self {
        Self::Setup(Box::new(error))
    }
}

impl SignIn {
    /// Returns the command that signs in.
    #[must_use]
    pub fn command(&self) -> String {
        let profile = shlex::try_quote(&self.profile.name).unwrap_or_default();
        match self.kind {
            SessionKind::CloudSso => {
                format!("aliyun configure --mode CloudSSO --profile {profile}")
            }
            SessionKind::OAuth(site) => format!(
                "aliyun configure --mode OAuth --oauth-site-type {} --profile {profile}",
                site.name()
            ),
        }
    }
}

impl SessionKind {
    fn name(self) -> &'static str {
        match self {
            Self::CloudSso => "CloudSSO",
            Self::OAuth(_) => "OAuth",
        }
    }
}

/// Returns the reason of a session that ended at `time`.
pub(crate) fn ended_at(time: UnixTime) -> String {
    format!("ended at {time}")
}

/// Replaces line breaks, which names of files and values can contain.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
