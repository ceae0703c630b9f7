//! The actions of STS.

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};

use super::decoded_request::DecodedRequest;
use super::directory::Directory;
use super::nonces::Nonces;
use super::principal::Principal;
use super::refusal::Refusal;
use super::verify;

const VERSION: &str = "2015-04-01";

/// The state that requests read and change.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) directory: Directory,
    pub(super) nonces: Nonces,
}

impl Service {
    /// Returns the body of the reply without its `RequestId`, or the reason of the refusal.
    pub(super) fn answer(
        &mut self,
        decoded: &DecodedRequest,
        now: UnixTime,
    ) -> Result<Value, Refusal> {
        if decoded.parts.uri.path() != "/" {
            return Err(Refusal::UnknownAction);
        }
        let action = decoded
            .action()
            .ok_or(Refusal::MissingParameter("Action"))?;
        match decoded.version() {
            Some(VERSION) => {}
            Some(_) => return Err(Refusal::UnknownVersion),
            None => return Err(Refusal::MissingParameter("Version")),
        }
        match action {
            "GetCallerIdentity" => Ok(self.signer(decoded, now)?.caller_identity()),
            "AssumeRole" => match self.signer(decoded, now)? {
                Principal::Root { .. } => Err(Refusal::RootMayNotAssume),
                Principal::User { .. } | Principal::AssumedRole { .. } => {
                    self.open_session(decoded, now)
                }
            },
            "AssumeRoleWithOIDC" => {
                self.check_oidc_token(decoded)?;
                self.open_session(decoded, now)
            }
            _ => Err(Refusal::UnknownAction),
        }
    }

    fn signer(&mut self, decoded: &DecodedRequest, now: UnixTime) -> Result<Principal, Refusal> {
        verify::signer(decoded, &self.directory, &mut self.nonces, now)
    }

    fn check_oidc_token(&self, decoded: &DecodedRequest) -> Result<(), Refusal> {
        let provider = required(decoded, "OIDCProviderArn")?;
        let token = required(decoded, "OIDCToken")?;
        if !self.directory.knows_oidc_token(provider, token) {
            return Err(Refusal::UnknownOidcToken);
        }
        Ok(())
    }

    fn open_session(&mut self, decoded: &DecodedRequest, now: UnixTime) -> Result<Value, Refusal> {
        let role = required(decoded, "RoleArn")?;
        let session = required(decoded, "RoleSessionName")?;
        if !is_session_name(session) {
            return Err(Refusal::InvalidParameter("RoleSessionName"));
        }
        let expires = now.plus_seconds(session_seconds(decoded)?);
        let owner = self.directory.session(role, session)?;
        let assumed = json!({ "Arn": owner.arn(), "AssumedRoleId": owner.principal_id() });
        let key = self
            .directory
            .mint(owner, expires)
            .ok_or(Refusal::InternalError)?;
        Ok(json!({
            "AssumedRoleUser": assumed,
            "Credentials": {
                "AccessKeyId": key.id,
                "AccessKeySecret": key.secret.expose(),
                "SecurityToken": key.security_token.as_ref().map(Secret::expose),
                "Expiration": expires,
            },
        }))
    }
}

fn required<'a>(decoded: &'a DecodedRequest, name: &'static str) -> Result<&'a str, Refusal> {
    decoded
        .parameter(name)
        .filter(|value| !value.is_empty())
        .ok_or(Refusal::MissingParameter(name))
}

/// Returns whether `name` is a valid `RoleSessionName` of `AssumeRole`: 2 to 64 characters of `A-Z a-z 0-9 . @ - _`.
fn is_session_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'@' | b'-' | b'_');
    (2..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// Returns the `DurationSeconds` of `AssumeRole`: 15 minutes to the maximum of the role, which is an hour by default.
fn session_seconds(decoded: &DecodedRequest) -> Result<i64, Refusal> {
    let invalid = Refusal::InvalidParameter("DurationSeconds");
    match decoded.parameter("DurationSeconds").map(str::parse) {
        None => Ok(3600),
        Some(Ok(seconds @ 900..=3600)) => Ok(seconds),
        Some(_) => Err(invalid),
    }
}
