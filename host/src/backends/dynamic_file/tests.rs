use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use ack_ram_analysis::placeholder;
use ack_ram_core::arn::Arn;
use ack_ram_core::rules::{BackendRules, RuleSet, RulesError, RulesUnavailable};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::eventually::eventually;

use super::*;
use crate::backends::document_source::ignore_reloads;
use crate::fixture::unsynced_rules;

const GOOD: &str = r#"{"MapRoles": [{"RoleArn": "acs:ram::1:role/a", "username": "a"}]}"#;

fn live() -> Arc<LiveRules> {
    unsynced_rules(Backend::DynamicFile, UnixTime::from_seconds(0))
}

/// Returns whether the backend is synced, the number of rules, the number of last good forms among them, and the
/// trouble.
fn state(live: &LiveRules) -> (bool, usize, usize, Option<String>) {
    let state = live.inspect(|rules, notes| {
        let kept = notes
            .in_effect
            .values()
            .filter(|effect| effect.retention.is_some());
        (
            rules.is_synced(),
            rules.len(),
            kept.count(),
            notes.trouble.clone(),
        )
    });
    state.into_iter().next().unwrap()
}

/// Returns why an identity without a mapping cannot log in.
fn refusal_of_unmapped(live: &LiveRules) -> RulesError {
    let bob = placeholder::identity_for_arn(Arn::parse("acs:ram::1:user/bob").unwrap()).unwrap();
    live.snapshot().explain(&bob).1.unwrap_err()
}

fn start(path: &Path, live: &Arc<LiveRules>) -> Arc<DynamicFile> {
    let clock = || UnixTime::from_seconds(7);
    DynamicFile::start(
        path.to_owned(),
        WildcardMode::Disabled,
        Arc::clone(live),
        clock,
        ignore_reloads(),
    )
}

#[test]
fn initial_file_states_map_as_expected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.json");
    let name = path.display().to_string();

    let missing = live();
    start(&path, &missing);
    let trouble = format!(
        "{name} does not exist, so it maps no identity; create it, or change `server.dynamicFilePath`"
    );
    assert_eq!(state(&missing), (true, 0, 0, Some(trouble)));

    fs::write(&path, GOOD).unwrap();
    let good = live();
    start(&path, &good);
    assert_eq!(state(&good), (true, 1, 0, None));

    fs::write(&path, "{").unwrap();
    let broken = live();
    let file = start(&path, &broken);
    let (is_synced, len, _, trouble) = state(&broken);
    assert_eq!(
        (is_synced, len),
        (false, 0),
        "the mappings in the file are unknown"
    );
    assert!(trouble.unwrap().contains("d.json:1:1"));
    assert_eq!(
        refusal_of_unmapped(&broken),
        RulesError::Unavailable(RulesUnavailable::Broken(Backend::DynamicFile))
    );
    // PowerShell's `>` writes UTF-16.
    let wide: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(&path, &wide).unwrap();
    file.reload();
    assert_eq!(
        refusal_of_unmapped(&broken),
        RulesError::Unavailable(RulesUnavailable::Broken(Backend::DynamicFile))
    );
    let trouble = state(&broken).3.unwrap();
    assert!(
        trouble.contains("it is UTF-16 (little endian) without a byte order mark"),
        "{trouble}"
    );
    fs::write(&path, [&[0xff, 0xfe][..], &wide].concat()).unwrap();
    file.reload();
    assert_eq!(state(&broken), (true, 1, 0, None));

    let folder_in_place = live();
    start(folder.path(), &folder_in_place);
    let (is_synced, len, _, trouble) = state(&folder_in_place);
    assert_eq!((is_synced, len), (false, 0));
    assert_eq!(
        refusal_of_unmapped(&folder_in_place),
        RulesError::Unavailable(RulesUnavailable::NotReady(Backend::DynamicFile))
    );
    assert!(
        trouble
            .unwrap()
            .ends_with("cannot be read: it is a folder; use the path of a file in it")
    );
}

#[test]
fn file_changes_update_rules() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.json");
    fs::write(&path, GOOD).unwrap();
    let live = live();
    let file = start(&path, &live);
    let mut now = Instant::now();
    let mut poll = |times: usize| {
        for _ in 0..times {
            now += POLL_INTERVAL;
            file.poll(now);
        }
        state(&live)
    };
    fs::write(&path, "[").unwrap();
    let (is_synced, len, kept, trouble) = poll(2);
    assert_eq!((is_synced, len, kept), (true, 1, 1));
    assert!(trouble.unwrap().contains("d.json:1:1"));

    fs::rename(&path, folder.path().join("aside")).unwrap();
    fs::create_dir(&path).unwrap();
    let (_, len, _, trouble) = poll(2);
    assert_eq!(len, 1);
    assert!(trouble.unwrap().contains("it is a folder"));
    fs::remove_dir(&path).unwrap();
    fs::rename(folder.path().join("aside"), &path).unwrap();
    let (_, len, kept, trouble) = poll(2);
    assert_eq!((len, kept), (1, 1));
    assert!(
        trouble.unwrap().contains("d.json:1:1"),
        "the file can be read, and is still invalid"
    );

    fs::remove_file(&path).unwrap();
    assert_eq!(poll(3).1, 1, "missing for a moment");
    let (is_synced, len, _, trouble) = poll(10);
    assert_eq!((is_synced, len), (true, 0), "deleted");
    assert!(trouble.unwrap().contains("does not exist"));
    fs::write(&path, "[").unwrap();
    assert_eq!(poll(2).1, 0, "deleted mappings are not restored");
    fs::write(&path, GOOD).unwrap();
    assert_eq!(poll(2), (true, 1, 0, None));
}

#[tokio::test]
async fn watch_ends_on_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.json");
    let live = live();
    let file = start(&path, &live);
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(file.watch(stopped));
    fs::write(&path, GOOD).unwrap();
    eventually("the mappings are in effect", async || state(&live).1 != 0).await;
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[test]
fn each_successful_poll_confirms_backend() {
    thread_local! {
        static UPTIME: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.json");
    fs::write(&path, GOOD).unwrap();
    let rules = RuleSet::new(
        vec![BackendRules::new_unsynced(Backend::DynamicFile)],
        BTreeSet::new(),
    );
    let live = LiveRules::new(rules, UnixTime::from_seconds(0));
    let live = Arc::new(live.with_uptime(|| Duration::from_secs(UPTIME.get())));
    let file = start(&path, &live);
    let mut now = Instant::now();
    // Two polls, because a change is read after it has settled.
    let mut age_later = || {
        UPTIME.set(UPTIME.get() + 60);
        for _ in 0..2 {
            now += POLL_INTERVAL;
            file.poll(now);
        }
        let age = live.confirmations().age(Backend::DynamicFile);
        age.unwrap().as_secs()
    };
    assert_eq!(age_later(), 0, "unchanged");
    fs::write(&path, "{").unwrap();
    assert_eq!(age_later(), 0, "readable, but invalid");
    fs::remove_file(&path).unwrap();
    assert_eq!(age_later(), 60, "deleted");
    fs::create_dir(&path).unwrap();
    assert_eq!(age_later(), 120, "a folder");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, GOOD).unwrap();
    assert_eq!(age_later(), 0, "restored");
}
