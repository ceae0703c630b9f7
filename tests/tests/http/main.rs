//! HTTP in the real binary: both versions over TLS, slow clients, too many clients, overload, reload.

mod bodies;
mod fixture;
mod limits;
mod overload;
mod protocols;
mod reload;
mod stop;
mod strangers;
