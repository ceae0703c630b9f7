//! What the page calls: each of the two modules has what the other one has not.
#![allow(
    unsafe_code,
    reason = "wasm-bindgen writes the code around each function"
)]

use wasm_bindgen::prelude::wasm_bindgen;

/// See [`crate::inspect()`].
#[cfg(not(feature = "rules"))]
#[must_use]
#[wasm_bindgen]
pub fn inspect(input: &str) -> String {
    crate::inspect(input)
}

/// See [`crate::sign()`].
#[cfg(not(feature = "rules"))]
#[must_use]
#[wasm_bindgen]
pub fn sign(input: &str) -> String {
    crate::sign(input)
}

/// See [`crate::run_playground()`].
#[cfg(feature = "rules")]
#[must_use]
#[wasm_bindgen]
pub fn run_playground(input: &str) -> String {
    crate::run_playground(input)
}
