//! The configuration document, as written. `wasm/envoy/README.md` describes each key.

use ack_ram_core::gateway::{IdentityHeaders, TokenHeader};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::protocol::json::JsonValue;
use ack_ram_core::rules::{FieldSlot, MappingField, MappingSpec};

use crate::config::members::{FromValue, Members};
use crate::config::{ConfigError, LogLevel, invalid_value};

#[derive(Debug)]
pub(super) struct ConfigDocument {
    pub(super) cluster_id: String,
    pub(super) sts: StsSection,
    pub(super) token: TokenSection,
    pub(super) cache: CacheSection,
    pub(super) upstream: UpstreamSection,
    pub(super) map_users: Vec<UserEntry>,
    pub(super) map_roles: Vec<RoleEntry>,
    pub(super) map_rules: Vec<MappingSpec>,
    pub(super) map_accounts: Vec<String>,
    pub(super) globs: bool,
    pub(super) scrubbed_accounts: Vec<String>,
    pub(super) user_validation_rules: Vec<ValidationEntry>,
    pub(super) required_groups: Vec<String>,
    pub(super) bypass: Vec<String>,
    pub(super) allow_preflight: bool,
    pub(super) max_token_bytes: usize,
    pub(super) log_level: LogLevel,
}

impl FromValue for ConfigDocument {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            Ok(Self {
                cluster_id: members.required("clusterID")?,
                sts: members.required("sts")?,
                token: members.section_or_default("token")?,
                cache: members.section_or_default("cache")?,
                upstream: members.section_or_default("upstream")?,
                map_users: members.or_default("mapUsers", Vec::new())?,
                map_roles: members.or_default("mapRoles", Vec::new())?,
                map_rules: members.or_default("mapRules", Vec::new())?,
                map_accounts: members.or_default("mapAccounts", Vec::new())?,
                globs: members.or_default("globs", false)?,
                scrubbed_accounts: members.or_default("scrubbedAccounts", Vec::new())?,
                user_validation_rules: members.or_default("userValidationRules", Vec::new())?,
                required_groups: members.or_default("requiredGroups", Vec::new())?,
                bypass: members.or_default("bypass", Vec::new())?,
                allow_preflight: members.or_default("allowPreflight", false)?,
                max_token_bytes: members
                    .or_default("maxTokenBytes", TokenPolicy::DEFAULT_MAX_TOKEN_BYTES)?,
                log_level: members.or_default("logLevel", LogLevel::Info)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct StsSection {
    pub(super) cluster: String,
    pub(super) authority: String,
    pub(super) timeout_milliseconds: u32,
    pub(super) max_calls: usize,
    pub(super) max_waiting: usize,
}

impl FromValue for StsSection {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            Ok(Self {
                cluster: members.required("cluster")?,
                authority: members.or_default("authority", "sts.aliyuncs.com".to_owned())?,
                timeout_milliseconds: members.or_default("timeoutMilliseconds", 5_000)?,
                max_calls: members.or_default("maxCalls", 128)?,
                max_waiting: members.or_default("maxWaiting", 1_024)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct TokenSection {
    pub(super) header: String,
    pub(super) keep: bool,
}

impl FromValue for TokenSection {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            Ok(Self {
                header: members.or_default("header", TokenHeader::default().as_str().to_owned())?,
                keep: members.or_default("keep", false)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct CacheSection {
    pub(super) size: usize,
    pub(super) ttl_seconds: u32,
}

impl FromValue for CacheSection {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            Ok(Self {
                size: members.or_default("size", 10_000)?,
                ttl_seconds: members.or_default("ttlSeconds", 120)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct UpstreamSection {
    pub(super) user_header: String,
    pub(super) group_header: String,
    pub(super) uid_header: String,
    pub(super) extra_header_prefix: String,
}

impl FromValue for UpstreamSection {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            let mut name = |key, default: &str| members.or_default(key, default.to_owned());
            Ok(Self {
                user_header: name("userHeader", IdentityHeaders::USER)?,
                group_header: name("groupHeader", IdentityHeaders::GROUP)?,
                uid_header: name("uidHeader", IdentityHeaders::UID)?,
                extra_header_prefix: name("extraHeaderPrefix", IdentityHeaders::EXTRA_PREFIX)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct UserEntry {
    pub(super) arn: String,
    pub(super) username: String,
    pub(super) groups: Vec<String>,
}

impl FromValue for UserEntry {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            Ok(Self {
                arn: members.required("userARN")?,
                username: members.required("username")?,
                groups: members.or_default("groups", Vec::new())?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct RoleEntry {
    pub(super) arn: String,
    pub(super) username: String,
    pub(super) groups: Vec<String>,
}

impl FromValue for RoleEntry {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            Ok(Self {
                arn: members.required("roleARN")?,
                username: members.required("username")?,
                groups: members.or_default("groups", Vec::new())?,
            })
        })
    }
}

/// Parses an entry of `mapRules`.
impl FromValue for MappingSpec {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            let mut spec = Self::default();
            for field in MappingField::ALL {
                let name = field.name();
                match spec.slot(*field) {
                    FieldSlot::Text(text) => *text = members.or_default(name, String::new())?,
                    FieldSlot::OptionalText(text) => *text = members.or_default(name, None)?,
                    FieldSlot::Texts(texts) => *texts = members.or_default(name, Vec::new())?,
                }
            }
            Ok(spec)
        })
    }
}

#[derive(Debug)]
pub(super) struct ValidationEntry {
    pub(super) expression: String,
    pub(super) message: String,
}

impl FromValue for ValidationEntry {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::read_object(value, key, |members| {
            Ok(Self {
                expression: members.required("expression")?,
                message: members.required("message")?,
            })
        })
    }
}

impl FromValue for LogLevel {
    fn from_value(value: &JsonValue<'_>, key: &str) -> Result<Self, ConfigError> {
        match String::from_value(value, key)?.as_str() {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            _ => Err(invalid_value(
                key,
                "must be `error`, `warn`, `info` or `debug`",
            )),
        }
    }
}
