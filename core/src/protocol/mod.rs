//! The wire formats: constants, grammars and signature schemes.
//!
//! Both the code that signs tokens ([`crate::sign`]) and the code that checks them ([`crate::token`], [`crate::sts`])
//! use this module.

pub mod acs3;
pub(crate) mod grammar;
pub mod json;
pub mod percent;
mod quoted;
pub mod rpc;
pub mod v1;
pub mod v2;

pub use quoted::Quoted;

/// The prefix of every token of this program, of any version.
pub const FAMILY_PREFIX: &str = "k8s-ack-";

/// The maximum difference between `x-acs-date` and STS's clock, in seconds, in both directions (STS API reference,
/// `InvalidTimeStamp.Expired`).
pub const STS_WINDOW_SECONDS: i64 = 15 * 60;
