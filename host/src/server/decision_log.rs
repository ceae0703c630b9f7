//! The log lines of decisions.

use std::time::Duration;

use ack_ram_core::decision::Outcome;

use crate::authenticator::{DecisionRecord, IdentitySource};

/// Logs a decision and its reason. For scrubbed accounts, only the result is logged.
pub(super) fn write(decided: &DecisionRecord, took: Duration) {
    let DecisionRecord {
        decision,
        cause,
        source,
    } = decided;
    let result = decision.code();
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let explanation = decision.explanation();
    if explanation.scrubbed {
        tracing::info!(result, "decided");
        return;
    }
    // The denied user sees this reference, so administrators search the log for it.
    let reference = explanation.fingerprint.map(tracing::field::display);
    let identity = explanation.identity.as_ref();
    let arn = identity.map(|identity| tracing::field::display(&identity.arn));
    let access_key_id = identity.map(|identity| tracing::field::display(&identity.access_key_id));
    let rule = explanation.matched.as_ref().map(tracing::field::display);
    let hints = explanation.hints();
    let hints = (!hints.is_empty()).then(|| hints.join("; "));
    let cache = source.map(IdentitySource::code);
    let reason = decision.reason();
    let reason = reason.as_deref();
    match decision.outcome() {
        Outcome::Granted(user) => {
            let (username, groups) = (&user.username, &user.groups);
            tracing::info!(
                result,
                reference,
                arn,
                access_key_id,
                rule,
                username,
                ?groups,
                cache,
                milliseconds,
                "access granted"
            );
        }
        Outcome::Denied(_) => {
            tracing::warn!(
                result,
                reference,
                arn,
                access_key_id,
                rule,
                reason,
                hints,
                cache,
                milliseconds,
                "access denied"
            );
        }
        Outcome::UnrecognizedToken => tracing::debug!(result, milliseconds, "unrecognized token"),
        Outcome::Unavailable(_) => {
            let cause = cause.as_deref();
            tracing::error!(
                result,
                reference,
                reason,
                cause,
                cache,
                milliseconds,
                "decision unavailable"
            );
        }
    }
}
