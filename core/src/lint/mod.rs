//! Lint: what is wrong or risky in a configuration, before it is in force.
//!
//! Pure functions over what a host has read: the mappings of each backend in the order in which they answer. A host
//! adds what it found itself, such as unknown keys, as [`Configuration::remarks`].

#[cfg(feature = "cel")]
mod expressions;
mod finding;
mod go_pattern;
mod impersonation;
pub mod invisible;
mod lock_out;
mod mappings;
mod names;
pub mod paths;
mod precedence;
mod spelling;
#[cfg(feature = "cel")]
mod tree;
mod usernames;
#[cfg(feature = "cel")]
mod validations;

pub use finding::{Code, Finding, Position, Severity};

use std::collections::BTreeSet;

use finding::Report;

use crate::arn::AccountId;
use crate::rules::{Backend, Mapping, ReservedPrefixes, Rule, Validation};

/// A configuration as a host has read it.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// Where findings about the whole stand.
    pub position: Position,
    /// The backends, in the order in which they answer.
    pub backends: Vec<BackendEntries>,
    /// What every user must meet.
    pub validations: Vec<Validation>,
    /// Whether users are named to services in headers, too (`server.extAuthz`).
    pub serves_proxies: bool,
    /// What the host found itself.
    pub remarks: Vec<Finding>,
}

/// What one backend holds.
#[derive(Clone, Debug)]
pub struct BackendEntries {
    /// Which it is.
    pub backend: Backend,
    /// Whether it was read. What is in a cluster cannot be told from a file.
    pub is_read: bool,
    /// Its mappings, as they were written.
    pub mappings: Vec<Entry>,
    /// Its `mapAccounts`.
    pub accounts: Vec<Account>,
    /// What its names may not start with.
    pub reserved: ReservedPrefixes,
}

/// A mapping and where it stands.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The mapping.
    pub mapping: Mapping,
    /// Where it stands.
    pub position: Position,
    /// What Go makes of wildcards in its ARN.
    pub in_go: InGo,
}

/// What Go makes of wildcards in an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InGo {
    /// They are characters like others, which no ARN has: files and the ConfigMap.
    Literal,
    /// The ARN is an unanchored regular expression: objects.
    Regex,
    /// Go does not read this kind of entry.
    Unread,
}

/// An entry of `mapAccounts` and where it stands.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account.
    pub account: AccountId,
    /// Where it stands.
    pub position: Position,
}

/// An entry that can be applied.
struct Compiled<'a> {
    entry: &'a Entry,
    rule: Rule,
}

/// The usable entries of one backend.
struct Usable<'a> {
    entries: &'a BackendEntries,
    rules: Vec<Compiled<'a>>,
}

/// All findings about `configuration`, by position, then by code.
#[must_use]
pub fn lint(configuration: &Configuration) -> Vec<Finding> {
    let mut findings = configuration.remarks.clone();
    let mut usable = Vec::with_capacity(configuration.backends.len());
    for entries in &configuration.backends {
        let mut rules = Vec::with_capacity(entries.mappings.len());
        for entry in &entries.mappings {
            match Rule::compile(entry.mapping.clone()) {
                Ok(rule) => rules.push(Compiled { entry, rule }),
                Err(error) => findings.push(mappings::refused(entry, &error)),
            }
        }
        usable.push(Usable { entries, rules });
    }
    for backend in &usable {
        for compiled in &backend.rules {
            let mut report = Report::at(&compiled.entry.position, &mut findings);
            mappings::check(compiled, &mut report);
            names::check(compiled, &backend.entries.reserved, &mut report);
            spelling::check(compiled, configuration.serves_proxies, &mut report);
            #[cfg(feature = "cel")]
            expressions::check(compiled, &mut report);
        }
        for account in &backend.entries.accounts {
            findings.push(mappings::whole_account(account));
        }
    }
    precedence::check(&usable, &mut findings);
    #[cfg(feature = "cel")]
    validations::check(&configuration.validations, &usable, &mut findings);
    impersonation::check(&usable, &mut findings);
    let mut report = Report::at(&configuration.position, &mut findings);
    lock_out::check(&usable, &mut report);
    told_once(&mut findings);
    findings.sort_by(|a, b| {
        (&a.position, a.code.as_str(), &a.message).cmp(&(&b.position, b.code.as_str(), &b.message))
    });
    findings
}

/// A mapping whose `groups` hold nothing was told of by the host.
fn told_once(findings: &mut Vec<Finding>) {
    let of = |finding: &Finding| {
        (
            finding.position.file.clone(),
            finding.position.entry.clone(),
        )
    };
    let emptied: BTreeSet<_> = findings
        .iter()
        .filter(|finding| finding.code == Code::EmptyList)
        .map(of)
        .collect();
    findings.retain(|finding| finding.code != Code::NoGroups || !emptied.contains(&of(finding)));
}
