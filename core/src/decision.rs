//! Decisions, and the texts that report them to the API server, the user, the log and metrics.

use std::fmt;

use serde::Serialize;

use crate::arn::AccountId;
use crate::fingerprint::Fingerprint;
use crate::identity::Identity;
use crate::rules::expression::EvaluationError;
use crate::rules::{Backend, NameError, NearMiss, Source};
use crate::sts::{StsError, StsRefusal, StsUnavailable};
use crate::token::TokenError;

/// The outcome of a login and its explanation.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The outcome.
    pub outcome: Outcome,
    /// How the outcome came about.
    pub explanation: Explanation,
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

/// Why a token was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The token failed a check before any call.
    Token(TokenError),
    /// STS refused the token.
    Sts(StsRefusal),
    /// No rule matches the identity.
    NotMapped,
    /// A rule matches, but gives no usable name.
    Name(NameError),
    /// A validation refused the user, with this message.
    ValidationRefused(Box<str>),
    /// A validation could not be evaluated.
    ValidationFailed(EvaluationError),
}

impl Denial {
    /// Returns the stable result code, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::Sts(_) => "sts_refused",
            Self::NotMapped => "not_mapped",
            Self::Name(_) => "name_refused",
            Self::ValidationRefused(_) => "validation_refused",
            Self::ValidationFailed(_) => "validation_failed",
        }
    }
}

/// Why no decision about a token is possible now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// STS gave no answer.
    Sts(StsUnavailable),
    /// The server is overloaded.
    Overloaded,
    /// The mappings of this backend are not synced yet, and no later backend may answer in its place.
    BackendNotReady(Backend),
    /// The mappings of this backend are unusable. No later backend may answer in its place.
    BackendBroken(Backend),
    /// The mappings of this backend map the identity, and its source has not confirmed them for longer than the host
    /// allows. The mapping may be gone by now, and no later backend may answer in its place.
    BackendStale(Backend),
    /// An internal error.
    Internal,
}

/// The stages that a login passes, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The token is whole, fresh and for this cluster.
    Token,
    /// STS reported the identity that signed the token.
    Sts,
    /// A rule matches the identity.
    Rule,
    /// The rule gives usable names.
    Names,
    /// The validations let the user pass.
    Validations,
}

impl Outcome {
    /// Returns the stages that the login passed.
    #[must_use]
    pub fn passed_stages(&self) -> &'static [Stage] {
        use Stage::{Names, Rule, Sts, Token, Validations};
        match self {
            Self::UnrecognizedToken | Self::Denied(Denial::Token(_)) => &[],
            Self::Denied(Denial::NotMapped)
            | Self::Unavailable(
                Unavailable::BackendNotReady(_)
                | Unavailable::BackendBroken(_)
                | Unavailable::BackendStale(_),
            ) => &[Token, Sts],
            Self::Unavailable(_) | Self::Denied(Denial::Sts(_)) => &[Token],
            Self::Denied(Denial::Name(_)) => &[Token, Sts, Rule],
            Self::Denied(Denial::ValidationRefused(_) | Denial::ValidationFailed(_)) => {
                &[Token, Sts, Rule, Names]
            }
            Self::Granted(_) => &[Token, Sts, Rule, Names, Validations],
        }
    }
}

/// Why the rules give no user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesRefusal {
    /// The rules deny the login.
    Denied(Denial),
    /// This backend is next in order, and is not synced yet.
    BackendNotReady(Backend),
    /// This backend is next in order, and its mappings are unusable.
    BackendBroken(Backend),
    /// This backend maps the identity, and its mappings are stale.
    BackendStale(Backend),
}

/// A user as Kubernetes knows it (TokenReview, `status.user`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesUser {
    /// `username`; never empty.
    pub username: String,
    /// `uid`.
    pub uid: String,
    /// `groups`.
    pub groups: Vec<String>,
    /// `extra`: keys and their one value each, in byte order.
    pub extra: Vec<(&'static str, String)>,
}

