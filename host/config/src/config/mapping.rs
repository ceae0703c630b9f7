//! The lists of mappings, in the file and in other documents, and which backends answer.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Age, Backend, Globs, Mapping, Source};

use crate::config::entry::{Broken, List, Refusal, Slot};
use crate::config::error::{Problem, Warning, WarningKind};
use crate::config::file::{Misspelled, Table};
use crate::config::given::Given;
use crate::config::keys::{self, Keys};
use crate::config::layers::Layers;
use crate::config::partial::PartialEntry;
use crate::config::yaml::Value;

/// What one document maps, as it was written: `core` compiles each [`Mapping`] to a rule, and refuses those that
/// cannot be one.
#[derive(Debug, Default)]
pub struct FileMappings {
    /// `mapRoles`, then `mapUsers`, then `mapRules`, each in its order.
    pub mappings: Vec<Given<Mapping>>,
    /// `mapAccounts`.
    pub accounts: Vec<Given<AccountId>>,
    /// What stands at each place of the lists that are there; or why a list cannot be read at all.
    pub lists: BTreeMap<List, Result<Vec<Slot>, Refusal>>,
    /// The lists below misspelled keys. They have no effect, and limit what stays of the last good form; in `lists` they
    /// cannot be read.
    pub held_back: BTreeMap<List, Box<FileMappings>>,
    /// Keys that are not known and may be meant to narrow a mapping, by its place in `mappings`. Go ignores them.
    pub narrowing_keys: BTreeMap<usize, String>,
    /// Why none of the lists can be read.
    pub unreadable: Option<Refusal>,
    /// How ARNs in `mapRoles` and `mapUsers` are read; none where no list is.
    pub globs: Option<Globs>,
}

/// Reads `server.mapRoles`, `mapUsers`, `mapRules` and `mapAccounts`. An entry that cannot be used is left out with a
/// warning.
pub(super) fn read(layers: &mut Layers<'_>, globs: Globs) -> Result<FileMappings, Problem> {
    match gather(layers, globs) {
        (mappings, None) => Ok(mappings),
        (_, Some(problem)) => Err(problem),
    }
}

/// The lists as far as they can be read, and the first problem that keeps a list from being read.
pub(super) fn gather(layers: &mut Layers<'_>, globs: Globs) -> (FileMappings, Option<Problem>) {
    let mut reader = Reader::new(Backend::MountedFile, globs);
    let misspelled = layers.root.take_misspelled("server");
    reader.mappings.unreadable = misspelled.map(|server| server.problem.into());
    let mut first = None;
    for list in List::ALL {
        let Some(given) = layers.server.take_any(list.key()) else {
            let misspelled = layers.server.take_misspelled(list.key());
            if let Some(Misspelled { problem, given }) = misspelled {
                reader.hold_back(list, problem.into(), given);
            }
            continue;
        };
        let no_list = given.is_no_list().filter(|_| list != List::Accounts);
        match (given.into_items(&mut layers.warnings), no_list) {
            (Ok(items), no_list) => {
                reader.entries(list, items, &mut layers.warnings);
                if let Some(problem) = no_list {
                    reader.refuse(list, problem);
                }
            }
            (Err(problem), _) => {
                reader.refuse(list, problem.clone());
                first.get_or_insert(problem);
            }
        }
    }
    (reader.mappings, first)
}

/// Reads lists one after the other.
pub(super) struct Reader {
    backend: Backend,
    globs: Globs,
    pub(super) mappings: FileMappings,
}

impl Reader {
    pub(super) fn new(backend: Backend, globs: Globs) -> Self {
        Self {
            backend,
            globs,
            mappings: FileMappings {
                globs: Some(globs),
                ..FileMappings::default()
            },
        }
    }

    /// `list` as a whole cannot be read.
    pub(super) fn refuse(&mut self, list: List, why: impl Into<Refusal>) {
        self.mappings.lists.insert(list, Err(why.into()));
    }

