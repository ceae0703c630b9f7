//! The kinds of expressions. A build without CEL also has this type.

/// The kind of an expression, which determines the type of its result and its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionKind {
    /// The condition of a rule: a `bool` over `identity`.
    Condition,
    /// A username: a `string` over `identity`.
    Username,
    /// Groups: a list of strings over `identity`.
    Groups,
    /// A validation of the resulting user: a `bool` over `identity` and `user`.
    Validation,
}
