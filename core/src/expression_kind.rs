//! The kinds of expressions, which a build without CEL knows, too.

/// The kind of an expression, which decides its result type and its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionKind {
    /// Whether a rule matches: a `bool` over `identity`.
    Condition,
    /// A username: a `string` over `identity`.
    Username,
    /// Groups: a list of strings over `identity`.
    Groups,
    /// Whether the user that results may log in: a `bool` over `identity` and `user`.
    Validation,
}
