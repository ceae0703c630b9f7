//! The files that users apply to a cluster, as far as they can be checked without a cluster.

mod change;
mod files;
mod node;
mod pod;
mod refusals;
mod surroundings;
mod undo;
