//! Sequences of documents: who is mapped after each, and which of it is a last good form.

use ack_ram_config::last_good::{DEFAULT_TTL, LastGood, Refused, Terms};
use ack_ram_core::rules::{Backend, BackendRules, Globs, Protected, RuleSet};
use ack_ram_core::time::UnixTime;

use super::retained_cases::{self, Case};
use crate::backends::feed::put_into;
use crate::backends::live::LiveRules;
use crate::config::document::ConfigMapData;
use crate::config::entry::Refusal;
use crate::config::{self, ConfigFile, FileMappings, Overrides, Sources, document};

const DAY: i64 = DEFAULT_TTL;

/// A document, and the lines that [`Subject`] expects after it.
type Step<'a> = (i64, &'a str, &'a [&'a str]);

struct Bench {
    backend: Backend,
    protected: Protected,
    ttl: i64,
    last_good: LastGood,
    live: LiveRules,
    read: fn(&str) -> Result<FileMappings, Refusal>,
}

impl Bench {
    fn new(backend: Backend, read: fn(&str) -> Result<FileMappings, Refusal>) -> Self {
        let rules = RuleSet::new(vec![BackendRules::unread(backend)], []);
        Self {
            backend,
            protected: Protected::default(),
            ttl: DAY,
            last_good: LastGood::new(backend),
            live: LiveRules::new(rules, at(0)),
            read,
        }
    }

    fn step(&mut self, now: i64, text: &str) -> Vec<Refused> {
        let terms = Terms {
            now: at(now),
            ttl: self.ttl,
            protected: Some(&self.protected),
        };
        let update = match (self.read)(text) {
            Ok(document) => self.last_good.read(document, &terms),
            Err(why) => self.last_good.hold(&why, &terms),
        };
        let refused = update.refused.clone();
        self.live
            .change(self.backend, |edit| put_into(update, edit));
        refused
    }

