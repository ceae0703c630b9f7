//! The subjects that a backend covers completely, so that later backends never decide about them.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::arn::{AccountId, ArnKey};
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Backend, BackendRules, Source};

use super::{WIDE, by_precedence, covers, holds_always, lower};
use crate::lint::{CompiledBackend, CompiledMapping};

/// The subjects that a backend covers completely, with the mappings that cover them.
pub(super) struct BackendCoverage<'a> {
    backend: Backend,
    rules: BackendRules,
    catch_all: Option<&'a Source>,
    ids: BTreeMap<String, &'a Source>,
    arns: BTreeMap<ArnKey, &'a Source>,
    /// Patterns, by their text in lower case.
    patterns: BTreeMap<String, (&'a Pattern, &'a Source)>,
    accounts: BTreeSet<&'a AccountId>,
}

impl<'a> BackendCoverage<'a> {
    pub(super) fn new(backend: &'a CompiledBackend<'_>, rules: BackendRules) -> Self {
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
        // Identities that do not meet the condition of a rule are left to later backends.
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

    /// Returns the source that maps every identity that `subject` matches, if there is one.
    pub(super) fn source_for_subject(&self, subject: &Subject) -> Option<String> {
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

    /// Returns the source that maps every identity of `account`, if there is one.
    pub(super) fn source_for_account(&self, account: &AccountId) -> Option<String> {
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

    /// Returns an unconditional pattern that matches the ARN with the key `key`, if there is one.
    fn matching_pattern(&self, account: &AccountId, key: &ArnKey) -> Option<String> {
        let mut patterns = self.rules.matching_patterns(account, key);
        let rule = patterns.find(|rule| !rule.has_condition())?;
        Some(format!("`{}` ({})", rule.subject(), rule.source()))
    }

    /// Returns a pattern that matches every identity that `inner` matches, if there is one.
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
