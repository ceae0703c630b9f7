//! The limits of expressions, and of the identities and users that they are evaluated for.

/// The maximum length of the source. Longer sources are refused before they are parsed.
pub const MAX_SOURCE_BYTES: usize = 1024;
/// The maximum length of a username.
pub const MAX_NAME_BYTES: usize = 1024;
/// The maximum length of the name of a group.
pub const MAX_GROUP_BYTES: usize = 256;
/// The maximum number of groups of a user.
pub const MAX_GROUPS: usize = 64;
/// The maximum length of the name of a role, session or RAM user, and of an ID. It is four times the limit of RAM for
/// names (RAM user guide, "Limits").
pub(super) const MAX_IDENTITY_NAME_BYTES: usize = 256;
/// The maximum length of a uid, which is a prefix and, for a scrubbed account, the username.
pub(super) const MAX_UID_BYTES: usize = MAX_NAME_BYTES + 256;
/// The maximum nesting depth of brackets.
pub(super) const MAX_NESTING: usize = 16;
/// The maximum number of tokens that can each make the tree one level deeper.
pub(super) const MAX_OPERATORS: usize = 160;
/// The maximum depth of the tree. The evaluator recurses, and in a build without optimization uses 37 KB of stack per
/// level.
pub(super) const MAX_DEPTH: usize = 20;
/// The maximum number of nodes of the tree, including the nodes that the macros of CEL add.
pub(super) const MAX_NODES: usize = 200;
/// The maximum cost of an expression.
pub(super) const MAX_COST: u64 = 1_000_000;
