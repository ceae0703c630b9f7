//! Which files with keys exist, which of them is read, and why the others are not.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::driver::SystemFiles;
use crate::environment::Environment;
use crate::files::{FileContent, FileError, Files};
use crate::finding::{Findings, Topic};
use crate::origin::{Origin, Profile, Setting};
use crate::plan::Plan;
use crate::resolve::{cli_file_path, ini_file_path};
use crate::settings::Settings;

/// Files of the system, with a record of what was read.
#[derive(Debug, Default)]
pub(super) struct RecordingFiles(RefCell<BTreeMap<PathBuf, Option<FileError>>>);

impl RecordingFiles {
    fn record(
        &self,
        path: &Path,
        result: Result<FileContent, FileError>,
    ) -> Result<FileContent, FileError> {
        let error = result.as_ref().err().cloned();
        self.0.borrow_mut().insert(path.to_owned(), error);
        result
    }

    /// Returns whether there was a try to read the file, and whether the file exists.
    fn look_up(&self, path: &Path) -> Access {
        match self.0.borrow().get(path) {
            None => Access::NotTried,
            Some(Some(FileError::NotFound)) => Access::Missing,
            Some(_) => Access::Tried,
        }
    }
}

impl Files for RecordingFiles {
    fn read(&self, path: &Path) -> Result<FileContent, FileError> {
        self.record(path, SystemFiles.read(path))
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        self.record(path, SystemFiles.read_again(path))
    }
}

/// Whether a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// The file was read, or could not be read: the search has a finding or an error about it.
    Tried,
    /// There is no such file.
    Missing,
    /// The search did not come to the file.
    NotTried,
}

/// Adds findings about the files that the search for a key did not read. `is_found` says whether there is a plan.
pub(super) fn examine(
    settings: &Settings,
    environment: &Environment,
    files: &RecordingFiles,
    is_found: bool,
    findings: &mut Findings,
) {
    for (file, name) in default_files(environment) {
        let path = file.value.display();
        let access = files.look_up(&file.value);
        let exists = || fs::metadata(&file.value).is_ok();
        match access {
            Access::Tried => {}
            Access::NotTried if exists() => findings.note(
                Topic::Files,
                format!(
                    "{name} `{path}` exists, but is not read, because {}",
                    reason(settings, &file, name, is_found)
                ),
            ),
            Access::Missing | Access::NotTried => {
                findings.note(Topic::Files, format!("{name} `{path}` does not exist"));
            }
        }
    }
}

/// The name of the file of the Alibaba Cloud CLI in a sentence.
const CLI_FILE: &str = "the file of the Alibaba Cloud CLI";

fn default_files(environment: &Environment) -> Vec<(Setting<PathBuf>, &'static str)> {
    let ini = ini_file_path(environment).map(|path| Setting::new(path, Origin::Default));
    let cli = cli_file_path(environment).map(|file| (file, CLI_FILE));
    let ini = ini.map(|file| (file, "the INI file"));
    cli.into_iter().chain(ini).collect()
}

fn reason(
    settings: &Settings,
    file: &Setting<PathBuf>,
    name: &str,
    is_found: bool,
) -> &'static str {
    if settings.metadata_selector().is_some() {
        "the metadata service is selected"
    } else if settings.profile_file.is_some() {
        "another file is selected"
    } else if name == CLI_FILE && settings.ignore_cli_file.is_some() {
        "it is ignored"
    } else if is_found {
        "an earlier source is used"
    } else if matches!(file.origin, Origin::Default) {
        "the search ended earlier"
    } else {
        "the search did not come to it"
    }
}

/// Adds findings about the profiles from which a plan is made, and about its token file.
pub(super) fn examine_plan(plan: &Plan, findings: &mut Findings) {
    let mut profiles = Vec::new();
    add_profiles(plan, &mut profiles);
    profiles.dedup();
    if let [first, rest @ ..] = profiles.as_slice()
        && !rest.is_empty()
    {
        let names: Vec<String> = rest
            .iter()
            .map(|profile| format!("`{}`", profile.name.escape_debug()))
            .collect();
        findings.note(
            Topic::Files,
            format!("{first} takes its key from {}", names.join(", then from ")),
        );
    }
    if let Some(oidc) = plan.oidc() {
        let path = oidc.token_file.value.display();
        match SystemFiles.read(&oidc.token_file.value) {
            Ok(_) => findings.note(
                Topic::Files,
                format!("the file `{path}` with the OIDC token is read"),
            ),
            // The login reads the file itself, and returns the error.
            Err(error) => findings.note(Topic::Files, format!("`{path}` {error}")),
        }
    }
}

/// Adds the profiles of a plan, from the last role to the first key.
fn add_profiles<'a>(plan: &'a Plan, profiles: &mut Vec<&'a Profile>) {
    let origin = match plan {
        Plan::Key(plan) => &plan.id_origin,
        Plan::Metadata(plan) => &plan.origin,
        Plan::Url(plan) => &plan.origin,
        Plan::Process(plan) => &plan.origin,
        Plan::CloudSso(plan) => return profiles.push(&plan.profile),
        Plan::OAuth(plan) => return profiles.push(&plan.profile),
        Plan::Oidc(plan) => &plan.session.role.origin,
        Plan::AssumeRole(plan) => {
            profiles.extend(profile_of(&plan.session.role.origin));
            return add_profiles(&plan.source, profiles);
        }
    };
    profiles.extend(profile_of(origin));
}

fn profile_of(origin: &Origin) -> Option<&Profile> {
    match origin {
        Origin::Member(profile, _) | Origin::Key(profile, _) => Some(profile),
        Origin::Option(_)
        | Origin::Variable(_)
        | Origin::Output(_)
        | Origin::Current
        | Origin::DefaultRole
        | Origin::Default => None,
    }
}
