//! Mappings from the cluster and from files, live, with a real API server: how they come, change and go, and what
//! becomes of them when something or somebody goes wrong.

mod disturbances;
mod world;
