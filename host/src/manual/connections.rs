//! Which connection makes room if there are too many.
//!
//! The number of connections is limited by file descriptors and by memory. Anyone who can reach the port can open
//! connections. If the server refused new connections at the limit, an attacker could hold all connections open, and
//! the API server could not connect again after a restart. So a new connection takes the place of an existing one,
//! and the question is which one.
//!
//! # The order of eviction
//!
//! Each connection has a `ClientStanding` (`host/src/server/connections/eviction.rs`):
//!
//! 1. A *stranger* has shown nothing.
//! 2. On a connection with the standing *granted*, a login was granted.
//! 3. A *certified* client has a certificate of the client CA.
//!
//! `choose` evicts the lowest standing that is present, and never a connection of a higher one, even if the lower one
//! may not be evicted yet. So strangers who keep connecting never push out an API server, from any number of
//! addresses.
//!
//! Among connections of the same standing, the address with the most connections gives up one of them. The addresses
//! of an IPv6 network of 64 bits count as one address, because one client commonly has all of them (`Origin`). Of
//! that address, idle connections are evicted first, then those with an incomplete request, then those that wait for
//! an answer.
//!
//! # New connections
//!
//! A new connection has not had time for a request, so it looks idle. Without protection, it would be the next to go,
//! and no client could connect during a flood. A connection is therefore safe for its first two seconds (`GRACE`),
//! unless its address has more than a sixteenth of all connections. If no connection may be evicted, new connections
//! wait.
//!
//! # Connections that cost something else
//!
//! A client can also use few connections and keep the server busy:
//!
//! - Frames that start no request, such as `PING`, and tiny reads spend a budget (`budget.rs`). Each request that
//!   begins refills a part. No clock is needed, because a connection without requests is closed when it is idle for
//!   too long.
//! - A client may still send data after its answer. The server first closes its sending half, and then discards the
//!   data for a short time (`guarded_stream.rs`). If the server closed the socket immediately, the client would lose
//!   the answer.
//! - The server computes limits (`host/src/server/memory.rs`) for connections, bodies and calls, so that the worst
//!   case of all limits together fits the memory of the control group.
//!
//! # Testing
//!
//! The choice is a pure function of snapshots, without clock or sockets, so its tests are tables of connections.
