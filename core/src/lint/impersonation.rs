//! Findings about usernames that a caller can choose, and that another mapping gives, too.
//!
//! Names that expressions give are not known here. Two mappings that give the same template, or the same name, are meant
//! to give it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::lint::finding::{Code, Finding, Position, Severity};
use crate::lint::usernames::Usernames;
use crate::lint::{Compiled, Usable};
use crate::rules::ReservedPrefixes;

/// Many thousands of mappings whose names nearly overlap are not compared to the end: so many steps are taken.
const MAX_STEPS: usize = 10_000_000;

/// Comes after all that finds mappings by which nobody logs in: those neither give usernames nor take any.
pub(super) fn check(backends: &[Usable<'_>], findings: &mut Vec<Finding>) {
    search(backends, findings);
}

/// The steps that were taken.
fn search(backends: &[Usable<'_>], findings: &mut Vec<Finding>) -> usize {
    let unused = unused(findings);
    let is_used = |compiled: &&Compiled<'_>| !unused.contains(&compiled.entry.position);
    let mut given = Given::default();
    for backend in backends {
        for compiled in backend.rules.iter().filter(is_used) {
            if let Some(usernames) = Usernames::of(compiled) {
                given.add(usernames, Giver::Rule(compiled));
            }
        }
        for account in &backend.entries.accounts {
            let of = format!("acs:ram::{}:", account.account);
            let giver = Giver::Account(&account.position);
            given.add(Usernames::named(&format!("{of}user/")), giver);
            given.add(Usernames::named(&format!("{of}role/")), giver);
            given.add(Usernames::exactly(&format!("{of}root")), giver);
        }
    }
    let mut search = Search {
        given: &given,
        steps: 0,
        known: BTreeMap::new(),
    };
    for backend in backends {
        for compiled in backend.rules.iter().filter(is_used) {
            findings.extend(search.finding(compiled, &backend.entries.reserved));
        }
    }
    search.steps
}

/// Where the mappings stand by which nobody logs in.
fn unused(findings: &[Finding]) -> BTreeSet<Position> {
    let is_unused = |finding: &&Finding| {
        matches!(
            finding.code,
            Code::AlwaysRefused
                | Code::ArnWithPath
                | Code::Conflict
                | Code::Duplicate
                | Code::EmptyName
                | Code::ReservedName
                | Code::Shadowed
                | Code::WildcardInFile
        )
    };
    let unused = findings.iter().filter(is_unused);
    unused.map(|finding| finding.position.clone()).collect()
}

/// What gives usernames.
#[derive(Clone, Copy)]
enum Giver<'a> {
    Rule(&'a Compiled<'a>),
    /// An entry of `mapAccounts`.
    Account(&'a Position),
}

/// All usernames that are given, each kind of them once, by what they start with and by what they end with.
#[derive(Default)]
struct Given<'a> {
    all: Vec<(Usernames, Giver<'a>)>,
    known: BTreeSet<Usernames>,
    by_prefix: BTreeMap<String, Vec<usize>>,
    by_suffix: BTreeMap<String, Vec<usize>>,
}

impl<'a> Given<'a> {
    fn add(&mut self, usernames: Usernames, giver: Giver<'a>) {
        if !self.known.insert(usernames.clone()) {
            return;
        }
        let index = self.all.len();
        let by_prefix = self.by_prefix.entry(usernames.prefix());
        by_prefix.or_default().push(index);
        let by_suffix = self.by_suffix.entry(usernames.suffix());
        by_suffix.or_default().push(index);
        self.all.push((usernames, giver));
    }

    /// Those that may overlap `usernames`: by their start or by their end, whichever leaves fewer.
    fn near(&self, usernames: &Usernames) -> impl Iterator<Item = &(Usernames, Giver<'a>)> {
        let (prefix, suffix) = (usernames.prefix(), usernames.suffix());
        let mut by_prefix = alike(&self.by_prefix, &prefix);
        let mut by_suffix = alike(&self.by_suffix, &suffix);
        let (mut starting, mut ending) = (Vec::new(), Vec::new());
        let fewer = loop {
            match by_prefix.next() {
                Some(place) => starting.push(*place),
                None => break starting,
            }
            match by_suffix.next() {
                Some(place) => ending.push(*place),
                None => break ending,
            }
        };
        fewer.into_iter().filter_map(|place| self.all.get(place))
    }
}

/// What `index` has at keys that are a start of `key`, and at those that `key` is a start of.
fn alike<'i>(
    index: &'i BTreeMap<String, Vec<usize>>,
    key: &'i str,
) -> impl Iterator<Item = &'i usize> {
    let ends = key.char_indices();
    let shorter = ends.filter_map(|(end, _)| index.get(key.get(..end)?));
    let longer = index.range::<str, _>((Bound::Included(key), Bound::Unbounded));
    let longer = longer.take_while(move |(other, _)| other.starts_with(key));
    shorter.chain(longer.map(|(_, places)| places)).flatten()
}

