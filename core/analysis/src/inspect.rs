//! Looks into a token offline: what is in it, and which checks of the server it would pass.
//!
//! The verdict is that of [`ack_ram_core::login::begin`]. Where a check fails that does not depend on the others, it is asked again
//! with that check satisfied, so that a token of another cluster that has expired, too, is told both. Nothing here
//! shows a signature or a security token.

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
    /// How long it is.
    pub bytes: usize,
    /// How logs name it; not there for tokens of others.
    #[serde(rename = "reference", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Whether the server would ask STS about it: no check failed.
    pub passes: bool,
    /// What it holds, as far as that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// Why there is no more to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecoded: Option<&'static str>,
    /// Seconds since it was signed; negative when it is dated in the future.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// When STS stops taking it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<UnixTime>,
    /// All checks, in the order in which a person thinks of them.
    pub checks: Vec<Check>,
    /// What the server would send to STS, when every check passes.
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
    /// The names in the query.
    pub query_keys: Vec<String>,
    /// The names of the headers, but for host and user agent.
    pub headers: Vec<&'static str>,
}

/// Looks into `token` at the time `now`. Without a `policy`, what it signs is compared with no cluster, and the rest is
/// judged by the default policy.
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
            "it does not start with `{FAMILY_PREFIX}`: it is {}",
            kind.describe()
        )),
        advice: Some("make a token with `ack-ram-authenticator token` or ack-ram-tool"),
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
