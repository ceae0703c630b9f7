//! The tables in CONFIGURATION.md are those of the code.

use std::path::Path;

use serde_json::json;

use super::resolve;
use super::variables::{self, Variable};
use crate::environment::Environment;
use crate::error::{ClientError, SetupError};
use crate::files::{FileContent, FileError, Files};
use crate::finding::Findings;
use crate::settings::Settings;

const DOCUMENT: &str = include_str!("../../../../CONFIGURATION.md");

/// Returns the rows of the table that starts with `heading`, without the line below the heading.
fn rows(heading: &str) -> Vec<&'static str> {
    let mut lines = DOCUMENT.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "no table `{heading}`");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.collect()
}

/// Returns the text in the first code of each row.
fn names(heading: &str) -> Vec<&'static str> {
    let rows = rows(heading).into_iter();
    rows.filter_map(|row| row.split('`').nth(1)).collect()
}

#[test]
fn documented_variables_are_those_of_the_code() {
    let row = |variable: &Variable| {
        let names: Vec<_> = variable
            .names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        format!("| {} | {} |", names.join(", "), variable.meaning)
    };
    let expected: Vec<_> = variables::ALL.iter().map(row).collect();
    assert_eq!(rows("| variable | meaning |"), expected);
}

/// A single file.
struct OneFile(String);

impl Files for OneFile {
    fn read(&self, _: &Path) -> Result<FileContent, FileError> {
        FileContent::from_bytes(self.0.clone().into_bytes(), None)
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        self.read(path)
    }
}

/// Returns the error about a file that names nothing but a mode or type.
fn error_of(file: String, variable: &str, name: &str) -> Option<ClientError> {
    let variables = [("HOME", "/home/me"), (variable, name)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::from_iter(variables);
    let files = OneFile(file);
    let plan = resolve(
        &Settings::default(),
        &environment,
        &files,
        &mut Findings::default(),
    );
    plan.err()
}

fn is_unknown(error: Option<&ClientError>) -> bool {
    matches!(error, Some(ClientError::Setup(setup)) if matches!(**setup, SetupError::UnknownMode { .. }))
}

#[test]
fn documented_modes_and_types_are_known() {
    let profile = |mode: &str| {
        let profile = json!({ "name": "default", "mode": mode });
        let file = json!({ "profiles": [profile] }).to_string();
        error_of(file, "ALIBABA_CLOUD_CONFIG_FILE", "/config.json")
    };
    let section = |kind: &str| {
        let file = format!("[default]\ntype = {kind}\n");
        error_of(file, "ALIBABA_CLOUD_CREDENTIALS_FILE", "/credentials")
    };
    assert!(is_unknown(profile("other").as_ref()));
    assert!(is_unknown(section("other").as_ref()));
    let modes = names("| mode | members | key |");
    assert_eq!(modes.len(), 11, "{modes:?}");
    for mode in modes {
        assert!(!is_unknown(profile(mode).as_ref()), "{mode}");
    }
    let types = names("| type | keys | key |");
    assert_eq!(types.len(), 6, "{types:?}");
    for kind in types {
        assert!(!is_unknown(section(kind).as_ref()), "{kind}");
    }
}
