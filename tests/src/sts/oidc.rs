//! OIDC identity providers and their tokens.
//!
//! A token has the form of a JWT. In place of a signature, it has a fingerprint of its content and its issuer.

use std::collections::BTreeSet;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::time::UnixTime;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::refusal::{OidcTokenFault, Refusal};

/// An identity provider of an account.
#[derive(Clone, Debug, Default)]
pub(super) struct OidcProvider {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    /// Tokens that are valid whatever their content is.
    pub(super) known_tokens: BTreeSet<String>,
}

impl OidcProvider {
    /// Checks that the issuer of the provider has issued `token` for one of its audiences, and that the token is valid
    /// at `now`.
    pub(super) fn check(&self, token: &str, now: UnixTime) -> Result<(), Refusal> {
        if self.known_tokens.contains(token) {
            return Ok(());
        }
        let fault = |fault| Err(Refusal::OidcToken(fault));
        let Some((content, signature)) = token.rsplit_once('.') else {
            return fault(OidcTokenFault::Invalid);
        };
        let Some(claims) = parse_claims(content) else {
            return fault(OidcTokenFault::Invalid);
        };
        let text = |name: &str| claims[name].as_str().unwrap_or_default();
        let issuer = text("iss");
        if !issuer.starts_with("https://") {
            fault(OidcTokenFault::HttpsUrlInvalid)
        } else if issuer != self.issuer {
            fault(OidcTokenFault::Invalid)
        } else if signature != sign(content, issuer) {
            fault(OidcTokenFault::InvalidSignature)
        } else if !self.audiences.iter().any(|known| known == text("aud")) {
            fault(OidcTokenFault::AudienceNotMatch)
        } else if claims["exp"]
            .as_i64()
            .is_none_or(|end| end <= now.seconds())
        {
            fault(OidcTokenFault::Expired)
        } else {
            Ok(())
        }
    }
}

/// Returns a token of `issuer` for `audience` that ends at `expires`, with the form of a JWT.
#[must_use]
pub fn oidc_token(issuer: &str, audience: &str, subject: &str, expires: UnixTime) -> String {
    let header = json!({ "alg": "none" });
    let claims = json!({
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "exp": expires.seconds(),
    });
    let encode = |part: Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let content = format!("{}.{}", encode(header), encode(claims));
    let signature = sign(&content, issuer);
    format!("{content}.{signature}")
}

fn sign(content: &str, issuer: &str) -> String {
    let fingerprint = Fingerprint::from_text(&format!("{issuer} {content}"));
    URL_SAFE_NO_PAD.encode(fingerprint.as_bytes())
}

fn parse_claims(content: &str) -> Option<Value> {
    let (_header, claims) = content.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}
