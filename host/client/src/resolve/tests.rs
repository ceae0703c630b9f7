mod chains;
mod endpoints;
mod files;
mod modes;
mod names;
mod parts;
mod secrets;
mod switches;
mod texts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::error::ClientError;
use crate::files::{FileAccess, FileContent, FileError, Files};
use crate::finding::{Finding, Findings};
use crate::origin::{Origin, Setting};
use crate::plan::Plan;
use crate::resolve::resolve;
use crate::settings::Settings;

/// The default file of the CLI.
const CLI_FILE: &str = "/h/.aliyun/config.json";

/// The default INI file.
const INI_FILE: &str = "/h/.alibabacloud/credentials";

/// The inputs of a decision. The home directory is `/h`.
#[derive(Clone, Debug)]
struct Case {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, [Result<FileContent, FileError>; 2]>,
    settings: Settings,
}

impl Case {
    fn new() -> Self {
        Self {
            variables: BTreeMap::from([("HOME".to_owned(), "/h".to_owned())]),
            files: BTreeMap::new(),
            settings: Settings {
                default_session_name: "ack-ram-tool".to_owned(),
                ..Settings::default()
            },
        }
    }

    fn variables(mut self, variables: &[(&str, &str)]) -> Self {
        for (name, value) in variables {
            self.variables
                .insert((*name).to_owned(), (*value).to_owned());
        }
        self
    }

    /// Adds a complete key in the environment.
    fn key(self) -> Self {
        self.variables(&[
            ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tEnv"),
            ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "SecretEnv"),
        ])
    }

    fn file(self, path: &str, text: &str) -> Self {
        let bytes = text.as_bytes();
        self.versions(path, [content(bytes), content(bytes)])
    }

    /// Adds a file whose first and second reading differ.
    fn versions(mut self, path: &str, versions: [Result<FileContent, FileError>; 2]) -> Self {
        self.files.insert(path.into(), versions);
        self
    }

    /// Adds a file of the CLI with `profiles`, the content of the list.
    fn profiles(self, profiles: &str) -> Self {
        self.file(CLI_FILE, &format!(r#"{{"profiles": [{profiles}]}}"#))
    }

    fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    fn run(&self) -> (Result<Plan, ClientError>, Vec<Finding>) {
        let environment: Environment = self.variables.clone().into_iter().collect();
        let mut settings = self.settings.clone();
        settings.add_variables(&environment);
        let mut findings = Findings::default();
        let plan = resolve(&settings, &environment, self, &mut findings);
        (plan, findings.list().to_vec())
    }

    fn plan(&self) -> Plan {
        self.run().0.unwrap()
    }

    /// Returns the steps of the plan, or the error with its remedy.
    fn text(&self) -> String {
        match self.run().0 {
            Ok(plan) => plan.summary().text(),
            Err(error) => format!("error: {error}"),
        }
    }
}

impl Files for Case {
    fn read(&self, path: &Path) -> Result<FileContent, FileError> {
        let [first, _] = self.files.get(path).ok_or(FileError::NotFound)?;
        first.clone()
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        let [_, second] = self.files.get(path).ok_or(FileError::NotFound)?;
        second.clone()
    }
}

fn content(bytes: &[u8]) -> Result<FileContent, FileError> {
    let access = FileAccess {
        mode: 0o600,
        is_own: true,
    };
    FileContent::from_bytes(bytes.to_vec(), Some(access))
}

/// Returns an option of the command line.
fn option<T>(name: &'static str, value: T) -> Option<Setting<T>> {
    Some(Setting::new(value, Origin::Option(name)))
}
