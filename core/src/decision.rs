//! Decisions, and the codes and messages that report them to the API server, the user, the log and the metrics.

use serde::Serialize;

use crate::fingerprint::Fingerprint;
use crate::kubernetes_user::KubernetesUser;
use crate::rules::{Explanation, RulesError, RulesRefusal, RulesUnavailable};
use crate::sts::{StsError, StsRefusal, StsUnavailable};
use crate::token::TokenError;

/// The outcome of a login and its explanation. Only this crate can set the outcome, so no other code can grant access.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub(crate) outcome: Outcome,
    pub(crate) explanation: Explanation,
}

/// The outcome of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The token authenticates this user.
    Granted(KubernetesUser),
    /// The token is refused.
    Denied(Denial),
    /// The token is of another type, and another authenticator may accept it.
    UnrecognizedToken,
    /// No decision is possible now.
    Unavailable(Unavailable),
}

/// The reason why a token is denied, by the stage that denied it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The token failed a check before any call.
    Token(TokenError),
    /// STS refused the token.
    Sts(StsRefusal),
    /// The rules refuse the identity.
    Rules(RulesRefusal),
}

impl Denial {
    /// Returns the stable result code, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::Sts(_) => "sts_refused",
            Self::Rules(refusal) => refusal.code(),
        }
    }
}

/// The reason why no decision about a token is possible now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// STS gave no answer about the caller.
    Sts(StsUnavailable),
    /// The rules cannot answer now.
    Rules(RulesUnavailable),
    /// The server is overloaded.
    Overloaded,
    /// An internal error occurred.
    Internal,
}

/// The stages of a login, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The token is well-formed, has not expired, and is for this cluster.
    Token,
    /// STS reported the identity that signed the token.
    Sts,
    /// A rule matches the identity.
    Rule,
    /// The rule produces valid names.
    Names,
    /// The user passes all validations.
    Validations,
}

impl Outcome {
    /// Returns the stages that the login passed.
    #[must_use]
    pub fn passed_stages(&self) -> &'static [Stage] {
        use Stage::{Names, Rule, Sts, Token, Validations};
        match self {
            Self::UnrecognizedToken | Self::Denied(Denial::Token(_)) => &[],
            Self::Denied(Denial::Sts(_))
            | Self::Unavailable(
                Unavailable::Sts(_) | Unavailable::Overloaded | Unavailable::Internal,
            ) => &[Token],
            Self::Denied(Denial::Rules(RulesRefusal::NotMapped))
            | Self::Unavailable(Unavailable::Rules(_)) => &[Token, Sts],
            Self::Denied(Denial::Rules(RulesRefusal::Name(_))) => &[Token, Sts, Rule],
            Self::Denied(Denial::Rules(
                RulesRefusal::Validation(_) | RulesRefusal::ValidationFailed(_),
            )) => &[Token, Sts, Rule, Names],
            Self::Granted(_) => &[Token, Sts, Rule, Names, Validations],
        }
    }
}

impl Decision {
    /// Returns the decision on a token of another type. It is not an error, so the API server may cache the reply and
    /// try other authenticators.
    pub fn unrecognized_token() -> Self {
        Self {
            outcome: Outcome::UnrecognizedToken,
            explanation: Explanation::default(),
        }
    }

    /// Returns the denial of a token that is refused before the rules apply.
    pub(crate) fn denied(fingerprint: Fingerprint, denial: Denial) -> Self {
        Self::with_outcome(fingerprint, Outcome::Denied(denial))
    }

    /// Builds the decision from the result of the rules for a verified identity. Only
    /// [`crate::login::VerifiedIdentity::decide`] calls this function, and no other function grants access.
    pub(crate) fn from_rules(
        fingerprint: Fingerprint,
        result: Result<KubernetesUser, RulesError>,
        explanation: Explanation,
    ) -> Self {
        Self {
            outcome: match result {
                Ok(user) => Outcome::Granted(user),
                Err(RulesError::Refused(refusal)) => Outcome::Denied(Denial::Rules(refusal)),
                Err(RulesError::Unavailable(reason)) => {
                    Outcome::Unavailable(Unavailable::Rules(reason))
                }
            },
            explanation: Explanation {
                fingerprint: Some(fingerprint),
                ..explanation
            },
        }
    }