impl KubernetesUser {
    /// The keys that `extra` may have.
    pub const EXTRA_KEYS: [&'static str; 3] = ["arn", "canonicalArn", "sessionName"];

    /// Builds the user of a grant. For a scrubbed account, nothing in it identifies the RAM identity.
    pub(crate) fn new(
        identity: &Identity,
        username: String,
        groups: Vec<String>,
        is_scrubbed: bool,
    ) -> Self {
        if is_scrubbed {
            return Self {
                uid: format!("ack-ram-authenticator:administrative:{username}"),
                username,
                groups,
                extra: Vec::new(),
            };
        }
        Self {
            username,
            uid: format!(
                "ack-ram-authenticator:{}:{}",
                identity.account_id(),
                identity.user_id
            ),
            groups,
            extra: {
                let [arn, canonical, session_name] = Self::EXTRA_KEYS;
                vec![
                    (arn, identity.arn.to_string()),
                    (canonical, identity.arn.canonical().to_string()),
                    (session_name, identity.session_name().to_owned()),
                ]
            },
        }
    }
}

/// How a decision came about. It holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The fingerprint of the token; `None` for a token of another type.
    #[serde(rename = "reference", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The identity that STS reported; `None` for scrubbed accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The rule or account entry that maps the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<MatchedEntry>,
    /// The identity is protected (`server.protect`): the mounted file took precedence, and maps the identity.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// Rules that match the identity, but whose condition does not hold.
    #[serde(rename = "passedOver", skip_serializing_if = "Vec::is_empty")]
    pub skipped_rules: Vec<SkippedRule>,
    /// Rules that match the identity, too, but have a lower precedence, in the same backend or in a later one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outranked: Vec<Source>,
    /// Rules that nearly match an identity that is not mapped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near_misses: Vec<NearMiss>,
    /// The identity is of a scrubbed account: nothing but the result may be logged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scrubbed: bool,
}

/// A rule that matches an identity, but whose condition does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkippedRule {
    /// The rule.
    pub rule: Source,
    /// Why its condition could not be evaluated; none when it is just false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl fmt::Display for SkippedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => write!(f, "the condition of {} does not hold", self.rule),
            Some(failure) => write!(f, "the condition of {} failed: {failure}", self.rule),
        }
    }
}

/// The rule or account entry that maps an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum MatchedEntry {
    /// A rule.
    Rule(Source),
    /// An entry of `mapAccounts`.
    Account {
        /// The backend that holds it.
        backend: Backend,
        /// The account.
        account: AccountId,
    },
}

impl MatchedEntry {
    /// Returns the backend of the entry.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self {
            Self::Rule(source) => source.backend,
            Self::Account { backend, .. } => *backend,
        }
    }
}

impl fmt::Display for MatchedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(source) => source.fmt(f),
            Self::Account { backend, account } => write!(f, "{backend} mapAccounts {account}"),
        }
    }
}

impl Explanation {
    /// Returns the message for `denial`: the reason and what to do.
    #[must_use]
    pub fn denial_message(&self, denial: &Denial) -> String {
        match denial {
            Denial::Token(error) => format!("{error}; {}", error.advice()),
            Denial::Sts(refusal) => format!("{refusal}; {}", refusal.advice()),
            Denial::NotMapped => {
                let subject = match &self.identity {
                    Some(identity) => format!("`{}`", identity.arn.canonical()),
                    None => "the identity".to_owned(),
                };
                format!(
                    "{subject} is not mapped to a Kubernetes user; ask an administrator of the cluster to map it"
                )
            }
            Denial::Name(NameError { field, problem }) => {
                format!("the rule for this identity gives no usable `{field}`: {problem}")
            }
            Denial::ValidationRefused(message) => {
                format!("this cluster refuses the user: {message}")
            }
            Denial::ValidationFailed(error) => {
                format!("a validation of this cluster could not be evaluated: {error}")
            }
        }
    }

    /// Returns a sentence for each skipped rule and near miss. The sentences name other identities: for administrators
    /// only.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let skipped_rules = self.skipped_rules.iter().map(ToString::to_string);
        let near_misses = self.near_misses.iter().map(ToString::to_string);
        skipped_rules.chain(near_misses).collect()
    }
}

impl Decision {
    /// Returns the decision on a token of another type: no error, so that the API server may cache the reply and try
    /// other authenticators.
    pub fn unrecognized_token() -> Self {
        Self {
            outcome: Outcome::UnrecognizedToken,
            explanation: Explanation::default(),
        }
    }

    /// Returns the denial of a token that is refused before the rules apply.
    pub(crate) fn denied(fingerprint: Fingerprint, denial: Denial) -> Self {
        Self::from_rules(
            fingerprint,
            Err(RulesRefusal::Denied(denial)),
            Explanation::default(),
        )
    }

