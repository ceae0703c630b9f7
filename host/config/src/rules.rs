//! Settings about tokens and rules.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ack_ram_core::arn::Arn;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::{
    Backend, ProtectedIdentities, ReservedPrefixes, Validation, WildcardMode,
};

use crate::bounds::{DurationLimit, read_duration, read_duration_or_zero, read_number};
use crate::diagnostic::{Diagnostic, DiagnosticCode, Part};
use crate::file::Table;
use crate::keys;
use crate::last_good::DEFAULT_LAST_GOOD_TTL;
use crate::layers::{Layers, parse_bool};
use crate::located::Located;
use crate::mapping;
use crate::path_advice::{self, PathAdvice};
use crate::yaml::Value;

/// Settings for the rules of all backends.
#[derive(Debug)]
pub struct RuleSettings {
    /// `server.globs`: whether `*` is a wildcard in the ARNs of `server.mapRoles` and `server.mapUsers`.
    pub globs: WildcardMode,
    /// `server.reservedPrefixConfig`: prefixes that the names of a backend must not have.
    pub reserved: BTreeMap<Backend, ReservedPrefixes>,
    /// `server.userValidationRules`: validations that every user must pass.
    pub validations: Vec<Validation>,
    /// `server.protect`: identities for which the mappings of the file take precedence.
    pub protected: ProtectedIdentities,
    /// `server.maxStaleness`: time that mappings from the API server stay in effect without a confirmation; `None` for
    /// no limit.
    pub max_staleness: Option<Duration>,
    /// `server.lastGoodTTL`: time that last good forms are kept, in seconds.
    pub last_good_ttl: i64,
}

/// A healthy API server confirms a watch about once a minute, and a dead watch is noticed after two minutes.
const SHORTEST_STALENESS: Duration = Duration::from_secs(3 * 60);
const STALENESS_LIMIT: DurationLimit =
    DurationLimit::new(Duration::from_secs(30 * 24 * 60 * 60)).at_least(SHORTEST_STALENESS);

/// An invalid edit that remains uncorrected for this long is treated as intended.
const LAST_GOOD_TTL_LIMIT: DurationLimit =
    DurationLimit::new(Duration::from_secs(7 * 24 * 60 * 60));

/// Reads `server.maxStaleness`.
pub(super) fn read_max_staleness(layers: &mut Layers<'_>) -> Result<Option<Duration>, Diagnostic> {
    read_duration(&mut layers.server, "maxStaleness", STALENESS_LIMIT)
}

/// Reads `server.lastGoodTTL`.
pub(super) fn read_last_good_ttl(layers: &mut Layers<'_>) -> Result<i64, Diagnostic> {
    let ttl = read_duration_or_zero(&mut layers.server, "lastGoodTTL", LAST_GOOD_TTL_LIMIT)?;
    let seconds = ttl.map(|ttl| i64::try_from(ttl.as_secs()).unwrap_or(DEFAULT_LAST_GOOD_TTL));
    Ok(seconds.unwrap_or(DEFAULT_LAST_GOOD_TTL))
}

/// Reads `server.protect`. An invalid entry is an error, because the administrator relies on the protection.
pub(super) fn read_protected(
    layers: &mut Layers<'_>,
    backends: &[Backend],
) -> Result<ProtectedIdentities, Diagnostic> {
    let mut protected = ProtectedIdentities::default();
    for entry in layers
        .server
        .texts("protect", &mut layers.diagnostics.warnings)?
    {
        if !backends.contains(&Backend::MountedFile) {
            return Err(entry.diagnostic(
                "has no effect, because the configuration file is not a backend; add `MountedFile` to `server.backendMode`",
            ));
        }
        protected
            .protect(&entry.value)
            .map_err(|error| entry.diagnostic(format_args!("cannot be protected: {error}")))?;
        if let Some(PathAdvice { message, advice }) = path_advice(&entry.value) {
            let diagnostic = entry.diagnostic(format_args!(
                "is `{}`, which {message}; {advice}",
                entry.value
            ));
            let warning = diagnostic.into_warning(DiagnosticCode::ArnWithPath);
            layers.diagnostics.warnings.push(warning);
        }
    }
    Ok(protected)
}

/// Returns advice if `text`, an ARN or a pattern, has a path.
fn path_advice(text: &str) -> Option<PathAdvice> {
    match Pattern::parse(text) {
        Ok(pattern) => path_advice::check_pattern(&pattern),
        Err(_) => path_advice::check_arn(&Arn::parse(text).ok()?),
    }
}

/// Reads `server.globs`.
pub(super) fn read_globs(layers: &mut Layers<'_>) -> Result<WildcardMode, Diagnostic> {
    let on = read_bool(&mut layers.server, "globs")?;
    Ok(if on {
        WildcardMode::Enabled
    } else {
        WildcardMode::Disabled
    })
}

/// Requirements for tokens, except for their cluster.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    accept_v1: bool,
    extra_query_keys: BTreeSet<String>,
    max_token_bytes: Option<usize>,
}