    /// `given` stands below a key that is nearly the one of `list`: it has no effect, for this reason.
    pub(super) fn hold_back(&mut self, list: List, why: Refusal, given: Given<Value>) {
        let mut ignored = Vec::new();
        // Go splits the text of accounts in the configuration file.
        let may_be_text = list == List::Accounts && self.backend == Backend::MountedFile;
        let items = match given.is_no_list().filter(|_| !may_be_text) {
            None => given.into_items(&mut ignored).ok(),
            Some(_) => None,
        };
        if let Some(items) = items {
            let mut reader = Self::new(self.backend, self.globs);
            reader.entries(list, items, &mut ignored);
            let held_back = &mut self.mappings.held_back;
            held_back.insert(list, Box::new(reader.mappings));
        }
        self.refuse(list, why);
    }

    /// Takes `items` for what `list` holds.
    pub(super) fn entries(
        &mut self,
        list: List,
        items: Vec<Given<Value>>,
        warnings: &mut Vec<Warning>,
    ) {
        let slots = items
            .into_iter()
            .map(|entry| match list.entry_keys() {
                Some(keys) => self.mapping(list, entry, keys, warnings),
                None => self.account(entry, warnings),
            })
            .collect();
        self.mappings.lists.insert(list, Ok(slots));
    }

    fn mapping(
        &mut self,
        list: List,
        entry: Given<Value>,
        keys: Keys,
        warnings: &mut Vec<Warning>,
    ) -> Slot {
        let (place, setting) = (entry.place.clone(), entry.setting.clone());
        let source = Source {
            backend: self.backend,
            position: setting.clone(),
        };
        let partial = PartialEntry::read(&entry.value, list, self.backend, self.globs);
        let mut remarks = Vec::new();
        let globs = self.globs;
        let read = match list {
            List::Rules => Table::strict(entry, keys)
                .and_then(|mut table| rule(source, &mut table, &mut remarks)),
            List::Roles | List::Users | List::Accounts => Table::new(entry, keys, &mut remarks)
                .and_then(|mut table| exact(source, list, &mut table, &mut remarks))
                .map(|mapping| Mapping { globs, ..mapping }),
        };
        let slot = match read {
            Ok(mapping) => {
                let index = self.mappings.mappings.len();
                if let Some(key) = partial.unknown_key {
                    self.mappings.narrowing_keys.insert(index, key);
                }
                self.mappings.mappings.push(Given {
                    value: Mapping {
                        age: Age::Place(index),
                        ..mapping
                    },
                    place,
                    setting: setting.clone(),
                });
                Slot::Mapping(index)
            }
            Err(problem) => {
                remarks.push(Warning::new(WarningKind::InvalidEntry, problem.clone()));
                Slot::Broken(Box::new(Broken {
                    position: setting.clone(),
                    refusal: problem.into(),
                    partial: Some(partial),
                }))
            }
        };
        warnings.extend(remarks.into_iter().map(|remark| Warning {
            entry: setting.clone(),
            ..remark
        }));
        slot
    }

    fn account(&mut self, entry: Given<Value>, warnings: &mut Vec<Warning>) -> Slot {
        let position = entry.setting.clone();
        match account(entry, warnings) {
            Ok(account) => {
                self.mappings.accounts.push(account);
                Slot::Account(self.mappings.accounts.len() - 1)
            }
            Err(problem) => {
                warnings.push(Warning::new(WarningKind::InvalidEntry, problem.clone()));
                Slot::Broken(Box::new(Broken {
                    position,
                    refusal: problem.into(),
                    partial: None,
                }))
            }
        }
    }
}

/// Reads `server.scrubbedAccounts`. None is left out: its identities would be told.
pub(super) fn scrubbed_accounts(layers: &mut Layers<'_>) -> Result<BTreeSet<AccountId>, Problem> {
    let entries = layers
        .server
        .list("scrubbedAccounts", &mut layers.warnings)?;
    entries
        .into_iter()
        .map(|entry| account(entry, &mut layers.warnings).map(|given| given.value))
        .collect()
}

