//! The verdict of [`login::begin`] on a token, with all failures instead of only the first.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::{Denial, Outcome};
use ack_ram_core::login::{self, AwaitingSts, Step};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::time::UnixTime;
use ack_ram_core::token::TokenError;

use crate::inspect::checks::{Check, CheckName, CheckStatus};
use crate::inspect::contents::Contents;
use crate::inspect::token_kind::MAX_BYTES;

/// The failures that [`login::begin`] finds in a token, collected until there are no new ones.
pub(super) struct TokenVerdict {
    failures: Vec<TokenError>,
    /// The login that waits for STS. Set if all checks were made.
    pub(super) awaiting: Option<AwaitingSts>,
}

impl TokenVerdict {
    pub(super) fn collect(
        token: &str,
        policy: Option<&TokenPolicy>,
        now: UnixTime,
        contents: Option<&Contents>,
    ) -> Self {
        let own_cluster =
            contents.and_then(|contents| ClusterId::parse(contents.cluster_id.as_deref()?));
        // The cluster ID `-` is never compared: a token without a cluster ID is refused earlier.
        let policy = policy
            .cloned()
            .or_else(|| own_cluster.clone().map(TokenPolicy::new))
            .or_else(|| ClusterId::parse("-").map(TokenPolicy::new));
        let mut verdict = Self {
            failures: Vec::new(),
            awaiting: None,
        };
        let mut next = policy.map(|policy| CheckContext { policy, now });
        while let Some(context) = next.take() {
            let decision = match login::begin(token, &context.policy, context.now) {
                Step::CallSts(awaiting) => {
                    verdict.awaiting = Some(awaiting);
                    break;
                }
                Step::Decided(decision) => decision,
            };
            if let (Outcome::Denied(Denial::Token(error)), _) = decision.into_parts() {
                let code = error.code();
                if verdict.failures.iter().all(|known| known.code() != code) {
                    next = context.with_check_satisfied(&error, own_cluster.as_ref(), contents);
                    verdict.failures.push(error);
                }
            }
        }
        verdict
    }

    pub(super) fn check(&self, name: CheckName, has_cluster: bool) -> Check {
        let failure = self
            .failures
            .iter()
            .find(|error| CheckName::failed_by(error) == name);
        if let Some(error) = failure {
            return Check {
                name,
                status: CheckStatus::Failed,
                code: Some(error.code()),
                reason: Some(error.to_string()),
                advice: Some(error.advice()),
            };
        }
        let unknown = if name == CheckName::Sts {
            Some("only STS can check the access key and the signature")
        } else if name == CheckName::Cluster && !has_cluster {
            Some("no cluster ID to compare with was given")
        } else if self.was_checked(name) {
            None
        } else {
            Some("another check must pass first")
        };
        Check {
            name,
            status: match unknown {
                Some(_) => CheckStatus::NotChecked,
                None => CheckStatus::Passed,
            },
            code: None,
            reason: unknown.map(str::to_owned),
            advice: None,
        }
    }

    /// Returns whether the check `name` was made. The first four checks run in a fixed order. The order of the others
    /// depends on the contents of the token, so if one of them fails, the results of the rest are unknown.
    fn was_checked(&self, name: CheckName) -> bool {
        let last = self.failures.last().map(CheckName::failed_by);
        self.awaiting.is_some() || last.is_some_and(|last| name < last.min(CheckName::Contents))
    }
}

/// The policy and time that a token is checked against.
struct CheckContext {
    policy: TokenPolicy,
    now: UnixTime,
}

impl CheckContext {
    /// Returns a context in which the check that failed with `error` passes; `None` if no context makes it pass.
    fn with_check_satisfied(
        self,
        error: &TokenError,
        own_cluster: Option<&ClusterId>,
        contents: Option<&Contents>,
    ) -> Option<Self> {
        let Self { policy, now } = self;
        let policy = match *error {
            TokenError::TooLarge { bytes, .. } if bytes <= MAX_BYTES => TokenPolicy {
                max_token_bytes: bytes,
                ..policy
            },
            TokenError::V1NotAccepted => TokenPolicy {
                accept_v1: true,
                ..policy
            },
            TokenError::WrongCluster { .. } => TokenPolicy {
                cluster_id: own_cluster?.clone(),
                ..policy
            },
            TokenError::ExtraQueryKey { .. } => TokenPolicy {
                extra_query_keys: contents?.query_keys.iter().cloned().collect(),
                ..policy
            },
            TokenError::Expired { date, .. } | TokenError::NotYetValid { date, .. } => {
                return Some(Self { policy, now: date });
            }
            _ => return None,
        };
        Some(Self { policy, now })
    }
}
