//! The vectors of `tests/vectors/gateway.json`: requests that a gateway accepts or rejects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Returns the requests of `gateway.json`.
///
/// # Panics
/// If the file is malformed, or has fewer cases than before.
pub fn gateway() -> Vec<GatewayCase> {
    #[derive(Deserialize)]
    struct File {
        cases: Vec<GatewayCase>,
    }
    let file: File =
        serde_json::from_str(include_str!("../../vectors/gateway.json")).expect("gateway.json");
    assert!(file.cases.len() >= 66, "gateway.json has lost cases");
    file.cases
}

/// A request, and the expected result before a call to STS.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayCase {
    /// A description of the request.
    pub name: String,
    /// The name of the header with the token.
    #[serde(default = "authorization")]
    pub token_header: String,
    #[serde(default = "root")]
    path: String,
    headers: Vec<(String, String)>,
    /// The reason why the request is rejected; `None` if `$TOKEN` is sent to STS.
    pub refusal: Option<GatewayRefusal>,
    filter: Option<FilterAnswer>,
}

/// The reason why a request is rejected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayRefusal {
    /// The code of a `RefusalKind`.
    pub kind: String,
    /// A part of the detail.
    pub detail: String,
    /// The result under which the filter counts the request.
    pub result: String,
}

/// The behavior of a filter between the client and the service, where it differs.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FilterAnswer {
    /// The filter removes the header and calls STS.
    Removes,
}

impl GatewayCase {
    /// Returns the path and the query, with `token` in place of `$TOKEN`.
    #[must_use]
    pub fn path(&self, token: &str) -> String {
        self.path.replace("$TOKEN", token)
    }

    /// Returns the headers, with `token` in place of `$TOKEN`, and `other`, which is another token, in place of
    /// `$OTHER`.
    #[must_use]
    pub fn headers(&self, token: &str, other: &str) -> Vec<(String, String)> {
        let password = format!("Basic {}", STANDARD.encode(format!("alice:{token}")));
        let headers = self.headers.iter().map(|(name, value)| {
            let value = value
                .replace("$TOKEN", token)
                .replace("$OTHER", other)
                .replace("$BASIC", &password)
                .replace("$BASE64", &STANDARD.encode(token));
            (name.clone(), value)
        });
        headers.collect()
    }

    /// Returns the reason why a filter rejects the request; `None` if it does not.
    #[must_use]
    pub fn refusal_of_filter(&self) -> Option<&GatewayRefusal> {
        match self.filter {
            Some(FilterAnswer::Removes) => None,
            None => self.refusal.as_ref(),
        }
    }
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn root() -> String {
    "/".to_owned()
}