/// Reads `--backend-mode` and `server.backendMode`. None, or an empty list, means the file, as in Go.
pub(super) fn backends(layers: &mut Layers<'_>) -> Result<Vec<Backend>, Problem> {
    let in_file = layers.server.texts("backendMode", &mut layers.warnings)?;
    let names = match &layers.overrides.backend_mode {
        Some(names) => names
            .iter()
            .map(|name| Given::flag("backend-mode", name.clone()))
            .collect(),
        None => in_file,
    };
    let mut backends = Vec::new();
    for name in names {
        let backend = known_backend(&name)?;
        if backends.contains(&backend) {
            return Err(name.problem(format_args!("names `{backend}` once more; remove one")));
        }
        backends.push(backend);
    }
    if backends.is_empty() {
        backends.push(Backend::MountedFile);
    }
    Ok(backends)
}

/// The backend that `name` names.
pub(super) fn known_backend(name: &Given<String>) -> Result<Backend, Problem> {
    const KNOWN: &[&str] = &[
        "MountedFile",
        "File",
        "ACKConfigMap",
        "ConfigMap",
        "CRD",
        "DynamicFile",
    ];
    match name.value.as_str() {
        "MountedFile" | "File" => Ok(Backend::MountedFile),
        "ACKConfigMap" | "ConfigMap" => Ok(Backend::ConfigMap),
        "CRD" => Ok(Backend::Crd),
        "DynamicFile" => Ok(Backend::DynamicFile),
        unknown => {
            let guess = keys::nearest(unknown, KNOWN)
                .map_or(String::new(), |name| format!("did you mean `{name}`? "));
            Err(name.problem(format_args!(
                "names an unknown backend `{unknown}`; {guess}known are `{}`",
                KNOWN.join("`, `")
            )))
        }
    }
}

/// An entry of `mapRoles` or `mapUsers`.
fn exact(
    source: Source,
    list: List,
    table: &mut Table,
    warnings: &mut Vec<Warning>,
) -> Result<Mapping, Problem> {
    let arn = table.required_text(match list {
        List::Users => "userARN",
        List::Roles | List::Rules | List::Accounts => "roleARN",
    })?;
    let username = table.required_text("username")?;
    let groups = names(table, "groups", warnings)?;
    Ok(Mapping::exact(
        source,
        Age::Place(0),
        &arn,
        &username,
        groups,
    ))
}

/// An entry of `mapRules`, which Go does not read: it may have what Go does not know.
fn rule(
    source: Source,
    table: &mut Table,
    warnings: &mut Vec<Warning>,
) -> Result<Mapping, Problem> {
    let mut text =
        |key| -> Result<Option<String>, Problem> { Ok(table.text(key)?.map(|given| given.value)) };
    Ok(Mapping {
        arn: text("arn")?.unwrap_or_default(),
        globs: Globs::Wildcards,
        arn_pattern: text("arnPattern")?,
        user_id: text("userID")?,
        role_id: text("roleID")?,
        condition: text("match")?,
        username: text("username")?.unwrap_or_default(),
        username_expression: text("usernameExpression")?,
        groups_expression: text("groupsExpression")?,
        groups_expression_may_add: names(table, "groupsExpressionMayAdd", warnings)?,
        groups: names(table, "groups", warnings)?,
        ..Mapping::exact(source, Age::Place(0), "", "", Vec::new())
    })
}

fn names(
    table: &mut Table,
    key: &'static str,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<String>, Problem> {
    let names = table.texts(key, warnings)?;
    Ok(names.into_iter().map(|name| name.value).collect())
}

fn account(entry: Given<Value>, warnings: &mut Vec<Warning>) -> Result<Given<AccountId>, Problem> {
    let is_number = matches!(entry.value, Value::Number(_));
    let text = entry.into_text()?;
    let Some(account) = AccountId::parse(&text.value) else {
        return Err(text.problem(format_args!(
            "is `{}`, which is not an account; write its digits",
            text.value
        )));
    };
    if is_number {
        let problem = text.problem("has no quotes; write some, since an account may start with 0");
        warnings.push(Warning::new(WarningKind::NumericAccount, problem));
    }
    Ok(text.with(account))
}
