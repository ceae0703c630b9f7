//! The findings of `lint` about a configuration: errors and risks.

use ack_ram_config::{
    Diagnostic, DiagnosticCode, ExternalMappings, Located, Location, Origin, ParsedMappings,
    PartialConfig, Severity,
};
use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Backend, Mapping};
use serde::Serialize;

use crate::lint::{self, AccountEntry, BackendEntries, GoSemantics, LintInput, MappingEntry};

/// The findings about a configuration.
#[derive(Debug, Serialize)]
pub struct LintReport {
    /// The findings.
    pub findings: Vec<Diagnostic>,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The number of informational findings.
    pub infos: usize,
}

impl LintReport {
    /// Builds the report of `findings`.
    #[must_use]
    pub fn new(findings: Vec<Diagnostic>) -> Self {
        let count = |severity| {
            let is_it = |finding: &&Diagnostic| finding.severity == severity;
            findings.iter().filter(is_it).count()
        };
        Self {
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            infos: count(Severity::Info),
            findings,
        }
    }
}

/// Returns the findings about `config`, which messages call `name`, and about the external mappings.
#[must_use]
pub fn lint_config<P>(
    name: &str,
    config: &PartialConfig<P>,
    external: &ExternalMappings,
) -> Vec<Diagnostic> {
    let mut input = lint_input(config, Location::file(name));
    for (backend, mappings) in external {
        add_external_mappings(&mut input, *backend, mappings);
    }
    lint::lint(&input)
}

/// Adds the mappings of `backend` to `input`, with a finding for each list that cannot be read. Does nothing if the
/// configuration does not name the backend.
pub fn add_external_mappings(input: &mut LintInput, backend: Backend, mappings: &ParsedMappings) {
    let mut backends = input.backends.iter_mut();
    let Some(entries) = backends.find(|entries| entries.backend == backend) else {
        return;
    };
    let unreadable = unreadable_list_findings(mappings);
    entries.is_known = unreadable.is_empty();
    entries.mappings = mappings.mappings.iter().map(lint_entry).collect();
    entries.accounts = mappings.accounts.iter().map(lint_account).collect();
    input.host_findings.extend(unreadable);
}

/// Builds the input of `lint` from `config`, whose file is at `location`.
#[must_use]
pub fn lint_input<P>(config: &PartialConfig<P>, location: Location) -> LintInput {
    let warnings = config.diagnostics.warnings.iter().map(warning_finding);
    let errors = config.diagnostics.errors.iter();
    let errors = errors.map(|error| error_finding(error.clone(), &location));
    let host_findings = warnings.chain(errors).collect();
    let file_is_read = config.backends.is_ok() && config.mappings.is_ok();
    let backends = config
        .backends
        .as_deref()
        .unwrap_or(&[Backend::MountedFile]);
    let backends = backends.iter().map(|backend| {
        let (mappings, accounts) = match (backend, &config.mappings) {
            (Backend::MountedFile, Ok(mappings)) => (&*mappings.mappings, &*mappings.accounts),
            _ => Default::default(),
        };
        let reserved = config.reserved.as_ref().ok();
        let reserved = reserved.and_then(|reserved| reserved.get(backend));
        BackendEntries {
            backend: *backend,
            is_known: *backend == Backend::MountedFile && file_is_read,
            mappings: mappings.iter().map(lint_entry).collect(),
            accounts: accounts.iter().map(lint_account).collect(),
            reserved: reserved.cloned().unwrap_or_default(),
        }
    });
    LintInput {
        backends: backends.collect(),
        validations: config.validations.clone().unwrap_or_default(),
        serves_proxies: matches!(config.ext_authz, Ok(Some(_))),
        host_findings,
        location,
    }
}

/// Returns findings for the lists of `mappings` that cannot be read at all. A list below a misspelled key is left out:
/// the key already has a finding.
fn unreadable_list_findings(mappings: &ParsedMappings) -> Vec<Diagnostic> {
    let lists = mappings.lists.iter();
    let unreadable = lists.filter_map(|(list, entries)| {
        let why = entries.as_ref().err()?;
        let is_reported = mappings.inactive_lists.contains_key(list);
        (!is_reported).then(|| Diagnostic {
            code: DiagnosticCode::Unreadable,
            location: why.location.clone().with_entry(list.key()),
            ..why.clone()
        })
    });
    unreadable.collect()
}

/// Converts an entry of `mapAccounts` to the input of `lint`.
fn lint_account(located: &Located<AccountId>) -> AccountEntry {
    AccountEntry {
        account: located.value.clone(),
        location: located.location.clone().with_entry(&*located.setting),
    }
}

/// Converts a mapping to the input of `lint`.
fn lint_entry(located: &Located<Mapping>) -> MappingEntry {
    MappingEntry {
        mapping: located.value.clone(),
        location: located.location.clone().with_entry(&*located.setting),
        go_semantics: if located.value.source.backend == Backend::Crd {
            GoSemantics::Regex
        } else if located.setting.starts_with("server.mapRules[") {
            GoSemantics::Unsupported
        } else {
            GoSemantics::Literal
        },
    }
}

/// Converts a warning of the parser to a finding.
#[must_use]
pub fn warning_finding(warning: &Diagnostic) -> Diagnostic {
    let mut finding = warning.clone();
    if finding.code == DiagnosticCode::InvalidEntry {
        finding.message.insert_str(0, "the entry is left out: ");
    }
    finding
}

/// Converts an error that prevents the server from starting to a finding. If the error has no origin of its own, the
/// finding is located in `file`.
#[must_use]
pub fn error_finding(mut error: Diagnostic, file: &Location) -> Diagnostic {
    if error.location.origin == Origin::Unnamed {
        error.location = Location {
            position: error.location.position,
            ..file.clone()
        };
    }
    error
}
