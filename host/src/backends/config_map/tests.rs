use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::fixture::config_map_source;

fn data(texts: &[(&str, &str)]) -> ConfigMapData {
    let texts = texts.iter();
    ConfigMapData {
        texts: texts
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
            .collect(),
        binary_keys: BTreeSet::new(),
    }
}

/// Returns the positions and subjects of the rules, with a `*` after each last good form, and the refused entries.
fn state(live: &LiveRules) -> (Vec<String>, BTreeMap<String, String>) {
    let state = live.inspect(|rules, notes| {
        assert!(rules.is_synced());
        let rules = rules.rules().into_iter().map(|rule| {
            let position = &rule.source().position;
            let kept = notes.in_effect[position].retention.is_some();
            format!(
                "{position} {}{}",
                rule.subject(),
                if kept { "*" } else { "" }
            )
        });
        (rules.collect(), notes.refused.clone())
    });
    state.into_iter().next().unwrap()
}

#[test]
fn config_map_keys_are_read_separately_as_in_go() {
    let (source, live) = config_map_source();
    assert!(!live.snapshot().backends()[0].is_synced());
    source.clear();
    assert_eq!(
        state(&live).0,
        [""; 0],
        "synced, because there is no ConfigMap"
    );

    let roles = "- rolearn: acs:ram::1:role/a\n  UserName: a\n  GROUPS:\n  - g\n";
    let users = "- userARN: acs:ram::1:user/u\n  username: u\n";
    let both = [
        "mapRoles[0] acs:ram::1:role/a",
        "mapUsers[0] acs:ram::1:user/u",
    ];
    source.apply(&data(&[
        ("mapRoles", roles),
        ("mapUsers", users),
        ("other", "{"),
    ]));
    assert_eq!(
        state(&live),
        (both.map(str::to_owned).to_vec(), BTreeMap::new())
    );

    source.apply(&data(&[
        ("mapRoles", &format!("{roles}  x\n - y")),
        ("mapUsers", users),
    ]));
    let (lines, refused) = state(&live);
    assert_eq!(lines, ["mapRoles[0] acs:ram::1:role/a*", both[1]]);
    assert_eq!(refused.keys().collect::<Vec<_>>(), ["mapRoles"]);

    source.apply(&data(&[("mapUsers", ""), ("mapRoles", roles)]));
    assert_eq!(state(&live).0, [both[0]], "empty `mapUsers`");
    source.apply(&data(&[("mapUsers", users)]));
    assert_eq!(state(&live).0, [both[1]], "no `mapRoles`");
    source.apply(&data(&[("mapUsers", users), ("maproles", roles)]));
    assert_eq!(state(&live).0, [both[1]], "keys are case-sensitive");
    source.clear();
    assert_eq!(state(&live).0, [""; 0]);
    source.apply(&data(&[("mapUsers", "{")]));
    assert_eq!(state(&live).0, [""; 0], "deleted mappings are not restored");
}
