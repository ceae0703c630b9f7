//! The response to a refused request: a status, a challenge (RFC 6750, 3) and a problem (RFC 9457).

use serde::Serialize;

use crate::decision::{Decision, Outcome, Unavailable};
use crate::fingerprint::Fingerprint;
use crate::gateway::bearer::{BearerError, TokenHeader};
use crate::gateway::identity_headers::IdentityHeaders;

/// The reason why a request is refused, and the advice for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: RefusalKind,
    detail: String,
    reference: Option<Fingerprint>,
    retry_after: u32,
}

/// The kind of a refusal, which determines the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no token. The client must send one.
    NoToken,
    /// The token grants no access. The client must send another one.
    InvalidToken,
    /// The user or the request is not allowed. An administrator may have to change that.
    Forbidden,
    /// The answer is unknown now. The client can retry later.
    Unavailable,
}

impl RefusalKind {
    /// Returns the HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NoToken | Self::InvalidToken => 401,
            Self::Forbidden => 403,
            Self::Unavailable => 503,
        }
    }

    /// Returns the gRPC status (gRPC documentation, "Status codes and their use"): `UNAUTHENTICATED`,
    /// `PERMISSION_DENIED`, or `UNAVAILABLE`.
    #[must_use]
    pub const fn grpc_status(self) -> u32 {
        match self {
            Self::NoToken | Self::InvalidToken => 16,
            Self::Forbidden => 7,
            Self::Unavailable => 14,
        }
    }

    /// Returns the stable name of the kind, for metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::InvalidToken => "invalid_token",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
        }
    }

    /// Returns the reason phrase of the status.
    const fn title(self) -> &'static str {
        match self {
            Self::NoToken | Self::InvalidToken => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::Unavailable => "Service Unavailable",
        }
    }
}

impl Refusal {
    /// The content type of [`Self::problem`].
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// The default value of `Retry-After` for [`RefusalKind::Unavailable`], in seconds. Messages call it "a moment".
    /// For some errors of STS, the value is higher (see [`Self::retry_after_seconds`]).
    pub const RETRY_AFTER_SECONDS: u32 = 1;

    /// Builds the refusal for a `decision` that is not a grant.
    pub(super) fn from_decision(decision: &Decision) -> Self {
        let kind = match &decision.outcome {
            Outcome::Unavailable(_) => RefusalKind::Unavailable,
            Outcome::Granted(_) | Outcome::Denied(_) | Outcome::UnrecognizedToken => {
                RefusalKind::InvalidToken
            }
        };
        let detail = decision
            .reason()
            .unwrap_or_else(|| "tokens of this type are not accepted here".to_owned());
        let retry_after = match &decision.outcome {
            Outcome::Unavailable(Unavailable::Sts(unable)) => unable.retry_after_seconds(),
            _ => Self::RETRY_AFTER_SECONDS,
        };
        Self {
            kind,
            detail,
            reference: decision.explanation.fingerprint,
            retry_after,
        }
    }

    pub(super) fn forbidden(detail: impl Into<String>, reference: Option<Fingerprint>) -> Self {
        Self {
            kind: RefusalKind::Forbidden,
            detail: detail.into(),
            reference,
            retry_after: Self::RETRY_AFTER_SECONDS,
        }
    }

    /// Builds the refusal of a request that contains one of `headers`, for a gateway that cannot remove the header.
    #[must_use]
    pub fn identity_header_present(headers: &IdentityHeaders) -> Self {
        let detail = format!(
            "the request contains an identity header, such as `{}`; send the request without it",
            headers.user()
        );
        Self::forbidden(detail, None)
    }

    /// Builds the refusal of a request with a token outside `header`, which a gateway cannot remove.
    #[must_use]
    pub fn stray_token(header: &TokenHeader) -> Self {
        let detail = format!(
            "the request contains a token in a place where a service or a log could read it; send the token only as `{}`",
            header.example()
        );
        Self::forbidden(detail, None)
    }

    /// Builds the refusal of a request that does not have exactly one token in `header`.
    #[must_use]
    pub fn from_bearer_error(error: BearerError, header: &TokenHeader) -> Self {
        let (kind, detail) = match error {
            BearerError::Missing => (
                RefusalKind::NoToken,
                format!("there is no token; send one as `{}`", header.example()),
            ),
            BearerError::Multiple | BearerError::Malformed => {
                (RefusalKind::InvalidToken, error.to_string())
            }
        };
        Self {
            kind,
            detail,
            reference: None,
            retry_after: Self::RETRY_AFTER_SECONDS,
        }
    }

    /// Builds the refusal of a request that the gateway cannot decide now. `reason` becomes the detail.
    #[must_use]
    pub fn unavailable(reason: &str) -> Self {
        Self {
            kind: RefusalKind::Unavailable,
            detail: reason.to_owned(),
            reference: None,
            retry_after: Self::RETRY_AFTER_SECONDS,
        }
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> RefusalKind {
        self.kind
    }

    /// Returns the time that a client should wait before a retry, in seconds. It agrees with [`Self::detail`].
    ///
    /// Clients of services behind a gateway honor the header `Retry-After`. An API server must not get it (see
    /// [`crate::review`]).
    #[must_use]
    pub fn retry_after_seconds(&self) -> u32 {
        self.retry_after
    }

    /// Returns what happened and what to do.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns what happened and what to do, with the reference to the entry in the log.
    #[must_use]
    pub fn message(&self) -> String {
        match self.reference {
            Some(reference) => format!("{} (reference {reference})", self.detail),
            None => self.detail.clone(),
        }
    }

    /// Returns the value of `WWW-Authenticate`; `None` if the status needs none. If the request has no token, the
    /// challenge contains no error (RFC 6750, 3.1).
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        let error = match self.kind {
            RefusalKind::NoToken => return Some("Bearer".to_owned()),
            RefusalKind::InvalidToken => "invalid_token",
            RefusalKind::Forbidden => "insufficient_scope",
            RefusalKind::Unavailable => return None,
        };
        // RFC 6750, 3, allows printable ASCII without quotes and backslashes.
        let description: String = self
            .message()
            .chars()
            .map(|character| match character {
                '"' | '\\' => '\'',
                ' '..='~' => character,
                _ => '?',
            })
            .collect();
        Some(format!(
            r#"Bearer error="{error}", error_description="{description}""#
        ))
    }

    /// Returns all headers of the response, with names in lower case. They forbid caching.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("content-type", Self::CONTENT_TYPE.to_owned()),
            ("cache-control", "no-store".to_owned()),
        ];
        headers.extend(
            self.challenge()
                .map(|challenge| ("www-authenticate", challenge)),
        );
        if self.kind == RefusalKind::Unavailable {
            headers.push(("retry-after", self.retry_after.to_string()));
        }
        headers
    }

    /// Returns the body of the response, in JSON.
    #[must_use]
    pub fn problem(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Problem<'a> {
            r#type: &'a str,
            title: &'a str,
            status: u16,
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            reference: Option<Fingerprint>,
        }
        let problem = Problem {
            r#type: "about:blank",
            title: self.kind.title(),
            status: self.kind.status(),
            detail: &self.detail,
            reference: self.reference,
        };
        // Serializing strings to memory cannot fail. If it did, the status alone would be enough.
        serde_json::to_vec(&problem).unwrap_or_default()
    }
}
