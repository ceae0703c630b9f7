//! The functions that the page calls. Each function is exported by only one of the two modules.
#![allow(
    unsafe_code,
    reason = "wasm-bindgen generates unsafe code around each function"
)]

use wasm_bindgen::prelude::wasm_bindgen;

/// Exports [`crate::inspect()`].
#[cfg(not(feature = "rules"))]
#[must_use]
#[wasm_bindgen]
pub fn inspect(input: &str) -> String {
    crate::inspect(input)
}

/// Exports [`crate::sign()`].
#[cfg(not(feature = "rules"))]
#[must_use]
#[wasm_bindgen]
pub fn sign(input: &str) -> String {
    crate::sign(input)
}

/// Exports [`crate::run_playground()`].
#[cfg(feature = "rules")]
#[must_use]
#[wasm_bindgen]
pub fn run_playground(input: &str) -> String {
    crate::run_playground(input)
}
