//! The valid lists, and the result of each edit in the table.

use std::collections::BTreeMap;

use ack_ram_tests::broken_edits::{BrokenEdits, Keeps};

/// The three lists, each as JSON.
#[derive(Clone)]
pub(super) struct Lists {
    roles: Vec<String>,
    users: Vec<String>,
    accounts: Vec<String>,
}

impl Lists {
    /// Returns lists in which every entry is valid.
    pub(super) fn good() -> Self {
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

    /// Returns the text of each list, with its key.
    pub(super) fn texts(&self) -> [(&'static str, String); 3] {
        let text = |list: &Vec<String>| format!("[{}]", list.join(",\n  "));
        [
            ("mapRoles", text(&self.roles)),
            ("mapUsers", text(&self.users)),
            ("mapAccounts", text(&self.accounts)),
        ]
    }
}

/// The text of each list, by its key.
pub(super) type Texts = BTreeMap<&'static str, String>;

/// The loss of one identity by an edit. The other identities lose nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loss {
    /// The identity keeps its username and groups.
    Nothing,
    /// The identity loses its groups.
    Groups(&'static str),
    /// The identity loses its mapping.
    Access(&'static str),
}

impl Loss {
    /// Returns the users after the edit, if `before` are the users before the edit.
    pub(super) fn users_after(self, before: &[User]) -> Vec<User> {
        let loss = |(who, user): &User| match self {
            Self::Access(removed) if removed == *who => (*who, None),
            Self::Groups(other) if other == *who => {
                let user = user.clone();
                (*who, user.map(|(username, _)| (username, Vec::new())))
            }
            Self::Nothing | Self::Access(_) | Self::Groups(_) => (*who, user.clone()),
        };
        before.iter().map(loss).collect()
    }
}

/// An identity, and its username and groups if it has a mapping.
pub(super) type User = (&'static str, Option<(String, Vec<String>)>);

/// Returns all broken edits of the lists: the name of the edit, the texts after the edit, and the loss.
pub(super) fn edits(table: &BrokenEdits) -> Vec<(String, Texts, Loss)> {
    let mut edits = Vec::new();
    let mut add = |name: String, lists: &Lists, loss: Loss| {
        edits.push((name, BTreeMap::from(lists.texts()), loss));
    };
    for (list, entries) in [
        ("mapRoles", ["1:role/admin", "1:role/dev"]),
        ("mapUsers", ["1:user/alice", "1:user/bob"]),
    ] {
        for (index, who) in entries.into_iter().enumerate() {
            for edit in &table.entries {
                let mut lists = Lists::good();
                let chosen = if list == "mapRoles" {
                    &mut lists.roles
                } else {
                    &mut lists.users
                };
                chosen[index] = edit.apply(&chosen[index]);
                let loss = match edit.keeps {
                    Keeps::All => Loss::Nothing,
                    Keeps::NoGroups => Loss::Groups(who),
                    Keeps::Nothing => Loss::Access(who),
                };
                add(format!("{list}[{index}]: {}", edit.name), &lists, loss);
            }
        }
    }
    for edit in &table.accounts {
        for (index, who) in ["0077:root", "88:user/x"].into_iter().enumerate() {
            let mut lists = Lists::good();
            lists.accounts[index] = edit.apply(&lists.accounts[index]);
            let name = format!("mapAccounts[{index}]: {}", edit.name);
            add(name, &lists, Loss::Access(who));
        }
    }
    for key in ["mapRoles", "mapUsers", "mapAccounts"] {
        for edit in &table.texts {
            let mut texts = BTreeMap::from(Lists::good().texts());
            let text = texts.get_mut(key).unwrap();
            *text = edit.apply(text);
            edits.push((format!("{key}: {}", edit.name), texts, Loss::Nothing));
        }
    }
    edits
}
