//! Sequences of documents: the mappings after each document, and which of them are last good forms.

use ack_ram_config::last_good::{DEFAULT_LAST_GOOD_TTL, LastGood, RefusedEntry, RetentionPolicy};
use ack_ram_core::rules::{Backend, BackendRules, ProtectedIdentities, RuleSet, WildcardMode};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::broken_edits::{self, Fate, ListEdit, Sequence};

use crate::backends::document_source::publish_update;
use crate::backends::live::LiveRules;
use crate::config::document::ConfigMapData;
use crate::config::{Diagnostic, Location, ParsedMappings, document};
use crate::fixture::load_config;

const DAY: i64 = DEFAULT_LAST_GOOD_TTL;

struct SequenceFixture {
    backend: Backend,
    protected: ProtectedIdentities,
    ttl: i64,
    last_good: LastGood,
    live: LiveRules,
    read: fn(&str) -> Result<ParsedMappings, Diagnostic>,
}

impl SequenceFixture {
    fn new(backend: Backend, read: fn(&str) -> Result<ParsedMappings, Diagnostic>) -> Self {
        let rules = RuleSet::new(vec![BackendRules::new_unsynced(backend)], []);
        Self {
            backend,
            protected: ProtectedIdentities::default(),
            ttl: DAY,
            last_good: LastGood::new(backend),
            live: LiveRules::new(rules, unix_time(0)),
            read,
        }
    }

    fn step(&mut self, now: i64, text: &str) -> Vec<RefusedEntry> {
        let terms = RetentionPolicy {
            now: unix_time(now),
            ttl: self.ttl,
            protected: Some(&self.protected),
        };
        let update = match (self.read)(text) {
            Ok(document) => self.last_good.apply(document, &terms),
            Err(why) => self.last_good.keep_last_good(&why, &terms),
        };
        let refused = update.refused.clone();
        self.live
            .change(self.backend, |edit| publish_update(update, edit));
        refused
    }

    /// Returns the mappings in effect as `<position> <subject> = <username> <groups>`, with `since` and `kept` if they
    /// are not 0.
    fn lines(&self) -> Vec<String> {
        let lines = self.live.inspect(|rules, notes| {
            let rules = rules.rules().into_iter().map(|rule| {
                let (username, groups) = rule.raw_names();
                let named = format!("{} = {username} {}", rule.subject(), groups.join(","));
                (rule.source().position.clone(), named)
            });
            let accounts = notes.accounts.iter();
            let accounts =
                accounts.map(|(position, account)| (position.clone(), account.to_string()));
            let mut lines = Vec::new();
            for (position, what) in rules.chain(accounts) {
                let mut line = format!("{position} {}", what.trim_end());
                let effect = &notes.in_effect[&position];
                if effect.since != unix_time(0) {
                    line.push_str(&format!(" since {}", effect.since.seconds()));
                }
                if let Some(kept) = &effect.retention {
                    line.push_str(&format!(" kept {}", kept.since.seconds()));
                }
                lines.push(line.replace("acs:ram::", ""));
            }
            assert_eq!(notes.in_effect.len(), lines.len());
            lines
        });
        let mut lines: Vec<String> = lines.into_iter().flatten().collect();
        let all = self.live.snapshot();
        assert_eq!(all.backends()[0].len(), lines.len(), "{lines:?}");
        lines.sort_by_key(|line| {
            let account = line.starts_with("mapAccounts").then(|| line.clone());
            account.unwrap_or_default()
        });
        lines
    }

    /// Returns the mappings in effect, in the format of the edits of lists.
    fn rules(&self) -> Vec<String> {
        let all = self.live.snapshot();
        let rules = all.backends()[0].rules();
        let mut lines: Vec<String> = rules.into_iter().map(super::line).collect();
        lines.sort();
        lines
    }
}

fn dynamic_file() -> SequenceFixture {
    SequenceFixture::new(Backend::DynamicFile, document)
}

