//! The control socket, on which a server reports the mappings in effect to commands on the same machine.
//!
//! The protocol is HTTP on `control.sock` in the state directory; only the owner of the socket may open it.
//! `GET /mappings` returns JSON. The [server] and the [client] share the types in [protocol].

mod body;
pub(crate) mod client;
pub(crate) mod protocol;
mod report;
pub(crate) mod server;
