//! The mappings of the file, and which backends answer.

use std::collections::BTreeSet;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Age, Backend, Globs, Mapping, Source};

use crate::config::error::{Problem, Warning, WarningKind};
use crate::config::file::{Given, Table};
use crate::config::keys;
use crate::config::layers::Layers;
use crate::config::yaml::Value;

/// What the file itself maps, as it was written: `core` compiles each [`Mapping`] to a rule, and refuses those that
/// cannot be one.
#[derive(Debug, Default)]
pub struct FileMappings {
    /// `server.mapRoles`, then `server.mapUsers`, each in its order.
    pub mappings: Vec<Given<Mapping>>,
    /// `server.mapAccounts`.
    pub accounts: Vec<Given<AccountId>>,
}

/// Reads `server.mapRoles`, `mapUsers` and `mapAccounts`. An entry that cannot be used is left out with a warning.
pub(super) fn read(layers: &mut Layers<'_>, globs: Globs) -> Result<FileMappings, Problem> {
    let lenient = |keys| move |entry, remarks: &mut _| Table::new(entry, keys, remarks);
    let strict = |entry, _: &mut _| Table::strict(entry, keys::RULE);
    let exact = |arn| {
        move |source, table: &mut Table, warnings: &mut _| {
            Ok(Mapping {
                globs,
                ..exact(source, arn, table, warnings)?
            })
        }
    };
    let mut mappings = list(layers, "mapRoles", lenient(keys::ROLE), exact("roleARN"))?;
    mappings.extend(list(
        layers,
        "mapUsers",
        lenient(keys::USER),
        exact("userARN"),
    )?);
    mappings.extend(list(layers, "mapRules", strict, rule)?);
    for (place, mapping) in mappings.iter_mut().enumerate() {
        mapping.value.age = Age::Place(place);
    }
    let accounts = accounts(layers, "mapAccounts")?;
    Ok(FileMappings { mappings, accounts })
}

/// Reads `server.scrubbedAccounts`. None is left out: its identities would be told.
pub(super) fn scrubbed_accounts(layers: &mut Layers<'_>) -> Result<BTreeSet<AccountId>, Problem> {
    let entries = layers
        .server
        .list("scrubbedAccounts", &mut layers.warnings)?;
    entries
        .into_iter()
        .map(|entry| account(layers, entry).map(|given| given.value))
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

fn list(
    layers: &mut Layers<'_>,
    key: &'static str,
    table: impl Fn(Given<Value>, &mut Vec<Warning>) -> Result<Table, Problem>,
    read: impl Fn(Source, &mut Table, &mut Vec<Warning>) -> Result<Mapping, Problem>,
) -> Result<Vec<Given<Mapping>>, Problem> {
    let entries = layers.server.list(key, &mut layers.warnings)?;
    let mut mappings = Vec::with_capacity(entries.len());
    for entry in entries {
        let place = entry.place.clone();
        let position = entry.setting.clone();
        let source = Source {
            backend: Backend::MountedFile,
            position: position.clone(),
        };
        let mut remarks = Vec::new();
        let mapping =
            table(entry, &mut remarks).and_then(|mut table| read(source, &mut table, &mut remarks));
        match mapping {
            Ok(value) => mappings.push(Given {
                value,
                place,
                setting: position.clone(),
            }),
            Err(problem) => remarks.push(Warning::new(WarningKind::InvalidEntry, problem)),
        }
        layers
            .warnings
            .extend(remarks.into_iter().map(|remark| Warning {
                entry: position.clone(),
                ..remark
            }));
    }
    Ok(mappings)
}

/// An entry of `mapRoles` or `mapUsers`.
fn exact(
    source: Source,
    arn: &'static str,
    table: &mut Table,
    warnings: &mut Vec<Warning>,
) -> Result<Mapping, Problem> {
    let arn = table.required_text(arn)?;
    let username = table.required_text("username")?;
    let groups = groups(table, warnings)?;
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
        groups: groups(table, warnings)?,
        ..Mapping::exact(source, Age::Place(0), "", "", Vec::new())
    })
}

fn groups(table: &mut Table, warnings: &mut Vec<Warning>) -> Result<Vec<String>, Problem> {
    let groups = table.texts("groups", warnings)?;
    Ok(groups.into_iter().map(|group| group.value).collect())
}

fn accounts(layers: &mut Layers<'_>, key: &'static str) -> Result<Vec<Given<AccountId>>, Problem> {
    let entries = layers.server.list(key, &mut layers.warnings)?;
    let mut accounts = Vec::with_capacity(entries.len());
    for entry in entries {
        match account(layers, entry) {
            Ok(account) => accounts.push(account),
            Err(problem) => {
                let warning = Warning::new(WarningKind::InvalidEntry, problem);
                layers.warnings.push(warning);
            }
        }
    }
    Ok(accounts)
}

fn account(layers: &mut Layers<'_>, entry: Given<Value>) -> Result<Given<AccountId>, Problem> {
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
        layers
            .warnings
            .push(Warning::new(WarningKind::NumericAccount, problem));
    }
    Ok(text.with(account))
}
