//! Documents as the author intends them, and their texts with mistakes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

pub(super) const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];
pub(super) const GROUPS: [&str; 4] = ["system:masters", "dev", "ops", "view"];
pub(super) const LISTS: [&str; 2] = ["mapUsers", "mapRoles"];
pub(super) const TTL: i64 = 3_600;

/// An entry as the author intends it, and the mistake in its text.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) person: usize,
    pub(super) groups: BTreeSet<usize>,
    pub(super) slip: Slip,
}

/// A mistake in the text of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slip {
    None,
    /// The ARN lacks a colon.
    Prefix,
    /// The ARN has an invalid resource type.
    Kind,
    /// The key of the ARN is misspelled.
    ArnKey,
    /// The ARN has a word before it.
    Disabled,
    /// The name in the ARN is in another case, and the ARN lacks a colon.
    Case,
    /// The ARN is replaced with a dash.
    Dash,
    NullArn,
    NoArn,
    /// The ARN is in a list.
    ArnType,
    /// There is an additional group with an unknown variable.
    Group,
    /// The groups are in a map.
    GroupsType,
    /// The username lacks a brace.
    Username,
    NoUsername,
    /// The entry has a condition and a malformed group.
    Match,
    /// The entry is text.
    Text,
}

pub(super) const SLIPS: [Slip; 16] = [
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
    /// Returns whether the text still names the person.
    pub(super) fn names_person(&self) -> bool {
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

    pub(super) fn names_group(&self, group: usize) -> bool {
        self.names_person() && self.slip != Slip::GroupsType && self.groups.contains(&group)
    }

    pub(super) fn json(&self, list: usize) -> Value {
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

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListForm {
    Good,
    Null,
    Missing,
    /// The list is a number.
    Number,
    /// The key is misspelled.
    Misspelled,
    /// The key has a letter before it.
    Disabled,
}

/// The form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DocumentForm {
    Good,
    SyntaxError,
    Empty,
    /// Another setting is invalid, which applies only to the configuration file.
    OtherSetting,
    /// The document does not exist.
    Gone,
}

/// A document, and the time since the previous one.
#[derive(Clone, Debug)]
pub(super) struct Document {
    pub(super) lists: [Vec<Entry>; 2],
    pub(super) list_forms: [ListForm; 2],
    pub(super) form: DocumentForm,
    pub(super) later: i64,
}

/// A change of the entries.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Add(usize, Entry),
    Delete(usize, usize),
    /// Moves an entry to another place, possibly in the other list.
    Move(usize, usize, usize, usize),
    Duplicate(usize, usize),
    Slip(usize, usize, Slip),
    Groups(usize, usize, BTreeSet<usize>),
    Person(usize, usize, usize),
}

pub(super) fn groups() -> impl Strategy<Value = BTreeSet<usize>> {
    prop::collection::btree_set(0..GROUPS.len(), 0..GROUPS.len())
}

pub(super) fn slip() -> impl Strategy<Value = Slip> {
    prop::sample::select(SLIPS.to_vec())
}

pub(super) fn change() -> impl Strategy<Value = Change> {
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
    pub(super) fn apply(self, lists: &mut [Vec<Entry>; 2]) {
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

pub(super) fn documents() -> impl Strategy<Value = Vec<Document>> {
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
        let all_people = |list: usize| {
            (0..2).map(move |index| Entry {
                person: 2 * list + index,
                groups: (0..GROUPS.len()).collect(),
                slip: Slip::None,
            })
        };
        let mut lists = [all_people(0).collect(), all_people(1).collect()];
        let mut documents = vec![Document {
            lists: lists.clone(),
            list_forms: [ListForm::Good; 2],
            form: DocumentForm::Good,
            later: 0,
        }];
        for (changes, list_forms, form, later) in steps {
            for change in changes {
                change.apply(&mut lists);
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
    /// Returns the texts of the lists, each with its key.
    pub(super) fn texts(&self) -> Vec<(String, String)> {
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

    /// Returns the entries in the text of `list`; `None` if the list is unreadable.
    pub(super) fn readable_entries(&self, list: usize) -> Option<&[Entry]> {
        match self.list_forms[list] {
            ListForm::Good | ListForm::Misspelled => Some(&self.lists[list]),
            ListForm::Null | ListForm::Missing | ListForm::Disabled => Some(&[]),
            ListForm::Number => None,
        }
    }

    /// Returns whether the valid entries of `list` take effect.
    pub(super) fn is_effective(&self, list: usize) -> bool {
        self.form == DocumentForm::Good && self.list_forms[list] == ListForm::Good
    }
}
