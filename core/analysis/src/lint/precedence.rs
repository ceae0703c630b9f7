//! Findings about shadowed mappings: they never match, since others take precedence.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::arn::{AccountId, ArnKey};
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Backend, BackendRules, Conflict, Mapping, MappingSpec, Source};

use crate::lint::finding::{Finding, FindingCode, Position, Severity};
use crate::lint::{CompiledBackend, CompiledMapping};
use crate::mapping_terms::MappingTerms;

pub(super) fn check(backends: &[CompiledBackend<'_>], findings: &mut Vec<Finding>) {
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
            findings.extend(by.map(|by| shadowed(&entry.position, &by)));
        }
        for account in &backend.entries.accounts {
            let by = earlier
                .iter()
                .find_map(|coverage| coverage.source_for_account(&account.account));
            findings.extend(by.map(|by| shadowed(&account.position, &by)));
        }
        earlier.push(BackendCoverage::new(backend, rules));
    }
}

/// Builds the rules of `backend`, as a server applies them.
fn compile_rules(backend: &CompiledBackend<'_>) -> BackendRules {
    let mut rules = BackendRules::new(backend.entries.backend);
    for compiled in &backend.rules {
        rules.apply(compiled.rule.clone());
    }
    rules
}

fn shadowed(position: &Position, by: &str) -> Finding {
    Finding::new(
        FindingCode::Shadowed,
        Severity::Warning,
        position,
        format!("it never answers: {by} answers first"),
        "remove one of the two, or change the order of `server.backendMode`",
    )
}

/// Mappings of one subject in one backend.
fn conflicts(backend: &CompiledBackend<'_>, rules: &BackendRules, findings: &mut Vec<Finding>) {
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
        let relation = format!("names `{}`, too", winner.rule.subject());
        findings.push(conflict(loser, winner, &relation));
    }
    for (loser, winner) in equal_conditions(backend) {
        if !loser_sources.contains(loser.rule.source()) {
            let relation = "has the same subject and condition";
            findings.push(conflict(loser, winner, relation));
        }
    }
}

fn conflict(loser: &CompiledMapping<'_>, winner: &CompiledMapping<'_>, relation: &str) -> Finding {
    let (code, reason) = if is_equivalent(&loser.entry.mapping, &winner.entry.mapping) {
        (FindingCode::Duplicate, "says the same")
    } else {
        (FindingCode::Conflict, "wins, being the older")
    };
    let winner = winner.rule.source();
    Finding::new(
        code,
        Severity::Warning,
        &loser.entry.position,
        format!("it never answers: {winner} {relation}, and {reason}"),
        "remove one of the two",
    )
}

/// Mappings of one subject under one condition, each after the one that answers in its place.
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

/// Mappings by condition alone, behind one whose condition always holds.
fn behind_catch_all(backend: &CompiledBackend<'_>, findings: &mut Vec<Finding>) {
    let mut by_condition = by_precedence(backend)
        .into_iter()
        .filter(|compiled| *compiled.rule.subject() == Subject::Anyone);
    let Some(catch_all) = by_condition.find(|compiled| holds_always(compiled)) else {
        return;
    };
    let by = catch_all.rule.source().to_string();
    // A second one that always holds is a conflict.
    for compiled in by_condition.filter(|compiled| !holds_always(compiled)) {
        findings.push(shadowed(&compiled.entry.position, &by));
    }
}

fn holds_always(compiled: &CompiledMapping<'_>) -> bool {
    condition(compiled) == Some("true")
}

fn condition<'a>(compiled: &CompiledMapping<'a>) -> Option<&'a str> {
    let condition = compiled.entry.mapping.spec.condition.as_deref();
    condition.map(str::trim)
}

/// Returns the mappings of `backend`, the oldest first.
fn by_precedence<'a>(backend: &'a CompiledBackend<'_>) -> Vec<&'a CompiledMapping<'a>> {
    let mut rules: Vec<_> = backend.rules.iter().collect();
    rules.sort_by(|a, b| a.rule.precedence_key().cmp(&b.rule.precedence_key()));
    rules
}

/// Returns whether `a` and `b` give the same names, whatever their conditions.
fn is_equivalent(a: &Mapping, b: &Mapping) -> bool {
    let names = |mapping: &Mapping| {
        MappingTerms::sorted(MappingSpec {
            condition: None,
            ..mapping.spec.clone()
        })
    };
    names(a) == names(b)
}

/// Patterns that an older one of the same backend, with an equally long prefix, covers.
fn covered_patterns(backend: &CompiledBackend<'_>, findings: &mut Vec<Finding>) {
    // At most two for each prefix: the oldest that ends in `*` after it, and in `**`.
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
            findings.push(shadowed(&compiled.entry.position, &by));
        }
        if !compiled.rule.has_condition() && is_wide(pattern) {
            wide.entry(text).or_insert((compiled, pattern));
        }
    }
}

fn duplicate_accounts(backend: &CompiledBackend<'_>, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for account in &backend.entries.accounts {
        if !seen.insert(&account.account) {
            findings.push(Finding::new(
                FindingCode::Duplicate,
                Severity::Warning,
                &account.position,
                format!("account {} is mapped once more", account.account),
                "remove one of the two",
            ));
        }
    }
}

