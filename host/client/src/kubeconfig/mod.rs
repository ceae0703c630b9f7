//! Kubeconfig files: user entries that run this program.
//!
//! [`KubeconfigPaths`] says which files kubectl reads. [`write()`] adds a [`PluginUser`] to them, and [`convert()`] turns
//! users of ack-ram-tool and of client certificates into such users. Only the entries change: everything else in the
//! files stays to the byte, with their mode and owner. A text that cannot be edited so is refused.

mod convert;
mod diff;
mod edit;
mod entries;
mod error;
mod exec;
mod lock;
mod paths;
mod plan;
mod plugin_user;
mod store;
mod syntax;
mod tool_args;
mod tree;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

pub(crate) use convert::BETA_API_VERSION;
pub use convert::{ArgumentCheck, ConvertRequest, ConvertedUser, SkippedUser};
pub use error::{EditError, EntryName, KubeconfigError};
pub(crate) use exec::exec_variables;
pub use paths::KubeconfigPaths;
pub(crate) use plugin_user::API_VERSION;
pub use plugin_user::{PROGRAM, PluginUser, TokenOptions};
pub(crate) use write::{CLUSTER_ID, EXTENSION};
pub use write::{Note, WriteRequest};

use crate::file_replacement::folder_of;
use lock::FileLocks;
use plan::{EditedText, EntryChange};
use store::KubeconfigFile;

/// How often changes are planned again, because another program has changed a file in the meantime.
const MAX_TRIES: usize = 100;

/// Returns the values of a file; `None` if the file does not exist.
pub(crate) fn read_values(path: &Path) -> Result<Option<Value>, KubeconfigError> {
    let file = KubeconfigFile::read(path)?;
    Ok(file.exists.then_some(file.values))
}

/// How files are changed.
#[derive(Clone, Copy, Debug)]
pub struct UpdateOptions {
    /// Whether nothing is written.
    pub dry_run: bool,
    /// How long a lock of kubectl is waited for.
    pub lock_wait: Duration,
}

impl Default for UpdateOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            lock_wait: Duration::from_secs(5),
        }
    }
}

/// The result of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The changed files; none if all entries are as they should be.
    pub files: Vec<ChangedFile>,
    /// Remarks about the result.
    pub notes: Vec<Note>,
    /// The converted users.
    pub converted: Vec<ConvertedUser>,
    /// The users of ack-ram-tool that stay as they are.
    pub skipped: Vec<SkippedUser>,
}

/// A changed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedFile {
    /// The path.
    pub path: PathBuf,
    /// The difference as a unified diff, without secrets.
    pub diff: String,
    /// The path of the copy of the old file.
    pub backup: Option<PathBuf>,
}

/// Checks that a converted user can log in. The text of the error says why not.
pub type IdentityCheck<'a> = dyn FnMut(&ConvertedUser) -> Result<(), String> + 'a;

/// Adds a user, with its context, or updates them.
///
/// # Errors
/// Returns an error if the entries cannot be added, or if they would replace others. Nothing is written then.
pub fn write(
    paths: &KubeconfigPaths,
    request: &WriteRequest,
    options: &UpdateOptions,
) -> Result<Outcome, KubeconfigError> {
    update(paths, options, &mut |files| {
        let (changes, notes) = write::plan(files, paths.index_for_new(), request)?;
        let outcome = Outcome {
            notes,
            ..Outcome::default()
        };
        Ok(Planned { changes, outcome })
    })
}

/// Converts users to users of this program. A user whose new arguments fail `accepts` is skipped. `check` runs before anything is written, without a lock, for each user that
/// the cluster knows by a certificate.
///
/// # Errors
/// Returns an error if a user cannot be converted, or if the check fails. Nothing is written then.
pub fn convert(
    paths: &KubeconfigPaths,
    request: &ConvertRequest,
    options: &UpdateOptions,
    accepts: &ArgumentCheck<'_>,
    check: &mut IdentityCheck<'_>,
) -> Result<Outcome, KubeconfigError> {
    let mut checked: Vec<ConvertedUser> = Vec::new();
    update(paths, options, &mut |files| {
        let conversion = convert::plan(files, request, accepts)?;
        let (changes, converted): (Vec<_>, Vec<_>) = conversion.changes.into_iter().unzip();
        for user in converted.iter().filter(|user| user.replaces_certificate) {
            if !options.dry_run && !checked.contains(user) {
                check(user).map_err(|reason| KubeconfigError::CheckFailed {
                    entry: EntryName::user(&user.name),
                    reason,
                })?;
                checked.push(user.clone());
            }
        }
        let outcome = Outcome {
            converted,
            skipped: conversion.skipped,
            ..Outcome::default()
        };
        Ok(Planned { changes, outcome })
    })
}

