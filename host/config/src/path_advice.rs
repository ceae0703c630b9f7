//! Advice about role and user ARNs with a path.
//!
//! STS never returns a path: an assumed role is `assumed-role/<name>/<session>`, and RAM names contain no slash.

use ack_ram_core::arn::{Arn, Resource};
use ack_ram_core::rules::pattern::Pattern;

/// Advice about an ARN with a path.
pub struct PathAdvice {
    /// Description of the problem, as the predicate of a sentence whose subject is the ARN.
    pub message: &'static str,
    /// Advice on how to fix the problem.
    pub advice: String,
}

const MESSAGE: &str =
    "matches no identity: STS returns roles and users without a path, and RAM names contain no `/`";

/// Returns advice if `arn` has a path.
#[must_use]
pub fn check_arn(arn: &Arn) -> Option<PathAdvice> {
    let canonical = arn.canonical();
    let (kind, name) = match canonical.resource() {
        Resource::Role(name) => ("role", name),
        Resource::User(name) => ("user", name),
        Resource::Root | Resource::AssumedRole { .. } => return None,
    };
    let (_, name) = name.rsplit_once('/')?;
    Some(PathAdvice {
        message: MESSAGE,
        advice: format!("write `acs:ram::{}:{kind}/{name}`", arn.account()),
    })
}

/// Returns advice if only an ARN with a path could match `pattern`.
#[must_use]
pub fn check_pattern(pattern: &Pattern) -> Option<PathAdvice> {
    let text = pattern.to_string();
    let (kind, path) = text.split_once('/')?;
    let (_, name) = path.rsplit_once('/')?;
    // Without its path, such a pattern would match every name.
    let is_open = name.bytes().all(|byte| matches!(byte, b'*' | b'?'));
    let name = if is_open { "<name>" } else { name };
    Some(PathAdvice {
        message: MESSAGE,
        advice: format!("write `{kind}/{name}`, without the path"),
    })
}
