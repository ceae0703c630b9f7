//! STS: requests, replies, and the meaning of each error.
//!
//! A server calls `GetCallerIdentity`, whose request is rebuilt from a token. A client calls `AssumeRole` and
//! `AssumeRoleWithOIDC` for a temporary key to sign with.

mod error;
mod reply;
mod request;
mod role_parameters;
mod session_reply;
mod session_request;

pub use error::{MalformedReply, StsError, StsRefusal, StsUnavailable};
pub use reply::StsReply;
pub(crate) use reply::read_reply;
pub use request::StsRequest;
pub use role_parameters::{
    ExternalId, OidcProviderArn, RoleArn, RoleArnError, SessionName, SessionPolicy, SessionSeconds,
};
pub use session_reply::{TemporaryKey, read_session_reply};
pub use session_request::{RequestStamp, SessionParameters, SessionRequest};

#[cfg(test)]
mod tests;
