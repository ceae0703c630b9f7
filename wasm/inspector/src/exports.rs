//! What the page calls: each of the two modules has what the other one has not.
#![allow(
    unsafe_code,
    reason = "wasm-bindgen writes the code around each function"
)]

use wasm_bindgen::prelude::wasm_bindgen;

/// See [`crate::look()`].
#[cfg(not(feature = "rules"))]
#[must_use]
#[wasm_bindgen]
pub fn look(input: &str) -> String {
    crate::look(input)
}

/// See [`crate::sign()`].
#[cfg(not(feature = "rules"))]
#[must_use]
#[wasm_bindgen]
pub fn sign(input: &str) -> String {
    crate::sign(input)
}

/// See [`crate::study()`].
#[cfg(feature = "rules")]
#[must_use]
#[wasm_bindgen]
pub fn study(input: &str) -> String {
    crate::study(input)
}
