//! The protocol of the control socket: names, paths, and the types of the reply.

use std::borrow::Cow;

use ack_ram_core::rules::Backend;
use serde::{Deserialize, Serialize};

/// The file name of the socket in the state directory.
pub(crate) const SOCKET_NAME: &str = "control.sock";
/// The path of the request for the mappings in effect.
pub(crate) const MAPPINGS_PATH: &str = "/mappings";

/// The reply to `GET /mappings`: the mappings in effect on a server.
///
/// The client uses the default type parameters. The server uses types that write the long lists of a [`BackendReply`]
/// item by item, without building them in memory.
#[derive(Deserialize, Serialize)]
pub(crate) struct MappingsReply<B = BackendReply> {
    /// The version of the server.
    pub(crate) version: String,
    /// The time of the reply.
    pub(crate) time: String,
    pub(crate) backends: Vec<B>,
}

/// The mappings in effect from one backend.
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
    /// Why the backend currently cannot be read, or why its document is invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    pub(crate) rules: Rules,
    pub(crate) accounts: Accounts,
    pub(crate) refused: Vec<RefusedReply>,
    pub(crate) conflicts: Conflicts,
}

/// A rule in effect. The server borrows the texts from the rule.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuleReply<'a> {
    pub(crate) position: Cow<'a, str>,
    pub(crate) subject: String,
    /// The template of the username.
    pub(crate) username: Cow<'a, str>,
    pub(crate) groups: Vec<Cow<'a, str>>,
    /// The names of the fields with expressions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) expressions: Vec<Cow<'a, str>>,
    /// The groups starting `system:` that `groupsExpression` may produce.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups_expression_may_add: Vec<Cow<'a, str>>,
    /// The time since which the rule has been in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kept: Option<KeptReply>,
}

/// Why and for how long a rule stays in effect although its last edit was refused.
#[derive(Deserialize, Serialize)]
pub(crate) struct KeptReply {
    pub(crate) since: String,
    pub(crate) until: String,
    /// What is wrong with the last edit.
    pub(crate) reason: String,
    /// Why the rule stays in effect.
    pub(crate) basis: String,
}

/// A refused entry or object.
#[derive(Deserialize, Serialize)]
pub(crate) struct RefusedReply {
    pub(crate) position: String,
    pub(crate) reason: String,
}

/// A shadowed rule, and the rule of the same backend that shadows it.
#[derive(Deserialize, Serialize)]
pub(crate) struct ConflictReply {
    /// The position of the shadowed rule.
    pub(crate) loser: String,
    /// The position of the rule that takes precedence.
    pub(crate) winner: String,
}
