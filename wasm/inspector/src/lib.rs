//! The token inspector's modules for the browser: what `core` says, as JSON for the page.
//!
//! Nothing here decides, and nothing here can: a verified identity comes from STS's answer, which no page has. Each
//! function takes JSON and gives JSON, and does the same natively, which is how the tests compare the two.

mod bench;
pub mod exports;
mod look;
mod shown;
#[cfg(feature = "rules")]
mod study;

pub use bench::sign;
pub use look::look;
#[cfg(feature = "rules")]
pub use study::study;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a person typed that cannot be used.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    /// Its stable name, by which the page has it in other languages.
    code: &'static str,
    /// What is wrong with it.
    text: String,
}

impl Refused {
    fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Answer<T> {
    Ok(T),
    Error(Refused),
}

/// Reads `input` as JSON, and gives what `answer` makes of it as JSON: `{"ok": ...}` or `{"error": ...}`.
fn json_to_json<I: DeserializeOwned, O: Serialize>(
    input: &str,
    answer: impl FnOnce(I) -> Result<O, Refused>,
) -> String {
    let input = serde_json::from_str(input).map_err(|error| {
        Refused::new(
            "input",
            format!("the page asks for what is not there: {error}"),
        )
    });
    let answer = match input.and_then(answer) {
        Ok(output) => Answer::Ok(output),
        Err(refused) => Answer::Error(refused),
    };
    serde_json::to_string(&answer).unwrap_or_default()
}
