//! Random sequences of edits of a document: nobody has a group that the newest readable text does not give, except by an
//! entry of the same subject that is kept, for a time that has an end.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_config::config::document::{self, ConfigMapData};
use ack_ram_config::config::entry::Refusal;
use ack_ram_config::config::{self, ConfigFile, ParsedMappings, Overrides};
use ack_ram_config::last_good::{LastGood, RetentionPolicy, Update};
use ack_ram_core::rules::{Backend, WildcardMode};
use ack_ram_core::time::UnixTime;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];
const GROUPS: [&str; 4] = ["system:masters", "dev", "ops", "view"];
const LISTS: [&str; 2] = ["mapUsers", "mapRoles"];
const TTL: i64 = 3_600;

/// An entry as its author thinks of it, and how it is written.
#[derive(Clone, Debug)]
struct Entry {
    person: usize,
    groups: BTreeSet<usize>,
    slip: Slip,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slip {
    None,
    /// The ARN lacks a colon.
    Prefix,
    /// The ARN is of another kind.
    Kind,
    /// The key of the ARN is misspelled.
    ArnKey,
    /// The ARN starts with a word.
    Disabled,
    /// The name in the ARN is in another case, and the ARN lacks a colon.
    Case,
    /// A dash in place of the ARN.
    Dash,
    NullArn,
    NoArn,
    /// The ARN is in a list.
    ArnType,
    /// One more group, with an unknown variable.
    Group,
    /// Groups in a map.
    GroupsType,
    /// The username lacks a brace.
    Username,
    NoUsername,
    /// A key that narrows rules, beside a broken group.
    Match,
    /// The entry is text.
    Text,
}

const SLIPS: [Slip; 16] = [
    Slip::None,
    Slip::Prefix,
    Slip::Kind,
    Slip::ArnKey,
    Slip::Disabled,
    Slip::Case,
    Slip::Dash,
    Slip::NullArn,
    Slip::NoArn,
    Slip::ArnType,
    Slip::Group,
    Slip::GroupsType,
    Slip::Username,
    Slip::NoUsername,
    Slip::Match,
    Slip::Text,
];

impl Entry {
    /// Whether its text still is about the person.
    fn names_person(&self) -> bool {
        !matches!(
            self.slip,
            Slip::Disabled
                | Slip::Case
                | Slip::Dash
                | Slip::NullArn
                | Slip::NoArn
                | Slip::ArnType
                | Slip::Text
        )
    }

    fn names_group(&self, group: usize) -> bool {
        self.names_person() && self.slip != Slip::GroupsType && self.groups.contains(&group)
    }

