//! The WebAssembly modules of the token inspector, which provide the results of `core` and the analysis as JSON.
//!
//! The modules cannot grant access: a verified identity requires a reply of STS, which a page does not have. Each
//! function takes JSON and returns JSON. The same functions also run natively, so that tests can compare the results.

mod display;
pub mod exports;
mod inspect;
#[cfg(feature = "rules")]
mod playground;
mod sign;

pub use inspect::inspect;
#[cfg(feature = "rules")]
pub use playground::run_playground;
pub use sign::sign;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The reason that an input of the page is not valid.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InputError {
    /// The code, by which the page finds the text in its language.
    code: &'static str,
    /// The reason, in English.
    text: String,
}

impl InputError {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum JsonReply<T> {
    Ok(T),
    Error(InputError),
}

/// Parses `input` as JSON, runs `operation`, and returns the result as JSON: `{"ok": ...}` or `{"error": ...}`.
fn json_to_json<I: DeserializeOwned, O: Serialize>(
    input: &str,
    operation: impl FnOnce(I) -> Result<O, InputError>,
) -> String {
    let input = serde_json::from_str(input)
        .map_err(|error| InputError::new("input", format!("invalid input from the page: {error}")));
    let reply = match input.and_then(operation) {
        Ok(output) => JsonReply::Ok(output),
        Err(error) => JsonReply::Error(error),
    };
    serde_json::to_string(&reply).unwrap_or_default()
}
