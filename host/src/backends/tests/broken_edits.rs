//! A hundred broken edits of each document: who could log in before still can, as far as the newest text says so; and the
//! author of the edit is notified where it is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use ack_ram_core::arn::Arn;
use ack_ram_core::rules::{Backend, BackendRules, Globs, RuleSet};
use ack_ram_core::sample;
use ack_ram_core::time::UnixTime;
use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;

use crate::backends::config_map::ConfigMapSource;
use crate::backends::dynamic_file::DynamicFile;
use crate::backends::feed::nobody;
use crate::backends::live::LiveRules;
use crate::backends::mounted_file::{Inputs, MountedFile};
use crate::config::document::ConfigMapData;
use crate::config::{self, ConfigFile, ConfigMapName, Overrides, Sources};

fn now() -> UnixTime {
    UnixTime::from_seconds(1_000)
}

/// The three lists, each as JSON.
#[derive(Clone)]
struct Lists {
    roles: Vec<String>,
    users: Vec<String>,
    accounts: Vec<String>,
}

impl Lists {
    fn good() -> Self {
        let entry = |key: &str, arn: &str, names: &str| {
            format!(r#"{{"{key}": "acs:ram::1:{arn}", {names}}}"#)
        };
        Self {
            roles: vec![
                entry(
                    "roleARN",
                    "role/admin",
                    r#""username": "admin", "groups": ["ops", "admins"]"#,
                ),
                entry(
                    "roleARN",
                    "role/dev",
                    r#""username": "dev:{{AccountID}}", "groups": ["dev"]"#,
                ),
            ],
            users: vec![
                entry(
                    "userARN",
                    "user/alice",
                    r#""username": "alice", "groups": ["ops"]"#,
                ),
                entry("userARN", "user/bob", r#""username": "bob", "groups": []"#),
            ],
            accounts: vec![r#""0077""#.to_owned(), r#""88""#.to_owned()],
        }
    }

    fn texts(&self) -> [(&'static str, String); 3] {
        let text = |list: &Vec<String>| format!("[{}]", list.join(",\n  "));
        [
            ("mapRoles", text(&self.roles)),
            ("mapUsers", text(&self.users)),
            ("mapAccounts", text(&self.accounts)),
        ]
    }
}

/// Makes a broken text of a good one.
type Change = fn(&str) -> String;

/// Makes a broken document of a good one.
type ChangeWhole = fn(&str) -> Vec<u8>;

/// The text of each list, by its key.
type Texts = BTreeMap<&'static str, String>;

/// An edit, the whole document that it makes, and what becomes of whom.
type Edited = (String, Vec<u8>, Fate);

/// What becomes of one identity; the others are as they were.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Nothing.
    Same,
    /// It loses its groups.
    NoGroups(&'static str),
    /// It is mapped no longer.
    Gone(&'static str),
}

impl Fate {
    fn of(self, before: &[User]) -> Vec<User> {
        let fate = |(who, user): &User| match self {
            Self::Gone(gone) if gone == *who => (*who, None),
            Self::NoGroups(other) if other == *who => {
                let user = user.clone();
                (*who, user.map(|(username, _)| (username, Vec::new())))
            }
            Self::Same | Self::Gone(_) | Self::NoGroups(_) => (*who, user.clone()),
        };
        before.iter().map(fate).collect()
    }
}

/// What becomes of whoever a broken entry maps.
type FateOf = fn(&'static str) -> Fate;

const SAME: FateOf = |_| Fate::Same;
const NO_GROUPS: FateOf = Fate::NoGroups;
const GONE: FateOf = Fate::Gone;

/// Who logs in, and as whom.
type User = (&'static str, Option<(String, Vec<String>)>);

/// What may be done to one entry of `mapRoles` or `mapUsers` so that it cannot be used.
const ENTRIES: &[(&str, Change, FateOf)] = &[
    ("no username", |e| e.replace("username", "user"), GONE),
    (
        "a username of nothing",
        |e| swap(e, "username", "null"),
        GONE,
    ),
    ("an empty username", |e| swap(e, "username", "\"\""), GONE),
    (
        "a username that is a list",
        |e| swap(e, "username", "[\"admin\"]"),
        GONE,
    ),
    (
        "a username that is a map",
        |e| swap(e, "username", "{\"a\": \"b\"}"),
        GONE,
    ),
    (
        "a username that is a boolean",
        |e| swap(e, "username", "true"),
        GONE,
    ),
    (
        "a username that is another number",
        |e| swap(e, "username", "0123"),
        GONE,
    ),
    (
        "a username that is a float",
        |e| swap(e, "username", "1.50"),
        GONE,
    ),
    (
        "a username in braces without quotes",
        |e| swap(e, "username", "{{SessionName}}"),
        GONE,
    ),
    (
        "text that cannot be read, by braces without quotes",
        |e| swap(e, "username", "{{AccountID}}:x"),
        SAME,
    ),
    (
        "a group in braces without quotes",
        |e| swap(e, "groups", "[{{RoleName}}]"),
        NO_GROUPS,
    ),
    (
        "an unknown variable",
        |e| swap(e, "username", "\"{{Nobody}}\""),
        GONE,
    ),
    (
        "an unclosed variable",
        |e| swap(e, "username", "\"{{AccountID\""),
        GONE,
    ),
    (
        "a control character",
        |e| swap(e, "username", "\"a\\nb\""),
        GONE,
    ),
    (
        "a reserved name that the caller completes",
        |e| swap(e, "username", "\"system:{{SessionName}}\""),
        GONE,
    ),
    (
        "a group that is a list",
        |e| swap(e, "groups", "[[\"ops\"]]"),
        NO_GROUPS,
    ),
    (
        "a group that is nothing",
        |e| swap(e, "groups", "[null]"),
        NO_GROUPS,
    ),
    (
        "a group that is empty",
        |e| swap(e, "groups", "[\"\"]"),
        NO_GROUPS,
    ),
    (
        "groups that are a map",
        |e| swap(e, "groups", "{}"),
        NO_GROUPS,
    ),
    (
        "groups that are a number",
        |e| swap(e, "groups", "7"),
        NO_GROUPS,
    ),
    (
        "a group with an unknown variable",
        |e| swap(e, "groups", "[\"{{X}}\"]"),
        NO_GROUPS,
    ),
    (
        "a key in another case, too",
        |e| e.replacen('{', "{\"USERNAME\": \"x\", ", 1),
        GONE,
    ),
    (
        "the ARN's key twice but for case",
        |e| {
            e.replace("}", "").trim_end().to_owned()
                + ", \"ROLEARN\": \"acs:ram::1:role/x\", \"uSeRaRn\": \"acs:ram::1:role/x\", \"RoleArn\": \"\", \"USERARN\": \"\"}"
        },
        GONE,
    ),
    (
        "a misspelt key of the ARN",
        |e| e.replace("ARN", "Arm"),
        SAME,
    ),
    (
        "another key for the ARN",
        |e| e.replace("roleARN", "arn").replace("userARN", "arn"),
        SAME,
    ),
    (
        "the ARN's key in a crazy way",
        |e| {
            e.replace("roleARN", "r_o_l_e_A_R_N")
                .replace("userARN", "u.s.e.r")
        },
        GONE,
    ),
    (
        "a wrong prefix",
        |e| e.replace("acs:ram::", "acs:ram:"),
        SAME,
    ),
    (
        "another cloud's prefix",
        |e| e.replace("acs:ram::", "arn:aws:iam::"),
        GONE,
    ),
    ("a wrong account", |e| e.replace("::1:", "::one:"), GONE),
    ("no account", |e| e.replace("::1:", ":::"), GONE),
    (
        "a wrong kind",
        |e| e.replace(":role/", ":rol/").replace(":user/", ":usr/"),
        SAME,
    ),
    (
        "no name",
        |e| e.replace("role/", "role/ ").replace("user/", "user/ "),
        GONE,
    ),
    (
        "a name in another script",
        |e| e.replace("role/", "role/é").replace("user/", "user/é"),
        GONE,
    ),
    (
        "an ARN that is too long",
        |e| {
            e.replace("role/", &format!("role/{}", "r".repeat(2_000)))
                .replace("user/", &format!("user/{}", "u".repeat(2_000)))
        },
        GONE,
    ),
    (
        "an ARN in a list",
        |e| e.replace("\"acs", "[\"acs").replacen("\", ", "\"], ", 1),
        GONE,
    ),
    (
        "text in place of the entry",
        |e| {
            format!(
                "\"{}\"",
                e.replace('"', "'").replace("{{", "").replace("}}", "")
            )
        },
        GONE,
    ),
    ("a number in place of the entry", |_| "5".to_owned(), GONE),
    ("a list around the entry", |e| format!("[{e}]"), GONE),
];

const ACCOUNTS: &[(&str, Change)] = &[
    ("no digits", |_| "\"x\"".to_owned()),
    ("a letter", |e| e.replace('7', "l").replace('8', "B")),
    ("too long", |e| e.replace(['7', '8'], &"7".repeat(40))),
    ("a list", |e| format!("[{e}]")),
    ("a map", |e| format!("{{\"a\": {e}}}")),
    ("true", |_| "true".to_owned()),
    ("a float", |_| "1e3".to_owned()),
    ("another number", |_| "0x10".to_owned()),
];

/// What may be done to the text of one list.
const LISTS: &[(&str, Change)] = &[
    ("cut off in the middle", |t| {
        t.chars().take(t.chars().count() / 2).collect()
    }),
    ("cut off at the end", |t| {
        t.chars().take(t.chars().count() - 1).collect()
    }),
    ("one bracket too many", |t| format!("{t}]")),
    ("another bracket", |t| format!("({t}")),
    ("a brace", |t| format!("{{{t}")),
    ("an unclosed quote", |t| format!("{t} \"")),
    ("an unknown alias", |_| "*nobody".to_owned()),
    ("an alias inside", |_| "[*nobody]".to_owned()),
    ("nested too deep", |_| "[".repeat(100) + &"]".repeat(100)),
    ("a map", |_| "{\"a\": \"b\"}".to_owned()),
    ("a number", |_| "17".to_owned()),
    ("a boolean", |_| "true".to_owned()),
    ("a NUL", |t| format!("{t}\0")),
    ("a BEL inside", |t| t.replacen('[', "[\u{7}", 1)),
];

/// Of an entry, the value of `key` is `value`.
fn swap(entry: &str, key: &str, value: &str) -> String {
    let (before, rest) = entry.split_once(&format!("\"{key}\": ")).unwrap();
    let end = if rest.starts_with('[') { ']' } else { '"' };
    let length = 2 + rest.chars().skip(1).position(|c| c == end).unwrap();
    let after: String = rest.chars().skip(length).collect();
    format!("{before}\"{key}\": {value}{after}")
}

/// Every broken edit of the lists: what was done, and what came of it by key.
fn edits() -> Vec<(String, Texts, Fate)> {
    let mut edits = Vec::new();
    let mut add = |name: String, lists: &Lists, fate: Fate| {
        edits.push((name, BTreeMap::from(lists.texts()), fate));
    };
    for (list, entries) in [
        ("mapRoles", ["1:role/admin", "1:role/dev"]),
        ("mapUsers", ["1:user/alice", "1:user/bob"]),
    ] {
        for (index, who) in entries.into_iter().enumerate() {
            for (name, change, fate) in ENTRIES {
                let mut lists = Lists::good();
                let chosen = if list == "mapRoles" {
                    &mut lists.roles
                } else {
                    &mut lists.users
                };
                chosen[index] = change(&chosen[index]);
                add(format!("{list}[{index}]: {name}"), &lists, fate(who));
            }
        }
    }
    for (name, change) in ACCOUNTS {
        for (index, who) in ["0077:root", "88:user/x"].into_iter().enumerate() {
            let mut lists = Lists::good();
            lists.accounts[index] = change(&lists.accounts[index]);
            add(format!("mapAccounts[{index}]: {name}"), &lists, GONE(who));
        }
    }
    for key in ["mapRoles", "mapUsers", "mapAccounts"] {
        for (name, change) in LISTS {
            let mut texts = BTreeMap::from(Lists::good().texts());
            let text = texts.get_mut(key).unwrap();
            *text = change(text);
            edits.push((format!("{key}: {name}"), texts, Fate::Same));
        }
    }
    edits
}

/// The users of everybody who is mapped.
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
        let (_, user) = all.explain(&sample::identity(arn).unwrap());
        (who, user.ok().map(|user| (user.username, user.groups)))
    })
    .collect()
}

fn live(backend: Backend) -> Arc<LiveRules> {
    let rules = RuleSet::new(vec![BackendRules::unread(backend)], BTreeSet::new());
    Arc::new(LiveRules::new(rules, now()))
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What is logged meanwhile.
fn logged(act: impl FnOnce()) -> String {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

/// Makes each edit with `edit`, from the good document and back. `name` is how messages call the document.
fn check(live: &LiveRules, name: &str, edits: &[Edited], good: &[u8], edit: impl Fn(&[u8])) {
    edit(good);
    let before = users(live);
    assert_eq!(
        before.iter().filter(|(_, user)| user.is_some()).count(),
        6,
        "{before:?}"
    );
    for (case, text, fate) in edits {
        let shown = String::from_utf8_lossy(text);
        let shown: String = shown.chars().take(2_000).collect();
        let log = logged(|| edit(text));
        let expected = fate.of(&before);
        assert_eq!(users(live), expected, "{case}: {shown}");
        let told: Vec<String> = live.inspect(|_, notes| {
            let refused = notes
                .refused
                .iter()
                .map(|(position, why)| format!("{position}: {why}"));
            let trouble = notes.trouble.iter().cloned();
            trouble.chain(refused).collect::<Vec<_>>().join("\n")
        });
        assert!(!told.concat().is_empty(), "{case} is not told: {shown}");
        let says = match fate {
            Fate::Same | Fate::NoGroups(_) => "until 1970-01-02T00:16:40Z",
            Fate::Gone(_) => "it maps nobody, and nothing of it is kept",
        };
        let is_located = log.contains(name) && log.contains(says);
        assert!(is_located, "{case}: {log}");
        edit(good);
        assert_eq!(users(live), before, "{case}, undone");
        let left = live.inspect(|_, notes| {
            let kept = notes
                .in_effect
                .values()
                .filter(|effect| effect.kept.is_some());
            (kept.count(), notes.refused.len(), notes.trouble.clone())
        });
        assert_eq!(left, [(0, 0, None)], "{case}, undone");
    }
}

/// The same edits, and those of the whole text, which is broken by each of `changes`.
fn documents(
    whole: impl Fn(&Texts) -> String,
    changes: &[(&str, ChangeWhole)],
) -> (Vec<u8>, Vec<Edited>) {
    let good = whole(&BTreeMap::from(Lists::good().texts()));
    let edits = edits().into_iter();
    let mut documents: Vec<Edited> = edits
        .map(|(name, lists, fate)| (name, whole(&lists).into_bytes(), fate))
        .collect();
    documents.extend(
        changes
            .iter()
            .map(|(name, change)| ((*name).to_owned(), change(&good), Fate::Same)),
    );
    assert!(documents.len() > 100, "{}", documents.len());
    (good.into_bytes(), documents)
}

#[test]
fn refused_entry_is_logged_with_its_subject() {
    let (_folder, path) = file("d.json");
    let log = logged(|| {
        let text = r#"{"mapUsers": [{"userARN": "acs:ram::1:user/a", "username": ""}]}"#;
        fs::write(&path, text).unwrap();
        let live = live(Backend::DynamicFile);
        let _ = DynamicFile::start(path.clone(), Globs::Literal, live, now, nobody());
    });
    let mut refused = log.lines().filter(|line| line.contains("refused:"));
    let line = refused.next().unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(r#"subject="acs:ram::1:user/a""#), "{line}");
}

/// A folder, and the path of a file in it.
fn file(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    (folder, path)
}

#[test]
fn of_a_dynamic_file() {
    let whole = |lists: &Texts| {
        let lists = lists.iter().map(|(key, text)| format!("\"{key}\": {text}"));
        format!("{{{}}}\n", lists.collect::<Vec<_>>().join(",\n"))
    };
    let (good, edits) = documents(
        whole,
        &[
            ("empty", |_| Vec::new()),
            ("a list", |_| b"[]".to_vec()),
            ("text", |_| b"moved to the ConfigMap".to_vec()),
            ("not UTF-8", |text| [text.as_bytes(), b"\"\xff\""].concat()),
            ("UTF-16", |text| {
                text.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }),
            ("too long", |text| {
                [text.as_bytes(), &vec![b' '; 33 * 1024 * 1024]].concat()
            }),
            ("no comma", |text| text.replace(",\n", "\n").into_bytes()),
            ("twice", |text| format!("{text}{text}").into_bytes()),
            ("two documents", |text| {
                format!("---\n{text}---\n{text}").into_bytes()
            }),
            ("a key twice", |text| {
                text.replacen('{', "{\"mapRoles\": [], ", 1).into_bytes()
            }),
            ("a key twice but for case", |text| {
                text.replacen('{', "{\"MAPROLES\": [], ", 1).into_bytes()
            }),
            ("a misspelt key", |text| {
                text.replace("mapUsers", "mapUser").into_bytes()
            }),
            ("a key misspelt in a crazy way", |text| {
                text.replace("mapAccounts", "MAPaCOUNTS").into_bytes()
            }),
            ("backticks", |text| text.replace('"', "`").into_bytes()),
        ],
    );
    let (_folder, path) = file("users.json");
    fs::write(&path, &good).unwrap();
    let live = live(Backend::DynamicFile);
    let source = DynamicFile::start(
        path.clone(),
        Globs::Literal,
        Arc::clone(&live),
        now,
        nobody(),
    );
    check(&live, "users.json", &edits, &good, |text| {
        fs::write(&path, text).unwrap();
        source.reload();
    });
}

#[test]
fn of_the_configuration_file() {
    let whole = |lists: &Texts| {
        let lists = lists.iter().map(|(key, text)| format!("  {key}: {text}\n"));
        format!("clusterID: c\nserver:\n{}", lists.collect::<String>())
    };
    let (good, edits) = documents(
        whole,
        &[
            ("empty", |_| Vec::new()),
            ("not UTF-8", |text| [text.as_bytes(), b"# \xff"].concat()),
            ("too long", |text| {
                [text.as_bytes(), &vec![b'#'; 33 * 1024 * 1024]].concat()
            }),
            ("a tab", |text| {
                text.replace("  mapUsers", "\tmapUsers").into_bytes()
            }),
            ("a key twice", |text| {
                format!("{text}  mapUsers: []\n").into_bytes()
            }),
            ("a key twice but for case", |text| {
                format!("{text}  MapUsers: []\n").into_bytes()
            }),
            ("a misspelt key", |text| {
                text.replace("mapUsers", "mapUesrs").into_bytes()
            }),
            ("`server` misspelt", |text| {
                text.replace("server", "sever").into_bytes()
            }),
            ("`server` twice", |text| {
                format!("{text}Server: {{}}\n").into_bytes()
            }),
            ("no cluster", |text| {
                text.replace("clusterID: c", "").into_bytes()
            }),
            ("a port that is none", |text| {
                format!("{text}  port: 99999\n").into_bytes()
            }),
            ("a protection that is none", |text| {
                format!("{text}  protect: [everybody]\n").into_bytes()
            }),
            ("a misspelt protection", |text| {
                format!("{text}  scrubbedAccount: []\n").into_bytes()
            }),
            ("an unknown backend", |text| {
                format!("{text}  backendMode: [Crystal]\n").into_bytes()
            }),
        ],
    );
    let (_folder, path) = file("config.yaml");
    fs::write(&path, &good).unwrap();
    let live = live(Backend::MountedFile);
    let overrides = Overrides::default();
    let mut config = config::load(&Sources {
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
        nobody(),
        Box::new(|_| {}),
    );
    check(&live, "config.yaml", &edits, &good, |text| {
        fs::write(&path, text).unwrap();
        source.reload();
    });
}

#[test]
fn of_a_config_map() {
    let live = live(Backend::ConfigMap);
    let source = ConfigMapSource::new(
        ConfigMapName::default(),
        Globs::Literal,
        Arc::clone(&live),
        now,
        nobody(),
    );
    let data = |lists: &Texts| ConfigMapData {
        texts: lists
            .iter()
            .map(|(key, text)| ((*key).to_owned(), text.clone()))
            .collect(),
        binary: BTreeSet::new(),
    };
    let good = data(&BTreeMap::from(Lists::good().texts()));
    let mut broken: Vec<ConfigMapData> = Vec::new();
    let mut names = Vec::new();
    for (name, lists, fate) in edits() {
        names.push((name, fate));
        broken.push(data(&lists));
    }
    for key in ["mapRoles", "mapUsers", "mapAccounts"] {
        for other in [
            key.to_lowercase(),
            key.to_uppercase(),
            key.replace("map", "mpa"),
            format!("{key}s"),
        ] {
            let mut edited = good.clone();
            let text = edited.texts.remove(key).unwrap();
            names.push((format!("{key} is called {other}"), Fate::Same));
            edited.texts.insert(other, text);
            broken.push(edited);
        }
        let mut edited = good.clone();
        edited.texts.remove(key);
        edited.binary.insert(key.to_owned());
        names.push((format!("{key} is not UTF-8"), Fate::Same));
        broken.push(edited);
    }
    assert!(broken.len() > 100);
    broken.push(good);
    // Each is called by its number.
    let number = |number: usize| number.to_string().into_bytes();
    let edits: Vec<Edited> = names
        .into_iter()
        .enumerate()
        .map(|(index, (name, fate))| (name, number(index), fate))
        .collect();
    check(
        &live,
        "ConfigMap kube-system/alibabacloud-auth",
        &edits,
        &number(broken.len() - 1),
        |text| {
            let index: usize = std::str::from_utf8(text).unwrap().parse().unwrap();
            source.read(&broken[index]);
        },
    );
}
