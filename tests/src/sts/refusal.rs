//! The errors of STS.

use hyper::StatusCode;
use serde_json::{Value, json};

/// A documented error of STS or of the API gateway in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    MissingParameter(&'static str),
    InvalidParameter(&'static str),
    UnknownAction,
    UnknownVersion,
    UnsupportedSignatureMethod,
    IncompleteSignature,
    ExpiredDate,
    UnknownKey,
    InactiveKey,
    MissingSecurityToken,
    MalformedSecurityToken,
    MismatchedSecurityToken,
    ExpiredSecurityToken,
    /// Contains the string to sign that the server expects. Real STS also returns this string, including the security
    /// token.
    SignatureDoesNotMatch(String),
    NonceUsed,
    RootMayNotAssume,
    /// No policy of the caller allows `sts:AssumeRole`.
    MayNotAssume,
    UnknownRole,
    /// The trust policy of the role does not name the caller, or requires another external ID.
    NotTrusted,
    /// The trust policy of the role does not name the OIDC provider, or the account has no such provider.
    OidcNotTrusted,
    OidcToken(OidcTokenFault),
    ThrottledUser,
    ThrottledApi,
    InternalError,
    ServiceUnavailable,
}

/// The fault of an OIDC token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OidcTokenFault {
    Expired,
    Invalid,
    InvalidSignature,
    AudienceNotMatch,
    /// The issuer is not a URL that starts with `https://`.
    HttpsUrlInvalid,
}

impl Refusal {
    /// Returns the `Code` of the reply.
    pub(super) fn code(&self) -> String {
        let code = match self {
            Self::MissingParameter(name) => return format!("Missing{name}"),
            Self::InvalidParameter(name) => return format!("InvalidParameter.{name}"),
            Self::UnknownAction => "InvalidAction.NotFound",
            Self::UnknownVersion => "InvalidVersion",
            Self::UnsupportedSignatureMethod => "InvalidSignatureMethod",
            Self::IncompleteSignature => "IncompleteSignature",
            Self::ExpiredDate => "InvalidTimeStamp.Expired",
            Self::UnknownKey => "InvalidAccessKeyId.NotFound",
            Self::InactiveKey => "InvalidAccessKeyId.Inactive",
            Self::MissingSecurityToken => "MissingSecurityToken",
            Self::MalformedSecurityToken => "InvalidSecurityToken.Malformed",
            Self::MismatchedSecurityToken => "InvalidSecurityToken.MismatchWithAccessKey",
            Self::ExpiredSecurityToken => "InvalidSecurityToken.Expired",
            Self::SignatureDoesNotMatch(_) => "SignatureDoesNotMatch",
            Self::NonceUsed => "SignatureNonceUsed",
            Self::RootMayNotAssume | Self::MayNotAssume | Self::NotTrusted => "NoPermission",
            Self::UnknownRole => "EntityNotExist.Role",
            Self::OidcNotTrusted => "AuthenticationFail.NoPermission",
            Self::OidcToken(fault) => return format!("AuthenticationFail.OIDCToken.{fault:?}"),
            Self::ThrottledUser => "Throttling.User",
            Self::ThrottledApi => "Throttling.Api",
            Self::InternalError => "InternalError",
            Self::ServiceUnavailable => "ServiceUnavailable",
        };
        code.to_owned()
    }

    /// Returns the HTTP status of the reply.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownKey | Self::UnknownAction | Self::UnknownRole => StatusCode::NOT_FOUND,
            Self::RootMayNotAssume | Self::MayNotAssume | Self::NotTrusted => StatusCode::FORBIDDEN,
            Self::OidcNotTrusted | Self::OidcToken(_) => StatusCode::UNAUTHORIZED,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns the JSON body of the reply. `host` is the `Host` header of the request.
    pub(super) fn body(&self, request_id: &str, host: &str) -> Value {
        let code = self.code();
        json!({
            "RequestId": request_id,
            "HostId": host,
            "Message": self.message(),
            "Recommend": format!("https://{host}/troubleshoot?q={code}&product=Sts"),
            "Code": code,
        })
    }

