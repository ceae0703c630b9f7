//! Design notes: why this crate works as it does.
//!
//! This module has no code. Each page explains one decision, reads alone, and links to the types that implement it:
//!
//! | page | question |
//! |---|---|
//! | [`rebuilt_request`] | Why is the request to STS rebuilt and never forwarded? |
//! | [`path_to_a_grant`] | What has to happen before a caller gets access? What can no code forge? |
//! | [`unknown_answers`] | Why is an unknown answer HTTP 503 without `Retry-After`, and never a denial? |
//! | [`rule_lookup`] | How does a login find its rule among 100,000 rules that change at any time? |
//! | [`patterns_and_templates`] | Why are patterns and templates our own code, and which names can they never give? |
//! | [`bounded_expressions`] | Why can no expression in CEL stop the server? |
//!
//! The crate `ack-ram-authenticator` has a module `manual`, too, about the server around this crate.

pub mod bounded_expressions;
pub mod path_to_a_grant;
pub mod patterns_and_templates;
pub mod rebuilt_request;
pub mod rule_lookup;
pub mod unknown_answers;
