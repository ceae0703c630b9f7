//! The configuration as it is written. `wasm/envoy/README.md` tells people what each key means.

use ack_ram_core::gateway::{IdentityHeaders, TokenHeader};
use ack_ram_core::json::Value;
use ack_ram_core::policy::Policy;

use crate::config::members::{Members, Read};
use crate::config::{ConfigError, LogLevel, bad};

#[derive(Debug)]
pub(super) struct Document {
    pub(super) cluster_id: String,
    pub(super) sts: Sts,
    pub(super) token: Token,
    pub(super) cache: Cache,
    pub(super) upstream: Upstream,
    pub(super) map_users: Vec<User>,
    pub(super) map_roles: Vec<Role>,
    pub(super) map_rules: Vec<Rule>,
    pub(super) map_accounts: Vec<String>,
    pub(super) globs: bool,
    pub(super) scrubbed_accounts: Vec<String>,
    pub(super) user_validation_rules: Vec<Validation>,
    pub(super) required_groups: Vec<String>,
    pub(super) bypass: Vec<String>,
    pub(super) allow_preflight: bool,
    pub(super) max_token_bytes: usize,
    pub(super) log_level: LogLevel,
}

impl Read for Document {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            Ok(Self {
                cluster_id: members.required("clusterID")?,
                sts: members.required("sts")?,
                token: members.section("token")?,
                cache: members.section("cache")?,
                upstream: members.section("upstream")?,
                map_users: members.or("mapUsers", Vec::new())?,
                map_roles: members.or("mapRoles", Vec::new())?,
                map_rules: members.or("mapRules", Vec::new())?,
                map_accounts: members.or("mapAccounts", Vec::new())?,
                globs: members.or("globs", false)?,
                scrubbed_accounts: members.or("scrubbedAccounts", Vec::new())?,
                user_validation_rules: members.or("userValidationRules", Vec::new())?,
                required_groups: members.or("requiredGroups", Vec::new())?,
                bypass: members.or("bypass", Vec::new())?,
                allow_preflight: members.or("allowPreflight", false)?,
                max_token_bytes: members.or("maxTokenBytes", Policy::DEFAULT_MAX_TOKEN_BYTES)?,
                log_level: members.or("logLevel", LogLevel::Info)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct Sts {
    pub(super) cluster: String,
    pub(super) authority: String,
    pub(super) timeout_milliseconds: u32,
    pub(super) max_calls: usize,
    pub(super) max_waiting: usize,
}

impl Read for Sts {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            Ok(Self {
                cluster: members.required("cluster")?,
                authority: members.or("authority", "sts.aliyuncs.com".to_owned())?,
                timeout_milliseconds: members.or("timeoutMilliseconds", 5_000)?,
                max_calls: members.or("maxCalls", 128)?,
                max_waiting: members.or("maxWaiting", 1_024)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct Token {
    pub(super) header: String,
    pub(super) keep: bool,
}

impl Read for Token {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            Ok(Self {
                header: members.or("header", TokenHeader::default().as_str().to_owned())?,
                keep: members.or("keep", false)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct Cache {
    pub(super) size: usize,
    pub(super) ttl_seconds: u32,
}

impl Read for Cache {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            Ok(Self {
                size: members.or("size", 10_000)?,
                ttl_seconds: members.or("ttlSeconds", 120)?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) user_header: String,
    pub(super) group_header: String,
    pub(super) uid_header: String,
    pub(super) extra_header_prefix: String,
}

impl Read for Upstream {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            let mut name = |key, default: &str| members.or(key, default.to_owned());
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
pub(super) struct User {
    pub(super) arn: String,
    pub(super) username: String,
    pub(super) groups: Vec<String>,
}

impl Read for User {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            Ok(Self {
                arn: members.required("userARN")?,
                username: members.required("username")?,
                groups: members.or("groups", Vec::new())?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) username: String,
    pub(super) groups: Vec<String>,
}

impl Read for Role {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            Ok(Self {
                arn: members.required("roleARN")?,
                username: members.required("username")?,
                groups: members.or("groups", Vec::new())?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) arn: String,
    pub(super) arn_pattern: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) role_id: Option<String>,
    pub(super) condition: Option<String>,
    pub(super) username: String,
    pub(super) username_expression: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) groups_expression: Option<String>,
    pub(super) groups_expression_may_add: Vec<String>,
}

impl Read for Rule {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            Ok(Self {
                arn: members.or("arn", String::new())?,
                arn_pattern: members.or("arnPattern", None)?,
                user_id: members.or("userID", None)?,
                role_id: members.or("roleID", None)?,
                condition: members.or("match", None)?,
                username: members.or("username", String::new())?,
                username_expression: members.or("usernameExpression", None)?,
                groups: members.or("groups", Vec::new())?,
                groups_expression: members.or("groupsExpression", None)?,
                groups_expression_may_add: members.or("groupsExpressionMayAdd", Vec::new())?,
            })
        })
    }
}

#[derive(Debug)]
pub(super) struct Validation {
    pub(super) expression: String,
    pub(super) message: String,
}

impl Read for Validation {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        Members::of(value, key, |members| {
            Ok(Self {
                expression: members.required("expression")?,
                message: members.required("message")?,
            })
        })
    }
}

impl Read for LogLevel {
    fn read(value: &Value<'_>, key: &str) -> Result<Self, ConfigError> {
        match String::read(value, key)?.as_str() {
            "error" => Ok(Self::Error),
            "warn" => Ok(Self::Warn),
            "info" => Ok(Self::Info),
            "debug" => Ok(Self::Debug),
            _ => Err(bad(
                key,
                "is no level; write `error`, `warn`, `info` or `debug`",
            )),
        }
    }
}
