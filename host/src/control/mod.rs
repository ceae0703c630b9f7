//! The control socket: what a server has in effect, for the commands of whoever may act as its user.
//!
//! HTTP on `control.sock` in the state directory, which its owner alone may open. `GET /mappings` answers with JSON. The
//! [protocol] is declared once for the [server], and for the [client] that commands use.

mod body;
pub(crate) mod client;
pub(crate) mod protocol;
mod report;
pub(crate) mod server;
