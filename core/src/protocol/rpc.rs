//! The RPC request signature, version 1.0 with HMAC-SHA1. It signs token v1 and `AssumeRole` requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::protocol::percent;
use crate::secret::Secret;

/// The parameter that carries the signature.
pub const SIGNATURE_KEY: &str = "Signature";

/// Returns the string to sign of a request `method /` with `parameters`, those of the query and of the form body.
/// Ignores a parameter `Signature` (RPC request signature, "Construct a string-to-sign").
#[must_use]
pub fn string_to_sign(method: &str, parameters: &[(&str, &str)]) -> String {
    let signed: Vec<_> = parameters
        .iter()
        .copied()
        .filter(|(key, _)| *key != SIGNATURE_KEY)
        .collect();
    let mut out = format!("{method}&%2F&");
    percent::encode_into(&mut out, &percent::canonical_query(&signed));
    out
}

/// Returns the value of `Signature`, in base64. Never returns `None`, because HMAC accepts keys of any length.
#[must_use]
pub fn sign(method: &str, parameters: &[(&str, &str)], secret: &Secret) -> Option<String> {
    let mac = compute_mac(method, parameters, secret)?;
    Some(STANDARD.encode(mac.finalize().into_bytes()))
}

/// Returns whether `signature`, in base64, is the signature with `secret`. The comparison takes constant time.
#[must_use]
pub fn verify(method: &str, parameters: &[(&str, &str)], secret: &Secret, signature: &str) -> bool {
    let (Some(mac), Ok(signature)) = (
        compute_mac(method, parameters, secret),
        STANDARD.decode(signature),
    ) else {
        return false;
    };
    mac.verify_slice(&signature).is_ok()
}

fn compute_mac(method: &str, parameters: &[(&str, &str)], secret: &Secret) -> Option<Hmac<Sha1>> {
    let key = format!("{}&", secret.expose());
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(string_to_sign(method, parameters).as_bytes());
    Some(mac)
}
