//! The module as it ships, run by wasmtime.