    /// Returns the decision on the token with `fingerprint` if STS returned no identity.
    pub fn from_sts_error(fingerprint: Fingerprint, error: StsError) -> Self {
        match error {
            StsError::Refused(refusal) => Self::denied(fingerprint, Denial::Sts(refusal)),
            StsError::Unavailable(unable) => {
                Self::unavailable(fingerprint, Unavailable::Sts(unable))
            }
        }
    }

    /// Returns the decision on the token with `fingerprint` if no answer is available.
    pub fn unavailable(fingerprint: Fingerprint, reason: Unavailable) -> Self {
        Self::with_outcome(fingerprint, Outcome::Unavailable(reason))
    }

    fn with_outcome(fingerprint: Fingerprint, outcome: Outcome) -> Self {
        Self {
            outcome,
            explanation: Explanation {
                fingerprint: Some(fingerprint),
                ..Explanation::default()
            },
        }
    }

    /// Returns the outcome.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Returns the explanation of the outcome.
    #[must_use]
    pub fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    /// Returns the outcome and the explanation.
    #[must_use]
    pub fn into_parts(self) -> (Outcome, Explanation) {
        (self.outcome, self.explanation)
    }

    /// Returns the stable result code, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &self.outcome {
            Outcome::Granted(_) => "granted",
            Outcome::UnrecognizedToken => "not_ours",
            Outcome::Denied(denial) => denial.code(),
            Outcome::Unavailable(Unavailable::Sts(unable)) => unable.code(),
            Outcome::Unavailable(Unavailable::Rules(unable)) => unable.code(),
            Outcome::Unavailable(Unavailable::Overloaded) => "overloaded",
            Outcome::Unavailable(Unavailable::Internal) => "internal",
        }
    }

    /// Returns the label `result` of the metric `authenticate_latency_seconds`. The values are those of the Go server,
    /// including its misspelling.
    #[must_use]
    pub fn metric_result(&self) -> &'static str {
        match &self.outcome {
            Outcome::Granted(_) => "success",
            Outcome::UnrecognizedToken | Outcome::Denied(Denial::Token(_)) => "invalid_token",
            Outcome::Denied(Denial::Rules(_)) | Outcome::Unavailable(Unavailable::Rules(_)) => {
                "uknown_user"
            }
            Outcome::Denied(Denial::Sts(_)) | Outcome::Unavailable(_) => "sts_error",
        }
    }

    /// Returns the reason and the advice for the log, without secrets; `None` for a grant or a token of another type.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Granted(_) | Outcome::UnrecognizedToken => None,
            Outcome::Denied(Denial::Token(error)) => Some(format!("{error}; {}", error.advice())),
            Outcome::Denied(Denial::Sts(refusal)) => {
                Some(format!("{refusal}; {}", refusal.advice()))
            }
            Outcome::Denied(Denial::Rules(refusal)) => {
                Some(self.explanation.refusal_message(refusal))
            }
            Outcome::Unavailable(Unavailable::Sts(unable)) => {
                Some(format!("{unable}; {}", unable.advice()))
            }
            Outcome::Unavailable(Unavailable::Rules(unable)) => {
                Some(format!("{unable}; {}", unable.advice()))
            }
            Outcome::Unavailable(Unavailable::Overloaded) => {
                Some("the authenticator is overloaded; try again in a moment".to_owned())
            }
            Outcome::Unavailable(Unavailable::Internal) => {
                Some("the authenticator had an internal error; see its log".to_owned())
            }
        }
    }

    /// Returns the message for the user: [`Self::reason`], and a reference to the full entry in the log. The message
    /// names no rule and no other identity.
    #[must_use]
    pub fn public_message(&self) -> Option<String> {
        let reason = self.reason()?;
        let reference = match self.explanation.fingerprint {
            Some(fingerprint) => format!(" (reference {fingerprint})"),
            None => String::new(),
        };
        Some(format!("[ack-ram-authenticator] {reason}{reference}"))
    }
}