/// The subjects that a backend always answers for, with the sources of the answers.
struct BackendCoverage<'a> {
    backend: Backend,
    rules: BackendRules,
    catch_all: Option<&'a Source>,
    ids: BTreeMap<String, &'a Source>,
    arns: BTreeMap<ArnKey, &'a Source>,
    /// By their text in lower case.
    patterns: BTreeMap<String, (&'a Pattern, &'a Source)>,
    accounts: BTreeSet<&'a AccountId>,
}

impl<'a> BackendCoverage<'a> {
    fn new(backend: &'a CompiledBackend<'_>, rules: BackendRules) -> Self {
        let mut coverage = Self {
            backend: backend.entries.backend,
            rules,
            catch_all: backend
                .rules
                .iter()
                .find(|compiled| {
                    *compiled.rule.subject() == Subject::Anyone && holds_always(compiled)
                })
                .map(|compiled| compiled.rule.source()),
            ids: BTreeMap::new(),
            arns: BTreeMap::new(),
            patterns: BTreeMap::new(),
            accounts: backend
                .entries
                .accounts
                .iter()
                .map(|entry| &entry.account)
                .collect(),
        };
        // A rule with a condition leaves others to later backends.
        let unconditional = by_precedence(backend)
            .into_iter()
            .filter(|compiled| !compiled.rule.has_condition());
        for CompiledMapping { rule, .. } in unconditional {
            let source = rule.source();
            match rule.subject() {
                Subject::Id(_) => {
                    let id = rule.subject().to_string();
                    coverage.ids.entry(id).or_insert(source);
                }
                Subject::Arn(arn) => {
                    coverage.arns.entry(arn.key()).or_insert(source);
                }
                Subject::Pattern(pattern) => {
                    let text = lower(pattern);
                    coverage.patterns.entry(text).or_insert((pattern, source));
                }
                Subject::Anyone => {}
            }
        }
        coverage
    }

    /// Returns the source that answers for every identity that `subject` matches.
    fn source_for_subject(&self, subject: &Subject) -> Option<String> {
        if let Some(source) = self.catch_all {
            return Some(source.to_string());
        }
        let (by_rule, account) = match subject {
            Subject::Anyone => return None,
            Subject::Id(_) => return self.ids.get(&subject.to_string()).map(ToString::to_string),
            Subject::Arn(arn) => {
                let key = arn.key();
                let exact = self.arns.get(&key).map(ToString::to_string);
                let by_rule = exact.or_else(|| self.matching_pattern(arn.account(), &key));
                (by_rule, arn.account())
            }
            Subject::Pattern(inner) => (self.covering_pattern(inner), inner.account()),
        };
        by_rule.or_else(|| self.mapped_account_source(account))
    }

    /// Returns the source that answers for every identity of `account`.
    fn source_for_account(&self, account: &AccountId) -> Option<String> {
        let source = self.catch_all.map(ToString::to_string);
        source
            .or_else(|| self.mapped_account_source(account))
            .or_else(|| self.pattern(&format!("acs:ram::{account}:**")))
    }

    fn mapped_account_source(&self, account: &AccountId) -> Option<String> {
        self.accounts
            .contains(account)
            .then(|| format!("{} mapAccounts {account}", self.backend))
    }

    /// The pattern that answers for the ARN `key`.
    fn matching_pattern(&self, account: &AccountId, key: &ArnKey) -> Option<String> {
        let mut patterns = self.rules.matching_patterns(account, key);
        let rule = patterns.find(|rule| !rule.has_condition())?;
        Some(format!("`{}` ({})", rule.subject(), rule.source()))
    }

    /// The pattern that surely matches all that `inner` matches.
    fn covering_pattern(&self, inner: &Pattern) -> Option<String> {
        let prefix = inner.prefix();
        let shorter = (0..=prefix.len()).rev();
        let wide = shorter
            .filter_map(|end| prefix.get(..end))
            .flat_map(|prefix| WIDE.iter().map(move |tail| format!("{prefix}{tail}")));
        [lower(inner)]
            .into_iter()
            .chain(wide)
            .filter(|text| {
                let outer = self.patterns.get(text);
                outer.is_some_and(|(outer, _)| covers(outer, inner))
            })
            .find_map(|text| self.pattern(&text))
    }

    fn pattern(&self, text: &str) -> Option<String> {
        let (pattern, source) = self.patterns.get(text)?;
        Some(format!("`{pattern}` ({source})"))
    }
}

/// What follows the prefix of patterns that may cover others.
const WIDE: [&str; 2] = ["*", "**"];

fn is_wide(pattern: &Pattern) -> bool {
    let text = lower(pattern);
    let tail = text.strip_prefix(pattern.prefix());
    tail.is_some_and(|tail| WIDE.contains(&tail))
}

/// Returns whether `outer` surely matches all that `inner` matches. Recognizes only plain cases: the same text, or a
/// single wildcard at the end of `outer`.
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
