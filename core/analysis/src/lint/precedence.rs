//! Findings about shadowed mappings, which never match because other mappings take precedence.

mod coverage;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{BackendRules, Conflict, Mapping, MappingSpec, Source};

use crate::lint::{CompiledBackend, CompiledMapping};
use crate::mapping_terms::MappingTerms;
use ack_ram_config::{Diagnostic, DiagnosticCode, Location, Severity};
use coverage::BackendCoverage;

pub(super) fn check(backends: &[CompiledBackend<'_>], findings: &mut Vec<Diagnostic>) {
    let mut earlier: Vec<BackendCoverage<'_>> = Vec::with_capacity(backends.len());
    for backend in backends {
        let rules = compile_rules(backend);
        conflicts(backend, &rules, findings);
        behind_catch_all(backend, findings);
        covered_patterns(backend, findings);
        duplicate_accounts(backend, findings);
        for CompiledMapping { entry, rule } in &backend.rules {
            let by = earlier
                .iter()
                .find_map(|coverage| coverage.source_for_subject(rule.subject()));
            findings.extend(by.map(|by| shadowed(&entry.location, &by)));
        }
        for account in &backend.entries.accounts {
            let by = earlier
                .iter()
                .find_map(|coverage| coverage.source_for_account(&account.account));
            findings.extend(by.map(|by| shadowed(&account.location, &by)));
        }
        earlier.push(BackendCoverage::new(backend, rules));
    }
}

/// Compiles the rules of `backend` in the same way as a server.
fn compile_rules(backend: &CompiledBackend<'_>) -> BackendRules {
    let mut rules = BackendRules::new(backend.entries.backend);
    for compiled in &backend.rules {
        rules.apply(compiled.rule.clone());
    }
    rules
}

fn shadowed(location: &Location, by: &str) -> Diagnostic {
    Diagnostic::from_parts(
        DiagnosticCode::Shadowed,
        Severity::Warning,
        location,
        format!("the mapping is shadowed by {by}, which takes precedence"),
        "remove one of the two, or change their order (for two backends, in `server.backendMode`)",
    )
}

/// Reports mappings of the same subject in one backend.
fn conflicts(backend: &CompiledBackend<'_>, rules: &BackendRules, findings: &mut Vec<Diagnostic>) {
    let by_source: BTreeMap<&Source, &CompiledMapping<'_>> = backend
        .rules
        .iter()
        .map(|compiled| (compiled.rule.source(), compiled))
        .collect();
    let mut loser_sources = BTreeSet::new();
    for Conflict {
        shadowed: loser,
        shadowed_by: winner,
    } in rules.conflicts()
    {
        let (Some(loser), Some(winner)) = (by_source.get(&loser), by_source.get(&winner)) else {
            continue;
        };
        loser_sources.insert(loser.rule.source());
        let relation = format!("also maps `{}`", winner.rule.subject());
        findings.push(conflict(loser, winner, &relation));
    }
    for (loser, winner) in equal_conditions(backend) {
        if !loser_sources.contains(loser.rule.source()) {
            let relation = "has the same subject and condition";
            findings.push(conflict(loser, winner, relation));
        }
    }
}

fn conflict(
    loser: &CompiledMapping<'_>,
    winner: &CompiledMapping<'_>,
    relation: &str,
) -> Diagnostic {
    let (code, reason) = if is_equivalent(&loser.entry.mapping, &winner.entry.mapping) {
        (DiagnosticCode::Duplicate, "gives the same names")
    } else {
        (
            DiagnosticCode::Conflict,
            "takes precedence because it is older or earlier in the list",
        )
    };
    let winner = winner.rule.source();
    Diagnostic::from_parts(
        code,
        Severity::Warning,
        &loser.entry.location,
        format!("the mapping is shadowed by {winner}, which {relation} and {reason}"),
        "remove one of the two",
    )
}

/// Returns pairs of mappings with the same subject and condition: the shadowed mapping, then the one that takes
/// precedence.
fn equal_conditions<'a>(
    backend: &'a CompiledBackend<'_>,
) -> Vec<(&'a CompiledMapping<'a>, &'a CompiledMapping<'a>)> {
    let mut winners: BTreeMap<(String, &str), &CompiledMapping<'_>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for compiled in by_precedence(backend) {
        let Some(condition) = condition(compiled) else {
            continue;
        };
        let subject = compiled.rule.subject().to_string();
        let subject = match compiled.rule.subject() {
            Subject::Id(_) => subject,
            Subject::Arn(_) | Subject::Pattern(_) | Subject::Anyone => subject.to_ascii_lowercase(),
        };
        match winners.entry((subject, condition)) {
            Entry::Occupied(winner) => pairs.push((compiled, *winner.get())),
            Entry::Vacant(place) => {
                place.insert(compiled);
            }
        }
    }
    pairs
}