    /// What is in effect: `<position> <whom> = <username> <groups>`, with `since` and `kept` where they are not 0.
    fn lines(&self) -> Vec<String> {
        let seen = self.live.inspect(|rules, notes| {
            let rules = rules.rules().into_iter().map(|rule| {
                let (username, groups) = rule.written_names();
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
                if effect.since != at(0) {
                    line.push_str(&format!(" since {}", effect.since.seconds()));
                }
                if let Some(kept) = &effect.kept {
                    line.push_str(&format!(" kept {}", kept.since.seconds()));
                }
                lines.push(line.replace("acs:ram::", ""));
            }
            assert_eq!(notes.in_effect.len(), lines.len());
            lines
        });
        let mut lines: Vec<String> = seen.into_iter().flatten().collect();
        let all = self.live.snapshot();
        assert_eq!(all.backends()[0].len(), lines.len(), "{lines:?}");
        lines.sort_by_key(|line| {
            let account = line.starts_with("mapAccounts").then(|| line.clone());
            account.unwrap_or_default()
        });
        lines
    }
}

impl Bench {
    /// What is in effect, as cases say it.
    fn rules(&self) -> Vec<String> {
        let all = self.live.snapshot();
        let rules = all.backends()[0].rules();
        let mut lines: Vec<String> = rules.into_iter().map(retained_cases::line).collect();
        lines.sort();
        lines
    }
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn document(text: &str) -> Result<FileMappings, Refusal> {
    document::dynamic_file("d.json", text, Globs::Wildcards).map(|document| document.mappings)
}

/// `mapUsers` of a ConfigMap.
fn config_map(text: &str) -> Result<FileMappings, Refusal> {
    let texts = [("mapUsers".to_owned(), text.to_owned())];
    let data = ConfigMapData {
        texts: texts.into(),
        ..ConfigMapData::default()
    };
    Ok(document::config_map("c", &data, Globs::Literal).mappings)
}

/// The rest of `server`, in the configuration file.
fn file(text: &str) -> Result<FileMappings, Refusal> {
    let text = format!("clusterID: c\nserver:\n  globs: true\n{text}");
    let overrides = Overrides::default();
    let config = config::load(&Sources {
        file: Some(ConfigFile::Text {
            name: "config.yaml",
            text: &text,
        }),
        overrides: &overrides,
        variables: &|_| None,
    });
    match config {
        Ok(config) => Ok(config.mappings),
        Err(error) => Err(Refusal {
            place: String::new(),
            reason: error.to_string(),
        }),
    }
}

#[track_caller]
fn check(case: &str, bench: &mut Bench, steps: &[Step<'_>]) {
    for (number, (now, text, expected)) in steps.iter().enumerate() {
        bench.step(*now, text);
        assert_eq!(bench.lines(), *expected, "{case}, step {number}: {text}");
    }
}

#[track_caller]
fn check_documents(case: &str, steps: &[Step<'_>]) {
    check(case, &mut Bench::new(Backend::DynamicFile, document), steps);
}

#[track_caller]
fn check_files(case: &str, steps: &[Step<'_>]) {
    check(case, &mut Bench::new(Backend::MountedFile, file), steps);
}

const TWO: &str = "mapRoles:\n- {roleARN: acs:ram::1:role/a, username: a, groups: [g]}\n- {roleARN: acs:ram::1:role/b, username: b}\n";

/// Makes the edits of `cases` in the documents that `whole` makes of lists.
fn check_cases(mut bench: impl FnMut() -> Bench, cases: &[Case], whole: impl Fn(&str) -> String) {
    for case in cases {
        let mut bench = bench();
        bench.step(0, &whole(case.before));
        assert!(!bench.rules().is_empty(), "{}", case.name);
        bench.step(5, &whole(case.after));
        assert_eq!(bench.rules(), case.expected, "{}", case.name);
        // A second edit like it changes nothing, but for the day.
        bench.step(6, &whole(&format!("{} ", case.after)));
        assert_eq!(bench.rules(), case.expected, "{}, again", case.name);
        bench.live.expire(at(5 + DAY));
        let is_kept = |line: &String| line.contains(" kept ");
        assert!(!bench.lines().iter().any(is_kept), "{}", case.name);
    }
}

#[test]
fn what_stays_of_broken_entry_is_what_both_texts_give() {
    let user_arn = |list: &str| list.replace("\"arn\"", "\"userARN\"");
    check_cases(
        || Bench::new(Backend::DynamicFile, document),
        retained_cases::CASES,
        |list| format!("{{\"mapUsers\": {}}}", user_arn(list)),
    );
    check_cases(
        || Bench::new(Backend::ConfigMap, config_map),
        retained_cases::CASES,
        user_arn,
    );
    let in_file = |list: &str| format!("  mapUsers: {}\n", user_arn(list));
    check_cases(
        || Bench::new(Backend::MountedFile, file),
        retained_cases::CASES,
        in_file,
    );
    let in_rules = |list: &str| format!("  mapRules: {list}\n");
    check_cases(
        || Bench::new(Backend::MountedFile, file),
        retained_cases::CASES,
        in_rules,
    );
}

#[cfg(feature = "cel")]
#[test]
fn what_stays_of_broken_rule_is_what_both_texts_give() {
    let in_rules = |list: &str| format!("  mapRules: {list}\n");
    check_cases(
        || Bench::new(Backend::MountedFile, file),
        retained_cases::RULES,
        in_rules,
    );
}

#[test]
fn earlier_form_is_found_by_its_subject_wherever_it_stood() {
    let both: &[&str] = &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"];
    let a_kept: &[&str] = &[
        "mapRoles[0] 1:role/a = a g kept 5",
        "mapRoles[1] 1:role/b = b",
    ];
    let only_b: &[&str] = &["mapRoles[1] 1:role/b = b"];
    let with_a = |entry: &str| {
        format!("mapRoles:\n- {entry}\n- {{roleARN: acs:ram::1:role/b, username: b}}\n")
    };
    for (case, entry, expected) in [
        (
            "ARN in another case",
            "{roleARN: ACS:RAM::1:ROLE/A, username: a, groups: [g, '{{No}}']}",
            a_kept,
        ),
        (
            "a misspelled key",
            "{roelARN: acs:ram::1:role/a, username: a, groups: [g]}",
            a_kept,
        ),
        (
            "the key of another list",
            "{userARN: acs:ram::1:role/a, username: a, groups: [g]}",
            a_kept,
        ),
        (
            "a misspelled username",
            "{roleARN: acs:ram::1:role/a, usernam: a, groups: [g]}",
            a_kept,
        ),
        (
            "an unknown key that Go ignores",
            "{roleARN: acs:ram::1:role/a, username: a, groups: [g, '{{No}}'], comment: x}",
            a_kept,
        ),
        (
            "a condition, which `mapRoles` does not know",
            "{roleARN: acs:ram::1:role/a, username: a, groups: [g, '{{No}}'], match: x}",
            only_b,
        ),
        (
            "a key twice but for case",
            "{roleARN: acs:ram::1:role/a, RoleArn: acs:ram::1:role/x, username: a}",
            only_b,
        ),
        (
            "no space after the colon",
            "{roleARN:acs:ram::1:role/a, username: a, groups: [g]}",
            only_b,
        ),
        ("an entry left blank", "", only_b),
        ("something else", "42", only_b),
        ("a nested list", "[[]]", only_b),
    ] {
        let text = with_a(entry);
        check_documents(case, &[(0, TWO, both), (5, &text, expected)]);
    }
    let text = with_a("{roleARN: acs:ram:1:role/a, username: a, groups: [g]}");
    check_documents(
        "put right",
        &[(0, TWO, both), (5, &text, a_kept), (9, TWO, both)],
    );
    check_documents(
        "at another place, in another list",
        &[
            (0, TWO, both),
            (
                5,
                "mapRoles: []\nmapUsers:\n- {userARN: x}\n- {userARN: acs:ram::1:role/a, username: a, groups: [g, '{{']}\n",
                &["mapUsers[1] 1:role/a = a g kept 5"],
            ),
        ],
    );
}

#[test]
fn nobody_is_said_in_one_way() {
    let all = "mapUsers: [{userARN: acs:ram::1:user/u, username: u}]\nmapAccounts: ['77']\n";
    let good: &[&str] = &["mapUsers[0] 1:user/u = u", "mapAccounts[0] 77"];
    for nobody in ["~", "null", "# moved to the ConfigMap\n", "---\n", "{}"] {
        check_documents(nobody, &[(0, all, good), (5, nobody, &[])]);
    }
    for broken in ["", "\n", "  \n\n"] {
        let kept: &[&str] = &[
            "mapUsers[0] 1:user/u = u kept 5",
            "mapAccounts[0] 77 kept 5",
        ];
        check_documents("an empty file", &[(0, all, good), (5, broken, kept)]);
    }
    for nobody in ["", "~", "# nobody", "[]"] {
        let text = format!("mapUsers: {nobody}\nmapAccounts: ['77']\n");
        check_documents(
            nobody,
            &[(0, all, good), (5, &text, &["mapAccounts[0] 77"])],
        );
        let mut bench = Bench::new(Backend::ConfigMap, config_map);
        bench.step(0, "- {userARN: acs:ram::1:user/u, username: u}");
        assert_eq!(bench.rules().len(), 1);
        bench.step(5, nobody);
        assert_eq!(bench.rules(), [""; 0], "{nobody}");
        let in_file = |text: &str| format!("  mapUsers: {text}\n");
        check_files(
            nobody,
            &[
                (
                    0,
                    &in_file("[{userARN: acs:ram::1:user/u, username: u}]"),
                    &["server.mapUsers[0] 1:user/u = u"],
                ),
                (5, &in_file(nobody), &[]),
            ],
        );
    }
}

#[test]
fn misspelled_key_of_list_keeps_only_what_is_below_it() {
    let all = "mapUsers: [{userARN: acs:ram::1:user/a, username: a, groups: [g, h]}, {userARN: acs:ram::1:user/b, username: b}]\nmapAccounts: ['77', '88']\n";
    let good: &[&str] = &[
        "mapUsers[0] 1:user/a = a g,h",
        "mapUsers[1] 1:user/b = b",
        "mapAccounts[0] 77",
        "mapAccounts[1] 88",
    ];
    check_documents(
        "both are misspelled, and narrower",
        &[
            (0, all, good),
            (
                5,
                "mapUser: [{userARN: acs:ram::1:user/a, username: a, groups: [h, new]}, {userARN: acs:ram::1:user/c, username: c}]\nmapAcounts: ['88', '99']\n",
                &[
                    "mapUsers[0] 1:user/a = a h kept 5",
                    "mapAccounts[0] 88 kept 5",
                ],
            ),
        ],
    );
    for key in ["_mapUsers", "xmapUsers", "mapUsers_off"] {
        let text = all.replace("mapUsers", key);
        check_documents(
            key,
            &[
                (0, all, good),
                (5, &text, &["mapAccounts[0] 77", "mapAccounts[1] 88"]),
            ],
        );
    }
}

#[test]
fn refused_document_keeps_only_what_its_lists_still_give() {
    let mut bench = Bench::new(Backend::DynamicFile, document);
    bench.step(
        0,
        "mapUsers: [{userARN: acs:ram::1:user/a, username: a, groups: [g, h]}, {userARN: acs:ram::1:user/b, username: b}]\nmapAccounts: ['77', '88']\n",
    );
    let newer = "mapUsers: [{userARN: acs:ram::1:user/a, username: a, groups: [h, new]}, {userARN: acs:ram::1:user/c, username: c}]\nmapAccounts: ['88']\n";
    let why = Refusal {
        place: String::new(),
        reason: "`server.port` is none".to_owned(),
    };
    let terms = Terms {
        now: at(5),
        ttl: DAY,
        protected: None,
    };
    let update = bench
        .last_good
        .restrict(document(newer).unwrap(), &why, &terms);
    assert_eq!(update.removed, 2);
    bench
        .live
        .change(bench.backend, |edit| put_into(update, edit));
    assert_eq!(
        bench.lines(),
        [
            "mapUsers[0] 1:user/a = a h kept 5",
            "mapAccounts[0] 88 kept 5"
        ]
    );
}

#[test]
fn in_doubt_protected_entry_stays_whole() {
    let node = "{roleARN: acs:ram::1:role/node, username: n, groups: ['system:nodes', dev]}";
    let good =
        format!("  mapRoles:\n  - {node}\n  - {{roleARN: acs:ram::1:role/x, username: x}}\n");
    let whole =
        |place: &str| format!("server.mapRoles[{place}] 1:role/node = n system:nodes,dev kept 5");
    for (case, text, expected) in [
        (
            "a blank ARN",
            "  mapRoles:\n  - {roleARN: , username: n}\n",
            Some(whole("kept 0")),
        ),
        (
            "a group that is broken, and another that is gone",
            "  mapRoles:\n  - {roleARN: acs:ram::1:role/node, username: n, groups: ['system:nodes', '{{No}}']}\n",
            Some(whole("0")),
        ),
        (
            "another entry of the list is broken",
            "  mapRoles:\n  - {roleARN: acs:ram::1:role/x, username: '{{'}\n",
            Some(whole("kept 0")),
        ),
        (
            "deleted, and all is good",
            "  mapRoles:\n  - {roleARN: acs:ram::1:role/x, username: x}\n",
            None,
        ),
        (
            "deleted, and another list is broken",
            "  mapRoles:\n  - {roleARN: acs:ram::1:role/x, username: x}\n  mapUsers: [1]\n",
            None,
        ),
        (
            "narrowed, and another entry is broken",
            "  mapRoles:\n  - {roleARN: acs:ram::1:role/node, username: n}\n  - 1\n",
            Some("server.mapRoles[0] 1:role/node = n since 5".to_owned()),
        ),
    ] {
        let mut bench = Bench::new(Backend::MountedFile, file);
        bench.protected.protect("acs:ram::1:role/no*").unwrap();
        bench.step(0, &good);
        bench.step(5, text);
        let lines = bench.lines();
        let node = lines.iter().find(|line| line.contains("node"));
        assert_eq!(node, expected.as_ref(), "{case}: {lines:?}");
        bench.step(6, &format!("{text}  # again\n"));
        let again = bench.lines();
        let node = again.iter().find(|line| line.contains("node"));
        assert_eq!(node, expected.as_ref(), "{case}, again: {again:?}");
    }
}

#[test]
fn without_time_nothing_stays() {
    let mut bench = Bench::new(Backend::DynamicFile, document);
    bench.ttl = 0;
    bench.step(0, TWO);
    bench.step(5, &TWO.replace("[g]", "[g, '{{No}}']"));
    assert_eq!(bench.lines(), ["mapRoles[1] 1:role/b = b"]);
    bench.step(6, "{");
    assert_eq!(bench.lines(), [""; 0]);
    bench.ttl = DAY;
    bench.step(7, "}");
    assert_eq!(bench.lines(), [""; 0], "nothing comes back");
}

#[test]
fn pattern_that_is_none_any_more_does_not_stay() {
    let globs = |on: bool, list: &str| format!("  globs: {on}\n  mapRoles: {list}\n");
    fn with_globs(text: &str) -> Result<FileMappings, Refusal> {
        let text = format!("clusterID: c\nserver:\n{text}");
        let overrides = Overrides::default();
        let sources = Sources {
            file: Some(ConfigFile::Text {
                name: "config.yaml",
                text: &text,
            }),
            overrides: &overrides,
            variables: &|_| None,
        };
        Ok(config::load(&sources).unwrap().mappings)
    }
    let good = "[{roleARN: 'acs:ram::1:role/*', username: a}]";
    for broken in [
        "text",
        "[{roleARN: 'acs:ram:1:role/*', username: a}]",
        "[{roleARN: 'acs:ram::1:role/*', username: a, groups: ['{{']}]",
    ] {
        let mut bench = Bench::new(Backend::MountedFile, with_globs);
        bench.step(0, &globs(true, good));
        assert_eq!(bench.rules().len(), 1);
        bench.step(1, &globs(true, broken));
        assert_eq!(bench.rules().len(), 1, "{broken}");
        bench.step(2, &globs(false, broken));
        assert_eq!(bench.rules(), [""; 0], "{broken}");
    }
}

#[test]
fn what_is_removed_is_gone_and_does_not_come_back() {
    let a_broken = "mapRoles:\n- {roleARN: acs:ram::1:role/a, username: a, groups: [g, '{{']}\n";
    let none: &[&str] = &[];
    check_documents(
        "broken, removed, broken again",
        &[
            (
                0,
                TWO,
                &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"],
            ),
            (5, a_broken, &["mapRoles[0] 1:role/a = a g kept 5"]),
            (6, "mapRoles: []", none),
            (7, a_broken, none),
            (8, "}", none),
        ],
    );
    check_documents(
        "the key removed, then the document broken",
        &[
            (
                0,
                TWO,
                &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"],
            ),
            (1, "mapUsers: []", none),
            (2, "mapRoles: x", none),
        ],
    );
    check_documents(
        "an entry removed, so that lengths differ, and another broken beyond recognition",
        &[
            (
                0,
                TWO,
                &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"],
            ),
            (
                1,
                "mapRoles:\n- {roleARN: x, username: a, groups: [g]}\n",
                none,
            ),
        ],
    );
    check_documents(
        "whoever stood there stands elsewhere, broken too",
        &[
            (
                0,
                TWO,
                &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"],
            ),
            (
                1,
                "mapRoles:\n- {roleARN: acs:ram:1:role/a, username: a, groups: [g]}\n- {roleARN: acs:ram::1:role/a, username: a, groups: [g, '{{']}\n",
                &["mapRoles[1] 1:role/a = a g kept 1"],
            ),
        ],
    );
}

#[test]
fn lists_and_documents_that_cannot_be_read_stay_for_a_day() {
    let all = "mapRoles: [{roleARN: acs:ram::1:role/a, username: a}]\nmapUsers: [{userARN: acs:ram::1:user/u, username: u}]\nmapAccounts: ['77']\n";
    let good: &[&str] = &[
        "mapRoles[0] 1:role/a = a",
        "mapUsers[0] 1:user/u = u",
        "mapAccounts[0] 77",
    ];
    let kept: &[&str] = &[
        "mapRoles[0] 1:role/a = a kept 5",
        "mapUsers[0] 1:user/u = u kept 5",
        "mapAccounts[0] 77 kept 5",
    ];
    for broken in [
        "",
        "[]",
        "text",
        "{",
        "mapRoles: [\n",
        "a: 1\na: 1\n",
        "mapRoles: []\nMAPROLES: []\n",
    ] {
        check_documents(
            "the document",
            &[
                (0, all, good),
                (5, broken, kept),
                (DAY, "}{", kept),
                (DAY + 5, "{{", &[]),
                (DAY + 6, "}", &[]),
            ],
        );
    }
    for broken in ["text", "{}", "1", "true", "{a: b}"] {
        let text = all.replace("[{roleARN: acs:ram::1:role/a, username: a}]", broken);
        check_documents(
            "one list",
            &[
                (0, all, good),
                (
                    5,
                    &text,
                    &[
                        "mapRoles[0] 1:role/a = a kept 5",
                        "mapUsers[0] 1:user/u = u",
                        "mapAccounts[0] 77",
                    ],
                ),
                (
                    5 + DAY,
                    &text,
                    &["mapUsers[0] 1:user/u = u", "mapAccounts[0] 77"],
                ),
                (
                    6 + DAY,
                    all,
                    &[
                        "mapRoles[0] 1:role/a = a since 86406",
                        "mapUsers[0] 1:user/u = u",
                        "mapAccounts[0] 77",
                    ],
                ),
            ],
        );
    }
    for (key, misspelt) in [
        ("mapRoles", "mapRole"),
        ("mapUsers", "MAPUSER"),
        ("mapAccounts", "mapAcounts"),
    ] {
        let text = all.replace(key, misspelt);
        let mut bench = Bench::new(Backend::DynamicFile, document);
        bench.step(0, all);
        bench.step(5, &text);
        assert_eq!(
            bench.lines().join("\n").matches("kept 5").count(),
            1,
            "{misspelt}"
        );
        assert_eq!(bench.lines().len(), 3, "{misspelt}");
    }
}

#[test]
fn broken_account_maps_nobody() {
    let good = "mapAccounts: ['011', '22']";
    for entry in ["011", "'0l1'", "[a]", "true", "", "''"] {
        let text = format!("mapAccounts:\n- {entry}\n- '22'\n");
        let mut bench = Bench::new(Backend::DynamicFile, document);
        bench.step(0, good);
        assert_eq!(bench.lines().len(), 2);
        bench.step(5, &text);
        assert_eq!(bench.lines(), ["mapAccounts[1] 22"], "{entry}");
    }
}

#[test]
fn a_second_broken_edit_and_a_move_do_not_renew_the_day() {
    let broken = "mapRoles:\n- {roleARN: acs:ram::1:role/a, username: a, groups: [g, '{{']}\n- {roleARN: acs:ram::1:role/b, username: b}\n";
    let moved = "mapRoles:\n- {roleARN: acs:ram::1:role/b, username: b}\n- {roleARN: acs:ram::1:role/a, username: a, groups: [g, [a]]}\n";
    let mut bench = Bench::new(Backend::DynamicFile, document);
    check(
        "a day",
        &mut bench,
        &[
            (
                0,
                TWO,
                &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"],
            ),
            (
                5,
                broken,
                &[
                    "mapRoles[0] 1:role/a = a g kept 5",
                    "mapRoles[1] 1:role/b = b",
                ],
            ),
            (
                9,
                moved,
                &[
                    "mapRoles[0] 1:role/b = b",
                    "mapRoles[1] 1:role/a = a g kept 5",
                ],
            ),
            (
                10,
                "{",
                &[
                    "mapRoles[0] 1:role/b = b kept 10",
                    "mapRoles[1] 1:role/a = a g kept 5",
                ],
            ),
            (DAY + 5, moved, &["mapRoles[0] 1:role/b = b"]),
            (DAY + 6, broken, &["mapRoles[1] 1:role/b = b"]),
        ],
    );
    // What expires elsewhere is not put back.
    let mut bench = Bench::new(Backend::DynamicFile, document);
    bench.step(0, TWO);
    let refused = bench.step(5, broken);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].position, "mapRoles[0]");
    assert_eq!(refused[0].kept_until(), Some(at(5 + DAY)));
    assert!(
        refused[0].why.place.starts_with("d.json:2:"),
        "{:?}",
        refused[0].why
    );
    assert_eq!(bench.live.expire(at(DAY + 4)), []);
    assert_eq!(bench.live.expire(at(DAY + 5)).len(), 1);
    let refused = bench.step(DAY + 6, moved);
    assert_eq!(refused[0].kept_until(), None);
    assert_eq!(bench.lines(), ["mapRoles[0] 1:role/b = b"]);
}

#[test]
fn since_follows_a_mapping_that_is_unchanged() {
    check_documents(
        "moved, changed, changed back",
        &[
            (
                0,
                TWO,
                &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"],
            ),
            (
                3,
                "mapRoles:\n- {roleARN: acs:ram::1:role/c, username: c}\n- {roleARN: acs:ram::1:role/b, username: b}\n- {username: a, roleARN: acs:ram::1:role/a, groups: [g]}\n",
                &[
                    "mapRoles[0] 1:role/c = c since 3",
                    "mapRoles[1] 1:role/b = b",
                    "mapRoles[2] 1:role/a = a g",
                ],
            ),
            (
                4,
                "mapRoles:\n- {roleARN: acs:ram::1:role/b, username: x}\n",
                &["mapRoles[0] 1:role/b = x since 4"],
            ),
            (
                5,
                "mapRoles:\n- {roleARN: acs:ram::1:role/b, username: b}\n",
                &["mapRoles[0] 1:role/b = b since 5"],
            ),
        ],
    );
}

#[test]
fn nothing_that_is_kept_stands_in_the_way_of_what_is_written() {
    check_documents(
        "the same ARN, written well elsewhere",
        &[
            (
                0,
                TWO,
                &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"],
            ),
            (
                5,
                "mapRoles:\n- {roleARN: acs:ram::1:role/a, username: '{{'}\n- {roleARN: acs:ram::1:role/b, username: b}\n- {roleARN: ACS:ram::1:role/A, username: new}\n",
                &[
                    "mapRoles[1] 1:role/b = b",
                    "mapRoles[2] 1:role/A = new since 5",
                ],
            ),
        ],
    );
    check_documents(
        "in another list",
        &[
            (
                0,
                "mapRoles: [{roleARN: acs:ram::1:role/a, username: a}]",
                &["mapRoles[0] 1:role/a = a"],
            ),
            (
                5,
                "mapRoles: broken\nmapUsers: [{userARN: acs:ram::1:role/a, username: new}]",
                &["mapUsers[0] 1:role/a = new since 5"],
            ),
        ],
    );
    let pattern = "- {roleARN: 'acs:ram::1:role/*', username: any}\n";
    let wrong = "mapRoles:\n- {roleARN: acs:ram:1:role/a, username: a, groups: [g]}\n- {roleARN: acs:ram::1:role/b, username: b}\n";
    let mut with_pattern = Bench::new(Backend::DynamicFile, document);
    with_pattern.step(0, TWO);
    with_pattern.step(
        5,
        &format!(
            "{wrong}mapUsers:\n{}",
            pattern.replace("roleARN", "userARN")
        ),
    );
    assert_eq!(
        with_pattern.lines(),
        [
            "mapRoles[1] 1:role/b = b",
            "mapUsers[0] 1:role/* = any since 5"
        ],
        "a new pattern answers for whoever is no longer named"
    );
    let good = format!("{TWO}mapUsers:\n{}", pattern.replace("roleARN", "userARN"));
    let wrong = format!(
        "{wrong}mapUsers:\n{}",
        pattern.replace("roleARN", "userARN")
    );
    let mut old_pattern = Bench::new(Backend::DynamicFile, document);
    old_pattern.step(0, &good);
    old_pattern.step(5, &wrong);
    assert_eq!(
        old_pattern.lines(),
        [
            "mapRoles[0] 1:role/a = a g kept 5",
            "mapRoles[1] 1:role/b = b",
            "mapUsers[0] 1:role/* = any"
        ],
        "one that was there before does so as before"
    );
}

#[cfg(feature = "cel")]
#[test]
fn among_conditions_the_order_stays() {
    let rules = |first: &str, second: &str| format!("  mapRules:\n  - {first}\n  - {second}\n");
    let narrow =
        "{arn: 'acs:ram::1:role/a', match: 'identity.sessionName == \"s\"', username: narrow}";
    let broken = "{arn: 'acs:ram::1:role/a', match: 'identity.sessionName ==', username: narrow}";
    let wide = "{arn: 'acs:ram::1:role/a', username: wide}";
    let before: &[&str] = &[
        "server.mapRules[0] 1:role/a = narrow",
        "server.mapRules[1] 1:role/a = wide",
    ];
    check_files(
        "a condition that may narrow maps nobody; the rest of the text is as it is written",
        &[
            (0, &rules(narrow, wide), before),
            (
                5,
                &rules(broken, wide),
                &["server.mapRules[1] 1:role/a = wide"],
            ),
        ],
    );
    let with_broken_group = |rule: &str| rule.replace("username", "groups: ['{{'], username");
    check_files(
        "who is narrowed by a condition is not widened by an edit that breaks something else",
        &[
            (0, &rules(narrow, wide), before),
            (
                5,
                &rules(&with_broken_group(narrow), wide),
                &[
                    "server.mapRules[0] 1:role/a = narrow kept 5",
                    "server.mapRules[1] 1:role/a = wide",
                ],
            ),
        ],
    );
    check_files(
        "what is new goes before",
        &[
            (0, &rules(narrow, wide), before),
            (
                5,
                &rules(broken, &wide.replace("wide", "other")),
                &["server.mapRules[1] 1:role/a = other since 5"],
            ),
        ],
    );
    check_files(
        "what comes after a condition stays after it",
        &[
            (0, &rules(narrow, wide), before),
            (
                5,
                &rules(narrow, &with_broken_group(wide)),
                &[
                    "server.mapRules[0] 1:role/a = narrow",
                    "server.mapRules[1] 1:role/a = wide kept 5",
                ],
            ),
        ],
    );
    let anyone = "{match: 'identity.accountId == \"1\"', username: anyone}";
    check_files(
        "ids and conditions alone",
        &[
            (
                0,
                &rules("{userID: '7', username: u}", anyone),
                &[
                    "server.mapRules[0] user id 7 = u",
                    "server.mapRules[1] whoever meets the condition = anyone",
                ],
            ),
            (
                5,
                &rules(
                    &with_broken_group("{userID: '7', username: u}"),
                    &with_broken_group(anyone),
                ),
                &[
                    "server.mapRules[0] user id 7 = u kept 5",
                    "server.mapRules[1] whoever meets the condition = anyone kept 5",
                ],
            ),
        ],
    );
}
