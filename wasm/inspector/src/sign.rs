//! The signing tab: creates a token from a demonstration key, step by step.

use ack_ram_analysis::inspect;
use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_core::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::display::{self, DisplaySpan};
use crate::{InputError, json_to_json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SignInput {
    access_key_id: String,
    access_key_secret: String,
    security_token: String,
    cluster_id: String,
    user_agent: String,
    /// The date, as `YYYY-MM-DDTHH:MM:SSZ`.
    date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SignOutput {
    canonical_request: Vec<Vec<DisplaySpan>>,
    string_to_sign: Vec<Vec<DisplaySpan>>,
    signature: String,
    authorization: Vec<Vec<DisplaySpan>>,
    json: String,
    token: String,
}

/// Signs a token and returns each step. Takes `SignInput` as JSON and returns `SignOutput` as JSON.
#[must_use]
pub fn sign(input: &str) -> String {
    json_to_json(input, signing_steps)
}

fn signing_steps(input: SignInput) -> Result<SignOutput, InputError> {
    let id = AccessKeyId::parse(&input.access_key_id).ok_or_else(|| {
        let text = "an access key ID consists of letters, digits, `.`, `_` and `-`";
        InputError::new("accessKeyId", text)
    })?;
    if input.access_key_secret.is_empty() {
        return Err(InputError::new(
            "accessKeySecret",
            "the access key secret is empty",
        ));
    }
    let cluster = ClusterId::parse(&input.cluster_id).ok_or_else(|| {
        let text = "a cluster ID has 1 to 253 visible ASCII characters, without spaces";
        InputError::new("clusterId", text)
    })?;
    let date = UnixTime::parse(&input.date)
        .ok_or_else(|| InputError::new("date", "a date has the format `YYYY-MM-DDTHH:MM:SSZ`"))?;
    let security_token = Some(input.security_token).filter(|token| !token.is_empty());
    if let Some(token) = &security_token
        && !token.bytes().all(|byte| byte.is_ascii_graphic())
    {
        let text = "a security token consists of visible ASCII characters, without spaces";
        return Err(InputError::new("securityToken", text));
    }
    let key = AccessKey {
        id,
        secret: Secret::new(input.access_key_secret),
        security_token: security_token.map(Secret::new),
    };
    let steps = sign::sign_token_v2_in_steps(&key, &cluster, &input.user_agent, date)
        .ok_or_else(|| InputError::new("accessKeySecret", "cannot sign with this key"))?;
    let lines = |text: &str| display::display_lines(&inspect::split_lines(text));
    Ok(SignOutput {
        canonical_request: lines(steps.canonical_request.expose()),
        string_to_sign: lines(&steps.string_to_sign),
        signature: steps.signature.to_hex(),
        authorization: lines(steps.authorization.expose()),
        json: display::display_text(&steps.json),
        token: display::display_text(&steps.token),
    })
}
