//! The good lists, and what each edit of the table makes of them.

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
    /// Returns lists in which all is good.
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

    /// Returns each list as text, by its key.
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

/// What one identity loses; the others lose nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Loss {
    /// All is as it was.
    Nothing,
    /// Its groups.
    Groups(&'static str),
    /// Its mapping.
    Access(&'static str),
}

impl Loss {
    /// Returns who logs in as whom afterwards.
    pub(super) fn users_after(self, before: &[User]) -> Vec<User> {
        let loss = |(who, user): &User| match self {
            Self::Access(gone) if gone == *who => (*who, None),
            Self::Groups(other) if other == *who => {
                let user = user.clone();
                (*who, user.map(|(username, _)| (username, Vec::new())))
            }
            Self::Nothing | Self::Access(_) | Self::Groups(_) => (*who, user.clone()),
        };
        before.iter().map(loss).collect()
    }
}

/// Who logs in, and as whom.
pub(super) type User = (&'static str, Option<(String, Vec<String>)>);

/// Every broken edit of the lists: what was done, and what came of it by key.
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
