//! A hundred broken edits of each document. Users keep the access that the newest text still grants, and the log shows
//! the author of the edit where the error is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ack_ram_core::arn::Arn;
use ack_ram_core::rules::{Backend, WildcardMode};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::broken_edits::{self, BrokenEdits, TextEdit};
use tempfile::TempDir;

use super::lists::{Lists, Loss, Texts, User, edits};
use super::logged;
use crate::backends::config_map::ConfigMapSource;
use crate::backends::document_source::ignore_reloads;
use crate::backends::dynamic_file::DynamicFile;
use crate::backends::live::LiveRules;
use crate::backends::mounted_file::{Inputs, MountedFile};
use crate::config::document::ConfigMapData;
use crate::config::{self, ConfigFile, ConfigMapName, ConfigSources, Overrides};
use crate::fixture::unsynced_rules;

fn now() -> UnixTime {
    UnixTime::from_seconds(1_000)
}

/// The name of an edit, the document after the edit, and the loss of one identity.
type Edited = (String, Vec<u8>, Loss);

/// Returns the users of all identities in the documents, and of one without a mapping.
fn users(live: &LiveRules) -> Vec<User> {
    let all = live.snapshot();
    [
        "1:role/admin",
        "1:role/dev",
        "1:user/alice",
        "1:user/bob",
        "0077:root",
        "88:user/x",
        "1:user/eve",
    ]
    .into_iter()
    .map(|who| {
        let arn = Arn::parse(&format!("acs:ram::{who}")).unwrap();
        let (_, user) = all.explain(&ack_ram_analysis::placeholder::identity_for_arn(arn).unwrap());
        (who, user.ok().map(|user| (user.username, user.groups)))
    })
    .collect()
}

fn live(backend: Backend) -> Arc<LiveRules> {
    unsynced_rules(backend, now())
}

/// Makes each edit with `edit`, starting from the valid document, and undoes it. `name` is the name of the document in
/// messages.
fn check(live: &LiveRules, name: &str, edits: &[Edited], good: &[u8], edit: impl Fn(&[u8])) {
    edit(good);
    let before = users(live);
    assert_eq!(
        before.iter().filter(|(_, user)| user.is_some()).count(),
        6,
        "{before:?}"
    );
    for (case, text, loss) in edits {
        let shown = String::from_utf8_lossy(text);
        let shown: String = shown.chars().take(2_000).collect();
        let log = logged(|| edit(text));
        let expected = loss.users_after(&before);
        assert_eq!(users(live), expected, "{case}: {shown}");
        let problems: Vec<String> = live.inspect(|_, notes| {
            let refused = notes
                .refused
                .iter()
                .map(|(position, why)| format!("{position}: {why}"));
            let trouble = notes.trouble.iter().cloned();
            trouble.chain(refused).collect::<Vec<_>>().join("\n")
        });
        assert!(
            !problems.concat().is_empty(),
            "{case} is not in the notes: {shown}"
        );
        let says = match loss {
            Loss::Nothing | Loss::Groups(_) => "until 1970-01-02T00:16:40Z",
            Loss::Access(_) => "it maps no identity, and nothing is kept",
        };
        let is_located = log.contains(name) && log.contains(says);
        assert!(is_located, "{case}: {log}");
        edit(good);
        assert_eq!(users(live), before, "{case}, undone");
        let left = live.inspect(|_, notes| {
            let kept = notes
                .in_effect
                .values()
                .filter(|effect| effect.retention.is_some());
            (kept.count(), notes.refused.len(), notes.trouble.clone())
        });
        assert_eq!(left, [(0, 0, None)], "{case}, undone");
    }
}

/// Returns the valid document, and all edits of its lists and of the whole text.
fn documents(
    whole: impl Fn(&Texts) -> String,
    changes: impl Fn(&BrokenEdits) -> &[TextEdit],
) -> (Vec<u8>, Vec<Edited>) {
    let table = broken_edits::table();
    let good = whole(&BTreeMap::from(Lists::good().texts()));
    let of_lists = edits(&table).into_iter();
    let of_lists = of_lists.map(|(name, lists, loss)| (name, whole(&lists).into_bytes(), loss));
    let of_whole = changes(&table).iter();
    let of_whole =
        of_whole.map(|edit| (edit.name.clone(), edit.apply_to_bytes(&good), Loss::Nothing));
    let documents: Vec<Edited> = of_lists.chain(of_whole).collect();
    (good.into_bytes(), documents)
}

