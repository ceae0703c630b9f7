//! The time until mappings in Kubernetes take effect and the possible number of mappings, with a real API server and
//! the service account of `deploy/`. The figures are printed (`--nocapture`). The tests check only what must be true on
//! every machine.

mod fixture;
mod latency;
mod objects;
mod scale;
mod usage;
