//! Findings about mappings that never answer, since others do.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::arn::{AccountId, ArnKey};
use crate::lint::finding::{Code, Finding, Position, Severity};
use crate::lint::{Compiled, Usable};
use crate::rules::pattern::Pattern;
use crate::rules::subject::Subject;
use crate::rules::{Backend, BackendRules, Conflict, Mapping, Source};

pub(super) fn check(backends: &[Usable<'_>], findings: &mut Vec<Finding>) {
    let mut earlier: Vec<Answers<'_>> = Vec::with_capacity(backends.len());
    for backend in backends {
        conflicts(backend, findings);
        after_everyone(backend, findings);
        covered_patterns(backend, findings);
        repeated_accounts(backend, findings);
        for Compiled { entry, rule } in &backend.rules {
            let by = earlier
                .iter()
                .find_map(|answers| answers.speaks_for(rule.subject()));
            findings.extend(by.map(|by| shadowed(&entry.position, &by)));
        }
        for account in &backend.entries.accounts {
            let by = earlier
                .iter()
                .find_map(|answers| answers.maps(&account.account));
            findings.extend(by.map(|by| shadowed(&account.position, &by)));
        }
        earlier.push(Answers::of(backend));
    }
}

fn shadowed(position: &Position, by: &str) -> Finding {
    Finding::new(
        Code::Shadowed,
        Severity::Warning,
        position,
        format!("it never answers: {by} answers first"),
        "remove one of the two, or change the order of `server.backendMode`",
    )
}

/// Mappings of one subject in one backend.
fn conflicts(backend: &Usable<'_>, findings: &mut Vec<Finding>) {
    let mut rules = BackendRules::new(backend.entries.backend);
    let mut by_source: BTreeMap<&Source, &Compiled<'_>> = BTreeMap::new();
    for compiled in &backend.rules {
        rules.apply(compiled.rule.clone());
        by_source.insert(compiled.rule.source(), compiled);
    }
    let mut losers = BTreeSet::new();
    for Conflict { loser, winner } in rules.conflicts() {
        let (Some(loser), Some(winner)) = (by_source.get(&loser), by_source.get(&winner)) else {
            continue;
        };
        losers.insert(loser.rule.source());
        let names = format!("names `{}`, too", winner.rule.subject());
        findings.push(conflict(loser, winner, &names));
    }
    for (loser, winner) in same_conditions(backend) {
        if !losers.contains(loser.rule.source()) {
            let names = "has the same subject and condition";
            findings.push(conflict(loser, winner, names));
        }
    }
}

fn conflict(loser: &Compiled<'_>, winner: &Compiled<'_>, names: &str) -> Finding {
    let (code, says) = if says_the_same(&loser.entry.mapping, &winner.entry.mapping) {
        (Code::Duplicate, "says the same")
    } else {
        (Code::Conflict, "wins, being the older")
    };
    let winner = winner.rule.source();
    Finding::new(
        code,
        Severity::Warning,
        &loser.entry.position,
        format!("it never answers: {winner} {names}, and {says}"),
        "remove one of the two",
    )
}

/// Mappings of one subject under one condition, each after the one that answers in its place.
fn same_conditions<'a>(backend: &'a Usable<'_>) -> Vec<(&'a Compiled<'a>, &'a Compiled<'a>)> {
    let mut winners: BTreeMap<(String, &str), &Compiled<'_>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for compiled in in_order(backend) {
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
fn after_everyone(backend: &Usable<'_>, findings: &mut Vec<Finding>) {
    let mut by_condition = in_order(backend)
        .into_iter()
        .filter(|compiled| *compiled.rule.subject() == Subject::Anyone);
    let Some(everyone) = by_condition.find(|compiled| holds_always(compiled)) else {
        return;
    };
    let by = everyone.rule.source().to_string();
    // A second one that always holds is a conflict.
    for compiled in by_condition.filter(|compiled| !holds_always(compiled)) {
        findings.push(shadowed(&compiled.entry.position, &by));
    }
}

fn holds_always(compiled: &Compiled<'_>) -> bool {
    condition(compiled) == Some("true")
}

fn condition<'a>(compiled: &Compiled<'a>) -> Option<&'a str> {
    let condition = compiled.entry.mapping.condition.as_deref();
    condition.map(str::trim)
}

/// The mappings of `backend`, the oldest first.
fn in_order<'a>(backend: &'a Usable<'_>) -> Vec<&'a Compiled<'a>> {
    let mut rules: Vec<_> = backend.rules.iter().collect();
    rules.sort_by(|a, b| a.rule.rank().cmp(&b.rule.rank()));
    rules
}

fn says_the_same(a: &Mapping, b: &Mapping) -> bool {
    let groups = |mapping: &Mapping| mapping.groups.iter().cloned().collect::<BTreeSet<_>>();
    a.username == b.username
        && a.username_expression == b.username_expression
        && groups(a) == groups(b)
        && a.groups_expression == b.groups_expression
}

