//! The login decision as a plain WebAssembly module: bytes in, bytes out, no imports.
//!
//! A host writes a [`Login`] as JSON into a block from `alloc`, calls `run`, and reads the [`LoginOutput`]. The module
//! has no clock and no network: the host supplies the time and the reply of STS. The same function also runs natively,
//! so that tests can compare the results.

mod abi;
mod login;
mod mapping_input;

pub use login::{BackendInput, Login, LoginOutput, Reply, StsCall, ValidationInput, run};
pub use mapping_input::MappingInput;
