//! The actions of STS.

use std::ops::RangeInclusive;

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};

use super::decoded_request::DecodedRequest;
use super::directory::Directory;
use super::nonces::Nonces;
use super::principal::Principal;
use super::refusal::Refusal;
use super::session_request::{SessionRequest, required};
use super::verify;

const VERSION: &str = "2015-04-01";
/// The length of an OIDC token in characters.
const OIDC_TOKEN_LENGTH: RangeInclusive<usize> = 4..=20_000;

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
            "AssumeRole" => self.assume_role(decoded, now),
            "AssumeRoleWithOIDC" => self.assume_role_with_oidc(decoded, now),
            _ => Err(Refusal::UnknownAction),
        }
    }

    fn signer(&mut self, decoded: &DecodedRequest, now: UnixTime) -> Result<Principal, Refusal> {
        verify::signer(decoded, &self.directory, &mut self.nonces, now)
    }

    fn assume_role(&mut self, decoded: &DecodedRequest, now: UnixTime) -> Result<Value, Refusal> {
        let caller = self.signer(decoded, now)?;
        if let Principal::Root { .. } = caller {
            return Err(Refusal::RootMayNotAssume);
        }
        if !self.directory.may_assume_roles(&caller) {
            return Err(Refusal::MayNotAssume);
        }
        let request = SessionRequest::parse(decoded)?;
        let role = self.directory.role(request.role_arn)?;
        role.check_key_owner(&caller, request.external_id)?;
        let seconds = role.session_seconds(request.seconds)?;
        let owner = role.session(request.session_name);
        self.open_session(owner, now.plus_seconds(seconds))
    }

    fn assume_role_with_oidc(
        &mut self,
        decoded: &DecodedRequest,
        now: UnixTime,
    ) -> Result<Value, Refusal> {
        // The request is not signed, but its date counts.
        if let Some(date) = decoded.parameter("Timestamp") {
            verify::check_date(date, now)?;
        }
        let provider_arn = required(decoded, "OIDCProviderArn")?;
        let token = required(decoded, "OIDCToken")?;
        if !OIDC_TOKEN_LENGTH.contains(&token.chars().count()) {
            return Err(Refusal::InvalidParameter("OIDCToken"));
        }
        let request = SessionRequest::parse(decoded)?;
        let role = self.directory.role(request.role_arn)?;
        let provider = self.directory.oidc_provider(provider_arn)?;
        provider.check(token, now)?;
        role.check_oidc_provider(provider_arn)?;
        let seconds = role.session_seconds(request.seconds)?;
        let owner = role.session(request.session_name);
        self.open_session(owner, now.plus_seconds(seconds))
    }

    fn open_session(&mut self, owner: Principal, expires: UnixTime) -> Result<Value, Refusal> {
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
