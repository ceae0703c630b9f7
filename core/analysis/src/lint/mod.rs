//! Lint: finds errors and risks in a configuration before it takes effect.
//!
//! These are pure functions over a parsed configuration: the mappings of each backend, in order of precedence. The host
//! adds its own findings, such as unknown keys, in [`LintInput::host_findings`].

#[cfg(feature = "cel")]
mod expressions;
mod go_pattern;
mod impersonation;
mod lockout;
mod names;
mod precedence;
mod sink;
mod spelling;
mod subjects;
#[cfg(feature = "cel")]
mod tree;
mod usernames;
#[cfg(feature = "cel")]
mod validations;

use std::collections::BTreeSet;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Backend, Mapping, ReservedPrefixes, Rule, Validation};

use ack_ram_config::{Diagnostic, DiagnosticCode, Location};
use sink::DiagnosticSink;

/// The input of lint: a configuration that a host has parsed.
#[derive(Clone, Debug, Default)]
pub struct LintInput {
    /// The location of findings about the configuration as a whole.
    pub location: Location,
    /// The backends, in order of precedence.
    pub backends: Vec<BackendEntries>,
    /// The validations that every user must pass.
    pub validations: Vec<Validation>,
    /// Whether services also receive users in request headers (`server.extAuthz`).
    pub serves_proxies: bool,
    /// The findings of the host itself.
    pub host_findings: Vec<Diagnostic>,
}

/// The entries of one backend.
#[derive(Clone, Debug)]
pub struct BackendEntries {
    /// The backend.
    pub backend: Backend,
    /// Whether the entries are known. The entries of a backend in the cluster cannot be known from a file alone.
    pub is_known: bool,
    /// The mappings, as written.
    pub mappings: Vec<MappingEntry>,
    /// The entries of `mapAccounts`.
    pub accounts: Vec<AccountEntry>,
    /// Prefixes that names of the backend must not have.
    pub reserved: ReservedPrefixes,
}

/// A mapping and its location.
#[derive(Clone, Debug)]
pub struct MappingEntry {
    /// The mapping.
    pub mapping: Mapping,
    /// The location of the mapping.
    pub location: Location,
    /// The meaning of wildcards in the ARN for the Go implementation.
    pub go_semantics: GoSemantics,
}

/// The meaning of wildcards in an ARN for the Go implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoSemantics {
    /// Wildcards are literal characters, which no ARN has. Applies to files and the ConfigMap.
    Literal,
    /// The ARN is an unanchored regular expression. Applies to objects.
    Regex,
    /// Go does not support this kind of entry.
    Unsupported,
}

/// An entry of `mapAccounts` and its location.
#[derive(Clone, Debug)]
pub struct AccountEntry {
    /// The account.
    pub account: AccountId,
    /// The location of the entry.
    pub location: Location,
}

/// A mapping that compiles, with its rule.
struct CompiledMapping<'a> {
    entry: &'a MappingEntry,
    rule: Rule,
}

/// The entries of one backend, and its mappings that compile.
struct CompiledBackend<'a> {
    entries: &'a BackendEntries,
    rules: Vec<CompiledMapping<'a>>,
}

/// Returns all findings about `input`, sorted by location, then by code.
#[must_use]
pub fn lint(input: &LintInput) -> Vec<Diagnostic> {
    let mut findings = input.host_findings.clone();
    let mut compiled_backends = Vec::with_capacity(input.backends.len());
    for entries in &input.backends {
        let mut rules = Vec::with_capacity(entries.mappings.len());
        for entry in &entries.mappings {
            match Rule::compile(entry.mapping.clone()) {
                Ok(rule) => rules.push(CompiledMapping { entry, rule }),
                Err(error) => findings.push(subjects::invalid_mapping(entry, &error)),
            }
        }
        compiled_backends.push(CompiledBackend { entries, rules });
    }
    for backend in &compiled_backends {
        for compiled in &backend.rules {
            let mut report = DiagnosticSink::new(&compiled.entry.location, &mut findings);
            subjects::check(compiled, &mut report);
            names::check(compiled, &backend.entries.reserved, &mut report);
            spelling::check(compiled, input.serves_proxies, &mut report);
            #[cfg(feature = "cel")]
            expressions::check(compiled, &mut report);
        }
        for account in &backend.entries.accounts {
            findings.push(subjects::mapped_account(account));
        }
    }
    precedence::check(&compiled_backends, &mut findings);
    #[cfg(feature = "cel")]
    validations::check(&input.validations, &compiled_backends, &mut findings);
    impersonation::check(&compiled_backends, &mut findings);
    let mut report = DiagnosticSink::new(&input.location, &mut findings);
    lockout::check(&compiled_backends, &mut report);
    dedup_empty_groups(&mut findings);
    findings.sort_by(|a, b| {
        (&a.location, a.code.as_str(), &a.message).cmp(&(&b.location, b.code.as_str(), &b.message))
    });
    findings
}

/// Removes [`DiagnosticCode::NoGroups`] if the host has reported [`DiagnosticCode::EmptyList`] for the same mapping.
fn dedup_empty_groups(findings: &mut Vec<Diagnostic>) {
    let entry_key = |finding: &Diagnostic| {
        (
            finding.location.origin.clone(),
            finding.location.entry.clone(),
        )
    };
    let emptied: BTreeSet<_> = findings
        .iter()
        .filter(|finding| finding.code == DiagnosticCode::EmptyList)
        .map(entry_key)
        .collect();
    findings.retain(|finding| {
        finding.code != DiagnosticCode::NoGroups || !emptied.contains(&entry_key(finding))
    });
}
