//! Why the handshake accepts every client certificate.
//!
//! With `init --client-cert`, only a client with a certificate of the client CA may send a TokenReview. The usual way
//! is to let TLS refuse other clients during the handshake. This server does not: the handshake accepts any
//! certificate whose key the client has, and a client without a certificate. [`ClientVerifier`] checks the
//! certificate afterwards.
//!
//! # Reasons
//!
//! - **The client gets an explanation.** A refused handshake is a TLS alert, which has no text. After the handshake,
//!   the server can answer with the reason and the next step: the certificate has expired, is not valid yet, or
//!   belongs to another CA ([`ClientRefusal`]).
//! - **One port serves other clients, too.** The kubelet probes the port without a certificate.
//! - **The certificate is checked for each connection.** TLS resumption skips the certificate in the handshake. A
//!   check after the handshake also covers resumed connections, with the time of the present: a certificate that
//!   expired since the first connection is refused.
//!
//! # Why this is safe
//!
//! The handshake still proves that the client has the key of the certificate. Accepting a handshake grants nothing.
//! The result of the check is a `ClientAdmission` (`host/src/server/certificates/admission.rs`), which is attached to
//! each request of the connection. A handler asks `ClientAdmission::for_request`, and a request without an admission
//! is refused. So code that forgets to attach the result locks clients out, and gives no client access.
//!
//! # Two CAs
//!
//! The client CA is never the CA that signs the server's certificate. API servers have that CA in their kubeconfig,
//! and a certificate of it must not give access. Server certificates are not accepted from clients either, because
//! the check requires the usage for clients ([`ClientAuthority`]).
//!
//! Client certificates are valid for ten years. An API server reads its kubeconfig at start only, so a certificate
//! that expires locks users out until an administrator restarts the API server. The metrics and the log announce the
//! expiry of the certificate that connected last.
//!
//! [`ClientAuthority`]: crate::certs::ClientAuthority
//! [`ClientRefusal`]: crate::certs::ClientRefusal
//! [`ClientVerifier`]: crate::certs::ClientVerifier
