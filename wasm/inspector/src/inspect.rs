//! Inspects pasted text.

use std::collections::BTreeSet;

use ack_ram_analysis::inspect::{
    self, ExtractError, ExtractedToken, Inspection, RebuiltRequest, Segment, TokenOrigin, TokenPart,
};
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::display::{self, DisplaySpan};
use crate::{InputError, json_to_json};

/// The maximum length of a text to inspect, in bytes. The output of kubectl around a token fits.
const MAX_TEXT_BYTES: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InspectInput {
    /// The pasted text.
    text: String,
    /// The index of the token to inspect, if the text has several tokens.
    #[serde(default)]
    chosen: usize,
    /// The cluster ID to compare with. If it is empty, the cluster ID of the token is not checked.
    #[serde(default)]
    cluster_id: String,
    /// `server.acceptTokenV1`
    #[serde(default)]
    accept_v1: bool,
    /// `server.extraQueryKeys`
    #[serde(default)]
    extra_query_keys: BTreeSet<String>,
    /// The current time, in seconds since 1970.
    now: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InspectOutput {
    /// The origin of each token in the text.
    origins: Vec<TokenOrigin>,
    /// Whether the text may have more tokens than are listed.
    more: bool,
    chosen: usize,
    /// The description of the kind of token.
    kind: &'static str,
    /// The output of `inspect -o json`.
    inspection: Inspection,
    anatomy: Vec<DisplaySegment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuilt: Option<DisplayRequest>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DisplaySegment {
    part: TokenPart,
    text: String,
    encoded: String,
    secret: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DisplayRequest {
    request: Vec<Vec<DisplaySpan>>,
    canonical: Vec<Vec<DisplaySpan>>,
    string_to_sign: Vec<Vec<DisplaySpan>>,
}

/// Inspects the tokens in pasted text. Takes `InspectInput` as JSON and returns `InspectOutput` as JSON.
#[must_use]
pub fn inspect(input: &str) -> String {
    json_to_json(input, inspect_text)
}

fn inspect_text(input: InspectInput) -> Result<InspectOutput, InputError> {
    if input.text.len() > MAX_TEXT_BYTES {
        return Err(InputError::new(
            "tooLarge",
            format!("the input is longer than {MAX_TEXT_BYTES} bytes; paste only the token"),
        ));
    }
    let found = inspect::extract_tokens(&input.text).map_err(extract_error)?;
    let policy = policy(&input)?;
    let policy = policy.as_ref();
    let now = UnixTime::from_seconds(input.now);
    let chosen = input.chosen.min(found.len().saturating_sub(1));
    let Some(ExtractedToken { token, .. }) = found.get(chosen) else {
        return Err(extract_error(ExtractError::Empty));
    };
    let token = token.expose();
    let inspection = inspect::inspect(token, policy, now);
    Ok(InspectOutput {
        origins: found.iter().map(|found| found.origin).collect(),
        more: found.len() == inspect::MAX_TOKENS,
        chosen,
        kind: inspection.kind.describe(),
        anatomy: inspect::split_into_segments(token)
            .iter()
            .map(display_segment)
            .collect(),
        rebuilt: inspect::rebuild_request(token, policy, now)
            .as_ref()
            .map(display_request),
        inspection,
    })
}

/// Returns the policy of a server with the given cluster ID; `None` without a cluster ID, as in the command `inspect`.
fn policy(input: &InspectInput) -> Result<Option<TokenPolicy>, InputError> {
    let cluster_id = input.cluster_id.trim();
    if cluster_id.is_empty() {
        return Ok(None);
    }
    let cluster_id = ClusterId::parse(cluster_id).ok_or_else(|| {
        InputError::new(
            "clusterId",
            "the cluster ID is not valid; enter 1 to 253 visible ASCII characters, without spaces",
        )
    })?;
    Ok(Some(TokenPolicy {
        accept_v1: input.accept_v1,
        extra_query_keys: input.extra_query_keys.clone(),
        ..TokenPolicy::new(cluster_id)
    }))
}

fn extract_error(why: ExtractError) -> InputError {
    let code = match why {
        ExtractError::Empty => "empty",
        ExtractError::NotJson => "notJson",
        ExtractError::NotThere => "notThere",
        ExtractError::Masked => "masked",
    };
    InputError::new(code, why.to_string())
}

fn display_segment(segment: &Segment) -> DisplaySegment {
    DisplaySegment {
        part: segment.part,
        text: display::display_text(&segment.text),
        encoded: display::display_text(&segment.encoded),
        secret: segment.is_secret,
        signed: segment.signed,
    }
}

fn display_request(rebuilt: &RebuiltRequest) -> DisplayRequest {
    DisplayRequest {
        request: display::display_lines(&rebuilt.request),
        canonical: display::display_lines(&rebuilt.canonical),
        string_to_sign: display::display_lines(&rebuilt.string_to_sign),
    }
}
