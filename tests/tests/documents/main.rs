//! The documents of this repository: their links, their examples, and the order of the manifests.

mod examples;
mod links;
mod manifests;
mod repository;