/// Planned changes, and what is said about them.
struct Planned {
    changes: Vec<EntryChange>,
    outcome: Outcome,
}

type Planner<'a> = dyn FnMut(&[KubeconfigFile]) -> Result<Planned, KubeconfigError> + 'a;

/// Plans changes, and writes them under the locks of the changed files.
///
/// A plan is made without locks first: a check may take seconds, in which `kubectl config` would fail.
fn update(
    paths: &KubeconfigPaths,
    options: &UpdateOptions,
    planner: &mut Planner<'_>,
) -> Result<Outcome, KubeconfigError> {
    for _ in 0..MAX_TRIES {
        let (files, planned, edited) = plan_settled(paths, options, planner)?;
        let mut outcome = planned.outcome;
        outcome.files = describe(&files, &edited)?;
        if edited.is_empty() || options.dry_run {
            return Ok(outcome);
        }
        for file in changed(&files, &edited) {
            create_folder(file)?;
        }
        let locked = changed(&files, &edited).map(|file| &*file.path);
        let _locks = FileLocks::acquire(locked, options.lock_wait)?;
        // Another program may have changed the files before they were locked.
        let now = read(paths)?;
        let is_same = files
            .iter()
            .zip(&now)
            .all(|(old, new)| *old.text == *new.text);
        if !is_same {
            continue;
        }
        if let Some(backups) = write_all(&files, &edited)? {
            for (file, backup) in outcome.files.iter_mut().zip(backups) {
                file.backup = backup;
            }
            return Ok(outcome);
        }
    }
    Err(KubeconfigError::Busy)
}

type Attempt = (Vec<KubeconfigFile>, Planned, Vec<EditedText>);

/// Plans changes. A plan that fails is made again under the locks: kubectl writes in place, so that a reader without the
/// lock may meet half a file.
fn plan_settled(
    paths: &KubeconfigPaths,
    options: &UpdateOptions,
    planner: &mut Planner<'_>,
) -> Result<Attempt, KubeconfigError> {
    let mut attempt = || -> Result<Attempt, KubeconfigError> {
        let files = read(paths)?;
        let planned = planner(&files)?;
        let edited = plan::apply(&files, planned.changes.iter())?;
        Ok((files, planned, edited))
    };
    let error = match attempt() {
        Ok(planned) => return Ok(planned),
        Err(error @ KubeconfigError::CheckFailed { .. }) => return Err(error),
        Err(error) => error,
    };
    let existing = paths.iter().filter(|path| path.exists());
    match FileLocks::acquire(existing, options.lock_wait) {
        Ok(_locks) => attempt(),
        Err(_) => Err(error),
    }
}

/// Writes the edited texts. Returns the backups; `None` if another program has changed a file.
fn write_all(
    files: &[KubeconfigFile],
    edited: &[EditedText],
) -> Result<Option<Vec<Option<PathBuf>>>, KubeconfigError> {
    let mut backups: Vec<Option<PathBuf>> = Vec::new();
    for text in edited {
        let Some(file) = files.get(text.file) else {
            return Ok(None);
        };
        let backup = match text.needs_backup && file.exists {
            true => Some(file.back_up()?),
            false => None,
        };
        if !file.write(&text.text)? {
            // The next try makes another backup.
            for backup in backups.into_iter().chain([backup]).flatten() {
                let _ = fs::remove_file(backup);
            }
            return Ok(None);
        }
        backups.push(backup);
    }
    Ok(Some(backups))
}

/// Describes the changes of files.
fn describe(
    files: &[KubeconfigFile],
    edited: &[EditedText],
) -> Result<Vec<ChangedFile>, KubeconfigError> {
    let files = changed(files, edited).zip(edited);
    let describe = |(file, text): (&KubeconfigFile, &EditedText)| {
        let diff = diff::render(&file.path, &file.text, &text.text);
        Ok(ChangedFile {
            path: file.path.clone(),
            diff: diff.map_err(|error| KubeconfigError::Invalid {
                path: file.path.clone(),
                error,
            })?,
            backup: None,
        })
    };
    files.map(describe).collect()
}

fn changed<'a>(
    files: &'a [KubeconfigFile],
    edited: &'a [EditedText],
) -> impl Iterator<Item = &'a KubeconfigFile> {
    edited.iter().filter_map(|text| files.get(text.file))
}

fn read(paths: &KubeconfigPaths) -> Result<Vec<KubeconfigFile>, KubeconfigError> {
    paths.iter().map(KubeconfigFile::read).collect()
}

/// Creates the folder of a missing file.
fn create_folder(file: &KubeconfigFile) -> Result<(), KubeconfigError> {
    let folder = folder_of(&file.path);
    if file.exists || folder.exists() {
        return Ok(());
    }
    crate::platform::create_private_folder(folder).map_err(|error| KubeconfigError::Write {
        path: folder.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests;
