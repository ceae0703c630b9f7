//! Why expressions in CEL are bounded before they run.
//!
//! A mapping may have expressions: a condition, a username or groups, and the configuration may have validations
//! ([`ExpressionKind`]). The author of a mapping is not always the administrator of the server. The `cel` crate
//! limits neither the stack of its parser nor the work of its evaluator. Without limits, one mapping with a deeply
//! nested expression could crash the server, and one with nested loops could stop every login.
//!
//! A time limit for each evaluation would not help. The crate cannot interrupt an evaluation, `core` has no clock,
//! and a login must not fail because the machine is busy. So an expression is checked when its rule loads. If its
//! cost cannot be bounded, the rule is refused, and the author gets the position and the reason
//! ([`ExpressionError`]).
//!
//! # The three gates
//!
//! [`Expression::compile`] is the only way to create an [`Expression`], and it runs three checks in this order:
//!
//! 1. **Tokens** (`core/src/cel/scan.rs`). The parser recurses into brackets, and builds a tree that is as deep as a
//!    chain of operators is long. The first gate counts brackets and operators with the lexer, which is a plain loop.
//!    Only then does the parser see the text. The gate also refuses types that the program does not use, such as
//!    `null`, `bytes`, floating-point numbers and maps.
//! 2. **Names and types** (`core/src/cel/check.rs`). A walk over the tree accepts known variables, known functions
//!    and matching types only. An expression that passes has the type that its kind needs. The walk also limits the
//!    number of nodes and the depth of the tree, because the evaluator recurses. A loop inside a loop is refused.
//! 3. **Cost** (`core/src/cel/cost.rs`). Each value has bounds for its size, which follow from the bounds of its
//!    parts and from the largest identity that the program accepts. `replace`, `join` and a chain of `+` cannot make
//!    a small text large unnoticed. A unit of cost is about a nanosecond, and an expression may cost a million.
//!
//! # What remains at run time
//!
//! Some errors depend on the identity: an index or a position out of range, an integer that overflows, or an
//! identity, a user or a result that exceeds a limit. [`EvaluationError`] lists them, and its texts contain no value
//! of the identity. A condition that fails does not match. A name or a validation that fails denies the login.
//!
//! # The limits are part of the contract
//!
//! The limits are constants in `core/src/cel/limits.rs`. A build without the feature `cel` refuses every expression
//! with an error, and never ignores one: a condition that is ignored would give access to every identity of the
//! subject.
//!
//! [`EvaluationError`]: crate::rules::expression::EvaluationError
//! [`Expression::compile`]: crate::rules::expression::Expression::compile
//! [`ExpressionError`]: crate::rules::expression::ExpressionError
//! [`ExpressionKind`]: crate::rules::expression::ExpressionKind
//! [`Expression`]: crate::rules::expression::Expression
