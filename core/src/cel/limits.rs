//! The limits of expressions, and of the identities and users that they are evaluated for.

/// Longer expressions are refused unread.
pub const MAX_SOURCE_BYTES: usize = 1024;
/// A username may be so long.
pub const MAX_NAME_BYTES: usize = 1024;
/// A group's name may be so long.
pub const MAX_GROUP_BYTES: usize = 256;
/// A user may be in so many groups.
pub const MAX_GROUPS: usize = 64;
/// A role's, a session's or a user's name, or an id: four times what RAM allows a name (RAM user guide, "Limits").
pub(super) const MAX_IDENTITY_NAME_BYTES: usize = 256;
/// A uid: a username that is as long as it may be, and what stands before it.
pub(super) const MAX_UID_BYTES: usize = MAX_NAME_BYTES + 256;
/// Brackets in brackets.
pub(super) const MAX_NESTING: usize = 16;
/// Tokens that can make the tree deeper by one, all of them together.
pub(super) const MAX_OPERATORS: usize = 160;
/// How deep the tree may be: the evaluator recurses, in a build without optimisation by 37 KB a step.
pub(super) const MAX_DEPTH: usize = 20;
/// How many nodes the tree may have, those that CEL's macros add among them.
pub(super) const MAX_NODES: usize = 200;
/// No expression may cost more.
pub(super) const MAX_COST: u64 = 1_000_000;
