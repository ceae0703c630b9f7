//! Findings about impersonation: usernames that a caller can choose and that another mapping also gives.
//!
//! Names from expressions are unknown here and are not checked. Two mappings that give the same template or the same
//! name are assumed to do so on purpose.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::lint::usernames::UsernameSet;
use crate::lint::{CompiledBackend, CompiledMapping};
use ack_ram_config::{Diagnostic, DiagnosticCode, Location, Severity};

/// The maximum number of search steps. A configuration with many thousands of mappings whose names nearly overlap is
/// not searched to the end.
const MAX_STEPS: usize = 10_000_000;

/// Adds the findings. Call this after the checks that find mappings through which no login succeeds: such mappings are
/// ignored.
pub(super) fn check(backends: &[CompiledBackend<'_>], findings: &mut Vec<Diagnostic>) {
    search(backends, findings);
}

/// Searches for usernames that overlap, adds the findings, and returns the number of steps.
fn search(backends: &[CompiledBackend<'_>], findings: &mut Vec<Diagnostic>) -> usize {
    let unused = unused_locations(findings);
    let is_used = |compiled: &&CompiledMapping<'_>| {
        let location = &compiled.entry.location;
        unused.binary_search(&location).is_err()
    };
    let mut username_index = UsernameIndex::default();
    // For each backend: the mappings with a username that the caller can choose, and the index of their usernames.
    let mut chosen = Vec::new();
    for backend in backends {
        let mut backend_rules = Vec::new();
        for compiled in backend.rules.iter().filter(is_used) {
            if let Some(usernames) = UsernameSet::for_mapping(compiled) {
                let is_caller_chosen = usernames.is_caller_chosen;
                let index = username_index.add(usernames, UsernameSource::Rule(compiled));
                if is_caller_chosen && !restricts_session_name(compiled) {
                    backend_rules.push((compiled, index));
                }
            }
        }
        for account in &backend.entries.accounts {
            let of = format!("acs:ram::{}:", account.account);
            let source = UsernameSource::Account(&account.location);
            username_index.add(UsernameSet::with_ram_name(&format!("{of}user/")), source);
            username_index.add(UsernameSet::with_ram_name(&format!("{of}role/")), source);
            username_index.add(UsernameSet::exact(&format!("{of}root")), source);
        }
        chosen.push((backend_rules, &*backend.entries.reserved.usernames));
    }
    let mut steps = 0;
    let mut found = Vec::new();
    for (backend_rules, reserved) in chosen {
        let mut search = Search {
            index: &username_index,
            reserved,
            steps,
            known: vec![None; username_index.all.len()],
        };
        found.extend(
            backend_rules
                .into_iter()
                .filter_map(|(compiled, index)| search.finding(compiled, index)),
        );
        steps = search.steps;
    }
    findings.extend(found);
    steps
}

/// Returns the sorted locations of mappings through which no login succeeds.
fn unused_locations(findings: &[Diagnostic]) -> Vec<&Location> {
    let is_unused = |finding: &&Diagnostic| {
        matches!(
            finding.code,
            DiagnosticCode::AlwaysRefused
                | DiagnosticCode::ArnWithPath
                | DiagnosticCode::Conflict
                | DiagnosticCode::Duplicate
                | DiagnosticCode::EmptyName
                | DiagnosticCode::ReservedName
                | DiagnosticCode::Shadowed
                | DiagnosticCode::WildcardInFile
        )
    };
    let unused = findings.iter().filter(is_unused);
    let mut locations: Vec<_> = unused.map(|finding| &finding.location).collect();
    locations.sort_unstable();
    locations
}

/// The source of usernames.
#[derive(Clone, Copy)]
enum UsernameSource<'a> {
    Rule(&'a CompiledMapping<'a>),
    /// An entry of `mapAccounts`.
    Account(&'a Location),
}

/// Indexes into [`UsernameIndex::all`], by a key of their usernames.
type IndexesByKey = BTreeMap<String, Vec<usize>>;

/// All distinct sets of usernames, with indexes to search them.
#[derive(Default)]
struct UsernameIndex<'a> {
    all: Vec<(UsernameSet, UsernameSource<'a>)>,
    by_key: IndexesByKey,
    by_prefix: IndexesByKey,
    by_suffix: IndexesByKey,
}

impl<'a> UsernameIndex<'a> {
    /// Adds the usernames of `source` unless an equal set exists, and returns the index of the set.
    fn add(&mut self, usernames: UsernameSet, source: UsernameSource<'a>) -> usize {
        let new = self.all.len();
        let indexes = self.by_key.entry(usernames.key()).or_default();
        if let Some(known) = indexes.first() {
            return *known;
        }
        indexes.push(new);
        let by_prefix = self.by_prefix.entry(usernames.prefix());
        by_prefix.or_default().push(new);
        let by_suffix = self.by_suffix.entry(usernames.suffix());
        by_suffix.or_default().push(new);
        self.all.push((usernames, source));
        new
    }

    /// Returns the indexes of sets that may overlap `usernames`, selected by prefix or by suffix, whichever yields
    /// fewer.
    fn overlap_candidates(&self, usernames: &UsernameSet) -> Vec<usize> {
        let (prefix, suffix) = (usernames.prefix(), usernames.suffix());
        let mut by_prefix = related_by_prefix(&self.by_prefix, &prefix);
        let mut by_suffix = related_by_prefix(&self.by_suffix, &suffix);
        let (mut starting, mut ending) = (Vec::new(), Vec::new());
        loop {
            match by_prefix.next() {
                Some(index) => starting.push(*index),
                None => return starting,
            }
            match by_suffix.next() {
                Some(index) => ending.push(*index),
                None => return ending,
            }
        }
    }
}

/// Returns the values of `index` whose key is a prefix of `key`, or has `key` as a prefix.
fn related_by_prefix<'i>(index: &'i IndexesByKey, key: &'i str) -> impl Iterator<Item = &'i usize> {
    let ends = key.char_indices();
    let shorter = ends.filter_map(|(end, _)| index.get(key.get(..end)?));
    let longer = index.range::<str, _>((Bound::Included(key), Bound::Unbounded));
    let longer = longer.take_while(move |(other, _)| other.starts_with(key));
    shorter.chain(longer.map(|(_, indexes)| indexes)).flatten()
}

/// The search for overlapping usernames, for the mappings of one backend.
struct Search<'s, 'a> {
    index: &'s UsernameIndex<'a>,
    /// Prefixes that usernames of the backend must not have.
    reserved: &'s [Box<str>],
    steps: usize,
    /// The cached result for each set, by index: the index of the first set that overlaps it, if any.
    known: Vec<Option<Option<usize>>>,
}

impl<'a> Search<'_, 'a> {
    /// Returns the finding about `compiled`, whose usernames are at `index`; `None` if no other usernames overlap.
    fn finding(&mut self, compiled: &CompiledMapping<'_>, index: usize) -> Option<Diagnostic> {
        let (theirs, source) = self.overlapping(index)?;
        let template = &compiled.entry.mapping.spec.username;
        let origin = match source {
            UsernameSource::Rule(other) => other.rule.source().to_string(),
            UsernameSource::Account(position) => format!("`mapAccounts` ({position})"),
        };
        let collision = match theirs.single() {
            Some(username) => format!("`{username}`, a username from {origin}"),
            None => format!("a username from {origin}"),
        };
        Some(Diagnostic::from_parts(
            DiagnosticCode::Impersonation,
            Severity::Warning,
            &compiled.entry.location,
            format!(
                "`username` is `{template}`: a caller who assumes the role can choose a session name that yields {collision}"
            ),
            "before the variable, add a prefix that no other username starts with, such as `dev:`",
        ))
    }

    /// Returns the first set that overlaps the set at `index`, with its source.
    fn overlapping(&mut self, index: usize) -> Option<&(UsernameSet, UsernameSource<'a>)> {
        let overlapping = match self.known.get(index) {
            Some(Some(known)) => *known,
            _ => {
                let found = self.first_overlap(index);
                if let Some(known) = self.known.get_mut(index) {
                    *known = Some(found);
                }
                found
            }
        };
        self.index.all.get(overlapping?)
    }

    fn first_overlap(&mut self, index: usize) -> Option<usize> {
        let (usernames, _) = self.index.all.get(index)?;
        for candidate in self.index.overlap_candidates(usernames) {
            if self.steps >= MAX_STEPS {
                break;
            }
            let (theirs, _) = self.index.all.get(candidate)?;
            if candidate == index {
                continue;
            }
            self.steps += usernames.steps(theirs);
            let prefix = theirs.prefix();
            let mut reserved = self.reserved.iter();
            let is_reserved = reserved.any(|reserved| prefix.starts_with(&**reserved));
            if !is_reserved && usernames.overlaps(theirs) {
                return Some(candidate);
            }
        }
        None
    }
}

