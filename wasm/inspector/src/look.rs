//! Looking into what was pasted.

use std::collections::BTreeSet;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::inspect::{self, Inspection, NoToken, Origin, Part, Pasted, Piece, Rebuilt};
use ack_ram_core::policy::Policy;
use ack_ram_core::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::shown::{self, ShownSpan};
use crate::{Refused, json_to_json};

/// Longer texts are not looked into. What kubectl prints around a token fits.
const MAX_TEXT_BYTES: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input {
    /// What was pasted.
    text: String,
    /// Which of the tokens in it.
    #[serde(default)]
    chosen: usize,
    /// What to compare the token with; none when it is empty.
    #[serde(default)]
    cluster_id: String,
    /// `server.acceptTokenV1`
    #[serde(default)]
    accept_v1: bool,
    /// `server.extraQueryKeys`
    #[serde(default)]
    extra_query_keys: BTreeSet<String>,
    /// Seconds since 1970.
    now: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    /// What the tokens in the text were in.
    origins: Vec<Origin>,
    /// Whether there may be more than those.
    more: bool,
    chosen: usize,
    /// The kind of token, in words.
    kind: &'static str,
    /// What `inspect -o json` prints.
    inspection: Inspection,
    anatomy: Vec<ShownPiece>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rebuilt: Option<ShownRebuilt>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownPiece {
    part: Part,
    text: String,
    encoded: String,
    secret: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRebuilt {
    request: Vec<Vec<ShownSpan>>,
    canonical: Vec<Vec<ShownSpan>>,
    string_to_sign: Vec<Vec<ShownSpan>>,
}

/// Takes what was pasted and what to compare it with, gives what is in it: the JSON of `Input` and of `Output` above.
#[must_use]
pub fn look(input: &str) -> String {
    json_to_json(input, look_into)
}

fn look_into(input: Input) -> Result<Output, Refused> {
    if input.text.len() > MAX_TEXT_BYTES {
        return Err(Refused::new(
            "tooLarge",
            format!("it is longer than {MAX_TEXT_BYTES} bytes; paste the token alone"),
        ));
    }
    let found = inspect::find(&input.text).map_err(no_token)?;
    let policy = policy(&input)?;
    let policy = policy.as_ref();
    let now = UnixTime::from_seconds(input.now);
    let chosen = input.chosen.min(found.len().saturating_sub(1));
    let Some(Pasted { token, .. }) = found.get(chosen) else {
        return Err(no_token(NoToken::Empty));
    };
    let token = token.expose();
    let inspection = inspect::inspect(token, policy, now);
    Ok(Output {
        origins: found.iter().map(|found| found.origin).collect(),
        more: found.len() == inspect::MAX_FOUND,
        chosen,
        kind: inspection.kind.describe(),
        anatomy: inspect::anatomy(token).iter().map(piece).collect(),
        rebuilt: inspect::rebuilt(token, policy, now).as_ref().map(rebuilt),
        inspection,
    })
}

/// As `inspect` has it: with a cluster id a server's policy, without one none.
fn policy(input: &Input) -> Result<Option<Policy>, Refused> {
    let cluster_id = input.cluster_id.trim();
    if cluster_id.is_empty() {
        return Ok(None);
    }
    let cluster_id = ClusterId::parse(cluster_id).ok_or_else(|| {
        Refused::new(
            "clusterId",
            "that cannot be a cluster id; write 1 to 253 visible ASCII characters without spaces",
        )
    })?;
    Ok(Some(Policy {
        accept_v1: input.accept_v1,
        extra_query_keys: input.extra_query_keys.clone(),
        ..Policy::new(cluster_id)
    }))
}

fn no_token(why: NoToken) -> Refused {
    let code = match why {
        NoToken::Empty => "empty",
        NoToken::NotJson => "notJson",
        NoToken::NotThere => "notThere",
        NoToken::Masked => "masked",
    };
    Refused::new(code, why.to_string())
}

fn piece(piece: &Piece) -> ShownPiece {
    ShownPiece {
        part: piece.part,
        text: shown::text(&piece.text),
        encoded: shown::text(&piece.encoded),
        secret: piece.is_secret,
        signed: piece.signed,
    }
}

fn rebuilt(rebuilt: &Rebuilt) -> ShownRebuilt {
    ShownRebuilt {
        request: shown::lines(&rebuilt.request),
        canonical: shown::lines(&rebuilt.canonical),
        string_to_sign: shown::lines(&rebuilt.string_to_sign),
    }
}
