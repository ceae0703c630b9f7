//! Design notes: why the server works as it does.
//!
//! This module has no code. Each page explains one decision, reads alone, and links to the types that implement it:
//!
//! | page | question |
//! |---|---|
//! | [`fair_queue`] | Who waits for STS, and who goes first? |
//! | [`circuit_breaker`] | When does the server stop calling an endpoint of STS? |
//! | [`connections`] | Which connection makes room if there are too many? |
//! | [`client_certificates`] | Why does the handshake accept every client certificate? |
//! | [`line_thread`] | Why do log lines have a thread of their own? |
//! | [`file_polling`] | Why does the server poll files? |
//! | [`last_good`] | What stays in effect of a mapping that an edit broke? |
//!
//! The reasons behind the decision about a login are in [`ack_ram_core::manual`].

pub mod circuit_breaker;
pub mod client_certificates;
pub mod connections;
pub mod fair_queue;
pub mod file_polling;
pub mod last_good;
pub mod line_thread;
