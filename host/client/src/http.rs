//! HTTP requests and replies, as a flow sees them. The driver sends the requests.

use std::time::Duration;

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use zeroize::Zeroizing;

use crate::plan::HttpUrl;

/// The maximum size of a reply, in bytes.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// A request. `Debug` shows no secret.
#[derive(Debug)]
pub struct HttpRequest {
    /// What the request is for.
    pub call: Call,
    /// The method.
    pub method: Method,
    /// Scheme, host and port. The path is not used.
    pub base: HttpUrl,
    /// The path and the query, escaped.
    pub path_and_query: Secret,
    /// The headers, with names in lower case. The driver adds `host`, if it is not among them, and `content-length`.
    pub headers: Vec<(&'static str, Secret)>,
    /// The body.
    pub body: Secret,
    /// Time limits, and whether a proxy may be used.
    pub limits: CallLimits,
}

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
}

impl Method {
    /// Returns the name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// A call, by its name in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A metadata token.
    MetadataToken,
    /// The name of the role of an ECS instance.
    MetadataRole,
    /// The key of the role of an ECS instance.
    MetadataKey,
    /// A URL that returns a key.
    Url,
    /// The key of a CloudSSO session.
    CloudSsoKey,
    /// New tokens of an OAuth session.
    OAuthRefresh,
    /// The key of an OAuth session.
    OAuthExchange,
    /// STS `AssumeRole`.
    AssumeRole,
    /// STS `AssumeRoleWithOIDC`.
    AssumeRoleWithOidc,
    /// STS `GetCallerIdentity`.
    GetCallerIdentity,
}

impl Call {
    /// Returns the name of the call.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MetadataToken => "the request for a metadata token",
            Self::MetadataRole => "the request for the role of this ECS instance",
            Self::MetadataKey => "the request for the key of this ECS instance",
            Self::Url => "the request for the key",
            Self::CloudSsoKey => "the request for the key of the CloudSSO session",
            Self::OAuthRefresh => "the renewal of the OAuth session",
            Self::OAuthExchange => "the request for the key of the OAuth session",
            Self::AssumeRole => "AssumeRole",
            Self::AssumeRoleWithOidc => "AssumeRoleWithOIDC",
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }
}

/// Time limits of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// The time for a connection, TLS and the proxy included.
    pub connect: Duration,
    /// The time for the answer after the connection; `None` for the rest of the time of the command.
    pub answer: Option<Duration>,
    /// Whether the proxy of the environment is used.
    pub by_proxy: bool,
}

impl CallLimits {
    /// The limits of calls to the metadata service, which is one hop away.
    pub const METADATA: Self = Self {
        connect: Duration::from_millis(300),
        answer: Some(Duration::from_secs(3)),
        by_proxy: false,
    };
    /// The limits of all other calls.
    pub const INTERNET: Self = Self {
        connect: Duration::from_secs(3),
        answer: None,
        by_proxy: true,
    };
}

/// The result of a call.
#[derive(Debug)]
pub enum HttpReply {
    /// A complete response.
    Response(HttpResponse),
    /// The body exceeds [`MAX_REPLY_BYTES`].
    TooLarge,
    /// There is no complete response.
    Failed(CallFailure),
}

/// A complete response. `Debug` does not show the body.
pub struct HttpResponse {
    /// The status.
    pub status: u16,
    /// The time in the header `date`.
    pub date: Option<UnixTime>,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("date", &self.date)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// The reason why there is no complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFailure {
    /// What happened, with all causes. It contains no secret.
    pub text: String,
    /// What to do about it, if that is known, such as for a certificate or a proxy.
    pub advice: Option<String>,
    /// Whether a time limit passed.
    pub is_timeout: bool,
}

impl CallFailure {
    /// Creates a failure without advice.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            advice: None,
            is_timeout: false,
        }
    }

    /// Creates the failure of a call whose time limit passed.
    #[must_use]
    pub fn timeout(text: impl Into<String>) -> Self {
        Self {
            is_timeout: true,
            ..Self::new(text)
        }
    }

    /// Returns the advice, or else `remedy`.
    pub(crate) fn advice_or(&self, remedy: &str) -> String {
        let advice = self.advice.as_deref();
        advice.unwrap_or(remedy).to_owned()
    }
}
