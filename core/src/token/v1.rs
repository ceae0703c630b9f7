//! Token v1: a presigned `GET` URL, as clients of older releases make it.
//!
//! Of the URL, what is the client's own is kept: who signed, when, with which nonce and security token, and the
//! signature. Everything else must be what this server sends anyway; the host in it only has to be STS's.

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

/// Parses the URL of a token that must be for `cluster`. The date is parsed, but not compared with the time.
pub(crate) fn parse(url: &[u8], cluster: &ClusterId) -> Result<PresignedCall, TokenError> {
    // White space, control characters, backslashes: readers of URLs drop or mend them, and no honest token has any.
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

/// Returns the query of a URL that is `https`, a host of STS, the path `/`, and nothing else: no user, no port of its own, no
/// fragment. Such a URL needs no more than this to be read, and any other is no token.
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

/// Returns whether `host` is STS: `sts.aliyuncs.com`, `sts.<region>.aliyuncs.com`, and both with `.cn`, as the old server took them.
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

/// The parameters of the query, each of a known name and without duplicates.
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
