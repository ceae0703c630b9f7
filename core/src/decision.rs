//! Decisions, and how each is told: to the API server, to the person, to the log, to metrics.

use std::fmt;

use serde::Serialize;

use crate::arn::AccountId;
use crate::fingerprint::Fingerprint;
use crate::identity::Identity;
use crate::rules::expression::EvaluationError;
use crate::rules::{Backend, NameError, NearMiss, Source};
use crate::sts::{StsError, StsRefusal, StsUnable};
use crate::token::TokenError;

/// What was decided, and why.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub outcome: Outcome,
    /// Why.
    pub explanation: Explanation,
}

/// What was decided about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Whoever made the token is this user.
    Granted(KubernetesUser),
    /// The token gives nobody anything.
    Denied(Denial),
    /// The token is not ours to judge.
    NotOurs,
    /// It cannot be told now.
    Unable(Inability),
}

/// Why a token was denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It was refused before any call.
    Token(TokenError),
    /// STS refused it.
    Sts(StsRefusal),
    /// No rule speaks for the identity.
    NotMapped,
    /// A rule matched, but gives no usable name.
    Name(NameError),
    /// A validation refused the user, with this message.
    Validation(Box<str>),
    /// A validation could not be evaluated.
    ValidationFailed(EvaluationError),
}

impl Denial {
    /// A stable name, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::Sts(_) => "sts_refused",
            Self::NotMapped => "not_mapped",
            Self::Name(_) => "name_refused",
            Self::Validation(_) => "validation_refused",
            Self::ValidationFailed(_) => "validation_failed",
        }
    }
}

/// Why it cannot be told now whether a token is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inability {
    /// STS could not tell.
    Sts(StsUnable),
    /// This server is doing as much as it may.
    Overloaded,
    /// The mappings of this backend have not been read yet, and those that come after it must not speak for it.
    RulesNotRead(Backend),
    /// The mappings of this backend were read and cannot be used. A later backend must not answer in its place.
    BackendBroken(Backend),
    /// The mappings of this backend map the identity, and its source has not confirmed them for longer than the host
    /// allows. The mapping may be gone by now, and no later backend may answer in its place.
    BackendStale(Backend),
    /// Something here went wrong that should not.
    Internal,
}

/// What a login passes, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// The token is whole, fresh and for this cluster.
    Token,
    /// STS said who signed it.
    Sts,
    /// A rule speaks for the identity.
    Rule,
    /// The rule gives usable names.
    Names,
    /// The validations let the user pass.
    Validations,
}

impl Outcome {
    /// The stages that the login passed.
    #[must_use]
    pub fn passed(&self) -> &'static [Stage] {
        use Stage::{Names, Rule, Sts, Token, Validations};
        match self {
            Self::NotOurs | Self::Denied(Denial::Token(_)) => &[],
            Self::Denied(Denial::NotMapped)
            | Self::Unable(
                Inability::RulesNotRead(_)
                | Inability::BackendBroken(_)
                | Inability::BackendStale(_),
            ) => &[Token, Sts],
            Self::Unable(_) | Self::Denied(Denial::Sts(_)) => &[Token],
            Self::Denied(Denial::Name(_)) => &[Token, Sts, Rule],
            Self::Denied(Denial::Validation(_) | Denial::ValidationFailed(_)) => {
                &[Token, Sts, Rule, Names]
            }
            Self::Granted(_) => &[Token, Sts, Rule, Names, Validations],
        }
    }
}

/// Why the rules give no user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoUser {
    /// They deny the login.
    Denied(Denial),
    /// This backend would have to be asked, and has not been read yet.
    NotRead(Backend),
    /// This backend would have to be asked, and what it holds cannot be used.
    Broken(Backend),
    /// This backend maps the identity, and its mappings are stale.
    Stale(Backend),
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

    /// The user of a grant. For scrubbed accounts nothing tells which identity it was.
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
    /// Names the token; not there when the token is not ours.
    #[serde(rename = "reference", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Who STS says it is; not there for scrubbed accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The rule that spoke for the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<Matched>,
    /// The identity is protected (`server.protect`): the file was asked first, and answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// Rules that are about the identity, but whose condition does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<SkippedRule>,
    /// Rules that speak for the identity, too, but come after what matched, in its backend or in a later one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outranked: Vec<Source>,
    /// Rules that nearly speak for an identity that is not mapped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near_misses: Vec<NearMiss>,
    /// The identity is of a scrubbed account: nothing but the result may be logged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scrubbed: bool,
}

/// A rule whose condition does not hold for an identity that it is about.
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

/// What spoke for an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Matched {
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

impl Matched {
    /// The backend that answered.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self {
            Self::Rule(source) => source.backend,
            Self::Account { backend, .. } => *backend,
        }
    }
}

impl fmt::Display for Matched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(source) => source.fmt(f),
            Self::Account { backend, account } => write!(f, "{backend} mapAccounts {account}"),
        }
    }
}

impl Explanation {
    /// What `denial`, which this explains, is about, and what to do.
    #[must_use]
    pub fn why_denied(&self, denial: &Denial) -> String {
        match denial {
            Denial::Token(error) => format!("{error}; {}", error.advice()),
            Denial::Sts(refusal) => format!("{refusal}; {}", refusal.advice()),
            Denial::NotMapped => {
                let who = match &self.identity {
                    Some(identity) => format!("`{}`", identity.arn.canonical()),
                    None => "the identity".to_owned(),
                };
                format!(
                    "{who} is not mapped to a Kubernetes user; ask an administrator of the cluster to map it"
                )
            }
            Denial::Name(NameError { field, problem }) => {
                format!("the rule for this identity gives no usable `{field}`: {problem}")
            }
            Denial::Validation(message) => format!("this cluster refuses the user: {message}"),
            Denial::ValidationFailed(error) => {
                format!("a validation of this cluster could not be evaluated: {error}")
            }
        }
    }

