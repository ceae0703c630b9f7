//! The outcome of each mutant, from the report of cargo-mutants.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::failure::Failure;

/// One change to the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The file, relative to the workspace folder.
    pub file: String,
    /// The change, such as `replace > with == in AwaitingSts::resume`. Several mutants may have the same change.
    pub change: String,
    /// The name of the mutant in cargo-mutants: file, line, column and change.
    pub name: String,
    /// The outcome.
    pub outcome: Outcome,
}

/// The outcome of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A test failed.
    Caught,
    /// Every test passed.
    Survived,
    /// The mutant does not compile.
    Unviable,
    /// The tests timed out.
    TimedOut,
}

/// Reads the `outcomes.json` of cargo-mutants.
pub fn read_outcomes(path: &Path) -> Result<Vec<Mutant>, Failure> {
    let text = fs::read(path).map_err(Failure::io(path.display().to_string()))?;
    serde_json::from_slice(&text)
        .ok()
        .and_then(|report| parse_outcomes(&report))
        .ok_or_else(|| Failure::Check(format!("unknown format of `{}`", path.display())))
}

fn parse_outcomes(report: &Value) -> Option<Vec<Mutant>> {
    let outcomes = report["outcomes"].as_array()?.iter();
    // The scenario of the unchanged code is a string.
    let of_mutants = outcomes.filter(|outcome| outcome["scenario"].is_object());
    of_mutants.map(parse_outcome).collect()
}

fn parse_outcome(outcome: &Value) -> Option<Mutant> {
    let mutant = &outcome["scenario"]["Mutant"];
    let name = mutant["name"].as_str()?;
    // `<file>:<line>:<column>: <change>`
    let (_, change) = name.split_once(": ")?;
    Some(Mutant {
        file: mutant["file"].as_str()?.to_owned(),
        change: change.to_owned(),
        name: name.to_owned(),
        outcome: match outcome["summary"].as_str()? {
            "CaughtMutant" => Outcome::Caught,
            "MissedMutant" => Outcome::Survived,
            "Unviable" => Outcome::Unviable,
            "Timeout" => Outcome::TimedOut,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Mutant, Outcome, parse_outcomes};

    #[test]
    fn report_lists_mutants_without_baseline() {
        let name =
            "core/src/a.rs:7:16: replace <impl fmt::Display for A>::fmt -> fmt::Result with Ok(())";
        let outcome = |summary: &str| {
            let mutant = json!({"name": name, "file": "core/src/a.rs"});
            json!({"scenario": {"Mutant": mutant}, "summary": summary})
        };
        let report = json!({"outcomes": [
            {"scenario": "Baseline", "summary": "Success"},
            outcome("CaughtMutant"),
            outcome("MissedMutant"),
            outcome("Unviable"),
            outcome("Timeout"),
        ]});
        let mutants = parse_outcomes(&report).unwrap();
        let expected = [
            Outcome::Caught,
            Outcome::Survived,
            Outcome::Unviable,
            Outcome::TimedOut,
        ];
        let expected = expected.map(|outcome| Mutant {
            file: "core/src/a.rs".to_owned(),
            change: "replace <impl fmt::Display for A>::fmt -> fmt::Result with Ok(())".to_owned(),
            name: name.to_owned(),
            outcome,
        });
        assert_eq!(mutants, expected);
    }

    #[test]
    fn unknown_report_is_refused() {
        let unknown =
            json!({"scenario": {"Mutant": {"name": "f: c", "file": "f"}}, "summary": "?"});
        for report in [json!({}), json!({"outcomes": [unknown]})] {
            assert_eq!(parse_outcomes(&report), None, "{report}");
        }
    }
}
