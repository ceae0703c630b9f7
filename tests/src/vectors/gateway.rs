//! `tests/vectors/gateway.json`: requests that a gateway turns away or not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The requests of `gateway.json`.
///
/// # Panics
/// When the file has another form.
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

/// A request, and what becomes of it before STS is asked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayCase {
    /// What the request is.
    pub name: String,
    /// The header with the token.
    #[serde(default = "authorization")]
    pub token_header: String,
    #[serde(default = "root")]
    path: String,
    headers: Vec<(String, String)>,
    /// Why the request is turned away; otherwise STS is asked about `$TOKEN`.
    pub refusal: Option<GatewayRefusal>,
    filter: Option<FilterAnswer>,
}

/// Why a request is turned away.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayRefusal {
    /// The code of a `RefusalKind`.
    pub kind: String,
    /// A part of the detail.
    pub detail: String,
    /// How the filter counts the request.
    pub result: String,
}

/// What a filter does that stands between client and service, where that differs.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FilterAnswer {
    /// It removes the header and asks STS.
    Removes,
}

impl GatewayCase {
    /// Returns the path and the query, with `token` in place of `$TOKEN`.
    #[must_use]
    pub fn path(&self, token: &str) -> String {
        self.path.replace("$TOKEN", token)
    }

    /// Returns the headers, with `token` in place of `$TOKEN`, and `other`, which is another token, in place of `$OTHER`.
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

    /// Returns why a filter turns the request away.
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
