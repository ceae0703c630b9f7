//! An emulator of Alibaba Cloud's Security Token Service (STS) for tests and demonstrations.
//!
//! It listens on loopback with HTTPS (or HTTP), knows the accounts, users, roles and keys that it was given, and
//! verifies every signature from the bytes that arrived. So a request that passes here was signed by the key it
//! names, for the parameters and the date that it carries.
//!
//! ```
//! use ack_ram_tests::sts::{Emulator, Fault, demo};
//!
//! let sts = Emulator::builder().demo().start().unwrap();
//! println!("{} trusts {}", sts.url(), sts.ca_pem());
//!
//! sts.fault_next(1, Fault::ThrottleUser);      // the next request is throttled
//! sts.disable_key(&demo::user_key().id);       // alice's key is refused from now on
//! sts.advance(3600);                           // an hour later, as far as STS knows
//! assert!(sts.requests().is_empty());          // nothing was asked yet
//! // Dropping it closes its connections and its port.
//! ```
//!
//! It answers these actions of the API version `2015-04-01`:
//!
//! | action | signed by |
//! |---|---|
//! | `GetCallerIdentity` | ACS3 (token v2), or RPC as a presigned URL (token v1) |
//! | `AssumeRole` | ACS3 or RPC; what it gives then works for `GetCallerIdentity` |
//! | `AssumeRoleWithOIDC` | nothing; the OIDC token has to be a known one |
//!
//! What stands in a state file is shown by [`EXAMPLE_STATE`].

mod action;
mod arrived;
mod body;
mod clock;
pub mod demo;
mod directory;
mod emulator;
mod fault;
mod file;
mod handshake;
mod nonces;
mod principal;
mod refusal;
mod seen;
mod server;
mod tls;
mod verify;
mod wire;

pub use directory::Directory;
pub use emulator::{Builder, Emulator, StartError};
pub use fault::Fault;
pub use file::{EXAMPLE_STATE, StateError};
pub use handshake::Handshake;
pub use principal::Principal;
pub use seen::{GET_CALLER_IDENTITY_HEADERS, SeenRequest};
pub use wire::Wire;
