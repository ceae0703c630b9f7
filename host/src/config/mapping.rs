//! The mappings of the file, and which backends answer.

use std::collections::BTreeSet;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Age, Backend, Mapping, Source};

use crate::config::error::{Problem, Warning};
use crate::config::file::{Given, Table};
use crate::config::keys::{self, Keys};
use crate::config::layers::Layers;
use crate::config::yaml::Value;

/// What the file itself maps, as it was written: `core` compiles each [`Mapping`] to a rule, and refuses those that
/// cannot be one.
#[derive(Debug, Default)]
pub struct FileMappings {
    /// `server.mapRoles`, then `server.mapUsers`, each in its order.
    pub mappings: Vec<Mapping>,
    /// `server.mapAccounts`.
    pub accounts: Vec<AccountId>,
}

/// Reads `server.mapRoles`, `mapUsers` and `mapAccounts`. An entry that cannot be used is left out with a warning.
pub(super) fn read(layers: &mut Layers<'_>) -> Result<FileMappings, Problem> {
    let mut mappings = list(layers, "mapRoles", "roleARN", keys::ROLE)?;
    mappings.extend(list(layers, "mapUsers", "userARN", keys::USER)?);
    for (place, mapping) in mappings.iter_mut().enumerate() {
        mapping.age = Age::Place(place);
    }
    let accounts = accounts(layers, "mapAccounts")?;
    Ok(FileMappings { mappings, accounts })
}

/// Reads `server.scrubbedAccounts`.
pub(super) fn scrubbed_accounts(layers: &mut Layers<'_>) -> Result<BTreeSet<AccountId>, Problem> {
    Ok(accounts(layers, "scrubbedAccounts")?.into_iter().collect())
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
        let backend = backend(&name)?;
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

fn backend(name: &Given<String>) -> Result<Backend, Problem> {
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
        known if KNOWN.contains(&known) => Err(name.problem(format_args!(
            "names the backend `{known}`, which is not available in this version; use `MountedFile`"
        ))),
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
    arn: &'static str,
    keys: Keys,
) -> Result<Vec<Mapping>, Problem> {
    let entries = layers.server.list(key, &mut layers.warnings)?;
    let mut mappings = Vec::with_capacity(entries.len());
    for entry in entries {
        let position = entry.setting.clone();
        let mut remarks = Vec::new();
        let mapping = Table::new(entry, keys, &mut remarks)
            .and_then(|mut table| mapping(&mut table, arn, &position, &mut remarks));
        match mapping {
            Ok(mapping) => mappings.push(mapping),
            Err(problem) => remarks.push(left_out(problem)),
        }
        layers
            .warnings
            .extend(remarks.into_iter().map(|remark| Warning {
                text: format!("in `{position}`: {}", remark.text),
                ..remark
            }));
    }
    Ok(mappings)
}

fn mapping(
    table: &mut Table,
    arn: &'static str,
    position: &str,
    warnings: &mut Vec<Warning>,
) -> Result<Mapping, Problem> {
    let source = Source {
        backend: Backend::MountedFile,
        position: position.to_owned(),
    };
    let arn = table.required_text(arn)?;
    let username = table.required_text("username")?;
    let groups = table
        .texts("groups", warnings)?
        .into_iter()
        .map(|group| group.value)
        .collect();
    Ok(Mapping::exact(
        source,
        Age::Place(0),
        &arn,
        &username,
        groups,
    ))
}

fn accounts(layers: &mut Layers<'_>, key: &'static str) -> Result<Vec<AccountId>, Problem> {
    let entries = layers.server.list(key, &mut layers.warnings)?;
    let mut accounts = Vec::with_capacity(entries.len());
    for entry in entries {
        if matches!(entry.value, Value::Number(_)) {
            let text = "has no quotes; write some, since an account may start with 0";
            layers.warnings.push(entry.problem(text));
        }
        match account(entry) {
            Ok(account) => accounts.push(account),
            Err(problem) => layers.warnings.push(left_out(problem)),
        }
    }
    Ok(accounts)
}

fn account(entry: Given<Value>) -> Result<AccountId, Problem> {
    let text = entry.into_text()?;
    AccountId::parse(&text.value).ok_or_else(|| {
        text.problem(format_args!(
            "is `{}`, which is not an account; write its digits",
            text.value
        ))
    })
}

fn left_out(problem: Problem) -> Warning {
    Warning {
        text: format!("{}; until then the entry is left out", problem.text),
        ..problem
    }
}
