//! An emulator of Alibaba Cloud's Security Token Service (STS) for tests and demonstrations.
//!
//! The emulator listens on loopback with HTTPS (or HTTP), has a configured set of accounts, users, roles and keys, and
//! verifies every signature from the received bytes. If the emulator accepts a request, then the key in the request
//! signed its parameters and its date.
//!
//! ```
//! use ack_ram_tests::sts::{Emulator, Fault, demo};
//!
//! let sts = Emulator::builder().demo().start().unwrap();
//! println!("{} has the CA {}", sts.url(), sts.ca_pem());
//!
//! sts.fault_next(1, Fault::ThrottleUser);      // the next request is throttled
//! sts.disable_key(&demo::user_key().id);       // Alice's key is refused from now on
//! sts.advance(3600);                           // the clock of STS is an hour ahead
//! assert!(sts.requests().is_empty());          // no request was sent yet
//! // Dropping the emulator closes its connections and its port.
//! ```
//!
//! It supports these actions of the API version `2015-04-01`:
//!
//! | action | signature |
//! |---|---|
//! | `GetCallerIdentity` | ACS3 (token v2), or RPC as a presigned URL (token v1) |
//! | `AssumeRole` | ACS3 or RPC; `GetCallerIdentity` accepts the issued credentials |
//! | `AssumeRoleWithOIDC` | none; the OIDC token must be of the provider's issuer, or known |
//!
//! A [`Role`] has a trust policy, and [`KeyIssuer`] issues keys on behalf of other services.
//!
//! [`EXAMPLE_STATE`] shows the format of a state file.

mod action;
mod clock;
mod decoded_request;
pub mod demo;
mod directory;
mod emulator;
mod fault;
mod file;
mod handshake;
mod key_issuer;
mod nonces;
mod oidc;
mod principal;
mod recorded_request;
mod refusal;
mod role;
mod server;
mod session_request;
mod tls;
mod verify;
mod wire;

pub use clock::StsClock;
pub use directory::Directory;
pub use emulator::{Builder, Emulator, StartError};
pub use fault::Fault;
pub use file::{EXAMPLE_STATE, StateError};
pub use handshake::Handshake;
pub use key_issuer::{IssuedKey, KeyIssuer};
pub use oidc::oidc_token;
pub use principal::Principal;
pub use recorded_request::{GET_CALLER_IDENTITY_HEADERS, RecordedRequest};
pub use role::Role;
pub use wire::Wire;