    /// What nearly spoke for the identity, and why it did not, a sentence each. It names other identities: for
    /// administrators only.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let passed_over = self.passed_over.iter().map(ToString::to_string);
        let near_misses = self.near_misses.iter().map(ToString::to_string);
        passed_over.chain(near_misses).collect()
    }
}

impl Decision {
    /// A token that is not ours: no error, so that the API server may cache the answer and ask others.
    pub fn not_ours() -> Self {
        Self {
            outcome: Outcome::NotOurs,
            explanation: Explanation::default(),
        }
    }

    /// The token was refused before any rule was asked.
    pub(crate) fn denied(fingerprint: Fingerprint, denial: Denial) -> Self {
        Self::about(
            fingerprint,
            Err(NoUser::Denied(denial)),
            Explanation::default(),
        )
    }

    /// What the rules made of a verified identity.
    pub(crate) fn about(
        fingerprint: Fingerprint,
        result: Result<KubernetesUser, NoUser>,
        explanation: Explanation,
    ) -> Self {
        Self {
            outcome: match result {
                Ok(user) => Outcome::Granted(user),
                Err(NoUser::Denied(denial)) => Outcome::Denied(denial),
                Err(NoUser::NotRead(backend)) => Outcome::Unable(Inability::RulesNotRead(backend)),
                Err(NoUser::Broken(backend)) => Outcome::Unable(Inability::BackendBroken(backend)),
                Err(NoUser::Stale(backend)) => Outcome::Unable(Inability::BackendStale(backend)),
            },
            explanation: Explanation {
                fingerprint: Some(fingerprint),
                ..explanation
            },
        }
    }

    /// What becomes of the token that `fingerprint` names when STS gave no identity for it.
    pub fn from_sts_error(fingerprint: Fingerprint, error: StsError) -> Self {
        match error {
            StsError::Refused(refusal) => Self::denied(fingerprint, Denial::Sts(refusal)),
            StsError::Unable(unable) => Self::unable(fingerprint, Inability::Sts(unable)),
        }
    }

    /// The host cannot tell about the token that `fingerprint` names.
    pub fn unable(fingerprint: Fingerprint, inability: Inability) -> Self {
        Self {
            outcome: Outcome::Unable(inability),
            explanation: Explanation {
                fingerprint: Some(fingerprint),
                ..Explanation::default()
            },
        }
    }

    /// A stable name for what was decided, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &self.outcome {
            Outcome::Granted(_) => "granted",
            Outcome::NotOurs => "not_ours",
            Outcome::Denied(denial) => denial.code(),
            Outcome::Unable(Inability::Sts(unable)) => unable.code(),
            Outcome::Unable(Inability::Overloaded) => "overloaded",
            Outcome::Unable(Inability::RulesNotRead(_)) => "rules_not_read",
            Outcome::Unable(Inability::BackendBroken(_)) => "backend_broken",
            Outcome::Unable(Inability::BackendStale(_)) => "backend_stale",
            Outcome::Unable(Inability::Internal) => "internal",
        }
    }

    /// The label `result` of Go's metric `authenticate_latency_seconds`, misspelling and all.
    #[must_use]
    pub fn metric_result(&self) -> &'static str {
        match &self.outcome {
            Outcome::Granted(_) => "success",
            Outcome::NotOurs | Outcome::Denied(Denial::Token(_)) => "invalid_token",
            Outcome::Denied(
                Denial::NotMapped
                | Denial::Name(_)
                | Denial::Validation(_)
                | Denial::ValidationFailed(_),
            )
            | Outcome::Unable(
                Inability::RulesNotRead(_)
                | Inability::BackendBroken(_)
                | Inability::BackendStale(_),
            ) => "uknown_user",
            Outcome::Denied(Denial::Sts(_)) | Outcome::Unable(_) => "sts_error",
        }
    }

    /// What happened and what to do, for the log: everything but secrets. `None` when there is nothing to say.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Granted(_) | Outcome::NotOurs => None,
            Outcome::Denied(denial) => Some(self.explanation.why_denied(denial)),
            Outcome::Unable(Inability::Sts(unable)) => {
                Some(format!("{unable}; {}", unable.advice()))
            }
            Outcome::Unable(Inability::Overloaded) => {
                Some("the authenticator is overloaded; try again in a moment".to_owned())
            }
            Outcome::Unable(Inability::RulesNotRead(backend)) => Some(format!(
                "the mappings of the backend {backend} have not been read yet; try again in a moment"
            )),
            Outcome::Unable(Inability::BackendBroken(backend)) => Some(format!(
                "the mappings of the backend {backend} are broken; ask an administrator of the cluster to correct them"
            )),
            Outcome::Unable(Inability::BackendStale(backend)) => Some(format!(
                "the mappings of the backend {backend} have not been confirmed for longer than `server.maxStaleness`; ask an administrator of the cluster to check why the authenticator cannot read them, and try again"
            )),
            Outcome::Unable(Inability::Internal) => {
                Some("the authenticator failed; its log says more".to_owned())
            }
        }
    }

    /// What the person who logs in may read: [`Self::reason`], and a reference that finds the full line in the log.
    /// It names no rule and no other identity.
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