    fn json(&self, list: usize) -> Value {
        let name = PEOPLE[self.person];
        let arn = match self.slip {
            Slip::Prefix => json!(format!("acs:ram:1:user/{name}")),
            Slip::Kind => json!(format!("acs:ram::1:usr/{name}")),
            Slip::Disabled => json!(format!("DISABLED-acs:ram::1:user/{name}")),
            Slip::Case => json!(format!("acs:ram:1:user/{}", name.to_uppercase())),
            Slip::Dash => json!("-"),
            Slip::NullArn => Value::Null,
            Slip::ArnType => json!([format!("acs:ram::1:user/{name}")]),
            _ => json!(format!("acs:ram::1:user/{name}")),
        };
        let key = match (self.slip, list) {
            (Slip::ArnKey, 0) => "uesrARN",
            (Slip::ArnKey, _) => "roelARN",
            (_, 0) => "userARN",
            _ => "roleARN",
        };
        let mut groups: Vec<&str> = self.groups.iter().map(|group| GROUPS[*group]).collect();
        if matches!(self.slip, Slip::Group | Slip::Match) {
            groups.push("{{Nobody}}");
        }
        let mut entry = Map::new();
        if self.slip != Slip::NoArn {
            entry.insert(key.to_owned(), arn);
        }
        let username = match self.slip {
            Slip::Username => "people:{{UserName}",
            _ => "people:{{UserName}}",
        };
        if self.slip != Slip::NoUsername {
            entry.insert("username".to_owned(), json!(username));
        }
        if self.slip == Slip::Match {
            entry.insert("match".to_owned(), json!("identity.accountId == '2'"));
        }
        entry.insert(
            "groups".to_owned(),
            match self.slip {
                Slip::GroupsType => json!({"dev": groups}),
                _ => json!(groups),
            },
        );
        match self.slip {
            Slip::Text => json!(format!("acs:ram::1:user/{name}")),
            _ => Value::Object(entry),
        }
    }
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListForm {
    Good,
    Null,
    Missing,
    /// Another type.
    Number,
    /// The key is misspelled.
    Misspelled,
    /// The key has a letter before it.
    Disabled,
}

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DocumentForm {
    Good,
    SyntaxError,
    Empty,
    /// Something else than its lists refuses it; in the configuration file alone.
    OtherSetting,
    /// There is none.
    Gone,
}

/// A document, and how much later it is than the one before.
#[derive(Clone, Debug)]
struct Document {
    lists: [Vec<Entry>; 2],
    list_forms: [ListForm; 2],
    form: DocumentForm,
    later: i64,
}

/// One change to the entries.
#[derive(Clone, Debug)]
enum Change {
    Add(usize, Entry),
    Delete(usize, usize),
    /// To another place, maybe in the other list.
    Move(usize, usize, usize, usize),
    Duplicate(usize, usize),
    Slip(usize, usize, Slip),
    Groups(usize, usize, BTreeSet<usize>),
    Person(usize, usize, usize),
}

fn groups() -> impl Strategy<Value = BTreeSet<usize>> {
    prop::collection::btree_set(0..GROUPS.len(), 0..GROUPS.len())
}

fn slip() -> impl Strategy<Value = Slip> {
    prop::sample::select(SLIPS.to_vec())
}

fn change() -> impl Strategy<Value = Change> {
    let list = || 0..2_usize;
    let place = || 0..6_usize;
    let entry = (0..PEOPLE.len(), groups()).prop_map(|(person, groups)| Entry {
        person,
        groups,
        slip: Slip::None,
    });
    prop_oneof![
        2 => (list(), entry).prop_map(|(list, entry)| Change::Add(list, entry)),
        2 => (list(), place()).prop_map(|(list, at)| Change::Delete(list, at)),
        1 => (list(), place(), list(), place()).prop_map(|(l, a, m, b)| Change::Move(l, a, m, b)),
        1 => (list(), place()).prop_map(|(list, at)| Change::Duplicate(list, at)),
        6 => (list(), place(), slip()).prop_map(|(list, at, slip)| Change::Slip(list, at, slip)),
        2 => (list(), place(), groups()).prop_map(|(list, at, groups)| Change::Groups(list, at, groups)),
        1 => (list(), place(), 0..PEOPLE.len()).prop_map(|(list, at, who)| Change::Person(list, at, who)),
    ]
}

impl Change {
    fn make(self, lists: &mut [Vec<Entry>; 2]) {
        let find =
            |entries: &Vec<Entry>, at: usize| (!entries.is_empty()).then(|| at % entries.len());
        match self {
            Self::Add(list, entry) => lists[list].push(entry),
            Self::Delete(list, at) => {
                if let Some(at) = find(&lists[list], at) {
                    lists[list].remove(at);
                }
            }
            Self::Move(list, at, other, to) => {
                if let Some(at) = find(&lists[list], at) {
                    let entry = lists[list].remove(at);
                    let to = to.min(lists[other].len());
                    lists[other].insert(to, entry);
                }
            }
            Self::Duplicate(list, at) => {
                if let Some(at) = find(&lists[list], at) {
                    let entry = lists[list][at].clone();
                    lists[list].push(entry);
                }
            }
            Self::Slip(list, at, slip) => {
                if let Some(at) = find(&lists[list], at) {
                    lists[list][at].slip = slip;
                }
            }
            Self::Groups(list, at, groups) => {
                if let Some(at) = find(&lists[list], at) {
                    lists[list][at].groups = groups;
                }
            }
            Self::Person(list, at, person) => {
                if let Some(at) = find(&lists[list], at) {
                    lists[list][at].person = person;
                }
            }
        }
    }
}

fn documents() -> impl Strategy<Value = Vec<Document>> {
    let list_form = || {
        prop_oneof![
            12 => Just(ListForm::Good),
            1 => Just(ListForm::Null),
            1 => Just(ListForm::Missing),
            1 => Just(ListForm::Number),
            1 => Just(ListForm::Misspelled),
            1 => Just(ListForm::Disabled),
        ]
    };
    let form = prop_oneof![
        10 => Just(DocumentForm::Good),
        1 => Just(DocumentForm::SyntaxError),
        1 => Just(DocumentForm::Empty),
        2 => Just(DocumentForm::OtherSetting),
        1 => Just(DocumentForm::Gone),
    ];
    let step = (
        prop::collection::vec(change(), 0..4),
        [list_form(), list_form()],
        form,
        prop::sample::select(vec![0_i64, 1, 60, 1_800, TTL, 2 * TTL]),
    );
    prop::collection::vec(step, 1..12).prop_map(|steps| {
        let everybody = |list: usize| {
            (0..2).map(move |index| Entry {
                person: 2 * list + index,
                groups: (0..GROUPS.len()).collect(),
                slip: Slip::None,
            })
        };
        let mut lists = [everybody(0).collect(), everybody(1).collect()];
        let mut documents = vec![Document {
            lists: lists.clone(),
            list_forms: [ListForm::Good; 2],
            form: DocumentForm::Good,
            later: 0,
        }];
        for (changes, list_forms, form, later) in steps {
            for change in changes {
                change.make(&mut lists);
            }
            documents.push(Document {
                lists: lists.clone(),
                list_forms,
                form,
                later,
            });
        }
        documents
    })
}

impl Document {
    /// Its lists, each with its key.
    fn texts(&self) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        for (list, key) in LISTS.into_iter().enumerate() {
            let entries: Vec<Value> = self.lists[list]
                .iter()
                .map(|entry| entry.json(list))
                .collect();
            let text = json!(entries).to_string();
            match self.list_forms[list] {
                ListForm::Good => texts.push((key.to_owned(), text)),
                ListForm::Null => texts.push((key.to_owned(), "null".to_owned())),
                ListForm::Missing => {}
                ListForm::Number => texts.push((key.to_owned(), "17".to_owned())),
                ListForm::Misspelled => texts.push((key.replace("map", "mpa"), text)),
                ListForm::Disabled => texts.push((format!("x{key}"), text)),
            }
        }
        texts
    }

