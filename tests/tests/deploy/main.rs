//! What people apply to a cluster, as far as it can be checked without one.

mod change;
mod files;
mod node;
mod pod;
mod refusals;
mod surroundings;
mod undo;