    /// Builds the decision from the result of the rules for a verified identity.
    pub(crate) fn from_rules(
        fingerprint: Fingerprint,
        result: Result<KubernetesUser, RulesRefusal>,
        explanation: Explanation,
    ) -> Self {
        Self {
            outcome: match result {
                Ok(user) => Outcome::Granted(user),
                Err(RulesRefusal::Denied(denial)) => Outcome::Denied(denial),
                Err(RulesRefusal::BackendNotReady(backend)) => {
                    Outcome::Unavailable(Unavailable::BackendNotReady(backend))
                }
                Err(RulesRefusal::BackendBroken(backend)) => {
                    Outcome::Unavailable(Unavailable::BackendBroken(backend))
                }
                Err(RulesRefusal::BackendStale(backend)) => {
                    Outcome::Unavailable(Unavailable::BackendStale(backend))
                }
            },
            explanation: Explanation {
                fingerprint: Some(fingerprint),
                ..explanation
            },
        }
    }

    /// Returns the decision on the token with `fingerprint` when STS gave no identity.
    pub fn from_sts_error(fingerprint: Fingerprint, error: StsError) -> Self {
        match error {
            StsError::Refused(refusal) => Self::denied(fingerprint, Denial::Sts(refusal)),
            StsError::Unavailable(unable) => {
                Self::unavailable(fingerprint, Unavailable::Sts(unable))
            }
        }
    }

    /// Returns the decision on the token with `fingerprint` when no answer is available.
    pub fn unavailable(fingerprint: Fingerprint, reason: Unavailable) -> Self {
        Self {
            outcome: Outcome::Unavailable(reason),
            explanation: Explanation {
                fingerprint: Some(fingerprint),
                ..Explanation::default()
            },
        }
    }

    /// Returns the stable result code, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &self.outcome {
            Outcome::Granted(_) => "granted",
            Outcome::UnrecognizedToken => "not_ours",
            Outcome::Denied(denial) => denial.code(),
            Outcome::Unavailable(Unavailable::Sts(unable)) => unable.code(),
            Outcome::Unavailable(Unavailable::Overloaded) => "overloaded",
            Outcome::Unavailable(Unavailable::BackendNotReady(_)) => "rules_not_read",
            Outcome::Unavailable(Unavailable::BackendBroken(_)) => "backend_broken",
            Outcome::Unavailable(Unavailable::BackendStale(_)) => "backend_stale",
            Outcome::Unavailable(Unavailable::Internal) => "internal",
        }
    }

    /// Returns the label `result` of Go's metric `authenticate_latency_seconds`, misspelling and all.
    #[must_use]
    pub fn metric_result(&self) -> &'static str {
        match &self.outcome {
            Outcome::Granted(_) => "success",
            Outcome::UnrecognizedToken | Outcome::Denied(Denial::Token(_)) => "invalid_token",
            Outcome::Denied(
                Denial::NotMapped
                | Denial::Name(_)
                | Denial::ValidationRefused(_)
                | Denial::ValidationFailed(_),
            )
            | Outcome::Unavailable(
                Unavailable::BackendNotReady(_)
                | Unavailable::BackendBroken(_)
                | Unavailable::BackendStale(_),
            ) => "uknown_user",
            Outcome::Denied(Denial::Sts(_)) | Outcome::Unavailable(_) => "sts_error",
        }
    }

    /// Returns the reason and what to do, for the log, without secrets. `None` for a grant or a token of another type.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Granted(_) | Outcome::UnrecognizedToken => None,
            Outcome::Denied(denial) => Some(self.explanation.denial_message(denial)),
            Outcome::Unavailable(Unavailable::Sts(unable)) => {
                Some(format!("{unable}; {}", unable.advice()))
            }
            Outcome::Unavailable(Unavailable::Overloaded) => {
                Some("the authenticator is overloaded; try again in a moment".to_owned())
            }
            Outcome::Unavailable(Unavailable::BackendNotReady(backend)) => Some(format!(
                "the mappings of the backend {backend} have not been read yet; try again in a moment"
            )),
            Outcome::Unavailable(Unavailable::BackendBroken(backend)) => Some(format!(
                "the mappings of the backend {backend} are broken; ask an administrator of the cluster to correct them"
            )),
            Outcome::Unavailable(Unavailable::BackendStale(backend)) => Some(format!(
                "the mappings of the backend {backend} have not been confirmed for longer than `server.maxStaleness`; ask an administrator of the cluster to check why the authenticator cannot read them, and try again"
            )),
            Outcome::Unavailable(Unavailable::Internal) => {
                Some("the authenticator failed; its log says more".to_owned())
            }
        }
    }

    /// Returns the message for the user who logs in: [`Self::reason`], and a reference that finds the full line in the
    /// log. The message names no rule and no other identity.
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