    /// The entries that its text shows, by list; `None` for a list that cannot be read.
    fn shown(&self, list: usize) -> Option<&[Entry]> {
        match self.list_forms[list] {
            ListForm::Good | ListForm::Misspelled => Some(&self.lists[list]),
            ListForm::Null | ListForm::Missing | ListForm::Disabled => Some(&[]),
            ListForm::Number => None,
        }
    }

    /// Whether what is good in a list takes effect.
    fn is_effective(&self, list: usize) -> bool {
        self.form == DocumentForm::Good && self.list_forms[list] == ListForm::Good
    }
}

/// A source, and how it takes a document.
type Take = fn(&mut LastGood, &Document, &RetentionPolicy<'_>) -> Update;

fn dynamic_file(last_good: &mut LastGood, document: &Document, terms: &RetentionPolicy<'_>) -> Update {
    let lists = document.texts().into_iter();
    let lists: Vec<String> = lists
        .map(|(key, text)| format!("\"{key}\": {text}"))
        .collect();
    let text = format!("{{{}}}", lists.join(",\n"));
    let text = match document.form {
        DocumentForm::Gone => return last_good.apply(ParsedMappings::default(), terms),
        DocumentForm::SyntaxError => format!("{text}}}"),
        DocumentForm::Empty => "\n".to_owned(),
        DocumentForm::Good | DocumentForm::OtherSetting => text,
    };
    match document::parse_dynamic_file("d.json", &text, WildcardMode::Disabled) {
        Ok(document) => last_good.apply(document.mappings, terms),
        Err(why) => last_good.keep_last_good(&why, terms),
    }
}

fn config_map(last_good: &mut LastGood, document: &Document, terms: &RetentionPolicy<'_>) -> Update {
    if document.form == DocumentForm::Gone {
        return last_good.apply(ParsedMappings::default(), terms);
    }
    let data = ConfigMapData {
        texts: document.texts().into_iter().collect(),
        binary_keys: BTreeSet::new(),
    };
    last_good.apply(
        document::parse_config_map("c", &data, WildcardMode::Disabled).mappings,
        terms,
    )
}

fn configuration(last_good: &mut LastGood, document: &Document, terms: &RetentionPolicy<'_>) -> Update {
    let lists = document.texts().into_iter();
    let lists: String = lists
        .map(|(key, text)| format!("  {key}: {text}\n"))
        .collect();
    let text = match document.form {
        DocumentForm::Good | DocumentForm::Gone => format!("clusterID: c\nserver:\n{lists}"),
        DocumentForm::OtherSetting => format!("clusterID: c\nserver:\n  port: 99999\n{lists}"),
        DocumentForm::SyntaxError => format!("clusterID: [c\nserver:\n{lists}"),
        DocumentForm::Empty => {
            let why = Refusal {
                location: String::new(),
                reason: document::EMPTY.to_owned(),
            };
            return last_good.keep_last_good(&why, terms);
        }
    };
    let overrides = Overrides::default();
    let sources = config::ConfigSources {
        file: Some(ConfigFile::Text {
            name: "config.yaml",
            text: &text,
        }),
        overrides: &overrides,
        variables: &|_| None,
    };
    match config::load(&sources) {
        Ok(config) => last_good.apply(config.mappings, terms),
        Err(error) => {
            let why = Refusal {
                location: String::new(),
                reason: error.to_string(),
            };
            match config::load_mappings_only(&sources) {
                Some(lists) => last_good.restrict_to(lists, &why, terms),
                None => last_good.keep_last_good(&why, terms),
            }
        }
    }
}

/// How a source reads what a document is.
fn as_read(backend: Backend, document: &Document) -> Document {
    let mut read = document.clone();
    match (backend, document.form) {
        // Its keys are texts of their own.
        (Backend::ConfigMap, DocumentForm::SyntaxError | DocumentForm::Empty)
        | (Backend::ConfigMap | Backend::DynamicFile, DocumentForm::OtherSetting)
        | (Backend::MountedFile, DocumentForm::Gone) => read.form = DocumentForm::Good,
        // A list of another type refuses the whole file.
        (Backend::MountedFile, DocumentForm::Good)
            if document.list_forms.contains(&ListForm::Number) =>
        {
            read.form = DocumentForm::OtherSetting;
        }
        _ => {}
    }
    read
}

/// The groups of each person.
type Given = BTreeMap<usize, BTreeSet<usize>>;

/// What the rules in effect give, those that never answer because another comes first, too.
fn in_effect(update: &Update) -> Given {
    let people = PEOPLE.iter().enumerate().map(|(person, name)| {
        let arn = format!("acs:ram::1:user/{name}");
        let rules = update.rules.iter();
        let rules = rules.filter(|rule| rule.subject().to_string() == arn);
        let groups = rules.flat_map(|rule| rule.raw_names().1);
        let groups = groups.map(|name| GROUPS.iter().position(|group| **group == **name).unwrap());
        (person, groups.collect())
    });
    people.collect()
}

/// What was seen of one group of one person.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Whether it was in effect after the step before.
    was_given: bool,
    /// When the last readable good text that gave it was no longer the newest.
    broken_since: Option<i64>,
}

fn check(backend: Backend, documents: &[Document], take: Take) -> Result<(), TestCaseError> {
    let mut last_good = LastGood::new(backend);
    let mut now = 0;
    let mut seen: BTreeMap<(usize, usize), Seen> = BTreeMap::new();
    for (step, document) in documents.iter().enumerate() {
        now += document.later;
        let terms = RetentionPolicy {
            now: UnixTime::from_seconds(now),
            ttl: TTL,
            protected: None,
        };
        let update = take(&mut last_good, document, &terms);
        let document = as_read(backend, document);
        let given = in_effect(&update);
        for (person, groups) in &given {
            for (group, group_name) in GROUPS.into_iter().enumerate() {
                let seen = seen.entry((*person, group)).or_default();
                let entries = |list: usize| document.shown(list).unwrap_or_default().iter();
                let is_unreadable = matches!(
                    document.form,
                    DocumentForm::SyntaxError | DocumentForm::Empty
                );
                let is_gone = document.form == DocumentForm::Gone;
                let is_well_given = (0..2).any(|list| {
                    document.is_effective(list)
                        && entries(list).any(|entry| {
                            entry.slip == Slip::None
                                && entry.person == *person
                                && entry.groups.contains(&group)
                        })
                });
                let is_named = (0..2).any(|list| {
                    document.shown(list).is_none()
                        || entries(list)
                            .any(|entry| entry.person == *person && entry.names_group(group))
                });
                if is_well_given {
                    seen.broken_since = None;
                } else {
                    seen.broken_since.get_or_insert(now);
                }
                let is_given = groups.contains(&group);
                let who = (PEOPLE[*person], group_name);
                if is_given && !is_well_given {
                    prop_assert!(!is_gone, "step {step}: {who:?} outlives the document");
                    prop_assert!(
                        is_unreadable || is_named,
                        "step {step}: the newest text does not give {who:?}"
                    );
                    prop_assert!(seen.was_given, "step {step}: {who:?} is new or came back");
                    let since = seen.broken_since.unwrap_or(now);
                    prop_assert!(now - since < TTL, "step {step}: {who:?} stays too long");
                }
                seen.was_given = is_given;
            }
        }
        for effect in update.in_effect.values() {
            if let Some(kept) = &effect.retention {
                prop_assert!(now < kept.until.seconds(), "step {step}");
                prop_assert_eq!(kept.until.seconds_since(kept.since), TTL);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(super::cases(super::CASES))]

    #[test]
    fn kept_entry_gives_what_newest_text_gives(documents in documents()) {
        check(Backend::DynamicFile, &documents, dynamic_file)?;
        check(Backend::ConfigMap, &documents, config_map)?;
        check(Backend::MountedFile, &documents, configuration)?;
    }
}
