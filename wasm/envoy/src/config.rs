//! The configuration: one JSON document, read strictly. Whatever is wrong in it refuses it as a whole, since Envoy then
//! keeps the one before.

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

/// STS's answers are below a kilobyte.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// A configuration that can be applied.
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

/// The header that carries tokens, and whether services get it.
#[derive(Clone, Debug)]
pub(crate) struct TokenSettings {
    pub(crate) header: TokenHeader,
    /// Whether the header is forwarded to services.
    pub(crate) is_forwarded: bool,
}

/// How STS is asked.
#[derive(Clone, Debug)]
pub(crate) struct StsSettings {
    /// The name of Envoy's cluster.
    pub(crate) cluster: String,
    /// `:authority`, the name that Envoy verifies, too.
    pub(crate) authority: String,
    pub(crate) timeout: Duration,
    pub(crate) max_calls: usize,
    pub(crate) max_waiting: usize,
}

/// How many identities are remembered, and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSettings {
    pub(crate) size: usize,
    pub(crate) ttl_seconds: u32,
}

/// What is logged: this, and what is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Logins whose result is unknown, and why.
    Error,
    /// Logins that are denied, too.
    Warn,
    /// Every login.
    Info,
    /// Requests without one, too.
    Debug,
}

/// Why a configuration is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is no JSON object.
    #[error("the configuration cannot be read: {0}")]
    Json(JsonError),
    /// A value cannot be used.
    #[error("`{key}` {reason}")]
    Value {
        /// Where it stands.
        key: String,
        /// What is wrong with it, and what to write.
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
    /// Reads a configuration.
    ///
    /// # Errors
    /// Says what is wrong with it, and where.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        let object = json::parse_object(json).map_err(ConfigError::Json)?;
        let document = ConfigDocument::from_value(&JsonValue::Object(object), "")?;
        let cluster_id = ClusterId::parse(&document.cluster_id).ok_or_else(|| {
            invalid_value(
                "clusterID",
                "is no cluster id; write the one that tokens are signed for",
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

    /// What is logged.
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
    .map_err(|error| {
        invalid_value(
            "upstream",
            format_args!("names a header that cannot be: {error}"),
        )
    })?;
    if headers.is_identity_header(&document.token.header) {
        return Err(invalid_value(
            "token.header",
            "is one of the headers that tell services who comes; take another",
        ));
    }
    for group in &document.required_groups {
        if group.trim() != group || group.is_empty() {
            return Err(invalid_value(
                "requiredGroups",
                "has a group that is empty, or starts or ends with space",
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
                "has `{}`; write paths that need no login, such as `/healthz`, or `/public/*` for all that is below",
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
            "is empty; write the name of Envoy's cluster for STS",
        ));
    }
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    if sts.authority.is_empty() || !sts.authority.bytes().all(is_host) {
        return Err(invalid_value(
            "sts.authority",
            "is no host; write one such as `sts.aliyuncs.com`",
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
        // STS takes no token for longer.
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
            format_args!("is {number}; write a number, {least} to {most}"),
        ));
    }
    Ok(number)
}

#[cfg(test)]
pub(crate) mod tests;
