//! The decision as a plain WebAssembly module: bytes in, bytes out, no imports.
//!
//! A host writes a [`Login`] as JSON into memory from `alloc`, calls `run` and reads the [`LoginOutput`]. The module has no
//! clock and no network: the host says what time it is and what STS answered. The same function runs natively, which
//! is how the tests compare the two.

mod abi;
mod login;
mod mapping_input;

pub use login::{BackendInput, Login, LoginOutput, Reply, StsCall, ValidationInput, run};
pub use mapping_input::MappingInput;
