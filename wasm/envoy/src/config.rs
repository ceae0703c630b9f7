//! The configuration of the filter: one JSON document, which is parsed strictly. Any error refuses the whole document,
//! because Envoy then keeps the previous configuration.

mod document;
mod mappings;
mod members;

use std::fmt;
use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::gateway::{Gateway, IdentityHeaders, TokenHeader};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::protocol::json::{self, JsonError, JsonValue};
use ack_ram_core::rules::RuleSet;

use crate::bypass::Bypass;
use document::ConfigDocument;
use members::FromValue as _;

/// The maximum size of a reply of STS. Replies are normally smaller than one kilobyte.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// A valid configuration of the filter.
#[derive(Debug)]
pub struct Settings {
    pub(crate) policy: TokenPolicy,
    pub(crate) rules: RuleSet,
    pub(crate) gateway: Gateway,
    pub(crate) token: TokenSettings,
    pub(crate) sts: StsSettings,
    pub(crate) cache: CacheSettings,
    pub(crate) bypass: Bypass,
    pub(crate) allows_preflights: bool,
    pub(crate) log_level: LogLevel,
}

/// The settings of the header that carries tokens.
#[derive(Clone, Debug)]
pub(crate) struct TokenSettings {
    pub(crate) header: TokenHeader,
    /// Whether the header with its token is forwarded to services.
    pub(crate) is_forwarded: bool,
}

/// The settings for calls to STS.
#[derive(Clone, Debug)]
pub(crate) struct StsSettings {
    /// The name of Envoy's cluster.
    pub(crate) cluster: String,
    /// The `:authority` header. Envoy must verify the certificate of STS against the same name.
    pub(crate) authority: String,
    pub(crate) timeout: Duration,
    pub(crate) max_calls: usize,
    pub(crate) max_waiting: usize,
}

/// The size of the identity cache, and the time to live of its entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSettings {
    pub(crate) size: usize,
    pub(crate) ttl_seconds: u32,
}

/// The minimum severity of messages that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Only logins without a decision, with the reason.
    Error,
    /// Also denied logins.
    Warn,
    /// Every login.
    Info,
    /// Also requests that start no login, such as requests without a token.
    Debug,
}

/// The reason that a configuration is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The document is not a valid JSON object.
    #[error("{0}")]
    Json(JsonError),
    /// A value is not valid.
    #[error("`{key}` {reason}")]
    Value {
        /// The path of the key.
        key: String,
        /// The problem, and how to fix it.
        reason: String,
    },
}

/// Builds the error for an invalid value at `key`.
fn invalid_value(key: impl Into<String>, reason: impl fmt::Display) -> ConfigError {
    ConfigError::Value {
        key: key.into(),
        reason: reason.to_string(),
    }
}

impl Settings {
    /// Parses a configuration from JSON.
    ///
    /// # Errors
    /// When the configuration is not valid. The error names the key and the problem.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let object = json::parse_object(json).map_err(ConfigError::Json)?;
        let document = ConfigDocument::from_value(&JsonValue::Object(object), "")?;
        let cluster_id = ClusterId::parse(&document.cluster_id).ok_or_else(|| {
            invalid_value(
                "clusterID",
                "is not a valid cluster ID; set the ID that tokens are signed for",
            )
        })?;
        Ok(Self {
            rules: mappings::rules(&document)?,
            gateway: gateway(&document)?,
            token: token(&document)?,
            sts: sts(&document)?,
            cache: cache(&document)?,
            bypass: bypass(&document)?,
            allows_preflights: document.allow_preflight,
            log_level: document.log_level,
            policy: TokenPolicy {
                max_token_bytes: within("maxTokenBytes", document.max_token_bytes, 1_024, 49_152)?,
                ..TokenPolicy::new(cluster_id)
            },
        })
    }

    /// Returns the minimum severity of messages that are logged.
    #[must_use]
    pub fn log_level(&self) -> LogLevel {
        self.log_level
    }
}

fn gateway(document: &ConfigDocument) -> Result<Gateway, ConfigError> {
    let names = &document.upstream;
    let headers = IdentityHeaders::new(
        &names.user_header,
        &names.group_header,
        &names.uid_header,
        &names.extra_header_prefix,
    )
    .map_err(|error| invalid_value("upstream", format_args!("has an {error}")))?;
    if headers.is_identity_header(&document.token.header) {
        return Err(invalid_value(
            "token.header",
            "is also a header that identifies the user; use another header",
        ));
    }
    for group in &document.required_groups {
        if group.trim() != group || group.is_empty() {
            return Err(invalid_value(
                "requiredGroups",
                "has a group that is empty, or that starts or ends with a space",
            ));
        }
    }
    Ok(Gateway {
        headers,
        required_groups: document.required_groups.clone(),
    })
}

fn token(document: &ConfigDocument) -> Result<TokenSettings, ConfigError> {
    let header = TokenHeader::new(&document.token.header)
        .map_err(|error| invalid_value("token.header", error))?;
    Ok(TokenSettings {
        header,
        is_forwarded: document.token.keep,
    })
}

fn bypass(document: &ConfigDocument) -> Result<Bypass, ConfigError> {
    Bypass::new(&document.bypass).map_err(|entry| {
        invalid_value(
            "bypass",
            format_args!(
                "has the invalid entry `{}`; write a path such as `/healthz`, or `/public/*` for all paths below `/public/`",
                entry.escape_debug()
            ),
        )
    })
}

fn sts(document: &ConfigDocument) -> Result<StsSettings, ConfigError> {
    let sts = &document.sts;
    if sts.cluster.is_empty() {
        return Err(invalid_value(
            "sts.cluster",
            "is empty; set the name of the Envoy cluster for STS",
        ));
    }
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    if sts.authority.is_empty() || !sts.authority.bytes().all(is_host) {
        return Err(invalid_value(
            "sts.authority",
            "is not a valid host; set a host such as `sts.aliyuncs.com`",
        ));
    }
    let milliseconds = within(
        "sts.timeoutMilliseconds",
        sts.timeout_milliseconds,
        1,
        30_000,
    )?;
    Ok(StsSettings {
        cluster: sts.cluster.clone(),
        authority: sts.authority.clone(),
        timeout: Duration::from_millis(u64::from(milliseconds)),
        max_calls: within("sts.maxCalls", sts.max_calls, 1, 10_000)?,
        max_waiting: within("sts.maxWaiting", sts.max_waiting, 1, 1_000_000)?,
    })
}

fn cache(document: &ConfigDocument) -> Result<CacheSettings, ConfigError> {
    Ok(CacheSettings {
        size: within("cache.size", document.cache.size, 0, 1_000_000)?,
        // STS accepts a token for at most 900 seconds.
        ttl_seconds: within("cache.ttlSeconds", document.cache.ttl_seconds, 1, 900)?,
    })
}

fn within<N: PartialOrd + fmt::Display>(
    key: &str,
    number: N,
    least: N,
    most: N,
) -> Result<N, ConfigError> {
    if number < least || number > most {
        return Err(invalid_value(
            key,
            format_args!("is {number}; it must be a number from {least} to {most}"),
        ));
    }
    Ok(number)
}

#[cfg(test)]
pub(crate) mod tests;
