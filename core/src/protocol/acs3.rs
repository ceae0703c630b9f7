//! ACS3-HMAC-SHA256, Alibaba Cloud's request signature V3. It signs token v2.

use std::fmt::{self, Write as _};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::access_key::AccessKeyId;
use crate::protocol::percent;
use crate::secret::Secret;

/// The name of the algorithm, which starts the `Authorization` header and the string to sign.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// The hex SHA-256 of the empty body: the value of `x-acs-content-sha256` in every `GetCallerIdentity` call.
pub const EMPTY_BODY_SHA256: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The canonical form of a request, which an ACS3 signature covers.
#[derive(Clone, Copy)]
pub struct CanonicalRequest<'a> {
    /// The method: `POST` for token v2.
    pub method: &'a str,
    /// The path, already escaped; `/` for RPC-style services such as STS.
    pub path: &'a str,
    /// The query keys and values, not escaped, in any order.
    pub query: &'a [(&'a str, &'a str)],
    /// The signed headers in the order of `SignedHeaders`, with names in lower case and values as sent.
    pub headers: &'a [(&'a str, &'a str)],
    /// The lower-case hex SHA-256 of the body.
    pub body_sha256: &'a str,
}

impl CanonicalRequest<'_> {
    /// Returns the canonical request: six parts joined by line feeds (request signature V3, step 1).
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::with_capacity(512);
        out.push_str(self.method);
        out.push('\n');
        out.push_str(self.path);
        out.push('\n');
        out.push_str(&percent::canonical_query(self.query));
        out.push('\n');
        for (name, value) in self.headers {
            out.push_str(name);
            out.push(':');
            out.push_str(value.trim());
            out.push('\n');
        }
        out.push('\n');
        for (index, (name, _)) in self.headers.iter().enumerate() {
            if index > 0 {
                out.push(';');
            }
            out.push_str(name);
        }
        out.push('\n');
        out.push_str(self.body_sha256);
        out
    }

    /// Returns the string to sign: the algorithm's name and the hash of [`Self::text`] (request signature V3, step 2).
    #[must_use]
    pub fn string_to_sign(&self) -> String {
        let hash: [u8; 32] = Sha256::digest(self.text().as_bytes()).into();
        format!("{ALGORITHM}\n{}", Hex(&hash))
    }

    /// Signs the request with `secret`. Never returns `None`, because HMAC accepts keys of any length.
    #[must_use]
    pub fn sign(&self, secret: &Secret) -> Option<Signature> {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
        mac.update(self.string_to_sign().as_bytes());
        Some(Signature(mac.finalize().into_bytes().into()))
    }

    /// Returns whether `signature` is the signature with `secret`. The comparison takes constant time.
    #[must_use]
    pub fn verify(&self, secret: &Secret, signature: &Signature) -> bool {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
            return false;
        };
        mac.update(self.string_to_sign().as_bytes());
        mac.verify_slice(&signature.0).is_ok()
    }
}

/// Returns the lower-case hex SHA-256 of `body`.
#[must_use]
pub fn body_sha256(body: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::digest(body).into();
    Hex(&hash).to_string()
}

/// The 32 bytes of a signature.
///
/// Anyone can send a request with its signature, so `Debug` does not show the signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Parses 64 digits of lower-case hex, the only format that clients write. Returns `None` for any other text.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let digits: &[u8; 64] = hex.as_bytes().try_into().ok()?;
        let mut bytes = [0_u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = nibble(*high)? << 4 | nibble(*low)?;
        }
        Some(Self(bytes))
    }

    /// Returns the signature in lower-case hex, for the wire.
    #[must_use]
    pub fn to_hex(&self) -> String {
        Hex(&self.0).to_string()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// A parsed `Authorization` header: `ACS3-HMAC-SHA256 Credential=<ak>,SignedHeaders=<a;b>,Signature=<hex>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The access key ID of the signer.
    pub access_key_id: AccessKeyId,
    /// The names of the signed headers, separated by semicolons.
    pub signed_headers: &'a str,
    /// The signature.
    pub signature: Signature,
}

/// The reason why an `Authorization` header is refused. It contains no part of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizationError {
    /// The header does not start with the algorithm's name and a space.
    #[error("it does not start with `{ALGORITHM} `")]
    Algorithm,
    /// A part is not one of the three known parts, or has no `=`.
    #[error("a part is not `Credential`, `SignedHeaders` or `Signature`")]
    UnknownPart,
    /// The header contains a part twice.
    #[error("duplicate part `{0}`")]
    DuplicatePart(&'static str),
    /// A part is missing.
    #[error("`{0}` is missing")]
    MissingPart(&'static str),
    /// `Credential` is not an access key ID.
    #[error("`Credential` is not an access key ID")]
    Credential,
    /// `Signature` is not 64 digits of lower-case hex.
    #[error("`Signature` is not 64 digits of lower-case hex")]
    Signature,
}

impl<'a> Authorization<'a> {
    /// Parses a header. It must consist of the scheme and exactly one of each of the three parts, separated by commas
    /// without spaces.
    ///
    /// # Errors
    /// Returns the part that is malformed.
    pub fn parse(header: &'a str) -> Result<Self, AuthorizationError> {
        let parts = header
            .strip_prefix(ALGORITHM)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or(AuthorizationError::Algorithm)?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in parts.split(',') {
            let (name, value) = part
                .split_once('=')
                .ok_or(AuthorizationError::UnknownPart)?;
            let (slot, name) = match name {
                "Credential" => (&mut credential, "Credential"),
                "SignedHeaders" => (&mut signed_headers, "SignedHeaders"),
                "Signature" => (&mut signature, "Signature"),
                _ => return Err(AuthorizationError::UnknownPart),
            };
            if slot.replace(value).is_some() {
                return Err(AuthorizationError::DuplicatePart(name));
            }
        }
        let missing = AuthorizationError::MissingPart;
        let credential = credential.ok_or(missing("Credential"))?;
        let signature = signature.ok_or(missing("Signature"))?;
        Ok(Self {
            access_key_id: AccessKeyId::parse(credential).ok_or(AuthorizationError::Credential)?,
            signed_headers: signed_headers.ok_or(missing("SignedHeaders"))?,
            signature: Signature::parse(signature).ok_or(AuthorizationError::Signature)?,
        })
    }

    /// Returns the value of the header, which [`Self::parse`] accepts.
    #[must_use]
    pub fn to_header(&self) -> Secret {
        Secret::new(format!(
            "{ALGORITHM} Credential={},SignedHeaders={},Signature={}",
            self.access_key_id,
            self.signed_headers,
            Hex(&self.signature.0)
        ))
    }
}

struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in self.0 {
            for nibble in [byte >> 4, byte & 15] {
                let digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
                f.write_char(char::from(digit))?;
            }
        }
        Ok(())
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signature_debug_text_hides_signature() {
        let signature = Signature::parse(&"0a".repeat(32)).unwrap();
        assert_eq!(format!("{signature:?}"), "Signature(..)");
    }
}
