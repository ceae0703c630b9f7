//! Keys of the configuration file.

use ack_ram_core::rules::MappingField;

use crate::entry::MappingList;
use crate::invisible;

/// The keys that a map supports.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownKeys {
    /// Prefix of the keys in messages, such as `server.`; empty for the top level of the file.
    pub(super) prefix: &'static str,
    /// The keys in their documented spelling.
    pub(super) names: &'static [&'static str],
    /// Keys that protect something. A misspelling of one is an error, not an ignored unknown key.
    pub(super) protective: &'static [&'static str],
}

pub(super) const ROOT: KnownKeys = KnownKeys {
    prefix: "",
    names: &["clusterID", "defaultRole", "server"],
    protective: &[],
};

pub(super) const SERVER: KnownKeys = KnownKeys {
    prefix: "server.",
    names: &[
        "acceptTokenV1",
        "address",
        "audit",
        "backendMode",
        "bind",
        "configMap",
        "dynamicFilePath",
        "extAuthz",
        "extraQueryKeys",
        "generateKubeconfig",
        "globs",
        "healthAddress",
        "healthPort",
        "hostname",
        "installCRD",
        "kubeconfig",
        "kubeconfigPregenerated",
        "lastGoodTTL",
        "limits",
        "mapAccounts",
        "mapRoles",
        "mapRules",
        "mapUsers",
        "master",
        "maxStaleness",
        "maxTokenBytes",
        "port",
        "protect",
        "region",
        "requireClientCertificate",
        "reservedPrefixConfig",
        "scrubbedAccounts",
        "stateDir",
        "sts",
        "tls",
        "userValidationRules",
    ],
    protective: &[
        "healthAddress",
        "maxStaleness",
        "protect",
        "requireClientCertificate",
        "reservedPrefixConfig",
        "scrubbedAccounts",
        "userValidationRules",
    ],
};

pub(super) const STS: KnownKeys = KnownKeys {
    prefix: "server.sts.",
    names: &[
        "breakerFailures",
        "breakerMaxPause",
        "breakerPause",
        "caFile",
        "cacheSize",
        "cacheTTL",
        "connectTimeout",
        "endpoint",
        "fallbackEndpoints",
        "maxAnswerBytes",
        "maxCalls",
        "maxSharing",
        "maxWaiting",
        "refusalCacheSize",
        "refusalCacheTTL",
        "timeout",
    ],
    protective: &[],
};

pub(super) const LIMITS: KnownKeys = KnownKeys {
    prefix: "server.limits.",
    names: &[
        "bodyTimeout",
        "headerTimeout",
        "idleTimeout",
        "maxBodies",
        "maxConnections",
        "maxHealthConnections",
        "maxStreams",
        "stopTimeout",
    ],
    protective: &[],
};

/// `server.tls`.
pub(super) const TLS: KnownKeys = KnownKeys {
    prefix: "server.tls.",
    names: &["caFile", "certFile", "keyFile"],
    protective: &[],
};

/// `server.configMap`.
pub(super) const CONFIG_MAP: KnownKeys = KnownKeys {
    prefix: "server.configMap.",
    names: &["name", "namespace"],
    protective: &[],
};

/// `server.extAuthz`.
pub(super) const EXT_AUTHZ: KnownKeys = KnownKeys {
    prefix: "server.extAuthz.",
    names: &[
        "allowPreflight",
        "enabled",
        "extraHeaderPrefix",
        "groupHeader",
        "joinGroups",
        "requiredGroups",
        "tokenHeader",
        "uidHeader",
        "userHeader",
    ],
    protective: &[],
};

/// `server.audit`.
pub(super) const AUDIT: KnownKeys = KnownKeys {
    prefix: "server.audit.",
    names: &["file"],
    protective: &[],
};

/// A document that contains only mappings, in the lists that the Go server reads.
pub(super) const MAPPING_DOCUMENT: KnownKeys = KnownKeys {
    prefix: "",
    names: &["mapAccounts", "mapRoles", "mapUsers"],
    protective: &[],
};

/// An entry of `server.mapRoles`. There is no prefix because its warnings name the entry.
pub(super) const ROLE: KnownKeys = KnownKeys {
    prefix: "",
    names: &["roleARN", "username", "groups"],
    protective: &[],
};

/// An entry of `server.mapUsers`.
pub(super) const USER: KnownKeys = KnownKeys {
    prefix: "",
    names: &["userARN", "username", "groups"],
    protective: &[],
};

/// An entry of `server.mapRules`.
pub(super) const RULE: KnownKeys = KnownKeys {
    prefix: "",
    names: MappingField::NAMES,
    protective: &[],
};