/// Returns whether the condition of `compiled` reads the session name. Such a condition may exclude all overlapping
/// names.
#[cfg(feature = "cel")]
fn restricts_session_name(compiled: &CompiledMapping<'_>) -> bool {
    use crate::lint::{expressions, tree};
    use ack_ram_core::cel::ExpressionKind;

    let condition = compiled.entry.mapping.spec.condition.as_deref();
    expressions::compile_expression(condition, ExpressionKind::Condition).is_some_and(|condition| {
        let fields = tree::referenced_fields(condition.tree());
        fields.contains(&("identity", "sessionName")) || fields.contains(&("identity", "arn"))
    })
}

/// Returns false: without CEL, no mapping has a condition.
#[cfg(not(feature = "cel"))]
fn restricts_session_name(_: &CompiledMapping<'_>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{BackendEntries, GoSemantics, MappingEntry};
    use ack_ram_core::rules::{Backend, Mapping, Precedence, ReservedPrefixes, Rule, Source};

    /// Searches among a role for each of `templates` and a user for each of `usernames`. Returns the number of steps
    /// and the number of findings.
    fn search_among(templates: &[String], usernames: &[String]) -> (usize, usize) {
        let roles = templates.iter().map(|name| ("role", name));
        let users = usernames.iter().map(|name| ("user", name));
        let mappings = roles.chain(users).enumerate().map(|(index, (kind, name))| {
            let source = Source {
                backend: Backend::MountedFile,
                position: index.to_string(),
            };
            let arn = format!("acs:ram::1:{kind}/{index}");
            Mapping::for_arn(source, Precedence::ListIndex(index), &arn, name, Vec::new())
        });
        let entries = BackendEntries {
            backend: Backend::MountedFile,
            is_known: true,
            mappings: mappings
                .map(|mapping| MappingEntry {
                    location: Location {
                        entry: mapping.source.position.as_str().into(),
                        ..Location::default()
                    },
                    mapping,
                    go_semantics: GoSemantics::Literal,
                })
                .collect(),
            accounts: Vec::new(),
            reserved: ReservedPrefixes::default(),
        };
        let rules = entries.mappings.iter().map(|entry| CompiledMapping {
            rule: Rule::compile(entry.mapping.clone()).unwrap(),
            entry,
        });
        let usable = CompiledBackend {
            rules: rules.collect(),
            entries: &entries,
        };
        let mut findings = Vec::new();
        let steps = search(&[usable], &mut findings);
        (steps, findings.len())
    }

    #[test]
    fn search_of_thousands_of_mappings_takes_few_steps() {
        const COUNT: usize = 5_000;
        let many = |name: &dyn Fn(usize) -> String| (0..COUNT).map(name).collect::<Vec<_>>();
        let users = many(&|index| format!("user-{index}"));
        let session = "{{SessionNameRaw}}";
        type Name<'a> = &'a dyn Fn(usize) -> String;
        let cases: [(&str, Name<'_>, usize, usize); 5] = [
            ("one template", &|_| session.to_owned(), 1_000, COUNT),
            (
                "a prefix each",
                &|index| format!("r{index}:{session}"),
                COUNT,
                0,
            ),
            (
                "a suffix each",
                &|index| format!("{session}:r{index}"),
                COUNT,
                0,
            ),
            // Each search stops at the first user, or at the other template.
            (
                "a prefix of users",
                &|index| format!("user{session}{}", "x".repeat(index % 2)),
                10_000,
                COUNT,
            ),
            (
                "an end that no user has",
                &|index| format!("user-{session}:{index}"),
                COUNT,
                0,
            ),
        ];
        for (name, template, most, found) in cases {
            let (steps, findings) = search_among(&many(template), &users);
            assert_eq!(findings, found, "{name}");
            assert!(steps <= most, "{name}: {steps}");
        }
    }

    #[test]
    fn search_without_overlaps_stops_at_step_limit() {
        let start = "a".repeat(60);
        let session = "{{SessionNameRaw}}";
        let templates: Vec<_> = (0..3_000)
            .map(|index| format!("{start}{session}:{index:04}:{session}"))
            .collect();
        let usernames: Vec<_> = (0..3_000)
            .map(|index| format!("{start}{index}:x:y"))
            .collect();
        let (steps, findings) = search_among(&templates, &usernames);
        assert_eq!(findings, 0);
        assert!(steps < MAX_STEPS + 100_000, "{steps}");
    }
}
