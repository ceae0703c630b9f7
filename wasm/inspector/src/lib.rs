//! The token inspector's modules for the browser: what `core` says, as JSON for the page.
//!
//! Nothing here decides, and nothing here can: a verified identity comes from STS's answer, which no page has. Each
//! function takes JSON and gives JSON, and does the same natively, which is how the tests compare the two.

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

/// Why an input of the page cannot be used.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InputError {
    /// A stable name, by which the page finds the text in other languages.
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

/// Reads `input` as JSON, and returns the result of `operation` as JSON: `{"ok": ...}` or `{"error": ...}`.
fn json_to_json<I: DeserializeOwned, O: Serialize>(
    input: &str,
    operation: impl FnOnce(I) -> Result<O, InputError>,
) -> String {
    let input = serde_json::from_str(input).map_err(|error| {
        InputError::new(
            "input",
            format!("the page asks for what is not there: {error}"),
        )
    });
    let reply = match input.and_then(operation) {
        Ok(output) => JsonReply::Ok(output),
        Err(error) => JsonReply::Error(error),
    };
    serde_json::to_string(&reply).unwrap_or_default()
}