impl TokenSettings {
    /// Returns the policy for tokens of `cluster_id`.
    #[must_use]
    pub fn for_cluster(self, cluster_id: ClusterId) -> TokenPolicy {
        let default = TokenPolicy::new(cluster_id);
        TokenPolicy {
            accept_v1: self.accept_v1,
            extra_query_keys: self.extra_query_keys,
            max_token_bytes: self.max_token_bytes.unwrap_or(default.max_token_bytes),
            ..default
        }
    }
}

/// Reads `--cluster-id` or `clusterID`, and the settings about tokens. Records each error.
pub(super) fn read_policy(layers: &mut Layers<'_>) -> Part<TokenPolicy> {
    let cluster_id = layers.part(Layers::cluster_id);
    let settings = read_token_settings(layers);
    let cluster_id = cluster_id?;
    Ok(settings?.for_cluster(cluster_id))
}

/// Reads `server.acceptTokenV1`, `server.extraQueryKeys` and `server.maxTokenBytes`, and records each error.
pub(super) fn read_token_settings(layers: &mut Layers<'_>) -> Part<TokenSettings> {
    let extra_query_keys = layers.part(read_extra_query_keys);
    let accept_v1 = layers.part(|layers| read_bool(&mut layers.server, "acceptTokenV1"));
    let max_token_bytes = layers.part(read_max_token_bytes);
    Ok(TokenSettings {
        extra_query_keys: extra_query_keys?,
        accept_v1: accept_v1?,
        max_token_bytes: max_token_bytes?,
    })
}

fn read_extra_query_keys(layers: &mut Layers<'_>) -> Result<BTreeSet<String>, Diagnostic> {
    let warnings = &mut layers.diagnostics.warnings;
    let mut extra_query_keys = BTreeSet::new();
    for key in layers.server.texts("extraQueryKeys", warnings)? {
        let is_key = key
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if key.value.is_empty() || !is_key || is_reserved_for_sts(&key.value) {
            return Err(key.diagnostic(
                "cannot be forwarded to STS; write a key that STS does not use, with only letters, digits, `-`, `_` and `.`",
            ));
        }
        extra_query_keys.insert(key.value);
    }
    Ok(extra_query_keys)
}

/// Returns whether `key` is a parameter with a meaning to STS, which a token must not set.
fn is_reserved_for_sts(key: &str) -> bool {
    const OWN: [&str; 8] = [
        "ackclusterid",
        "action",
        "version",
        "format",
        "timestamp",
        "accesskeyid",
        "securitytoken",
        "clusterid",
    ];
    let key = key.to_ascii_lowercase();
    OWN.contains(&&*key) || key.starts_with("signature") || key.starts_with("x-acs-")
}

fn read_max_token_bytes(layers: &mut Layers<'_>) -> Result<Option<usize>, Diagnostic> {
    read_number(&mut layers.server, "maxTokenBytes", 1_024, 49_152)
}

fn read_bool(table: &mut Table, key: &'static str) -> Result<bool, Diagnostic> {
    table
        .take(key)
        .map_or(Ok(false), |given| parse_bool(&given))
}

/// Reads `server.reservedPrefixConfig`.
pub(super) fn read_reserved_prefixes(
    layers: &mut Layers<'_>,
) -> Result<BTreeMap<Backend, ReservedPrefixes>, Diagnostic> {
    let mut reserved = BTreeMap::new();
    for mut table in read_strict_tables(layers, "reservedPrefixConfig", keys::RESERVED_PREFIXES)? {
        let mode = table.required_located("backendMode")?;
        let backend = mapping::parse_backend(&mode)?;
        let warnings = &mut layers.diagnostics.warnings;
        let prefixes = ReservedPrefixes {
            usernames: parse_prefixes(table.texts("usernamePrefixReserveList", warnings)?)?,
            groups: parse_prefixes(table.texts("groupPrefixReserveList", warnings)?)?,
        };
        if reserved.insert(backend, prefixes).is_some() {
            return Err(mode.diagnostic(format_args!("repeats `{backend}`; merge the two entries")));
        }
    }
    Ok(reserved)
}

fn parse_prefixes(texts: Vec<Located<String>>) -> Result<Vec<Box<str>>, Diagnostic> {
    texts
        .into_iter()
        .map(|text| {
            if text.value.is_empty() {
                return Err(
                    text.diagnostic("is empty and would reserve every name; write a prefix")
                );
            }
            Ok(text.value.into())
        })
        .collect()
}

/// Reads `server.userValidationRules`. An invalid validation is an error, because without it, users that it must refuse
/// would pass.
pub(super) fn read_validations(layers: &mut Layers<'_>) -> Result<Vec<Validation>, Diagnostic> {
    read_strict_tables(layers, "userValidationRules", keys::VALIDATION)?
        .into_iter()
        .map(|mut table| {
            let expression = table.required_located("expression")?;
            let message = table.required_located("message")?;
            Validation::compile(&expression.value, &message.value)
                .map_err(|error| expression.diagnostic(format_args!("is invalid: {error}")))
        })
        .collect()
}

fn read_strict_tables(
    layers: &mut Layers<'_>,
    key: &'static str,
    keys: keys::KnownKeys,
) -> Result<Vec<Table>, Diagnostic> {
    let entries: Vec<Located<Value>> = layers.server.list(key, &mut layers.diagnostics.warnings)?;
    entries
        .into_iter()
        .map(|entry| Table::strict(entry, keys))
        .collect()
}