/// Usernames, and what the names of their backend may not start with.
type Sought = (Usernames, Vec<Box<str>>);

/// Looks for the mapping whose users others can pass for.
struct Search<'s, 'a> {
    given: &'s Given<'a>,
    steps: usize,
    /// What was found of usernames and what its backend may not give.
    known: BTreeMap<Sought, Option<(Usernames, Giver<'a>)>>,
}

impl<'a> Search<'_, 'a> {
    fn finding(&mut self, compiled: &Compiled<'_>, reserved: &ReservedPrefixes) -> Option<Finding> {
        let usernames = Usernames::of(compiled).filter(|usernames| usernames.is_chosen)?;
        if asks_for_session(compiled) {
            return None;
        }
        let (theirs, giver) = self.overlapping(usernames, &reserved.usernames)?;
        let template = &compiled.entry.mapping.username;
        let whose = match giver {
            Giver::Rule(other) => format!("{} gives", other.rule.source()),
            Giver::Account(position) => format!("`mapAccounts` gives ({position})"),
        };
        let what = match theirs.only() {
            Some(username) => format!("`{username}`, which {whose}"),
            None => format!("a username that {whose}"),
        };
        Some(Finding::new(
            Code::Impersonation,
            Severity::Warning,
            &compiled.entry.position,
            format!(
                "`username` is `{template}`: a caller who assumes the role can choose a session name that makes it {what}, too"
            ),
            "put a prefix before the variable that no other username starts with, such as `dev:`",
        ))
    }

    fn overlapping(
        &mut self,
        usernames: Usernames,
        reserved: &[Box<str>],
    ) -> Option<(Usernames, Giver<'a>)> {
        let key = (usernames, reserved.to_vec());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let (usernames, reserved) = &key;
        let mut found = None;
        for (theirs, giver) in self.given.near(usernames) {
            if self.steps >= MAX_STEPS {
                break;
            }
            if theirs == usernames {
                continue;
            }
            self.steps += usernames.steps(theirs);
            let prefix = theirs.prefix();
            let mut reserved = reserved.iter().map(|reserved| &**reserved);
            let is_reserved = reserved.any(|reserved| prefix.starts_with(reserved));
            if !is_reserved && usernames.overlap(theirs) {
                found = Some((theirs.clone(), *giver));
                break;
            }
        }
        self.known.insert(key, found.clone());
        found
    }
}

/// Whether the condition of `compiled` may leave none of the session names that would overlap.
#[cfg(feature = "cel")]
fn asks_for_session(compiled: &Compiled<'_>) -> bool {
    use crate::cel::Kind;
    use crate::lint::{expressions, tree};

    let condition = compiled.entry.mapping.condition.as_deref();
    expressions::parsed(condition, Kind::Condition).is_some_and(|condition| {
        let fields = tree::fields(condition.tree());
        fields.contains(&("identity", "sessionName")) || fields.contains(&("identity", "arn"))
    })
}

/// Without CEL, no mapping has a condition.
#[cfg(not(feature = "cel"))]
fn asks_for_session(_: &Compiled<'_>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::{BackendEntries, Entry, InGo};
    use crate::rules::{Age, Backend, Mapping, Rule, Source};

    /// The steps, and what was found, of a role for each of `templates` and a user for each of `usernames`.
    fn search_among(templates: &[String], usernames: &[String]) -> (usize, usize) {
        let roles = templates.iter().map(|name| ("role", name));
        let users = usernames.iter().map(|name| ("user", name));
        let mappings = roles.chain(users).enumerate().map(|(place, (kind, name))| {
            let source = Source {
                backend: Backend::MountedFile,
                position: place.to_string(),
            };
            let arn = format!("acs:ram::1:{kind}/{place}");
            Mapping::exact(source, Age::Place(place), &arn, name, Vec::new())
        });
        let entries = BackendEntries {
            backend: Backend::MountedFile,
            is_read: true,
            mappings: mappings
                .map(|mapping| Entry {
                    position: Position {
                        entry: mapping.source.position.clone(),
                        ..Position::default()
                    },
                    mapping,
                    in_go: InGo::Literal,
                })
                .collect(),
            accounts: Vec::new(),
            reserved: ReservedPrefixes::default(),
        };
        let rules = entries.mappings.iter().map(|entry| Compiled {
            rule: Rule::compile(entry.mapping.clone()).unwrap(),
            entry,
        });
        let usable = Usable {
            rules: rules.collect(),
            entries: &entries,
        };
        let mut findings = Vec::new();
        let steps = search(&[usable], &mut findings);
        (steps, findings.len())
    }

    #[test]
    fn thousands_of_mappings_are_searched_by_what_names_start_and_end_with() {
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
            // Each finds the first user, or the other template.
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
    fn a_search_that_finds_nothing_ends() {
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
