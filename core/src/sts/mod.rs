//! STS `GetCallerIdentity`: the request, the reply, and the meaning of each error.

mod error;
mod reply;
mod request;

pub use error::{MalformedReply, StsError, StsRefusal, StsUnavailable};
pub use reply::StsReply;
pub(crate) use reply::read_reply;
pub use request::StsRequest;

#[cfg(test)]
mod tests;
