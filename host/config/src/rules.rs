//! Settings about rules: what tokens may be, what names may be, and further kinds of mappings.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ack_ram_core::arn::Arn;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::{
    Backend, ProtectedIdentities, ReservedPrefixes, Validation, WildcardMode,
};

use crate::bounds::{DurationLimit, read_duration, read_duration_or_zero, read_number};
use crate::error::{Problem, Warning, WarningKind};
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

pub(super) fn read_rules(
    layers: &mut Layers<'_>,
    backends: &[Backend],
) -> Result<RuleSettings, Problem> {
    Ok(RuleSettings {
        protected: read_protected(layers, backends)?,
        globs: read_globs(layers)?,
        reserved: read_reserved_prefixes(layers)?,
        validations: read_validations(layers)?,
        max_staleness: read_max_staleness(layers)?,
        last_good_ttl: read_last_good_ttl(layers)?,
    })
}

/// `server.maxStaleness`.
pub(super) fn read_max_staleness(layers: &mut Layers<'_>) -> Result<Option<Duration>, Problem> {
    read_duration(&mut layers.server, "maxStaleness", STALENESS_LIMIT)
}

/// `server.lastGoodTTL`.
pub(super) fn read_last_good_ttl(layers: &mut Layers<'_>) -> Result<i64, Problem> {
    let ttl = read_duration_or_zero(&mut layers.server, "lastGoodTTL", LAST_GOOD_TTL_LIMIT)?;
    let seconds = ttl.map(|ttl| i64::try_from(ttl.as_secs()).unwrap_or(DEFAULT_LAST_GOOD_TTL));
    Ok(seconds.unwrap_or(DEFAULT_LAST_GOOD_TTL))
}

/// `server.protect`. One that cannot be used is an error: somebody counts on it.
pub(super) fn read_protected(
    layers: &mut Layers<'_>,
    backends: &[Backend],
) -> Result<ProtectedIdentities, Problem> {
    let mut protected = ProtectedIdentities::default();
    for entry in layers.server.texts("protect", &mut layers.warnings)? {
        if !backends.contains(&Backend::MountedFile) {
            return Err(entry.problem(
                "protects mappings of the file, which is not asked; add MountedFile to `server.backendMode`",
            ));
        }
        protected
            .protect(&entry.value)
            .map_err(|error| entry.problem(format_args!("cannot be protected: {error}")))?;
        if let Some(PathAdvice { message, advice }) = path_advice(&entry.value) {
            let problem = entry.problem(format_args!(
                "is `{}`, which {message}; {advice}",
                entry.value
            ));
            let warning = Warning::new(WarningKind::ArnWithPath, problem);
            layers.warnings.push(warning);
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
pub(super) fn read_globs(layers: &mut Layers<'_>) -> Result<WildcardMode, Problem> {
    let on = read_bool(&mut layers.server, "globs")?;
    Ok(if on {
        WildcardMode::Enabled
    } else {
        WildcardMode::Disabled
    })
}

/// Adds `server.acceptTokenV1`, `server.extraQueryKeys` and `server.maxTokenBytes` to `policy`.
pub(super) fn read_policy(
    layers: &mut Layers<'_>,
    policy: TokenPolicy,
) -> Result<TokenPolicy, Problem> {
    let extra = layers
        .server
        .texts("extraQueryKeys", &mut layers.warnings)?;
    let mut extra_query_keys = BTreeSet::new();
    for key in extra {
        let is_key = key
            .value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if key.value.is_empty() || !is_key || is_reserved_for_sts(&key.value) {
            return Err(key.problem(
                "cannot be sent on to STS; write a key of your own, of letters, digits, `-`, `_` and `.`",
            ));
        }
        extra_query_keys.insert(key.value);
    }
    Ok(TokenPolicy {
        accept_v1: read_bool(&mut layers.server, "acceptTokenV1")?,
        extra_query_keys,
        max_token_bytes: read_max_token_bytes(layers)?.unwrap_or(policy.max_token_bytes),
        ..policy
    })
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

fn read_max_token_bytes(layers: &mut Layers<'_>) -> Result<Option<usize>, Problem> {
    read_number(&mut layers.server, "maxTokenBytes", 1_024, 49_152)
}

fn read_bool(table: &mut Table, key: &'static str) -> Result<bool, Problem> {
    table
        .take(key)
        .map_or(Ok(false), |given| parse_bool(&given))
}

pub(super) fn read_reserved_prefixes(
    layers: &mut Layers<'_>,
) -> Result<BTreeMap<Backend, ReservedPrefixes>, Problem> {
    let mut reserved = BTreeMap::new();
    for mut table in read_strict_tables(layers, "reservedPrefixConfig", keys::RESERVED_PREFIXES)? {
        let mode = table.required_located("backendMode")?;
        let backend = mapping::parse_backend(&mode)?;
        let warnings = &mut layers.warnings;
        let prefixes = ReservedPrefixes {
            usernames: parse_prefixes(table.texts("usernamePrefixReserveList", warnings)?)?,
            groups: parse_prefixes(table.texts("groupPrefixReserveList", warnings)?)?,
        };
        if reserved.insert(backend, prefixes).is_some() {
            return Err(mode.problem(format_args!("names `{backend}` once more; join the two")));
        }
    }
    Ok(reserved)
}

fn parse_prefixes(texts: Vec<Located<String>>) -> Result<Vec<Box<str>>, Problem> {
    texts
        .into_iter()
        .map(|text| {
            if text.value.is_empty() {
                return Err(text.problem("is empty, and every name starts so; write a prefix"));
            }
            Ok(text.value.into())
        })
        .collect()
}

/// A validation that cannot be compiled is an error: without it, users would pass whom it is to refuse.
pub(super) fn read_validations(layers: &mut Layers<'_>) -> Result<Vec<Validation>, Problem> {
    read_strict_tables(layers, "userValidationRules", keys::VALIDATION)?
        .into_iter()
        .map(|mut table| {
            let expression = table.required_located("expression")?;
            let message = table.required_located("message")?;
            Validation::compile(&expression.value, &message.value)
                .map_err(|error| expression.problem(format_args!("was refused: {error}")))
        })
        .collect()
}

fn read_strict_tables(
    layers: &mut Layers<'_>,
    key: &'static str,
    keys: keys::KnownKeys,
) -> Result<Vec<Table>, Problem> {
    let entries: Vec<Located<Value>> = layers.server.list(key, &mut layers.warnings)?;
    entries
        .into_iter()
        .map(|entry| Table::strict(entry, keys))
        .collect()
}
