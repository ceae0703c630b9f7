//! The protocol: where the socket is, what can be asked, and the form of the reply.

use std::borrow::Cow;

use ack_ram_core::rules::Backend;
use serde::{Deserialize, Serialize};

/// The name of the socket in the state directory.
pub(crate) const SOCKET_NAME: &str = "control.sock";
/// The path of the mappings in effect.
pub(crate) const MAPPINGS_PATH: &str = "/mappings";

/// The reply to `GET /mappings`: what a server has in effect.
///
/// The defaults of the parameters are what the client reads. The server writes the long lists of a [`BackendReply`] item by
/// item, and makes none of them.
#[derive(Deserialize, Serialize)]
pub(crate) struct MappingsReply<B = BackendReply> {
    /// The server's version.
    pub(crate) version: String,
    /// When the reply was written.
    pub(crate) time: String,
    pub(crate) backends: Vec<B>,
}

/// What a backend has in effect.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BackendReply<
    Rules = Vec<RuleReply<'static>>,
    Accounts = Vec<String>,
    Conflicts = Vec<ConflictReply>,
> {
    pub(crate) backend: Backend,
    pub(crate) is_read: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_broken: bool,
    /// Seconds since the last confirmation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed_age_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_stale: bool,
    /// Why the backend cannot be read now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    pub(crate) rules: Rules,
    pub(crate) accounts: Accounts,
    pub(crate) refused: Vec<RefusedReply>,
    pub(crate) conflicts: Conflicts,
}

/// A rule in effect. The server borrows its texts from the rule.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuleReply<'a> {
    pub(crate) position: Cow<'a, str>,
    pub(crate) subject: String,
    /// The username as it is written.
    pub(crate) username: Cow<'a, str>,
    pub(crate) groups: Vec<Cow<'a, str>>,
    /// The names of the fields with expressions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) expressions: Vec<Cow<'a, str>>,
    /// The groups starting `system:` that the expression for groups may give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups_expression_may_add: Vec<Cow<'a, str>>,
    /// Since when the rule has been in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<KeptReply>,
}

/// Why and how long a rule stays in effect whose last edit is refused.
#[derive(Deserialize, Serialize)]
pub(crate) struct KeptReply {
    pub(crate) since: String,
    pub(crate) until: String,
    /// What is wrong with the last edit.
    pub(crate) reason: String,
    /// Why the rule stays in effect.
    pub(crate) basis: String,
}

/// An entry or an object that is refused.
#[derive(Deserialize, Serialize)]
pub(crate) struct RefusedReply {
    pub(crate) position: String,
    pub(crate) reason: String,
}

/// Two rules of one backend that map the same identity.
#[derive(Deserialize, Serialize)]
pub(crate) struct ConflictReply {
    /// The position of the rule that never answers.
    pub(crate) loser: String,
    /// The position of the rule that answers.
    pub(crate) winner: String,
}
