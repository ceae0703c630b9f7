//! The response to a refused request: a status, a challenge (RFC 6750, 3), a problem (RFC 9457).

use serde::Serialize;

use crate::decision::{Decision, Outcome, Unavailable};
use crate::fingerprint::Fingerprint;
use crate::gateway::bearer::{BearerError, TokenHeader};
use crate::gateway::identity_headers::IdentityHeaders;

/// Why a request was refused, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: RefusalKind,
    detail: String,
    reference: Option<Fingerprint>,
    retry_after: u32,
}

/// The kind of a refusal: who has to act, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The client has to act: there is no token.
    NoToken,
    /// The client has to act: the token grants nothing.
    InvalidToken,
    /// An administrator has to act: the user may not pass.
    Forbidden,
    /// The client may retry later: the answer is unknown now.
    Unavailable,
}

impl RefusalKind {
    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NoToken | Self::InvalidToken => 401,
            Self::Forbidden => 403,
            Self::Unavailable => 503,
        }
    }

    /// The status of gRPC (gRPC documentation, "Status codes and their use"): `UNAUTHENTICATED`, `PERMISSION_DENIED`,
    /// `UNAVAILABLE`.
    #[must_use]
    pub const fn grpc_status(self) -> u32 {
        match self {
            Self::NoToken | Self::InvalidToken => 16,
            Self::Forbidden => 7,
            Self::Unavailable => 14,
        }
    }

    /// A stable name, for metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::InvalidToken => "invalid_token",
            Self::Forbidden => "forbidden",
            Self::Unavailable => "unavailable",
        }
    }

    /// The reason phrase.
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

    /// The value of `Retry-After`, in seconds, for [`RefusalKind::Unavailable`], unless STS has a reason of its own to wait
    /// (see [`Self::retry_after_seconds`]). The texts call it "a moment".
    pub const RETRY_AFTER_SECONDS: u32 = 1;

    /// Builds the refusal for a `decision` that is no grant.
    pub(super) fn from_decision(decision: &Decision) -> Self {
        let kind = match &decision.outcome {
            Outcome::Unavailable(_) => RefusalKind::Unavailable,
            Outcome::Granted(_) | Outcome::Denied(_) | Outcome::UnrecognizedToken => {
                RefusalKind::InvalidToken
            }
        };
        let detail = decision
            .reason()
            .unwrap_or_else(|| "the token is of a kind that is not taken here".to_owned());
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

    /// Builds the refusal of a request that has one of `headers`, for a gateway that cannot remove the header.
    #[must_use]
    pub fn identity_header_present(headers: &IdentityHeaders) -> Self {
        let detail = format!(
            "the request has a header by which services are told who comes, such as `{}`; send it without",
            headers.user()
        );
        Self::forbidden(detail, None)
    }

    /// Builds the refusal of a request that has a token outside `header`, where a gateway cannot remove the token.
    #[must_use]
    pub fn stray_token(header: &TokenHeader) -> Self {
        let detail = format!(
            "the request has a token where a service or a log would read it; send it as `{}` alone",
            header.example()
        );
        Self::forbidden(detail, None)
    }

    /// Builds the refusal of a request without exactly one token in `header`, for the reason `error`.
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

    /// Builds the refusal for an answer that is unknown now, for a `reason` of the gateway's own.
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

    /// How long a client should wait, in seconds: as long as [`Self::detail`] says. Services behind a gateway have clients
    /// that wait for it; an API server must not get this header (see [`crate::review`]).
    #[must_use]
    pub fn retry_after_seconds(&self) -> u32 {
        self.retry_after
    }

    /// What happened and what to do.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What happened and what to do, with the reference that finds the line of the log.
    #[must_use]
    pub fn message(&self) -> String {
        match self.reference {
            Some(reference) => format!("{} (reference {reference})", self.detail),
            None => self.detail.clone(),
        }
    }

    /// The value of `WWW-Authenticate`, where the status asks for one. Without a token, no error is named (RFC 6750,
    /// 3.1).
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        let error = match self.kind {
            RefusalKind::NoToken => return Some("Bearer".to_owned()),
            RefusalKind::InvalidToken => "invalid_token",
            RefusalKind::Forbidden => "insufficient_scope",
            RefusalKind::Unavailable => return None,
        };
        // RFC 6750, 3: printable ASCII without quotes and backslashes.
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

    /// All headers of the answer, names in lower case. No answer may be kept for others.
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

    /// The body of the answer, JSON.
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
        // Serialising strings to memory cannot fail; the status alone would say enough.
        serde_json::to_vec(&problem).unwrap_or_default()
    }
}
