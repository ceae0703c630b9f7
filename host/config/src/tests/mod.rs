//! Loading of whole configurations: parsed settings, warnings and errors.

mod documented;
mod ext_authz;
mod limits;
mod mappings;
mod rules;
mod settings;
mod sources;
mod unquoted;

use std::path::Path;

use super::*;

/// Loads `yaml` as `config.yaml`.
fn load_text(
    yaml: &str,
    overrides: &Overrides,
    variables: &[(&str, &str)],
) -> Result<Config, String> {
    let file = ConfigFile::Text {
        name: "config.yaml",
        text: yaml,
    };
    load_file(Some(file), overrides, variables).map_err(|error| error.to_string())
}

fn load_file(
    file: Option<ConfigFile<'_>>,
    overrides: &Overrides,
    variables: &[(&str, &str)],
) -> Result<Config, Diagnostic> {
    let lookup = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    let sources = ConfigSources {
        file,
        overrides,
        variables: &lookup,
    };
    load(&sources)
}

fn load_yaml(yaml: &str) -> Result<Config, String> {
    load_text(yaml, &Overrides::default(), &[])
}

/// Returns the warnings or the error of `yaml`, as the log shows them.
fn messages(yaml: &str) -> Vec<String> {
    match load_yaml(yaml) {
        Ok(config) => config
            .warnings
            .iter()
            .map(|warning| format!("warning: {}", warning.warning_text()))
            .collect(),
        Err(error) => vec![format!("error: {error}")],
    }
}

fn check_messages(yaml: &str, expected: &[&str]) {
    assert_eq!(messages(yaml), expected, "{yaml}");
}
