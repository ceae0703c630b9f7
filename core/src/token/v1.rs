//! Parses token v1: a presigned `GET` URL, the format of older clients.
//!
//! This server takes five parts from the URL: the access key ID, the date, the nonce, the security token, and the
//! signature. All other parameters must equal the values that this server sends itself. The host must be a host of STS,
//! and is then ignored.

use url::form_urlencoded;

use crate::access_key::AccessKeyId;
use crate::cluster_id::ClusterId;
use crate::protocol::Quoted;
use crate::protocol::grammar::is_sendable;
use crate::protocol::v1::{
    ACCESS_KEY_ID_KEY, CLUSTER_ID_KEY, CONSTANTS, NONCE_KEY, PARAMETERS, PresignedCall,
    SECURITY_TOKEN_KEY, SIGNATURE_KEY, TIMESTAMP_KEY,
};
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::token::error::TokenError;

/// Parses the URL of a token for `cluster`. Does not compare the date with the current time.
pub(crate) fn parse(url: &[u8], cluster: &ClusterId) -> Result<PresignedCall, TokenError> {
    // URL parsers drop or repair white space, control characters and backslashes. No valid token contains any.
    let text = std::str::from_utf8(url)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\'))
        .ok_or(TokenError::Url)?;
    let parameters = Parameters::parse(sts_query(text)?)?;
    for (name, expected) in CONSTANTS {
        let found = parameters.required(name)?;
        if found != expected {
            return Err(TokenError::UnexpectedValue {
                name,
                expected,
                found: Quoted::new(found),
            });
        }
    }
    let signed_for = parameters.required(CLUSTER_ID_KEY)?;
    if signed_for != cluster.as_str() {
        let found = Quoted::new(signed_for);
        return Err(TokenError::WrongCluster { found });
    }
    let access_key_id = parameters.required(ACCESS_KEY_ID_KEY)?;
    let date = parameters.required(TIMESTAMP_KEY)?;
    Ok(PresignedCall {
        access_key_id: AccessKeyId::parse(access_key_id).ok_or(TokenError::HeaderValue {
            name: ACCESS_KEY_ID_KEY,
        })?,
        date: UnixTime::parse(date).ok_or(TokenError::Date)?,
        nonce: parameters.required(NONCE_KEY)?.into(),
        security_token: parameters.optional(SECURITY_TOKEN_KEY).map(Secret::new),
        signature: Secret::new(parameters.required(SIGNATURE_KEY)?),
    })
}

/// Returns the query of an `https` URL of STS.
///
/// The URL must consist of the scheme, a host of STS, the path `/` and the query, without a user, a port other than
/// 443, or a fragment. This format is so narrow that parsing it needs no URL library.
fn sts_query(url: &str) -> Result<&str, TokenError> {
    let (scheme, rest) = url.split_once("://").ok_or(TokenError::Url)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).ok_or(TokenError::Url)?;
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    let is_sts = scheme.eq_ignore_ascii_case("https") && is_sts_host(&host.to_ascii_lowercase());
    match rest.strip_prefix('/').unwrap_or(rest).strip_prefix('?') {
        Some(query) if is_sts && !query.contains('#') => Ok(query),
        _ => Err(TokenError::NotSts),
    }
}

/// Returns whether `host` is a host of STS: `sts.aliyuncs.com` or `sts.<region>.aliyuncs.com`. As in the Go server,
/// both may end with `.cn`.
fn is_sts_host(host: &str) -> bool {
    let Some(rest) = host.strip_prefix("sts.") else {
        return false;
    };
    let rest = rest.strip_suffix(".cn").unwrap_or(rest);
    match rest.strip_suffix("aliyuncs.com") {
        Some("") => true,
        Some(region) => region.strip_suffix('.').is_some_and(|region| {
            !region.is_empty()
                && !region.starts_with("xn--")
                && region
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }),
        None => false,
    }
}

/// The parameters of the query. All names are known, and there are no duplicates.
struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    fn parse(query: &str) -> Result<Self, TokenError> {
        let mut parameters: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let known = PARAMETERS
                .into_iter()
                .find(|known| *known == name)
                .ok_or_else(|| TokenError::UnknownField {
                    object: "query",
                    name: Quoted::new(&name),
                })?;
            if parameters.iter().any(|(other, _)| *other == known) {
                return Err(TokenError::DuplicateParameter { name: known });
            }
            if !is_sendable(&value) {
                return Err(TokenError::HeaderValue { name: known });
            }
            parameters.push((known, value.into_owned()));
        }
        Ok(Self(parameters))
    }

    fn optional(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &'static str) -> Result<&str, TokenError> {
        self.optional(name).ok_or(TokenError::MissingField { name })
    }
}
