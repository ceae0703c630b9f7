//! The settings in CONFIGURATION.md are the settings that the program knows.

use std::collections::BTreeSet;

use crate::keys::{
    AUDIT, CONFIG_MAP, EXT_AUTHZ, KnownKeys, LIMITS, RESERVED_PREFIXES, ROOT, SERVER, STS, TLS,
};

const DOCUMENT: &str = include_str!("../../../../CONFIGURATION.md");

/// Returns the settings in the first cells of the tables whose first column is `key`.
fn documented_settings() -> BTreeSet<String> {
    let mut settings = BTreeSet::new();
    let mut is_in_table = false;
    for line in DOCUMENT.lines() {
        if !line.starts_with('|') {
            is_in_table = false;
        } else if line.starts_with("| key |") {
            is_in_table = true;
        } else if is_in_table {
            let cell = line.split(" | ").next().unwrap_or_default();
            settings.extend(cell.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    settings
}

/// Returns the settings of the file, without sections, such as `server.sts`, and without the keys of list entries.
fn known_settings() -> BTreeSet<String> {
    let sections = [ROOT, SERVER, STS, LIMITS, TLS, CONFIG_MAP, EXT_AUTHZ, AUDIT];
    let full_names = |keys: &KnownKeys| {
        let prefix = keys.prefix;
        let names = keys.names.iter();
        names.map(move |name| format!("{prefix}{name}"))
    };
    let settings: BTreeSet<String> = sections.iter().flat_map(full_names).collect();
    let is_section = |name: &str| {
        sections
            .iter()
            .any(|keys| keys.prefix == format!("{name}."))
    };
    settings
        .into_iter()
        .filter(|name| !is_section(name))
        .collect()
}

#[test]
fn every_setting_is_documented_and_every_documented_setting_is_known() {
    let known = known_settings();
    let documented: BTreeSet<String> = documented_settings()
        .into_iter()
        // The other tables have the keys of list entries.
        .filter(|name| name.starts_with("server.") || known.contains(name))
        .collect();
    let missing: Vec<_> = known.difference(&documented).collect();
    assert!(missing.is_empty(), "not documented: {missing:?}");
    let unknown: Vec<_> = documented.difference(&known).collect();
    assert!(unknown.is_empty(), "documented but unknown: {unknown:?}");
}

#[test]
fn keys_of_reserved_prefixes_are_documented() {
    for name in RESERVED_PREFIXES.names {
        assert!(DOCUMENT.contains(&format!("{name}: ")), "{name}");
    }
}
