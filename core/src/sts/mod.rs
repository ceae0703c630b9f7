//! STS `GetCallerIdentity`: the request that is sent, the replies that come back, and what each error means.

mod error;
mod reply;
mod request;

pub use error::{MalformedReply, StsError, StsRefusal, StsUnavailable};
pub use reply::StsReply;
pub(crate) use reply::read_reply;
pub use request::StsRequest;