#[test]
fn refused_entry_is_logged_with_its_subject() {
    let (_folder, path) = file("d.json");
    let log = logged(|| {
        let text = r#"{"mapUsers": [{"userARN": "acs:ram::1:user/a", "username": ""}]}"#;
        fs::write(&path, text).unwrap();
        let live = live(Backend::DynamicFile);
        let _ = DynamicFile::start(
            path.clone(),
            WildcardMode::Disabled,
            live,
            now,
            ignore_reloads(),
        );
    });
    let mut refused = log.lines().filter(|line| line.contains("refused:"));
    let line = refused.next().unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(r#"subject="acs:ram::1:user/a""#), "{line}");
}

/// Returns a folder, and the path of a file in the folder.
fn file(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    (folder, path)
}

#[test]
fn broken_dynamic_file_keeps_last_good_entries() {
    let whole = |lists: &Texts| {
        let lists = lists.iter().map(|(key, text)| format!("\"{key}\": {text}"));
        format!("{{{}}}\n", lists.collect::<Vec<_>>().join(",\n"))
    };
    let (good, edits) = documents(whole, |table| &table.dynamic_file);
    let (_folder, path) = file("users.json");
    fs::write(&path, &good).unwrap();
    let live = live(Backend::DynamicFile);
    let source = DynamicFile::start(
        path.clone(),
        WildcardMode::Disabled,
        Arc::clone(&live),
        now,
        ignore_reloads(),
    );
    check(&live, "users.json", &edits, &good, |text| {
        fs::write(&path, text).unwrap();
        source.reload();
    });
}

#[test]
fn broken_configuration_file_keeps_last_good_entries() {
    let whole = |lists: &Texts| {
        let lists = lists.iter().map(|(key, text)| format!("  {key}: {text}\n"));
        format!("clusterID: c\nserver:\n{}", lists.collect::<String>())
    };
    let (good, edits) = documents(whole, |table| &table.configuration_file);
    let (_folder, path) = file("config.yaml");
    fs::write(&path, &good).unwrap();
    let live = live(Backend::MountedFile);
    let overrides = Overrides::default();
    let mut config = config::load(&ConfigSources {
        file: Some(ConfigFile::Path(&path)),
        overrides: &overrides,
        variables: &|_| None,
    })
    .unwrap();
    let inputs = Inputs {
        file: Some(path.clone()),
        overrides,
        variables: |_| None,
    };
    let source = MountedFile::start(
        &mut config,
        inputs,
        Arc::clone(&live),
        now,
        ignore_reloads(),
        Box::new(|_| {}),
    );
    check(&live, "config.yaml", &edits, &good, |text| {
        fs::write(&path, text).unwrap();
        source.reload();
    });
}

#[test]
fn broken_config_map_keeps_last_good_entries() {
    let live = live(Backend::ConfigMap);
    let source = ConfigMapSource::new(
        ConfigMapName::default(),
        WildcardMode::Disabled,
        Arc::clone(&live),
        now,
        ignore_reloads(),
    );
    let data = |lists: &Texts| ConfigMapData {
        texts: lists
            .iter()
            .map(|(key, text)| ((*key).to_owned(), text.clone()))
            .collect(),
        binary_keys: BTreeSet::new(),
    };
    let good = data(&BTreeMap::from(Lists::good().texts()));
    let mut broken: Vec<ConfigMapData> = Vec::new();
    let mut names = Vec::new();
    let table = broken_edits::table();
    for (name, lists, loss) in edits(&table) {
        names.push((name, loss));
        broken.push(data(&lists));
    }
    for (key, other) in &table.config_map_keys {
        let mut edited = good.clone();
        let text = edited.texts.remove(key).unwrap();
        names.push((format!("{key} is called {other}"), Loss::Nothing));
        edited.texts.insert(other.clone(), text);
        broken.push(edited);
    }
    for key in ["mapRoles", "mapUsers", "mapAccounts"] {
        let mut edited = good.clone();
        edited.texts.remove(key);
        edited.binary_keys.insert(key.to_owned());
        names.push((format!("{key} is not UTF-8"), Loss::Nothing));
        broken.push(edited);
    }
    broken.push(good);
    // Each content is identified by its index.
    let number = |number: usize| number.to_string().into_bytes();
    let edits: Vec<Edited> = names
        .into_iter()
        .enumerate()
        .map(|(index, (name, loss))| (name, number(index), loss))
        .collect();
    check(
        &live,
        "ConfigMap kube-system/alibabacloud-auth",
        &edits,
        &number(broken.len() - 1),
        |text| {
            let index: usize = std::str::from_utf8(text).unwrap().parse().unwrap();
            source.apply(&broken[index]);
        },
    );
}
