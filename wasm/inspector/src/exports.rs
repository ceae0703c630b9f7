//! What the page calls.
#![allow(
    unsafe_code,
    reason = "wasm-bindgen writes the code around each function"
)]

use wasm_bindgen::prelude::wasm_bindgen;

/// See [`crate::look`].
#[must_use]
#[wasm_bindgen]
pub fn look(input: &str) -> String {
    crate::look(input)
}

/// See [`crate::sign`].
#[must_use]
#[wasm_bindgen]
pub fn sign(input: &str) -> String {
    crate::sign(input)
}
