//! Mutants that may survive, and the verdict on a run.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;
use crate::mutants::outcomes::{Mutant, Outcome};

/// The list of accepted mutants, relative to the workspace folder.
const FILE: &str = "tests/xtask/accepted-mutants.json";

/// The mutants without an observable effect.
#[derive(Debug, Default)]
pub struct Accepted {
    entries: Vec<Entry>,
}

/// An entry, which accepts one mutant. Two mutants with the same change need two entries.
#[derive(Debug)]
struct Entry {
    file: String,
    change: String,
}

impl Entry {
    fn names(&self, mutant: &Mutant) -> bool {
        self.file == mutant.file && self.change == mutant.change
    }
}

/// The verdict on a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    caught: usize,
    unviable: usize,
    timed_out: usize,
    accepted: usize,
    /// Names of the mutants that survived and are not accepted.
    survivors: Vec<String>,
    /// Entries whose mutant was caught.
    obsolete: Vec<String>,
}

impl Accepted {
    /// Reads the list of accepted mutants of the workspace in the folder `root`.
    pub fn read_list(root: &Path) -> Result<Self, Failure> {
        let text = fs::read(root.join(FILE)).map_err(Failure::io(FILE))?;
        serde_json::from_slice(&text)
            .ok()
            .and_then(|list| Self::parse(&list))
            .ok_or_else(|| {
                let expected = "expected a list of objects with `file`, `change` and `reason`";
                Failure::Check(format!("`{FILE}`: {expected}"))
            })
    }

    fn parse(list: &Value) -> Option<Self> {
        let entry = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
            text("reason")?;
            Some(Entry {
                file: text("file")?.to_owned(),
                change: text("change")?.to_owned(),
            })
        };
        let entries = list.as_array()?.iter().map(entry);
        Some(Self {
            entries: entries.collect::<Option<_>>()?,
        })
    }

    /// Compares `mutants` with the list of accepted mutants.
    pub fn compare(&self, mutants: &[Mutant]) -> Verdict {
        let count = |outcome| {
            let same = mutants.iter().filter(|mutant| mutant.outcome == outcome);
            same.count()
        };
        let mut unused: Vec<&Entry> = self.entries.iter().collect();
        let mut survivors = Vec::new();
        for mutant in mutants {
            if mutant.outcome != Outcome::Survived {
                continue;
            }
            match unused.iter().position(|entry| entry.names(mutant)) {
                Some(index) => {
                    unused.remove(index);
                }
                None => survivors.push(mutant.name.clone()),
            }
        }
        // The mutants of the other entries were not selected.
        unused.retain(|entry| mutants.iter().any(|mutant| entry.names(mutant)));
        let name = |entry: &Entry| format!("{}: {}", entry.file, entry.change);
        Verdict {
            caught: count(Outcome::Caught),
            unviable: count(Outcome::Unviable),
            timed_out: count(Outcome::TimedOut),
            accepted: count(Outcome::Survived) - survivors.len(),
            survivors,
            obsolete: unused.into_iter().map(name).collect(),
        }
    }
}

impl Verdict {
    /// Returns an error if a mutant survived that is not accepted, or if an accepted mutant was caught.
    pub fn into_result(self) -> Result<(), Failure> {
        let Self {
            survivors,
            obsolete,
            ..
        } = self;
        if !survivors.is_empty() {
            let count = survivors.len();
            return Err(Failure::Check(format!(
                "{count} mutants survive; add a test that catches each, or add it to `{FILE}` with the reason why it has no observable effect"
            )));
        }
        if !obsolete.is_empty() {
            let count = obsolete.len();
            return Err(Failure::Check(format!(
                "{count} accepted mutants are caught; remove them from `{FILE}`"
            )));
        }
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.survivors {
            writeln!(f, "survived: {name}")?;
        }
        for name in &self.obsolete {
            writeln!(f, "accepted, but caught: {name}")?;
        }
        let Self {
            caught,
            unviable,
            timed_out,
            accepted,
            survivors,
            ..
        } = self;
        let survived = survivors.len();
        write!(
            f,
            "{caught} caught, {survived} survived, {accepted} accepted, {unviable} unviable, {timed_out} timed out"
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{Accepted, Verdict};
    use crate::mutants::outcomes::{Mutant, Outcome};

    fn mutant(line: usize, change: &str, outcome: Outcome) -> Mutant {
        Mutant {
            file: "a.rs".to_owned(),
            change: change.to_owned(),
            name: format!("a.rs:{line}:1: {change}"),
            outcome,
        }
    }

    fn accepted(changes: &[&str]) -> Accepted {
        let entry = |change: &&str| json!({"file": "a.rs", "change": change, "reason": "r"});
        Accepted::parse(&changes.iter().map(entry).collect()).unwrap()
    }

    #[test]
    fn each_entry_accepts_one_survivor() {
        use Outcome::{Caught, Survived, TimedOut, Unviable};
        let mutants = [
            mutant(1, "x", Survived),
            mutant(2, "x", Survived),
            mutant(3, "y", Survived),
            mutant(4, "z", Caught),
            mutant(5, "z", Unviable),
            mutant(6, "z", TimedOut),
        ];
        let verdict = |survivors: &[&str], obsolete: &[&str]| Verdict {
            caught: 1,
            unviable: 1,
            timed_out: 1,
            accepted: 3 - survivors.len(),
            survivors: survivors.iter().map(ToString::to_string).collect(),
            obsolete: obsolete.iter().map(ToString::to_string).collect(),
        };
        for (changes, expected, passes) in [
            (&["x", "y", "x"][..], verdict(&[], &[]), true),
            (&["x", "y"], verdict(&["a.rs:2:1: x"], &[]), false),
            (&["x", "x", "y", "z"], verdict(&[], &["a.rs: z"]), false),
            (&["x", "x", "y", "elsewhere"], verdict(&[], &[]), true),
        ] {
            let found = accepted(changes).compare(&mutants);
            assert_eq!(found, expected, "{changes:?}");
            assert_eq!(found.into_result().is_ok(), passes, "{changes:?}");
        }
    }

    #[test]
    fn verdict_names_survivors_before_counts() {
        let mutants = [
            mutant(1, "x", Outcome::Survived),
            mutant(2, "y", Outcome::Caught),
        ];
        let verdict = accepted(&["y"]).compare(&mutants).to_string();
        let expected = "survived: a.rs:1:1: x\n\
                        accepted, but caught: a.rs: y\n\
                        1 caught, 1 survived, 0 accepted, 0 unviable, 0 timed out";
        assert_eq!(verdict, expected);
    }

    #[test]
    fn entry_without_reason_is_refused() {
        for list in [
            json!({}),
            json!([{"file": "a.rs", "change": "x"}]),
            json!([{"file": "a.rs", "change": "x", "reason": ""}]),
        ] {
            assert!(Accepted::parse(&list).is_none(), "{list}");
        }
    }

    #[test]
    fn accepted_mutants_are_in_existing_files() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        for entry in Accepted::read_list(root).unwrap().entries {
            assert!(root.join(&entry.file).is_file(), "{}", entry.file);
        }
    }
}
