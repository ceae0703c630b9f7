//! Verification of both signature schemes of Alibaba Cloud.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::protocol::acs3::{
    Authorization, AuthorizationError, CanonicalRequest, body_sha256,
};
use ack_ram_core::protocol::rpc;
use ack_ram_core::time::UnixTime;

use super::decoded_request::DecodedRequest;
use super::directory::{Directory, KeyRecord};
use super::nonces::Nonces;
use super::principal::Principal;
use super::refusal::Refusal;

/// The maximum difference between the date of a request and the clock of the server, in seconds.
pub(super) const WINDOW_SECONDS: i64 = 15 * 60;

/// Verifies the signature, and returns the owner of the key that signed the request.
pub(super) fn signer(
    decoded: &DecodedRequest,
    directory: &Directory,
    nonces: &mut Nonces,
    now: UnixTime,
) -> Result<Principal, Refusal> {
    let signed = match decoded.header("authorization") {
        Some(authorization) => verify_acs3(decoded, authorization, directory, now)?,
        None => verify_rpc(decoded, directory, now)?,
    };
    if let Some(nonce) = signed.nonce {
        nonces.spend(&signed.by.key.id, nonce, now)?;
    }
    Ok(signed.by.owner.clone())
}

struct Signed<'a> {
    by: &'a KeyRecord,
    nonce: Option<&'a str>,
}

fn verify_acs3<'a>(
    decoded: &'a DecodedRequest,
    authorization: &str,
    directory: &'a Directory,
    now: UnixTime,
) -> Result<Signed<'a>, Refusal> {
    let header = |name, missing| {
        decoded
            .header(name)
            .ok_or(Refusal::MissingParameter(missing))
    };
    header("x-acs-action", "Action")?;
    header("x-acs-version", "Version")?;
    let date = header("x-acs-date", "Timestamp")?;
    let claimed_sha256 = header("x-acs-content-sha256", "ContentSha256")?;
    check_date(date, now)?;

    let authorization = Authorization::parse(authorization).map_err(|error| match error {
        AuthorizationError::Algorithm => Refusal::UnsupportedSignatureMethod,
        AuthorizationError::UnknownPart
        | AuthorizationError::DuplicatePart(_)
        | AuthorizationError::MissingPart(_)
        | AuthorizationError::Credential
        | AuthorizationError::Signature => Refusal::IncompleteSignature,
    })?;
    let security_token = decoded.header("x-acs-security-token");
    let by = directory.signing_key(&authorization.access_key_id, security_token, now)?;

    let headers = authorization
        .signed_headers
        .split(';')
        .map(|name| decoded.header(name).map(|value| (name, value)))
        .collect::<Option<Vec<_>>>()
        .ok_or(Refusal::IncompleteSignature)?;
    let sha256 = body_sha256(&decoded.body);
    let request = CanonicalRequest {
        method: decoded.parts.method.as_str(),
        path: decoded.parts.uri.path(),
        query: &decoded.query(),
        headers: &headers,
        body_sha256: &sha256,
    };
    if claimed_sha256 != sha256 || !request.verify(&by.key.secret, &authorization.signature) {
        return Err(Refusal::SignatureDoesNotMatch(request.text()));
    }
    Ok(Signed {
        by,
        nonce: decoded.header("x-acs-signature-nonce"),
    })
}

fn verify_rpc<'a>(
    decoded: &'a DecodedRequest,
    directory: &'a Directory,
    now: UnixTime,
) -> Result<Signed<'a>, Refusal> {
    let parameter = |name| {
        decoded
            .parameter(name)
            .ok_or(Refusal::MissingParameter(name))
    };
    let access_key_id = parameter("AccessKeyId")?;
    let signature = parameter("Signature")?;
    let nonce = parameter("SignatureNonce")?;
    let date = parameter("Timestamp")?;
    if parameter("SignatureMethod")? != "HMAC-SHA1" || parameter("SignatureVersion")? != "1.0" {
        return Err(Refusal::UnsupportedSignatureMethod);
    }
    // By default, real STS replies in XML, which the clients cannot read.
    if parameter("Format")? != "JSON" {
        return Err(Refusal::InvalidParameter("Format"));
    }
    check_date(date, now)?;

    let access_key_id = AccessKeyId::parse(access_key_id).ok_or(Refusal::UnknownKey)?;
    let security_token = decoded.parameter("SecurityToken");
    let by = directory.signing_key(&access_key_id, security_token, now)?;

    let method = decoded.parts.method.as_str();
    let parameters = decoded.parameters();
    if !rpc::verify(method, &parameters, &by.key.secret, signature) {
        let expected = rpc::string_to_sign(method, &parameters);
        return Err(Refusal::SignatureDoesNotMatch(expected));
    }
    Ok(Signed {
        by,
        nonce: Some(nonce),
    })
}

/// Checks that a date is within [`WINDOW_SECONDS`] of `now`.
pub(super) fn check_date(date: &str, now: UnixTime) -> Result<(), Refusal> {
    let date = UnixTime::parse(date).ok_or(Refusal::InvalidParameter("Timestamp"))?;
    if now.seconds_since(date).abs() > WINDOW_SECONDS {
        return Err(Refusal::ExpiredDate);
    }
    Ok(())
}
