//! Entries of the lists. An invalid entry does not affect the others.

use super::*;

#[test]
fn invalid_entry_is_omitted_and_others_stay() {
    let role = |entry: &str| {
        format!(
            "clusterID: c\nserver:\n  mapRoles:\n  - {entry}\n  - {{roleARN: r, username: u}}\n"
        )
    };
    for (entry, expected) in [
        ("{roleARN: a, username: u}", &[][..]),
        ("{roleARN: a, username: 1234}", &[]),
        (
            "{roleARN: a, username: u, group: [x]}",
            &[
                "warning: config.yaml:4:31: in `server.mapRoles[0]`: unknown key `group` is ignored; did you mean `groups`?",
            ],
        ),
        (
            "{roleARN: a, username: u, groups: 'x, y'}",
            &[
                "warning: config.yaml:4:39: in `server.mapRoles[0]`: `groups` is text, which is split at commas; write a list",
            ],
        ),
        (
            "{roleARN: a}",
            &[
                "warning: config.yaml:4:5: in `server.mapRoles[0]`: `username` is required; add it; until then the entry is left out",
            ],
        ),
        (
            "{userARN: a, username: u}",
            &[
                "warning: config.yaml:4:6: in `server.mapRoles[0]`: unknown key `userARN` is ignored; did you mean `username`?",
                "warning: config.yaml:4:5: in `server.mapRoles[0]`: `roleARN` is required; add it; until then the entry is left out",
            ],
        ),
        (
            "{roleARN: a, username: 0123}",
            &[
                "warning: config.yaml:4:28: in `server.mapRoles[0]`: `username` is `0123` without quotes, which YAML may read as a different number; put quotes around it; until then the entry is left out",
            ],
        ),
        (
            "{roleARN: a, username: true}",
            &[
                "warning: config.yaml:4:28: in `server.mapRoles[0]`: `username` is a boolean without quotes; put quotes around it; until then the entry is left out",
            ],
        ),
        (
            "{roleARN: a, username: u, groups: [x, [y]]}",
            &[
                "warning: config.yaml:4:43: in `server.mapRoles[0]`: `groups[1]`: expected text, found a list; until then the entry is left out",
            ],
        ),
        (
            "{roleARN: a, RoleArn: b, username: u}",
            &[
                "warning: config.yaml:4:18: in `server.mapRoles[0]`: duplicate key `RoleArn`, the same as `roleARN` because keys are case-insensitive; remove one of them; until then the entry is left out",
            ],
        ),
        (
            "text",
            &[
                "warning: config.yaml:4:5: in `server.mapRoles[0]`: `server.mapRoles[0]`: expected a map of `key: value` pairs, found text; until then the entry is left out",
            ],
        ),
    ] {
        let yaml = role(entry);
        check_messages(&yaml, expected);
        let kept = load_yaml(&yaml).unwrap().mappings.mappings;
        assert!(
            kept.iter()
                .any(|mapping| mapping.value.source.position == "server.mapRoles[1]")
        );
        let is_left_out = expected.iter().any(|line| line.ends_with("left out"));
        assert_eq!(kept.len(), if is_left_out { 1 } else { 2 }, "{entry}");
    }
}

#[test]
fn account_keeps_its_digits() {
    let quote = "without quotes, which YAML may read as a different number; put quotes around it; until then the entry is left out";
    for (entry, account, remark) in [
        ("'000000000123'", Some("000000000123"), None),
        ("\"012345670000\"", Some("012345670000"), None),
        ("1234567890123456", Some("1234567890123456"), Some("has no quotes; put quotes around it, because an account ID can start with 0".to_owned())),
        ("012345670000", None, Some(format!("is `012345670000` {quote}"))),
        ("000000000000", None, Some(format!("is `000000000000` {quote}"))),
        ("1_000", None, Some(format!("is `1_000` {quote}"))),
        ("0x10", None, Some(format!("is `0x10` {quote}"))),
        ("1e15", None, Some(format!("is `1e15` {quote}"))),
        ("1234567890123456.0", None, Some(format!("is `1234567890123456.0` {quote}"))),
        ("-1", None, Some(format!("is `-1` {quote}"))),
        ("acs", None, Some("is `acs`, which is not an account ID; write only digits; until then the entry is left out".to_owned())),
        ("", None, Some("has no value; add one; until then the entry is left out".to_owned())),
    ] {
        let config = load_yaml(&format!("clusterID: c\nserver:\n  mapAccounts:\n  - {entry}\n")).unwrap();
        let accounts: Vec<_> = config.mappings.accounts.iter().map(|given| given.value.as_str()).collect();
        assert_eq!(accounts, account.into_iter().collect::<Vec<_>>(), "{entry}");
        let last = config.warnings.last().map(|warning| warning.warning_text().replace("config.yaml:4:5: `server.mapAccounts[0]` ", ""));
        assert_eq!(last, remark, "{entry}");
    }
}

#[test]
fn file_beyond_default_parser_budget_is_parsed() {
    let accounts = 260_000;
    let yaml = format!(
        "clusterID: c\nserver:\n  mapAccounts: [{}]\n",
        "'1', ".repeat(accounts)
    );
    let config = load_yaml(&yaml).unwrap();
    assert_eq!(config.mappings.accounts.len(), accounts);
}