/// An entry of `server.reservedPrefixConfig`, as in aws-iam-authenticator, except for `groupPrefixReserveList`, which
/// is new.
pub(super) const RESERVED_PREFIXES: KnownKeys = KnownKeys {
    prefix: "",
    names: &[
        "backendMode",
        "usernamePrefixReserveList",
        "groupPrefixReserveList",
    ],
    protective: &[],
};

/// An entry of `server.userValidationRules`, as in the Kubernetes AuthenticationConfiguration.
pub(super) const VALIDATION: KnownKeys = KnownKeys {
    prefix: "",
    names: &["expression", "message"],
    protective: &[],
};

/// An unsupported key in a map.
#[derive(Debug)]
pub(super) struct UnknownKey {
    /// Full name of the key in messages.
    pub(super) setting: String,
    /// Advice on which key may be meant.
    pub(super) advice: String,
}

impl KnownKeys {
    /// Returns the full name of `key` in messages.
    pub(super) fn setting_name(self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Describes the unknown key `name`.
    pub(super) fn describe_unknown_key(self, name: &str) -> UnknownKey {
        let invisible = name.chars().find_map(invisible::describe_problem);
        UnknownKey {
            setting: self.setting_name(name),
            advice: match nearest(name, self.names) {
                _ if let Some(message) = invisible => format!("the key contains {message}"),
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known keys: `{}`", self.names.join("`, `")),
            },
        }
    }

    /// Returns the protective key that `name` resembles.
    pub(super) fn misspelled_protective_key(self, name: &str) -> Option<&'static str> {
        nearest(name, self.names).filter(|meant| self.protective.contains(meant))
    }

    /// Returns the key that `name` is with a single typo, ignoring case.
    pub(super) fn misspelled_key(self, name: &str) -> Option<&'static str> {
        // The key of another list is not a typo, even if this map does not read that list.
        let mut keys = MappingList::ALL.iter().map(|list| list.key());
        let list = keys.find(|key| key.eq_ignore_ascii_case(name));
        self.names
            .iter()
            .copied()
            .find(|known| is_single_typo(name, known) && list.is_none_or(|key| key == *known))
    }

    /// Returns the documented spelling of `name`, ignoring case; `None` if the key is unknown.
    pub(super) fn find(self, name: &str) -> Option<&'static str> {
        self.names
            .iter()
            .copied()
            .find(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Returns whether `name` is a top-level key, a `server` key, or a key of an entry.
pub(super) fn is_known_key(name: &str) -> bool {
    [ROOT, SERVER, ROLE, USER, RULE]
        .into_iter()
        .any(|keys| keys.find(name).is_some())
}

/// Returns whether `name` is `known` with at most one typo after the first letter, ignoring case.
///
/// A key with another first letter, such as `_mapUsers`, counts as commented out.
pub(super) fn is_single_typo(name: &str, known: &str) -> bool {
    let (name, known) = (name.to_ascii_lowercase(), known.to_ascii_lowercase());
    name.chars().next() == known.chars().next()
        && name.len().abs_diff(known.len()) <= 4
        && strsim::osa_distance(&name, &known) <= 1
}

/// Returns the name in `known` that `name` probably means.
pub(super) fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    const MIN_SIMILARITY: f64 = 0.75;
    let lower = name.to_ascii_lowercase();
    known
        .iter()
        .map(|known| {
            (
                strsim::jaro_winkler(&lower, &known.to_ascii_lowercase()),
                *known,
            )
        })
        .filter(|(similarity, _)| *similarity >= MIN_SIMILARITY)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typo_keeps_first_letter() {
        for (name, expected) in [
            ("mapUsers", true),
            ("MAPUSER", true),
            ("mpaUsers", true),
            ("mapUsersx", true),
            ("_mapUsers", false),
            ("xmapUsers", false),
            ("apUsers", false),
            ("amapUsers", false),
            ("mapUsers_off", false),
            ("mapRoles", false),
            ("", false),
        ] {
            assert_eq!(is_single_typo(name, "mapUsers"), expected, "{name}");
        }
    }

    #[test]
    fn key_is_found_without_case_and_typo_is_guessed() {
        for (name, found, guess) in [
            ("mapRoles", Some("mapRoles"), Some("mapRoles")),
            ("MAPROLES", Some("mapRoles"), Some("mapRoles")),
            ("mapRole", None, Some("mapRoles")),
            ("backend_mode", None, Some("backendMode")),
            ("stateDirectory", None, Some("stateDir")),
            ("adress", None, Some("address")),
            ("quux", None, None),
            ("", None, None),
        ] {
            assert_eq!(
                (SERVER.find(name), nearest(name, SERVER.names)),
                (found, guess),
                "{name}"
            );
        }
    }
}
