//! Detection of files that decide who gets access and that other users can write: warnings at start, and findings of
//! `server --check`.

mod folders;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::certs;
use crate::config::{Config, Part, PartialConfig, TlsFiles};
use crate::files;
use crate::files::ownership::{Ownership, process_uid};

/// A file that other users can write, or a key that they can read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// The setting that names the file.
    pub(crate) setting: &'static str,
    /// The file.
    pub(crate) path: PathBuf,
    /// What is wrong, and what to do.
    pub(crate) text: String,
}

/// The files that a server reads, by the settings that name them.
#[derive(Debug, Default)]
pub(crate) struct SensitiveFiles<'a> {
    pub(crate) config: Option<&'a Path>,
    pub(crate) state_dir: Option<&'a Path>,
    pub(crate) tls: Option<&'a TlsFiles>,
    pub(crate) generate_kubeconfig: Option<&'a Path>,
    pub(crate) sts_ca: Option<&'a Path>,
    pub(crate) kubeconfig: Option<&'a Path>,
    pub(crate) dynamic_file: Option<&'a Path>,
    pub(crate) audit_file: Option<&'a Path>,
}

impl<'a> SensitiveFiles<'a> {
    /// Returns the files of a server with this configuration from the file `path`.
    pub(crate) fn from_config(config: &'a Config, path: Option<&'a Path>) -> Self {
        Self {
            config: path,
            state_dir: Some(&config.state_dir),
            tls: config.tls.as_ref(),
            generate_kubeconfig: config.generate_kubeconfig.as_deref(),
            sts_ca: config.sts.ca_file.as_deref(),
            kubeconfig: config.sources.kubeconfig.as_deref(),
            dynamic_file: config.sources.dynamic_file.as_deref(),
            audit_file: config.audit_file.as_deref(),
        }
    }

    /// Returns the files of a server whose configuration may have errors.
    pub(crate) fn from_partial(config: &'a PartialConfig, path: Option<&'a Path>) -> Self {
        let optional_path = |part: &'a Part<Option<PathBuf>>| part.as_ref().ok()?.as_deref();
        let sources = config.sources.as_ref().ok();
        let sts = config.sts.as_ref().ok();
        Self {
            config: path,
            state_dir: config.state_dir.as_deref().ok(),
            tls: config.tls.as_ref().ok().and_then(Option::as_ref),
            generate_kubeconfig: optional_path(&config.generate_kubeconfig),
            sts_ca: sts.and_then(|sts| sts.ca_file.as_deref()),
            kubeconfig: sources.and_then(|sources| sources.kubeconfig.as_deref()),
            dynamic_file: sources.and_then(|sources| sources.dynamic_file.as_deref()),
            audit_file: optional_path(&config.audit_file),
        }
    }

    /// Returns the files that other users can write, and keys that they can read. Reports each folder only once.
    pub(crate) fn exposures(&self) -> Vec<Exposure> {
        let mut found = Vec::new();
        let mut folders = BTreeSet::new();
        for (setting, path, access) in self.sensitive_paths() {
            let folder = || {
                let (folder, text) = folders::folder_exposure(&path)?;
                folders.insert(folder).then_some(text)
            };
            if let Some(text) = file_exposure(&path, access).or_else(folder) {
                found.push(Exposure {
                    setting,
                    path,
                    text,
                });
            }
        }
        found
    }

    fn sensitive_paths(&self) -> Vec<(&'static str, PathBuf, ForbiddenAccess)> {
        let in_state_dir = |folder: &Path| {
            let files = [folder.join("cert.pem"), certs::client_ca_file(folder)];
            files.map(|path| ("server.stateDir", path))
        };
        let state = self.state_dir.map(in_state_dir);
        let tls = |part: for<'t> fn(&'t TlsFiles) -> Option<&'t Path>| self.tls.and_then(part);
        // With a client CA, the webhook kubeconfig contains a key.
        let has_key = |folder: &Path| certs::client_ca_file(folder).exists();
        let kubeconfig_access = match self.state_dir {
            Some(folder) if has_key(folder) => ForbiddenAccess::Read,
            _ => ForbiddenAccess::Write,
        };
        let named = [
            ("", self.config),
            ("server.tls.certFile", tls(|tls| Some(&tls.certificate))),
            ("server.tls.caFile", tls(|tls| tls.ca.as_deref())),
            ("server.sts.caFile", self.sts_ca),
            ("server.kubeconfig", self.kubeconfig),
            ("server.dynamicFilePath", self.dynamic_file),
            ("server.audit.file", self.audit_file),
        ];
        let named = named
            .into_iter()
            .filter_map(|(setting, path)| Some((setting, path?.to_owned())));
        let key = tls(|tls| Some(&tls.key));
        let key = key.map(|path| ("server.tls.keyFile", path.to_owned(), ForbiddenAccess::Read));
        let kubeconfig = self.generate_kubeconfig.map(|path| {
            let setting = "server.generateKubeconfig";
            (setting, path.to_owned(), kubeconfig_access)
        });
        state
            .into_iter()
            .flatten()
            .chain(named)
            .map(|(setting, path)| (setting, path, ForbiddenAccess::Write))
            .chain(kubeconfig)
            .chain(key)
            .collect()
    }
}

/// The access that other users must not have to a file.
#[derive(Clone, Copy)]
enum ForbiddenAccess {
    Write,
    /// Neither read nor write access.
    Read,
}

fn file_exposure(path: &Path, access: ForbiddenAccess) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    // A device, such as `/dev/stdout`, has no effect on who gets access.
    if !metadata.is_file() {
        return None;
    }
    let ownership = Ownership::from_metadata(&metadata);
    let folder_owner = fs::metadata(files::parent_folder(path)).ok()?.uid();
    let (is_exposed, what, mode) = match access {
        ForbiddenAccess::Write => (ownership.is_writable_by_others(), "change it", "go-w"),
        ForbiddenAccess::Read if ownership.is_writable_by_others() => {
            (true, "read or change it", "go=")
        }
        ForbiddenAccess::Read => (ownership.is_open_to_others(), "read it", "go="),
    };
    let is_trusted = ownership.is_trusted(folder_owner);
    if is_trusted && !is_exposed {
        return None;
    }
    let is_group_alone = ownership.mode & 0o027 == 0;
    let remedy = if is_trusted && is_group_alone && path.is_symlink() {
        // The kubelet sets the owner and mode of files in a Secret volume. After a `chmod`, the server could not read
        // the file.
        format!(
            "if it is in a Secret volume with `fsGroup`, make sure that no other process has the group {}",
            metadata.gid()
        )
    } else {
        // After `chmod go=`, only the owner can read the file, so the server must be its owner.
        let is_own = is_trusted && (mode != "go=" || ownership.owner == process_uid());
        remedy(path, is_own, is_exposed.then_some(mode))
    };
    Some(format!(
        "`{}` {ownership}, so other users may {what}; {remedy}",
        path.display()
    ))
}

fn remedy(path: &Path, is_trusted: bool, mode: Option<&str>) -> String {
    let path = path.display();
    let owner = (!is_trusted).then(|| format!("chown {} {path}", process_uid()));
    let mode = mode.map(|mode| format!("chmod {mode} {path}"));
    let commands: Vec<String> = [owner, mode].into_iter().flatten().collect();
    format!("run `{}`", commands.join(" && "))
}

#[cfg(test)]
mod tests;
