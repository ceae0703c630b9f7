//! Why patterns and templates are our own code, and which names they can never give.
//!
//! A mapping may have wildcards in its ARN and variables in its names:
//!
//! ```yaml
//! arnPattern: acs:ram::123:role/team-*
//! username: "team:{{SessionName}}"
//! ```
//!
//! Both languages are small on purpose. An administrator has to see at a glance who gets access under which name.
//!
//! # Patterns
//!
//! A [`Pattern`] has three wildcards. `*` matches any text inside one `/` segment, `**` any text, and `?` one
//! character of a segment. Everything else is literal, and a pattern matches the whole canonical ARN without regard
//! to case.
//!
//! Go uses regular expressions that may match anywhere. There, `user/a*` matches every user, because `*` repeats the
//! letter before it and may match nothing. Glob libraries are closer, but they give `[` and `{` a meaning, and give
//! `**` none inside a segment. A matcher on top of a library for automata would make up most of the WebAssembly
//! module.
//!
//! Two limits keep patterns safe:
//!
//! - The account has no wildcards. Anyone can open an account and name a role there as they like.
//! - A pattern has at most eight stars, because matching backtracks over them.
//!
//! # Templates
//!
//! A [`Template`] is text with up to seven kinds of [variables](crate::rules::template::TemplateVariable), and no
//! logic. STS proves the values of all variables. But the caller of `AssumeRole` chooses the session name, so
//! [`TemplateVariable::is_caller_controlled`] marks `SessionName` and `SessionNameRaw`.
//!
//! Names that start with `system:` belong to Kubernetes. With `system:masters`, a caller controls the cluster. Two
//! checks protect these names:
//!
//! 1. When a rule loads, [`Template::parse`] refuses a template that starts with `system:` and has a variable that
//!    the caller controls. `system:{{SessionName}}` would be any system user that the caller likes.
//! 2. At a login, [`Template::render`] refuses a name that starts with `system:` if the text before the first
//!    variable does not. `{{SessionName}}:masters` and the session name `system` would otherwise complete the name.
//!
//! Both checks ignore leading space, because an HTTP header drops it, and a proxy may send the name in a header. A
//! refused name is a refused login: the server never falls back to another name.
//!
//! The second check needs the parts of the template and not only its result. A template engine returns a string, in
//! which the part that the administrator wrote is no longer visible. This is the reason for our own parser.
//!
//! Expressions in CEL have no literal part to compare. For them, the mapping lists each allowed `system:` name in
//! full: `groupsExpressionMayAdd`, or `username` beside `usernameExpression`.
//!
//! [`Pattern`]: crate::rules::pattern::Pattern
//! [`TemplateVariable::is_caller_controlled`]: crate::rules::template::TemplateVariable::is_caller_controlled
//! [`Template::parse`]: crate::rules::template::Template::parse
//! [`Template::render`]: crate::rules::template::Template::render
//! [`Template`]: crate::rules::template::Template
