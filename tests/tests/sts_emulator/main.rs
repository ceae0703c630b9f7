//! The STS emulator over real sockets: it accepts only requests with a valid signature.

mod client;
mod faults;
mod identities;
mod life;
mod oidc;
mod program;
mod refusals;
mod sessions;
mod trust;
mod vectors;
