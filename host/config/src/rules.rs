//! Settings about rules: what tokens may be, what names may be, and further kinds of mappings.

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

/// How the rules of all backends are applied.
#[derive(Debug)]
pub struct RuleSettings {
    /// How `*` in the ARNs of `server.mapRoles` and `server.mapUsers` is read (`server.globs`).
    pub globs: WildcardMode,
    /// What names of a backend may not start with (`server.reservedPrefixConfig`).
    pub reserved: BTreeMap<Backend, ReservedPrefixes>,
    /// What every user must meet (`server.userValidationRules`).
    pub validations: Vec<Validation>,
    /// For whom the file answers first (`server.protect`).
    pub protected: ProtectedIdentities,
    /// For how long mappings of the API server answer without a confirmation by it (`server.maxStaleness`); `None` for no
    /// limit.
    pub max_staleness: Option<Duration>,
    /// How long last good forms stay, in seconds (`server.lastGoodTTL`).
    pub last_good_ttl: i64,
}

/// A watch of a healthy API server is confirmed about once a minute; one that is dead is noticed after two.
const SHORTEST_STALENESS: Duration = Duration::from_secs(3 * 60);
const STALENESS_LIMIT: DurationLimit =
    DurationLimit::new(Duration::from_secs(30 * 24 * 60 * 60)).at_least(SHORTEST_STALENESS);

/// A broken edit that nobody has corrected for so long is meant.
const LAST_GOOD_TTL_LIMIT: DurationLimit =
    DurationLimit::new(Duration::from_secs(7 * 24 * 60 * 60));

/// `server.maxStaleness`.
pub(super) fn read_max_staleness(layers: &mut Layers<'_>) -> Result<Option<Duration>, Diagnostic> {
    read_duration(&mut layers.server, "maxStaleness", STALENESS_LIMIT)
}

/// `server.lastGoodTTL`.
pub(super) fn read_last_good_ttl(layers: &mut Layers<'_>) -> Result<i64, Diagnostic> {
    let ttl = read_duration_or_zero(&mut layers.server, "lastGoodTTL", LAST_GOOD_TTL_LIMIT)?;
    let seconds = ttl.map(|ttl| i64::try_from(ttl.as_secs()).unwrap_or(DEFAULT_LAST_GOOD_TTL));
    Ok(seconds.unwrap_or(DEFAULT_LAST_GOOD_TTL))
}

/// `server.protect`. One that cannot be used is an error: somebody counts on it.
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
                "protects mappings of the file, which is not asked; add MountedFile to `server.backendMode`",
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

/// What to write in place of `text`, an ARN or a pattern, if that has a path.
fn path_advice(text: &str) -> Option<PathAdvice> {
    match Pattern::parse(text) {
        Ok(pattern) => path_advice::check_pattern(&pattern),
        Err(_) => path_advice::check_arn(&Arn::parse(text).ok()?),
    }
}

/// `server.globs`.
pub(super) fn read_globs(layers: &mut Layers<'_>) -> Result<WildcardMode, Diagnostic> {
    let on = read_bool(&mut layers.server, "globs")?;
    Ok(if on {
        WildcardMode::Enabled
    } else {
        WildcardMode::Disabled
    })
}

/// What tokens must be, whichever cluster they are for.
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

/// Reads `--cluster-id` or `clusterID`, and the settings about tokens. It records each error.
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
                "cannot be sent on to STS; write a key of your own, of letters, digits, `-`, `_` and `.`",
            ));
        }
        extra_query_keys.insert(key.value);
    }
    Ok(extra_query_keys)
}

/// Parameters that mean something to STS must not come from a token.
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
            return Err(mode.diagnostic(format_args!("names `{backend}` once more; join the two")));
        }
    }
    Ok(reserved)
}

fn parse_prefixes(texts: Vec<Located<String>>) -> Result<Vec<Box<str>>, Diagnostic> {
    texts
        .into_iter()
        .map(|text| {
            if text.value.is_empty() {
                return Err(text.diagnostic("is empty, and every name starts so; write a prefix"));
            }
            Ok(text.value.into())
        })
        .collect()
}

/// A validation that cannot be compiled is an error: without it, users would pass whom it is to refuse.
pub(super) fn read_validations(layers: &mut Layers<'_>) -> Result<Vec<Validation>, Diagnostic> {
    read_strict_tables(layers, "userValidationRules", keys::VALIDATION)?
        .into_iter()
        .map(|mut table| {
            let expression = table.required_located("expression")?;
            let message = table.required_located("message")?;
            Validation::compile(&expression.value, &message.value)
                .map_err(|error| expression.diagnostic(format_args!("was refused: {error}")))
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
