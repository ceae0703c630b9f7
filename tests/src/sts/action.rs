//! What STS does for a request.

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};

use super::arrived::Arrived;
use super::directory::Directory;
use super::nonces::Nonces;
use super::principal::Principal;
use super::refusal::Refusal;
use super::verify;

const VERSION: &str = "2015-04-01";

/// Everything that a request can read or change.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) directory: Directory,
    pub(super) nonces: Nonces,
}

impl Service {
    /// The body of the reply without its `RequestId`, or why there is none.
    pub(super) fn answer(&mut self, arrived: &Arrived, now: UnixTime) -> Result<Value, Refusal> {
        if arrived.parts.uri.path() != "/" {
            return Err(Refusal::UnknownAction);
        }
        let action = arrived
            .action()
            .ok_or(Refusal::MissingParameter("Action"))?;
        match arrived.version() {
            Some(VERSION) => {}
            Some(_) => return Err(Refusal::UnknownVersion),
            None => return Err(Refusal::MissingParameter("Version")),
        }
        match action {
            "GetCallerIdentity" => Ok(self.signer(arrived, now)?.caller_identity()),
            "AssumeRole" => match self.signer(arrived, now)? {
                Principal::Root { .. } => Err(Refusal::RootMayNotAssume),
                Principal::User { .. } | Principal::AssumedRole { .. } => {
                    self.open_session(arrived, now)
                }
            },
            "AssumeRoleWithOIDC" => {
                self.check_oidc_token(arrived)?;
                self.open_session(arrived, now)
            }
            _ => Err(Refusal::UnknownAction),
        }
    }

    fn signer(&mut self, arrived: &Arrived, now: UnixTime) -> Result<Principal, Refusal> {
        verify::signer(arrived, &self.directory, &mut self.nonces, now)
    }

    fn check_oidc_token(&self, arrived: &Arrived) -> Result<(), Refusal> {
        let provider = required(arrived, "OIDCProviderArn")?;
        let token = required(arrived, "OIDCToken")?;
        if !self.directory.knows_oidc_token(provider, token) {
            return Err(Refusal::UnknownOidcToken);
        }
        Ok(())
    }

    fn open_session(&mut self, arrived: &Arrived, now: UnixTime) -> Result<Value, Refusal> {
        let role = required(arrived, "RoleArn")?;
        let session = required(arrived, "RoleSessionName")?;
        if !is_session_name(session) {
            return Err(Refusal::InvalidParameter("RoleSessionName"));
        }
        let expires = now.plus_seconds(session_seconds(arrived)?);
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

fn required<'a>(arrived: &'a Arrived, name: &'static str) -> Result<&'a str, Refusal> {
    arrived
        .parameter(name)
        .filter(|value| !value.is_empty())
        .ok_or(Refusal::MissingParameter(name))
}

/// `RoleSessionName` of `AssumeRole`: 2 to 64 of `A-Z a-z 0-9 . @ - _`.
fn is_session_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'@' | b'-' | b'_');
    (2..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// `DurationSeconds` of `AssumeRole`: 15 minutes to the role's longest session, which is an hour unless changed.
fn session_seconds(arrived: &Arrived) -> Result<i64, Refusal> {
    let invalid = Refusal::InvalidParameter("DurationSeconds");
    match arrived.parameter("DurationSeconds").map(str::parse) {
        None => Ok(3600),
        Some(Ok(seconds @ 900..=3600)) => Ok(seconds),
        Some(_) => Err(invalid),
    }
}
