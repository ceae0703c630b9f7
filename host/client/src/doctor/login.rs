//! The token of a login, and what STS says about it.

use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;

use crate::driver::MAX_CLOCK_DIFFERENCE;
use crate::finding::{Findings, Topic};
use crate::identify::CallerIdentity;

/// The size limit of servers of the Go version, in bytes.
const GO_MAX_TOKEN_BYTES: usize = 4096;

/// Adds findings about the size of a token.
pub fn examine_token(token: &Secret, findings: &mut Findings) {
    const SHORTER: &str = "a permanent key has no security token, and a role without a session policy has a shorter one";
    let size = token.expose().len();
    let max = TokenPolicy::DEFAULT_MAX_TOKEN_BYTES;
    if size <= GO_MAX_TOKEN_BYTES {
        findings.note(
            Topic::Token,
            format!(
                "the token has {size} bytes; servers of the Go version accept {GO_MAX_TOKEN_BYTES}"
            ),
        );
    } else if size <= max {
        findings.advise(
            Topic::Token,
            format!("the token has {size} bytes, but servers of the Go version accept only {GO_MAX_TOKEN_BYTES}"),
            format!("log in to a server of this project, or use another key: {SHORTER}"),
        );
    } else {
        findings.fail(
            Topic::Token,
            format!("the token has {size} bytes, but servers accept only {max} by default"),
            format!("raise `server.maxTokenBytes` of the server, or use another key: {SHORTER}"),
        );
    }
}

/// Adds findings about the identity that STS returned, and about the clocks.
pub fn examine_caller(caller: &CallerIdentity, findings: &mut Findings) {
    match caller.sts_time {
        None => findings.note(Topic::Clock, "the reply of STS has no date"),
        Some(time) => {
            let ahead = caller.own_time.seconds_since(time);
            // The call itself adds a warning about a larger difference.
            if ahead.unsigned_abs() <= MAX_CLOCK_DIFFERENCE {
                let seconds = ahead.unsigned_abs();
                findings.note(
                    Topic::Clock,
                    format!("the clock of this machine and the clock of STS differ by {seconds} s"),
                );
            }
        }
    }
    let identity = &caller.identity;
    findings.note(
        Topic::Token,
        format!(
            "STS accepts the token: you are `{}` ({}, account {}, ID {})",
            identity.arn,
            identity.identity_type(),
            identity.account_id(),
            identity.user_id
        ),
    );
}
