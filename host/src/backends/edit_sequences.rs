//! Sequences of documents: who is mapped after each, and which of it is a last good form.

use ack_ram_core::rules::{BackendRules, Globs, RuleSet};

use super::*;
use crate::backends::live::LiveRules;
use crate::config::{self, ConfigFile, Overrides, Sources, document};

const DAY: i64 = KEPT_SECONDS;

/// A document, and the lines that [`Subject`] expects after it.
type Step<'a> = (i64, &'a str, &'a [&'a str]);

struct Bench {
    last_good: LastGood,
    live: LiveRules,
    read: fn(&str) -> Result<FileMappings, Refusal>,
}

impl Bench {
    fn new(backend: Backend, read: fn(&str) -> Result<FileMappings, Refusal>) -> Self {
        let rules = RuleSet::new(vec![BackendRules::unread(backend)], []);
        Self {
            last_good: LastGood::new(backend),
            live: LiveRules::new(rules, at(0)),
            read,
        }
    }

    fn step(&mut self, now: i64, text: &str) -> Vec<Refused> {
        let mut update = match (self.read)(text) {
            Ok(document) => self.last_good.read(document, at(now)),
            Err(why) => self.last_good.hold(&why, at(now)),
        };
        let refused = std::mem::take(&mut update.refused);
        let backend = self.last_good.backend;
        self.live
            .change(backend, |edit| update.put_into(edit, Trouble::None));
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
        lines.sort_by_key(|line| line.starts_with("mapAccounts"));
        lines
    }
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn document(text: &str) -> Result<FileMappings, Refusal> {
    document::dynamic_file("d.json", text, Globs::Wildcards).map(|document| document.mappings)
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

#[test]
fn what_is_broken_stays_as_it_was_and_the_rest_goes_on() {
    let both: &[&str] = &["mapRoles[0] 1:role/a = a g", "mapRoles[1] 1:role/b = b"];
    let a_kept: &[&str] = &[
        "mapRoles[0] 1:role/a = a g kept 5",
        "mapRoles[1] 1:role/b = b",
    ];
    let with_a = |entry: &str| {
        format!("mapRoles:\n- {entry}\n- {{roleARN: acs:ram::1:role/b, username: b}}\n")
    };
    for (case, entry) in [
        // By the ARN.
        ("no username", "{roleARN: acs:ram::1:role/a, groups: [g]}"),
        (
            "a username that is a list",
            "{roleARN: acs:ram::1:role/a, username: [a]}",
        ),
        (
            "other names, one broken",
            "{roleARN: acs:ram::1:role/a, username: x, groups: ['{{No}}']}",
        ),
        (
            "ARN in another case",
            "{roleARN: ACS:RAM::1:ROLE/A, username: '{{', groups: [g]}",
        ),
        (
            "a session of the role",
            "{roleARN: acs:ram::1:assumed-role/a/s, username: '{{'}",
        ),
        (
            "a key twice but for case",
            "{roleARN: acs:ram::1:role/a, RoleArn: acs:ram::1:role/x, username: a}",
        ),
        (
            "a misspelt key",
            "{roelARN: acs:ram::1:role/a, username: a, groups: [g]}",
        ),
        (
            "no space after the colon",
            "{roleARN:acs:ram::1:role/a, username: a, groups: [g]}",
        ),
        (
            "the wrong list",
            "{userARN: acs:ram::1:role/a, username: a, groups: [g]}",
        ),
        ("text that holds the ARN", "acs:ram::1:role/a a g"),
        (
            "an ARN in a list",
            "{roleARN: [acs:ram::1:role/a], username: a, groups: [g]}",
        ),
        // By the place and the names.
        (
            "a wrong prefix",
            "{roleARN: acs:ram:1:role/a, username: a, groups: [g]}",
        ),
        (
            "a wrong kind",
            "{roleARN: acs:ram::1:rol/a, username: a, groups: [g]}",
        ),
        (
            "a wrong account",
            "{roleARN: acs:ram::x1:role/a, username: a, groups: [g]}",
        ),
        ("a number", "{roleARN: 1, username: a, groups: [g]}"),
        (
            "too long",
            &format!(
                "{{roleARN: 'acs:ram::1:role/{}', username: a, groups: [g]}}",
                "a".repeat(2000)
            ),
        ),
        (
            "a number, and a username of another type",
            "{roleARN: 1, username: [a], groups: [g]}",
        ),
        ("something else", "42"),
        ("a nested list", "[[]]"),
    ] {
        let text = with_a(entry);
        check_documents(case, &[(0, TWO, both), (5, &text, a_kept), (9, TWO, both)]);
    }
    let only_b: &[&str] = &["mapRoles[1] 1:role/b = b"];
    for (case, entry) in [
        ("an ARN left blank", "{roleARN: , username: a, groups: [g]}"),
        (
            "an ARN of nothing",
            "{roleARN: '', username: a, groups: [g]}",
        ),
        ("no ARN", "{username: a, groups: [g]}"),
        ("an entry left blank", ""),
        (
            "a wrong ARN and other names",
            "{roleARN: acs:ram:1:role/a, username: c, groups: [g]}",
        ),
        ("a wrong ARN and no names", "{roleARN: acs:ram:1:role/a}"),
        (
            "a wrong ARN and other groups",
            "{roleARN: acs:ram:1:role/a, username: a, groups: [h]}",
        ),
    ] {
        let text = with_a(entry);
        check_documents(case, &[(0, TWO, both), (5, &text, only_b)]);
    }
}

#[test]
fn what_is_removed_is_gone_and_does_not_come_back() {
    let a_broken = "mapRoles:\n- {roleARN: acs:ram::1:role/a, username: '{{'}\n";
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
                "mapRoles:\n- {roleARN: x, username: a, groups: [g]}\n- {roleARN: acs:ram::1:role/a, username: '{{'}\n",
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
        "~",
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
fn accounts_stay_too() {
    let good = "mapAccounts: ['011', '22']";
    let both: &[&str] = &["mapAccounts[0] 011", "mapAccounts[1] 22"];
    for (entry, expected) in [
        (
            "011",
            &["mapAccounts[0] 011 kept 5", "mapAccounts[1] 22"][..],
        ),
        ("'0l1'", &["mapAccounts[0] 011 kept 5", "mapAccounts[1] 22"]),
        ("[a]", &["mapAccounts[0] 011 kept 5", "mapAccounts[1] 22"]),
        ("true", &["mapAccounts[0] 011 kept 5", "mapAccounts[1] 22"]),
        ("", &["mapAccounts[1] 22"]),
        ("''", &["mapAccounts[1] 22"]),
    ] {
        let text = format!("mapAccounts:\n- {entry}\n- '22'\n");
        let mut bench = Bench::new(Backend::DynamicFile, document);
        let mut after = |now, text: &str| {
            bench.step(now, text);
            let mut lines = bench.lines();
            lines.sort();
            lines
        };
        assert_eq!(after(0, good), both);
        assert_eq!(after(5, &text), expected, "{entry}");
        bench.live.expire(at(5 + DAY));
        assert_eq!(bench.lines(), ["mapAccounts[1] 22"], "{entry}");
    }
}

#[test]
fn a_second_broken_edit_and_a_move_do_not_renew_the_day() {
    let broken = "mapRoles:\n- {roleARN: acs:ram::1:role/a, username: '{{'}\n- {roleARN: acs:ram::1:role/b, username: b}\n";
    let moved = "mapRoles:\n- {roleARN: acs:ram::1:role/b, username: b}\n- {roleARN: acs:ram::1:role/a, username: [a]}\n";
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
    assert_eq!(refused[0].kept_until, Some(at(5 + DAY)));
    assert!(
        refused[0].why.place.starts_with("d.json:2:"),
        "{:?}",
        refused[0].why
    );
    assert_eq!(bench.live.expire(at(DAY + 4)), []);
    assert_eq!(bench.live.expire(at(DAY + 5)).len(), 1);
    let refused = bench.step(DAY + 6, moved);
    assert_eq!(refused[0].kept_until, None);
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
        "who is narrowed by a condition is not widened by an edit that breaks it",
        &[
            (0, &rules(narrow, wide), before),
            (
                5,
                &rules(broken, wide),
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
                &rules(narrow, &wide.replace("wide", "'{{'")),
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
                    "{userID: '7', username: u, nonsense: 1}",
                    "{match: 'nonsense(', username: anyone}",
                ),
                &[
                    "server.mapRules[0] user id 7 = u kept 5",
                    "server.mapRules[1] whoever meets the condition = anyone kept 5",
                ],
            ),
        ],
    );
}