/// Reports mappings by condition alone that come after a mapping whose condition always holds.
fn behind_catch_all(backend: &CompiledBackend<'_>, findings: &mut Vec<Diagnostic>) {
    let mut by_condition = by_precedence(backend)
        .into_iter()
        .filter(|compiled| *compiled.rule.subject() == Subject::Anyone);
    let Some(catch_all) = by_condition.find(|compiled| holds_always(compiled)) else {
        return;
    };
    let by = catch_all.rule.source().to_string();
    // A second condition that always holds is reported as a conflict.
    for compiled in by_condition.filter(|compiled| !holds_always(compiled)) {
        findings.push(shadowed(&compiled.entry.location, &by));
    }
}

fn holds_always(compiled: &CompiledMapping<'_>) -> bool {
    condition(compiled) == Some("true")
}

fn condition<'a>(compiled: &CompiledMapping<'a>) -> Option<&'a str> {
    let condition = compiled.entry.mapping.spec.condition.as_deref();
    condition.map(str::trim)
}

/// Returns the mappings of `backend`, oldest first.
fn by_precedence<'a>(backend: &'a CompiledBackend<'_>) -> Vec<&'a CompiledMapping<'a>> {
    let mut rules: Vec<_> = backend.rules.iter().collect();
    rules.sort_by(|a, b| a.rule.precedence_key().cmp(&b.rule.precedence_key()));
    rules
}

/// Returns whether `a` and `b` give the same names, regardless of their conditions.
fn is_equivalent(a: &Mapping, b: &Mapping) -> bool {
    let names = |mapping: &Mapping| {
        MappingTerms::sorted(MappingSpec {
            condition: None,
            ..mapping.spec.clone()
        })
    };
    names(a) == names(b)
}

/// Reports patterns that an older pattern of the same backend covers. Only patterns with an equally long prefix are
/// compared.
fn covered_patterns(backend: &CompiledBackend<'_>, findings: &mut Vec<Diagnostic>) {
    // At most two for each prefix: the oldest pattern that ends in `*` after the prefix, and the oldest that ends in
    // `**`.
    let mut wide: BTreeMap<String, (&CompiledMapping<'_>, &Pattern)> = BTreeMap::new();
    for compiled in by_precedence(backend) {
        let Subject::Pattern(pattern) = compiled.rule.subject() else {
            continue;
        };
        let text = lower(pattern);
        let outer = WIDE
            .iter()
            .map(|tail| format!("{}{tail}", pattern.prefix()))
            .filter(|outer| *outer != text)
            .find_map(|outer| wide.get(&outer).filter(|(_, outer)| covers(outer, pattern)));
        if let Some((outer, other)) = outer {
            let by = format!("`{other}` ({})", outer.rule.source());
            findings.push(shadowed(&compiled.entry.location, &by));
        }
        if !compiled.rule.has_condition() && is_wide(pattern) {
            wide.entry(text).or_insert((compiled, pattern));
        }
    }
}

fn duplicate_accounts(backend: &CompiledBackend<'_>, findings: &mut Vec<Diagnostic>) {
    let mut known_accounts = BTreeSet::new();
    for account in &backend.entries.accounts {
        if !known_accounts.insert(&account.account) {
            findings.push(Diagnostic::from_parts(
                DiagnosticCode::Duplicate,
                Severity::Warning,
                &account.location,
                format!("duplicate account `{}`", account.account),
                "remove one of the two",
            ));
        }
    }
}

/// The endings, after the prefix, of patterns that may cover other patterns.
const WIDE: [&str; 2] = ["*", "**"];

fn is_wide(pattern: &Pattern) -> bool {
    let text = lower(pattern);
    let tail = text.strip_prefix(pattern.prefix());
    tail.is_some_and(|tail| WIDE.contains(&tail))
}

/// Returns whether `outer` certainly matches every ARN that `inner` matches. Recognizes only simple cases: equal text,
/// or a single wildcard at the end of `outer`.
fn covers(outer: &Pattern, inner: &Pattern) -> bool {
    let (outer_text, inner_text) = (lower(outer), lower(inner));
    let tail = outer_text.strip_prefix(outer.prefix());
    match (tail, inner_text.strip_prefix(outer.prefix())) {
        (Some("**"), Some(_)) => true,
        (Some("*"), Some(rest)) => !rest.contains('/') && !rest.contains("**"),
        _ => outer_text == inner_text,
    }
}

fn lower(pattern: &Pattern) -> String {
    pattern.to_string().to_ascii_lowercase()
}
