//! The wire format of token v1: a presigned `GET` URL of STS.

use crate::access_key::AccessKeyId;
use crate::protocol::rpc;
use crate::secret::Secret;
use crate::time::UnixTime;

/// The prefix of a token v1, followed by standard base64 with padding.
pub const PREFIX: &str = "k8s-ack-v1.";
/// The method of the signed request.
pub const METHOD: &str = "GET";
/// The parameter that carries the access key ID.
pub const ACCESS_KEY_ID_KEY: &str = "AccessKeyId";
/// The parameter that carries the signed cluster ID.
pub const CLUSTER_ID_KEY: &str = "ClusterId";
/// The parameter that carries the nonce. STS accepts each nonce once.
pub const NONCE_KEY: &str = "SignatureNonce";
/// The parameter that carries the security token of a temporary key.
pub const SECURITY_TOKEN_KEY: &str = "SecurityToken";
/// The parameter that carries the signature.
pub const SIGNATURE_KEY: &str = rpc::SIGNATURE_KEY;
/// The parameter that carries the date.
pub const TIMESTAMP_KEY: &str = "Timestamp";

/// The parameters with fixed values (RPC request signature, "Common parameters").
pub(crate) const CONSTANTS: [(&str, &str); 5] = [
    ("Action", "GetCallerIdentity"),
    ("Format", "JSON"),
    ("SignatureMethod", "HMAC-SHA1"),
    ("SignatureVersion", "1.0"),
    ("Version", "2015-04-01"),
];

/// The names of all parameters of the URL.
pub(crate) const PARAMETERS: [&str; 11] = [
    CONSTANTS[0].0,
    CONSTANTS[1].0,
    CONSTANTS[2].0,
    CONSTANTS[3].0,
    CONSTANTS[4].0,
    ACCESS_KEY_ID_KEY,
    CLUSTER_ID_KEY,
    SECURITY_TOKEN_KEY,
    SIGNATURE_KEY,
    NONCE_KEY,
    TIMESTAMP_KEY,
];

/// The parts of a token v1 that the client chooses. Each part has been checked.
#[derive(Clone, Debug)]
pub(crate) struct PresignedCall {
    pub(crate) access_key_id: AccessKeyId,
    pub(crate) date: UnixTime,
    pub(crate) nonce: Box<str>,
    pub(crate) security_token: Option<Secret>,
    pub(crate) signature: Secret,
}
