//! Snapshots of everything that the program prints. A changed text is a diff of a `.snap` file.
//!
//! Each snapshot is a transcript about one topic, with commands, exit codes, standard output and standard error. To
//! accept a change, run the tests with `INSTA_UPDATE=always` and review the diff.

mod api_server;
mod checks;
mod cluster;
mod cluster_refused;
mod colors;
mod configurations;
mod diff;
mod doctor;
mod help;
mod identities;
mod init;
mod inspect;
mod servers;
mod tokens;
mod transcript;
mod usage;

pub(crate) use checks::GOOD;
pub(crate) use transcript::Transcript;
