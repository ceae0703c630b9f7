//! HTTP as the real binary speaks it: both versions over TLS, clients that are slow or too many, overload, reload.

mod bodies;
mod fixture;
mod limits;
mod overload;
mod protocols;
mod reload;
mod stop;
mod strangers;
