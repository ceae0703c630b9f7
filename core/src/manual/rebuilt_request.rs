//! Why the request to STS is rebuilt and never forwarded.
//!
//! A token describes an HTTP request: a `GetCallerIdentity` call that the client signed and did not send. Only STS
//! can verify the signature, because only STS has the secret of the access key. So the server has to make the call in
//! place of the client.
//!
//! The simplest server would send the request that the token describes. Such a server is a tool in the hands of
//! everyone who can reach its port:
//!
//! - The signature does not cover the host. A client could name a host of its own that answers with any identity.
//! - The signature covers the action, but the client chooses it. The server would call any action of any API version
//!   that the client likes.
//! - Unsigned headers and a body could change how STS, or a proxy on the way to STS, reads the request.
//!
//! # What the server does instead
//!
//! The server builds a new [`StsRequest`] from constants: method, path, action, version and the list of headers are
//! in [`protocol::v2`](crate::protocol::v2). The host comes from the server's configuration, and the cluster ID from
//! [`TokenPolicy::cluster_id`]. A token v2 supplies five values only:
//!
//! - the access key ID, the signature and the date
//! - the security token, if the access key is a temporary one
//! - query keys that the administrator allows with [`TokenPolicy::extra_query_keys`]
//!
//! Every other part of a token has to be equal to what the server sends anyway. If a part differs, the server refuses
//! the token before it makes a call, and the [`TokenError`] names the part. Two headers are the exception:
//! `user-agent` and `accept` are not signed. The server accepts any printable value for them, and does not use it.
//!
//! # Why this is safe
//!
//! The signature covers the method, the path, the query, the hash of the empty body, and all headers of the API. The
//! server checks that the list of signed headers is exactly the list that it sends. If the rebuilt request differed
//! from the signed request in any byte that the signature covers, STS would refuse it. So a defect in the rebuilding
//! code causes a failed login, and never in a login as someone else.
//!
//! The argument needs one more property: the server and the client must agree on what the token says. A JSON object
//! with a duplicate key has two readings. [`protocol::json`](crate::protocol::json) therefore refuses duplicate keys,
//! also if they differ in case only. The decoders for base64 and dates accept one spelling of each value.
//!
//! Tokens v1 work the same way. They describe a presigned URL, and [`protocol::v1`](crate::protocol::v1) has their
//! constants. The nonce of a token v1 is valid for one call, so [`StsRequest::may_be_resent`] returns false.
//!
//! [`StsRequest`]: crate::sts::StsRequest
//! [`StsRequest::may_be_resent`]: crate::sts::StsRequest::may_be_resent
//! [`TokenError`]: crate::token::TokenError
//! [`TokenPolicy::cluster_id`]: crate::policy::TokenPolicy::cluster_id
//! [`TokenPolicy::extra_query_keys`]: crate::policy::TokenPolicy::extra_query_keys