    fn message(&self) -> String {
        let message = match self {
            Self::MissingParameter(name) => {
                return format!("{name} is mandatory for this action.");
            }
            Self::InvalidParameter(name) => {
                return format!("The parameter {name} is wrongly formed.");
            }
            Self::SignatureDoesNotMatch(expected) => {
                return format!(
                    "Specified signature is not matched with our calculation. server string to sign is:{expected}"
                );
            }
            Self::UnknownAction => "Specified api is not found.",
            Self::UnknownVersion => "Specified parameter Version is not valid.",
            Self::UnsupportedSignatureMethod => "Specified signature method is not supported.",
            Self::IncompleteSignature => "The request signature is not complete.",
            Self::ExpiredDate => "Specified time stamp or date value is expired.",
            Self::UnknownKey => "Specified access key is not found.",
            Self::InactiveKey => "Specified access key is disabled.",
            Self::MissingSecurityToken => "SecurityToken is mandatory for this action.",
            Self::MalformedSecurityToken => "Specified SecurityToken is malformed.",
            Self::MismatchedSecurityToken => "Specified SecurityToken mismatch with the AccessKey.",
            Self::ExpiredSecurityToken => "Specified SecurityToken is expired.",
            Self::NonceUsed => "Specified signature nonce was used already.",
            Self::RootMayNotAssume => "Roles may not be assumed by root accounts.",
            Self::UnknownRole => "The role not exists.",
            // STS does not say which of the two policies is missing.
            Self::MayNotAssume | Self::NotTrusted => {
                "You are not authorized to do this action. You should be authorized by RAM."
            }
            Self::OidcNotTrusted => {
                "This operation is not allowed by the trust policy of the role."
            }
            Self::OidcToken(OidcTokenFault::Expired) => "This OIDC token has expired.",
            Self::OidcToken(OidcTokenFault::Invalid) => "This OIDC token is invalid.",
            Self::OidcToken(OidcTokenFault::InvalidSignature) => {
                "The signature of this OIDC token is invalid."
            }
            Self::OidcToken(OidcTokenFault::AudienceNotMatch) => {
                "The audience of this OIDC token does not match the client IDs of the provider."
            }
            Self::OidcToken(OidcTokenFault::HttpsUrlInvalid) => {
                "The issuer of this OIDC token is not an HTTPS URL."
            }
            Self::ThrottledUser => "Request was denied due to user flow control.",
            Self::ThrottledApi => "Request was denied due to api flow control.",
            Self::InternalError => "The request processing has failed due to some unknown error.",
            Self::ServiceUnavailable => {
                "The request has failed due to a temporary failure of the server."
            }
        };
        message.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    #[test]
    fn get_caller_identity_errors_equal_the_vectors() {
        for refusal in [
            Refusal::ExpiredDate,
            Refusal::UnknownKey,
            Refusal::InactiveKey,
            Refusal::MissingSecurityToken,
            Refusal::MalformedSecurityToken,
            Refusal::MismatchedSecurityToken,
            Refusal::ExpiredSecurityToken,
            Refusal::SignatureDoesNotMatch("text".to_owned()),
            Refusal::NonceUsed,
            Refusal::ThrottledUser,
            Refusal::ThrottledApi,
            Refusal::InternalError,
            Refusal::ServiceUnavailable,
        ] {
            let body = refusal.body("6B2F4C0A-E", "sts.aliyuncs.com");
            let matches = |case: vectors::StsErrorCase| {
                let expected: Value = serde_json::from_str(&case.body).unwrap_or_default();
                let names = |body: &Value| {
                    let members = body.as_object()?;
                    Some(members.keys().cloned().collect::<Vec<_>>())
                };
                refusal.status() == case.status
                    && expected["Code"] == body["Code"]
                    && expected["RequestId"] == body["RequestId"]
                    && expected["HostId"] == body["HostId"]
                    && names(&expected) == names(&body)
            };
            let is_there = vectors::sts_errors().into_iter().any(matches);
            assert!(is_there, "no vector has {}: {body}", refusal.status());
        }
    }
}
