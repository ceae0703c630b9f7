//! Whole configurations: what is read, what is warned about, what is refused.

mod mappings;
mod rules;
mod settings;
mod sources;

use std::fs;
use std::path::Path;

use super::*;

/// Loads `yaml` as `config.yaml`; the folder's name is taken out of messages.
fn load_text(
    yaml: &str,
    overrides: &Overrides,
    variables: &[(&str, &str)],
) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, yaml).unwrap();
    load_path(Some(&path), overrides, variables)
        .map(|mut config| {
            for warning in &mut config.warnings {
                if let Place::File { path, .. } = &mut warning.place {
                    *path = "config.yaml".into();
                }
            }
            config
        })
        .map_err(|error| {
            error
                .to_string()
                .replace(&format!("{}/", folder.path().display()), "")
        })
}

fn load_path(
    path: Option<&Path>,
    overrides: &Overrides,
    variables: &[(&str, &str)],
) -> Result<Config, ConfigError> {
    let lookup = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    load(&Sources {
        file: path,
        overrides,
        variables: &lookup,
    })
}

fn load_yaml(yaml: &str) -> Result<Config, String> {
    load_text(yaml, &Overrides::default(), &[])
}

/// The lines that a person would see.
fn messages(yaml: &str) -> Vec<String> {
    match load_yaml(yaml) {
        Ok(config) => config
            .warnings
            .iter()
            .map(|warning| format!("warning: {warning}"))
            .collect(),
        Err(error) => vec![format!("error: {error}")],
    }
}

fn check_messages(yaml: &str, expected: &[&str]) {
    assert_eq!(messages(yaml), expected, "{yaml}");
}
