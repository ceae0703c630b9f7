//! Inspects a token offline: its contents, and which checks of the server it would pass.
//!
//! The verdict comes from [`ack_ram_core::login::begin`], which stops at the first failure. After a failure that does
//! not depend on other checks, the inspection calls it again with that check satisfied. The report of an expired token
//! for another cluster therefore names both faults. The inspection never shows a signature or a security token.

mod anatomy;
mod checks;
mod contents;
mod extract;
mod rebuild;
mod token_kind;
mod verdict;

pub use anatomy::{Segment, TokenPart, split_into_segments};
pub use checks::{Check, CheckName, CheckStatus};
pub use contents::Contents;
pub use extract::{ExtractError, ExtractedToken, MAX_TOKENS, TokenOrigin, extract_tokens};
pub use rebuild::{Line, RebuiltRequest, Span, rebuild_request, split_lines};
pub use token_kind::TokenKind;

use serde::Serialize;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::AwaitingSts;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::protocol::{FAMILY_PREFIX, STS_WINDOW_SECONDS};
use ack_ram_core::time::UnixTime;
use verdict::TokenVerdict;

/// The result of inspecting a token.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// The kind of token.
    pub kind: TokenKind,
    /// The length of the token in bytes.
    pub bytes: usize,
    /// The reference that identifies the token in logs. Absent for tokens of other programs.
    #[serde(rename = "reference", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Whether no check failed, so that the server would send the token's request to STS.
    pub passes: bool,
    /// The contents, as far as they can be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// The reason that the contents cannot be decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecoded: Option<&'static str>,
    /// The seconds since the token was signed. Negative if its date is in the future.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// The time at which STS stops accepting the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<UnixTime>,
    /// All checks, in an order that is natural for a reader.
    pub checks: Vec<Check>,
    /// The request that the server would send to STS, if every check passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestSummary>,
}

/// A summary of the request that the server would send, without the caller's secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestSummary {
    /// The method.
    pub method: &'static str,
    /// The path, without the query.
    pub path: String,
    /// The keys in the query.
    pub query_keys: Vec<String>,
    /// The names of the headers, except host and user agent.
    pub headers: Vec<&'static str>,
}

/// Inspects `token` at the time `now`. Without a `policy`, the signed cluster ID is not checked, and the default policy
/// applies to the other checks.
#[must_use]
pub fn inspect(token: &str, policy: Option<&TokenPolicy>, now: UnixTime) -> Inspection {
    let kind = TokenKind::detect(token);
    let (contents, undecoded) = contents::read_contents(token);
    let verdict = TokenVerdict::collect(token, policy, now, contents.as_ref());
    let checks: Vec<Check> = match kind {
        TokenKind::TokenV2 | TokenKind::TokenV1 | TokenKind::UnknownVersion => CheckName::ALL
            .into_iter()
            .map(|name| verdict.check(name, policy.is_some()))
            .collect(),
        TokenKind::Jwt | TokenKind::AwsIamAuthenticator | TokenKind::Unknown => {
            vec![unrecognized_check(kind)]
        }
    };
    let passes = !checks
        .iter()
        .any(|check| check.status == CheckStatus::Failed);
    let date = contents.as_ref().and_then(|contents| contents.date);
    Inspection {
        kind,
        bytes: token.len(),
        fingerprint: token
            .starts_with(FAMILY_PREFIX)
            .then(|| Fingerprint::from_text(token)),
        passes,
        undecoded,
        age_seconds: date.map(|date| now.seconds_since(date)),
        expires: date.map(|date| date.plus_seconds(STS_WINDOW_SECONDS)),
        request: verdict
            .awaiting
            .as_ref()
            .filter(|_| passes)
            .map(RequestSummary::from_awaiting),
        contents,
        checks,
    }
}

fn unrecognized_check(kind: TokenKind) -> Check {
    Check {
        name: CheckName::Prefix,
        status: CheckStatus::Failed,
        code: Some("not_ours"),
        reason: Some(format!(
            "the token does not start with `{FAMILY_PREFIX}`: it is {}",
            kind.describe()
        )),
        advice: Some("create a token with `ack-ram-authenticator token` or ack-ram-tool"),
    }
}

impl RequestSummary {
    fn from_awaiting(awaiting: &AwaitingSts) -> Self {
        let request = awaiting.request();
        let target = request.path_and_query().expose();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query_keys = query
            .split('&')
            .filter_map(|pair| pair.split('=').next())
            .filter(|key| !key.is_empty());
        Self {
            method: request.method(),
            path: path.to_owned(),
            query_keys: query_keys.map(str::to_owned).collect(),
            headers: request.headers().map(|(name, _)| name).collect(),
        }
    }
}
