//! The STS emulator, spoken to over real sockets: what passes here was really signed.

mod client;
mod faults;
mod identities;
mod life;
mod program;
mod refusals;
mod sessions;
mod vectors;
