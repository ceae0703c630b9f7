//! The parameters of `AssumeRole` and `AssumeRoleWithOIDC` (STS API reference, request parameters).

use serde_json::Value;

use super::decoded_request::DecodedRequest;
use super::refusal::Refusal;
use super::role::DEFAULT_SECONDS;

const MAX_POLICY_CHARACTERS: usize = 2048;

/// The session that a request asks for. Every parameter has the form that STS accepts.
pub(super) struct SessionRequest<'a> {
    pub(super) role_arn: &'a str,
    pub(super) session_name: &'a str,
    pub(super) seconds: i64,
    pub(super) external_id: Option<&'a str>,
}

impl<'a> SessionRequest<'a> {
    pub(super) fn parse(decoded: &'a DecodedRequest) -> Result<Self, Refusal> {
        let role_arn = required(decoded, "RoleArn")?;
        let session_name = required(decoded, "RoleSessionName")?;
        if !has_form(session_name, 2..=64, ".@-_") {
            return Err(Refusal::InvalidParameter("RoleSessionName"));
        }
        let seconds = match decoded.parameter("DurationSeconds").map(str::parse) {
            None => DEFAULT_SECONDS,
            Some(Ok(seconds)) => seconds,
            Some(Err(_)) => return Err(Refusal::InvalidParameter("DurationSeconds")),
        };
        let external_id = decoded.parameter("ExternalId");
        if external_id.is_some_and(|id| !has_form(id, 2..=1224, "_+=,.@:/-")) {
            return Err(Refusal::InvalidParameter("ExternalId"));
        }
        if let Some(policy) = decoded.parameter("Policy") {
            check_policy(policy)?;
        }
        Ok(Self {
            role_arn,
            session_name,
            seconds,
            external_id,
        })
    }
}

/// Returns the parameter `name`, which must not be empty.
pub(super) fn required<'a>(
    decoded: &'a DecodedRequest,
    name: &'static str,
) -> Result<&'a str, Refusal> {
    decoded
        .parameter(name)
        .filter(|value| !value.is_empty())
        .ok_or(Refusal::MissingParameter(name))
}

fn has_form(text: &str, length: std::ops::RangeInclusive<usize>, marks: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte);
    length.contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Checks the size and the grammar of a policy (RAM user guide, policy structure and grammar).
fn check_policy(policy: &str) -> Result<(), Refusal> {
    if policy.chars().count() > MAX_POLICY_CHARACTERS {
        return Err(Refusal::InvalidParameter("PolicySize"));
    }
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array();
    let is_valid = policy["Version"] == "1"
        && statements.is_some_and(|all| !all.is_empty() && all.iter().all(is_statement));
    if is_valid {
        Ok(())
    } else {
        Err(Refusal::InvalidParameter("PolicyGrammar"))
    }
}

fn is_statement(statement: &Value) -> bool {
    let has_effect = matches!(statement["Effect"].as_str(), Some("Allow" | "Deny"));
    let is_list = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(texts) => !texts.is_empty() && texts.iter().all(Value::is_string),
        _ => false,
    };
    has_effect && is_list(&statement["Action"]) && is_list(&statement["Resource"])
}