fn config_map() -> SequenceFixture {
    SequenceFixture::new(Backend::ConfigMap, map_users)
}

fn mounted_file() -> SequenceFixture {
    SequenceFixture::new(Backend::MountedFile, file)
}

fn unix_time(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn document(text: &str) -> Result<ParsedMappings, Diagnostic> {
    document::parse_dynamic_file("d.json", text, WildcardMode::Enabled)
        .map(|document| document.mappings)
}

/// Parses `text` as `mapUsers` of a ConfigMap.
fn map_users(text: &str) -> Result<ParsedMappings, Diagnostic> {
    let texts = [("mapUsers".to_owned(), text.to_owned())];
    let data = ConfigMapData {
        texts: texts.into(),
        ..ConfigMapData::default()
    };
    Ok(document::parse_config_map("c", &data, WildcardMode::Disabled).mappings)
}

/// Parses `text` as a part of `server` in a configuration file.
fn file(text: &str) -> Result<ParsedMappings, Diagnostic> {
    let text = format!("clusterID: c\nserver:\n  globs: true\n{text}");
    load_config(&text).map(|config| config.mappings)
}

/// Makes each edit of `edits` in the documents that `whole` builds from lists.
fn check_lists(
    fixture: impl Fn() -> SequenceFixture,
    edits: &[ListEdit],
    whole: impl Fn(&str) -> String,
) {
    for edit in edits {
        let name = &edit.name;
        let [before, after] = [&edit.before, &edit.after].map(ToString::to_string);
        let mut fixture = fixture();
        fixture.step(0, &whole(&before));
        assert!(!fixture.rules().is_empty(), "{name}");
        let refused = fixture.step(5, &whole(&after));
        assert_eq!(fixture.rules(), edit.in_effect, "{name}");
        let fates = refused.iter().map(|refused| match refused.kept_until() {
            Some(_) => Fate::Kept,
            None => Fate::Lost,
        });
        assert_eq!(fates.collect::<Vec<_>>(), edit.refused, "{name}");
        // A second edit of this kind changes nothing, and does not extend the retention.
        fixture.step(6, &whole(&format!("{after} ")));
        assert_eq!(fixture.rules(), edit.in_effect, "{name}, again");
        fixture.live.expire(unix_time(5 + DAY));
        let is_kept = |line: &String| line.contains(" kept ");
        assert!(!fixture.lines().iter().any(is_kept), "{name}");
    }
}

#[test]
fn broken_entry_keeps_what_both_texts_give() {
    let edits = broken_edits::table().lists;
    let user_arn = |list: &str| list.replace("\"arn\"", "\"userARN\"");
    let in_document = |list: &str| format!("{{\"mapUsers\": {}}}", user_arn(list));
    let in_file = |list: &str| format!("  mapUsers: {}\n", user_arn(list));
    check_lists(dynamic_file, &edits, in_document);
    check_lists(config_map, &edits, user_arn);
    check_lists(mounted_file, &edits, in_file);
    check_lists(mounted_file, &edits, in_rules);
}

#[cfg(feature = "cel")]
#[test]
fn broken_rule_keeps_what_both_texts_give() {
    check_lists(mounted_file, &broken_edits::table().rules, in_rules);
}

fn in_rules(list: &str) -> String {
    format!("  mapRules: {list}\n")
}

fn check_sequences(sequences: &[Sequence]) {
    for sequence in sequences {
        for (name, steps) in sequence.runs() {
            let mut fixture = match &*sequence.source {
                "DynamicFile" => dynamic_file(),
                "ACKConfigMap" => config_map(),
                "MountedFile" => mounted_file(),
                other => panic!("{name}: {other}"),
            };
            if let Some(pattern) = &sequence.protect {
                fixture.protected.protect(pattern).unwrap();
            }
            for step in steps {
                fixture.ttl = step.ttl.unwrap_or(DAY);
                fixture.step(step.at, &step.text);
                assert_eq!(fixture.lines(), step.in_effect, "{name}: {}", step.text);
            }
        }
    }
}

#[test]
fn documents_have_expected_mappings_in_effect() {
    check_sequences(&broken_edits::table().sequences);
}

#[cfg(feature = "cel")]
#[test]
fn documents_with_conditions_have_expected_mappings_in_effect() {
    check_sequences(&broken_edits::table().condition_sequences);
}

#[test]
fn refused_document_keeps_only_entries_in_its_lists() {
    let mut fixture = dynamic_file();
    fixture.step(
        0,
        "mapUsers: [{userARN: acs:ram::1:user/a, username: a, groups: [g, h]}, {userARN: acs:ram::1:user/b, username: b}]\nmapAccounts: ['77', '88']\n",
    );
    let newer = "mapUsers: [{userARN: acs:ram::1:user/a, username: a, groups: [h, new]}, {userARN: acs:ram::1:user/c, username: c}]\nmapAccounts: ['88']\n";
    let why = Diagnostic::invalid_setting(Location::default(), "`server.port` is none");
    let terms = RetentionPolicy {
        now: unix_time(5),
        ttl: DAY,
        protected: None,
    };
    let update = fixture
        .last_good
        .restrict_to(document(newer).unwrap(), &why, &terms);
    assert_eq!(update.removed, 2);
    fixture
        .live
        .change(fixture.backend, |edit| publish_update(update, edit));
    assert_eq!(
        fixture.lines(),
        [
            "mapUsers[0] 1:user/a = a h kept 5",
            "mapAccounts[0] 88 kept 5"
        ]
    );
}

#[test]
fn last_good_pattern_is_dropped_once_wildcards_are_disabled() {
    let globs = |on: bool, list: &str| format!("  globs: {on}\n  mapRoles: {list}\n");
    fn with_globs(text: &str) -> Result<ParsedMappings, Diagnostic> {
        let text = format!("clusterID: c\nserver:\n{text}");
        Ok(load_config(&text).unwrap().mappings)
    }
    let good = "[{roleARN: 'acs:ram::1:role/*', username: a}]";
    for broken in [
        "text",
        "[{roleARN: 'acs:ram:1:role/*', username: a}]",
        "[{roleARN: 'acs:ram::1:role/*', username: a, groups: ['{{']}]",
    ] {
        let mut fixture = SequenceFixture::new(Backend::MountedFile, with_globs);
        fixture.step(0, &globs(true, good));
        assert_eq!(fixture.rules().len(), 1);
        fixture.step(1, &globs(true, broken));
        assert_eq!(fixture.rules().len(), 1, "{broken}");
        fixture.step(2, &globs(false, broken));
        assert_eq!(fixture.rules(), [""; 0], "{broken}");
    }
}

#[test]
fn expired_mapping_is_not_restored() {
    let b = "- {roleARN: acs:ram::1:role/b, username: b}\n";
    let a = |groups| format!("- {{roleARN: acs:ram::1:role/a, username: a, groups: {groups}}}\n");
    let good = format!("mapRoles:\n{}{b}", a("[g]"));
    let broken = format!("mapRoles:\n{}{b}", a("[g, '{{']"));
    let moved = format!("mapRoles:\n{b}{}", a("[g, [a]]"));
    let mut fixture = dynamic_file();
    fixture.step(0, &good);
    let refused = fixture.step(5, &broken);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].position, "mapRoles[0]");
    assert_eq!(refused[0].kept_until(), Some(unix_time(5 + DAY)));
    let place = refused[0].why.location.to_string();
    assert!(place.starts_with("d.json:2:"), "{place}");
    assert_eq!(fixture.live.expire(unix_time(DAY + 4)), []);
    assert_eq!(fixture.live.expire(unix_time(DAY + 5)).len(), 1);
    let refused = fixture.step(DAY + 6, &moved);
    assert_eq!(refused[0].kept_until(), None);
    assert_eq!(fixture.lines(), ["mapRoles[0] 1:role/b = b"]);
}
