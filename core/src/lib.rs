//! The login decision of ack-ram-authenticator.
//!
//! A client signs an STS `GetCallerIdentity` request without sending it, and wraps it in a token. This crate checks
//! every part of the token, rebuilds the request, parses the reply of STS, and maps the identity to a Kubernetes user
//! and groups:
//!
//! ```text
//! token --begin--> Step::CallSts(AwaitingSts) --request()--> [the host calls STS] --resume--> VerifiedIdentity --decide--> Decision
//!    \-----------> Step::Decided(Decision)
//! ```
//!
//! The crate does no I/O. It has no clock, no randomness and no global state: the host passes the time as an argument.
//! The same inputs give the same decision in every host, native or WebAssembly. No input causes a panic.

#![forbid(unsafe_code)]

pub mod access_key;
pub mod arn;
#[cfg(feature = "cel")]
pub mod cel;
pub mod cluster_id;
pub mod decision;
mod expression_kind;
pub mod fingerprint;
pub mod gateway;
pub mod identity;
pub mod kubernetes_user;
pub mod login;
pub mod policy;
pub mod protocol;
pub mod review;
pub mod rules;
pub mod secret;
pub mod sign;
pub mod sts;
pub mod time;
pub mod token;
