//! STS `GetCallerIdentity`: the request that is sent, the replies that come back, and what each error means.

mod error;
mod reply;
mod request;

pub use error::{Oddity, StsError, StsRefusal, StsUnable};
pub use reply::StsReply;
pub(crate) use reply::{is_word, read};
pub use request::StsRequest;

#[cfg(test)]
mod tests;
