//! TokenReview requests and replies (Kubernetes API reference, `authentication.k8s.io` v1 and v1beta1).

use serde::Serialize;

use crate::decision::{Decision, Outcome};
use crate::kubernetes_user::KubernetesUser;
use crate::protocol::Quoted;
use crate::protocol::json::{self, JsonError, JsonValue};
use crate::secret::Secret;

/// The API version of a TokenReview and of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewVersion {
    /// `authentication.k8s.io/v1`.
    V1,
    /// `authentication.k8s.io/v1beta1`.
    V1Beta1,
}

impl ReviewVersion {
    /// Returns the value of `apiVersion`.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "authentication.k8s.io/v1",
            Self::V1Beta1 => "authentication.k8s.io/v1beta1",
        }
    }
}

/// A TokenReview request.
#[derive(Debug)]
pub struct TokenReview {
    version: ReviewVersion,
    token: Secret,
}

/// The reason why a body is not a TokenReview. It contains no part of the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The body is not strict JSON.
    #[error("the body is not a TokenReview: {0}")]
    Json(JsonError),
    /// `kind` is missing, or is not `TokenReview`.
    #[error("the body is not a TokenReview: {}", describe_kind(.0.as_ref()))]
    Kind(Option<Quoted>),
    /// `apiVersion` is missing, or is not a supported version.
    #[error("the body is not a TokenReview: {}", describe_api_version(.0.as_ref()))]
    ApiVersion(Option<Quoted>),
    /// `spec.token` is missing, empty, or not a string.
    #[error("the body is not a TokenReview: `spec.token` is missing, empty or not text")]
    Token,
}

fn describe_kind(kind: Option<&Quoted>) -> String {
    match kind {
        None => "`kind` is missing".to_owned(),
        Some(kind) => format!("expected `TokenReview` as `kind`, found {kind}"),
    }
}

fn describe_api_version(version: Option<&Quoted>) -> String {
    match version {
        None => "`apiVersion` is missing".to_owned(),
        Some(version) => format!(
            "expected `authentication.k8s.io/v1` or `authentication.k8s.io/v1beta1` as `apiVersion`, found {version}"
        ),
    }
}

impl TokenReview {
    /// Parses the body of a request. Ignores unknown fields, because Kubernetes may add some.
    ///
    /// # Errors
    /// Returns the reason why `body` is not a TokenReview.
    ///
    /// # Examples
    ///
    /// ```
    /// use ack_ram_core::review::{ReviewVersion, TokenReview};
    ///
    /// let body = br#"{
    ///     "apiVersion": "authentication.k8s.io/v1",
    ///     "kind": "TokenReview",
    ///     "spec": { "token": "k8s-ack-v2.e30=" }
    /// }"#;
    /// let review = TokenReview::parse(body)?;
    /// assert_eq!(review.version(), ReviewVersion::V1);
    /// assert_eq!(review.token().expose(), "k8s-ack-v2.e30=");
    ///
    /// // A duplicate key has two readings, so the body is refused.
    /// let body = br#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","Kind":"TokenReview"}"#;
    /// assert!(TokenReview::parse(body).is_err());
    /// # Ok::<(), ack_ram_core::review::ReviewError>(())
    /// ```
    pub fn parse(body: &[u8]) -> Result<Self, ReviewError> {
        let review = json::parse_object(body).map_err(ReviewError::Json)?;
        match review.string_member("kind") {
            Some("TokenReview") => {}
            other => return Err(ReviewError::Kind(other.map(Quoted::new))),
        }
        let version = match review.string_member("apiVersion") {
            Some("authentication.k8s.io/v1") => ReviewVersion::V1,
            Some("authentication.k8s.io/v1beta1") => ReviewVersion::V1Beta1,
            other => return Err(ReviewError::ApiVersion(other.map(Quoted::new))),
        };
        match review
            .object_member("spec")
            .and_then(|spec| spec.member("token"))
        {
            Some(JsonValue::String(token)) if !token.is_empty() => Ok(Self {
                version,
                token: Secret::new(token.as_ref()),
            }),
            _ => Err(ReviewError::Token),
        }
    }

    /// Returns the version of the request. The reply must use the same version.
    #[must_use]
    pub fn version(&self) -> ReviewVersion {
        self.version
    }

    /// Returns the token to authenticate.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }
}

/// An HTTP reply to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReply {
    /// The HTTP status.
    pub status: u16,
    /// The body in JSON.
    pub body: Vec<u8>,
}

/// Renders `decision` for the API server: 503 with a `Status` for [`Outcome::Unavailable`], 200 with a TokenReview for
/// any other outcome.
///
/// Send the 503 without `Retry-After`. With this header, the API server would block each login for 30 seconds.
/// The reasons are in [`crate::manual::unknown_answers`].
#[must_use]
pub fn render_decision(version: ReviewVersion, decision: &Decision) -> HttpReply {
    let error = decision.public_message();
    let error = error.as_deref();
    match &decision.outcome {
        Outcome::Granted(user) => render_review(version, Some(user), None),
        Outcome::Denied(_) | Outcome::UnrecognizedToken => render_review(version, None, error),
        Outcome::Unavailable(_) => {
            render_status(503, "ServiceUnavailable", error.unwrap_or_default())
        }
    }
}

/// Renders a `Status` object, in which Kubernetes reports errors.
#[must_use]
pub fn render_status(code: u16, reason: &str, message: &str) -> HttpReply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct StatusBody<'a> {
        kind: &'a str,
        api_version: &'a str,
        status: &'a str,
        message: &'a str,
        reason: &'a str,
        code: u16,
    }
    HttpReply {
        status: code,
        body: to_json(&StatusBody {
            kind: "Status",
            api_version: "v1",
            status: "Failure",
            message,
            reason,
            code,
        }),
    }
}

fn render_review(
    version: ReviewVersion,
    user: Option<&KubernetesUser>,
    error: Option<&str>,
) -> HttpReply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ReviewBody<'a> {
        kind: &'a str,
        api_version: &'a str,
        status: ReviewStatus<'a>,
    }
    #[derive(Serialize)]
    struct ReviewStatus<'a> {
        authenticated: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<ReviewUser<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct ReviewUser<'a> {
        username: &'a str,
        uid: &'a str,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        groups: &'a [String],
        #[serde(skip_serializing_if = "ExtraMembers::is_empty")]
        extra: ExtraMembers<'a>,
    }
    HttpReply {
        status: 200,
        body: to_json(&ReviewBody {
            kind: "TokenReview",
            api_version: version.api_version(),
            status: ReviewStatus {
                authenticated: user.is_some(),
                user: user.map(|user| ReviewUser {
                    username: &user.username,
                    uid: &user.uid,
                    groups: &user.groups,
                    extra: ExtraMembers(&user.extra),
                }),
                error,
            },
        }),
    }
}

/// Serializes `extra`: Kubernetes expects a list of values for each key.
struct ExtraMembers<'a>(&'a [(&'static str, String)]);

impl ExtraMembers<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for ExtraMembers<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, [value])))
    }
}

/// Serializes `value`. Serializing strings and numbers to memory cannot fail. If it did, the API server would treat the
/// empty body as an error, never as a grant.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
