//! The keys of the configuration file.

use ack_ram_core::rules::MappingField;

use crate::entry::MappingList;
use crate::invisible;

/// The names that one map knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct KnownKeys {
    /// How the map is called in messages: `server.` with its dot, or nothing for the whole file.
    pub(super) prefix: &'static str,
    /// The spelling that documents use.
    pub(super) names: &'static [&'static str],
    /// Those without which less is protected. What is nearly one of them is not taken for an unknown key.
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

/// A document that holds nothing but mappings: those that Go knows.
pub(super) const MAPPING_DOCUMENT: KnownKeys = KnownKeys {
    prefix: "",
    names: &["mapAccounts", "mapRoles", "mapUsers"],
    protective: &[],
};

/// An entry of `server.mapRoles`. Its warnings name the entry themselves.
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

/// An entry of `server.reservedPrefixConfig`, as in aws-iam-authenticator; the last one is new.
pub(super) const RESERVED_PREFIXES: KnownKeys = KnownKeys {
    prefix: "",
    names: &[
        "backendMode",
        "usernamePrefixReserveList",
        "groupPrefixReserveList",
    ],
    protective: &[],
};

/// An entry of `server.userValidationRules`, as in Kubernetes' AuthenticationConfiguration.
pub(super) const VALIDATION: KnownKeys = KnownKeys {
    prefix: "",
    names: &["expression", "message"],
    protective: &[],
};

/// A key that a map does not know.
#[derive(Debug)]
pub(super) struct UnknownKey {
    /// How messages call the setting that it would be.
    pub(super) setting: String,
    /// What may be meant.
    pub(super) advice: String,
}

impl KnownKeys {
    /// How messages call the setting `key`.
    pub(super) fn setting_name(self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// What to say of the key `name`, which is not known here.
    pub(super) fn describe_unknown_key(self, name: &str) -> UnknownKey {
        let invisible = name.chars().find_map(invisible::describe_problem);
        UnknownKey {
            setting: self.setting_name(name),
            advice: match nearest(name, self.names) {
                _ if let Some(message) = invisible => format!("it holds {message}"),
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("known are `{}`", self.names.join("`, `")),
            },
        }
    }

    /// The protective key that `name` is nearly.
    pub(super) fn misspelled_protective_key(self, name: &str) -> Option<&'static str> {
        nearest(name, self.names).filter(|meant| self.protective.contains(meant))
    }

    /// The key that `name` is but for one slip, in any case.
    pub(super) fn misspelled_key(self, name: &str) -> Option<&'static str> {
        // The key of another list is no slip of this one, also where that list is not read.
        let mut keys = MappingList::ALL.iter().map(|list| list.key());
        let list = keys.find(|key| key.eq_ignore_ascii_case(name));
        self.names
            .iter()
            .copied()
            .find(|known| is_single_typo(name, known) && list.is_none_or(|key| key == *known))
    }

    /// The documented spelling of `name`, compared without case.
    pub(super) fn find(self, name: &str) -> Option<&'static str> {
        self.names
            .iter()
            .copied()
            .find(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Whether some map of the file, or an entry of it, knows the key `name`.
pub(super) fn is_known_key(name: &str) -> bool {
    [ROOT, SERVER, ROLE, USER, RULE]
        .into_iter()
        .any(|keys| keys.find(name).is_some())
}

/// Whether `name` is `known` with at most one slip after the first letter, in any case. A key with another first letter,
/// such as `_mapUsers`, is commented out, not misspelled.
pub(super) fn is_single_typo(name: &str, known: &str) -> bool {
    let (name, known) = (name.to_ascii_lowercase(), known.to_ascii_lowercase());
    name.chars().next() == known.chars().next()
        && name.len().abs_diff(known.len()) <= 4
        && strsim::osa_distance(&name, &known) <= 1
}

/// The one of `known` that `name` was probably meant to be.
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
        .filter(|(likeness, _)| *likeness >= MIN_SIMILARITY)
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
