//! The configuration as it is written. `wasm/envoy/README.md` tells people what each key means.

use serde::Deserialize;

use ack_ram_core::gateway::{IdentityHeaders, TokenHeader};
use ack_ram_core::policy::Policy;

use crate::config::LogLevel;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Document {
    #[serde(rename = "clusterID")]
    pub(super) cluster_id: String,
    pub(super) sts: Sts,
    #[serde(default)]
    pub(super) token: Token,
    #[serde(default)]
    pub(super) cache: Cache,
    #[serde(default)]
    pub(super) upstream: Upstream,
    #[serde(default)]
    pub(super) map_users: Vec<User>,
    #[serde(default)]
    pub(super) map_roles: Vec<Role>,
    #[serde(default)]
    pub(super) map_rules: Vec<Rule>,
    #[serde(default)]
    pub(super) map_accounts: Vec<String>,
    #[serde(default)]
    pub(super) globs: bool,
    #[serde(default)]
    pub(super) scrubbed_accounts: Vec<String>,
    #[serde(default)]
    pub(super) user_validation_rules: Vec<Validation>,
    #[serde(default)]
    pub(super) required_groups: Vec<String>,
    #[serde(default)]
    pub(super) bypass: Vec<String>,
    #[serde(default)]
    pub(super) allow_preflight: bool,
    #[serde(default = "max_token_bytes")]
    pub(super) max_token_bytes: usize,
    #[serde(default)]
    pub(super) log_level: LogLevel,
}

fn max_token_bytes() -> usize {
    Policy::DEFAULT_MAX_TOKEN_BYTES
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Sts {
    pub(super) cluster: String,
    #[serde(default = "authority")]
    pub(super) authority: String,
    #[serde(default = "timeout_milliseconds")]
    pub(super) timeout_milliseconds: u32,
    #[serde(default = "max_calls")]
    pub(super) max_calls: usize,
    #[serde(default = "max_waiting")]
    pub(super) max_waiting: usize,
}

fn authority() -> String {
    "sts.aliyuncs.com".to_owned()
}

fn timeout_milliseconds() -> u32 {
    5_000
}

fn max_calls() -> usize {
    128
}

fn max_waiting() -> usize {
    1_024
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Token {
    pub(super) header: String,
    pub(super) keep: bool,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            header: TokenHeader::default().as_str().to_owned(),
            keep: false,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Cache {
    pub(super) size: usize,
    pub(super) ttl_seconds: u32,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            size: 10_000,
            ttl_seconds: 300,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Upstream {
    pub(super) user_header: String,
    pub(super) group_header: String,
    pub(super) uid_header: String,
    pub(super) extra_header_prefix: String,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            user_header: IdentityHeaders::USER.to_owned(),
            group_header: IdentityHeaders::GROUP.to_owned(),
            uid_header: IdentityHeaders::UID.to_owned(),
            extra_header_prefix: IdentityHeaders::EXTRA_PREFIX.to_owned(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    #[serde(rename = "userARN")]
    pub(super) arn: String,
    pub(super) username: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    #[serde(rename = "roleARN")]
    pub(super) arn: String,
    pub(super) username: String,
    #[serde(default)]
    pub(super) groups: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Rule {
    pub(super) arn: String,
    pub(super) arn_pattern: Option<String>,
    #[serde(rename = "userID")]
    pub(super) user_id: Option<String>,
    #[serde(rename = "roleID")]
    pub(super) role_id: Option<String>,
    #[serde(rename = "match")]
    pub(super) condition: Option<String>,
    pub(super) username: String,
    pub(super) username_expression: Option<String>,
    pub(super) groups: Vec<String>,
    pub(super) groups_expression: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Validation {
    pub(super) expression: String,
    pub(super) message: String,
}