/// Patterns that an older one of the same backend, with an equally long prefix, covers.
fn covered_patterns(backend: &Usable<'_>, findings: &mut Vec<Finding>) {
    let mut patterns: BTreeMap<&str, Vec<(&Compiled<'_>, &Pattern)>> = BTreeMap::new();
    for compiled in &backend.rules {
        if let Subject::Pattern(pattern) = compiled.rule.subject() {
            let same_prefix = patterns.entry(pattern.prefix()).or_default();
            same_prefix.push((compiled, pattern));
        }
    }
    for same_prefix in patterns.values_mut() {
        same_prefix.sort_by_key(|(compiled, _)| compiled.entry.mapping.age);
        for (index, (inner, pattern)) in same_prefix.iter().enumerate() {
            let outer = same_prefix.iter().take(index).find(|(outer, other)| {
                !outer.rule.has_condition() && !is_same(other, pattern) && covers(other, pattern)
            });
            if let Some((outer, other)) = outer {
                let by = format!("`{other}` ({})", outer.rule.source());
                findings.push(shadowed(&inner.entry.position, &by));
            }
        }
    }
}

fn repeated_accounts(backend: &Usable<'_>, findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    for account in &backend.entries.accounts {
        if !seen.insert(&account.account) {
            findings.push(Finding::new(
                Code::Duplicate,
                Severity::Warning,
                &account.position,
                format!("account {} is mapped once more", account.account),
                "remove one of the two",
            ));
        }
    }
}

/// For whom a backend answers, whatever else is so.
struct Answers<'a> {
    backend: Backend,
    everyone: Option<&'a Source>,
    ids: BTreeMap<String, &'a Source>,
    arns: BTreeMap<ArnKey, &'a Source>,
    patterns: BTreeMap<&'a AccountId, Vec<(&'a Pattern, &'a Source)>>,
    accounts: BTreeSet<&'a AccountId>,
}

impl<'a> Answers<'a> {
    fn of(backend: &'a Usable<'_>) -> Self {
        let mut answers = Self {
            backend: backend.entries.backend,
            everyone: backend
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
        let unconditional = backend
            .rules
            .iter()
            .filter(|compiled| !compiled.rule.has_condition());
        for Compiled { rule, .. } in unconditional {
            let source = rule.source();
            match rule.subject() {
                Subject::Id(_) => {
                    answers.ids.insert(rule.subject().to_string(), source);
                }
                Subject::Arn(arn) => {
                    answers.arns.insert(arn.key(), source);
                }
                Subject::Pattern(pattern) => {
                    let patterns = answers.patterns.entry(pattern.account()).or_default();
                    patterns.push((pattern, source));
                }
                Subject::Anyone => {}
            }
        }
        answers
    }

    /// What answers for everyone whom `subject` is about.
    fn speaks_for(&self, subject: &Subject) -> Option<String> {
        if let Some(source) = self.everyone {
            return Some(source.to_string());
        }
        let (exact, account, covering) = match subject {
            Subject::Anyone => return None,
            Subject::Id(_) => return self.ids.get(&subject.to_string()).map(ToString::to_string),
            Subject::Arn(arn) => {
                let key = arn.key();
                let matches = |pattern: &Pattern| pattern.matches(&key);
                let exact = self.arns.get(&key).map(ToString::to_string);
                (exact, arn.account(), self.pattern(arn.account(), matches))
            }
            Subject::Pattern(inner) => {
                let covers = |outer: &Pattern| covers(outer, inner);
                (None, inner.account(), self.pattern(inner.account(), covers))
            }
        };
        exact.or(covering).or_else(|| self.maps_account(account))
    }

    /// What answers for everyone of `account`.
    fn maps(&self, account: &AccountId) -> Option<String> {
        let everyone = format!("acs:ram::{account}:**");
        let source = self.everyone.map(ToString::to_string);
        source.or_else(|| self.maps_account(account)).or_else(|| {
            self.pattern(account, |pattern| {
                pattern.to_string().eq_ignore_ascii_case(&everyone)
            })
        })
    }

    fn maps_account(&self, account: &AccountId) -> Option<String> {
        self.accounts
            .contains(account)
            .then(|| format!("{} mapAccounts {account}", self.backend))
    }

    fn pattern(&self, account: &AccountId, wanted: impl Fn(&Pattern) -> bool) -> Option<String> {
        self.patterns
            .get(account)?
            .iter()
            .find(|(pattern, _)| wanted(pattern))
            .map(|(pattern, source)| format!("`{pattern}` ({source})"))
    }
}

fn is_same(a: &Pattern, b: &Pattern) -> bool {
    a.to_string().eq_ignore_ascii_case(&b.to_string())
}

/// Whether `outer` surely matches all that `inner` matches. Told only where it is plain: the same text, or a single
/// wildcard at the end of `outer`.
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
