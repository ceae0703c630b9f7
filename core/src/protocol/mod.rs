//! The wire formats that the signing side ([`crate::sign`]) and the checking side ([`crate::token`], [`crate::sts`])
//! share: constants, grammar and signature schemes, each in one place.

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

/// How far `x-acs-date` may be from STS's clock, in seconds, either way (STS API reference,
/// `InvalidTimeStamp.Expired`).
pub const STS_WINDOW_SECONDS: i64 = 15 * 60;
