//! How soon mappings in Kubernetes take effect and how many there can be, with a real API server that is asked as the
//! service account of `deploy/`. Figures are printed (`--nocapture`); only what must hold on any machine is checked.

mod fixture;
mod latency;
mod objects;
mod scale;
mod usage;
