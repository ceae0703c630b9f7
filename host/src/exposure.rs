//! Files that other users may write, and that decide who gets access: warnings at start, and findings of `server --check`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::certs;
use crate::config::{Config, Needs, TlsFiles};
use crate::files;
use crate::files::ownership::{Ownership, process_uid};

/// A file that other users may write, or a key that they may read.
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
    /// Those of a server with this configuration, which is in the file `path`.
    pub(crate) fn of(config: &'a Config, path: Option<&'a Path>) -> Self {
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

    /// Those of a configuration that may have errors.
    pub(crate) fn needed(needs: &'a Needs, path: Option<&'a Path>) -> Self {
        let sources = needs.sources.as_ref();
        Self {
            config: path,
            state_dir: needs.state_dir.as_deref(),
            tls: needs.tls.as_ref(),
            generate_kubeconfig: needs.generate_kubeconfig.as_deref(),
            sts_ca: needs.sts.as_ref().and_then(|sts| sts.ca_file.as_deref()),
            kubeconfig: sources.and_then(|sources| sources.kubeconfig.as_deref()),
            dynamic_file: sources.and_then(|sources| sources.dynamic_file.as_deref()),
            audit_file: needs.audit_file.as_deref(),
        }
    }

    /// Returns those that other users may write, and the key of `server.tls` if they may read it. A folder is named once.
    pub(crate) fn exposures(&self) -> Vec<Exposure> {
        let mut found = Vec::new();
        let mut folders = BTreeSet::new();
        for (setting, path, access) in self.list() {
            let folder = || {
                let (folder, text) = exposed_folder(&path)?;
                folders.insert(folder).then_some(text)
            };
            if let Some(text) = of_file(&path, access).or_else(folder) {
                found.push(Exposure {
                    setting,
                    path,
                    text,
                });
            }
        }
        found
    }

    fn list(&self) -> Vec<(&'static str, PathBuf, Access)> {
        let in_state_dir = |folder: &Path| {
            let files = [folder.join("cert.pem"), certs::client_ca_file(folder)];
            files.map(|path| ("server.stateDir", path))
        };
        let state = self.state_dir.map(in_state_dir);
        let tls = |part: for<'t> fn(&'t TlsFiles) -> Option<&'t Path>| self.tls.and_then(part);
        // With a CA of clients, the webhook kubeconfig holds a key.
        let has_key = |folder: &Path| certs::client_ca_file(folder).exists();
        let kubeconfig_access = match self.state_dir {
            Some(folder) if has_key(folder) => Access::Read,
            _ => Access::Write,
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
        let key = key.map(|path| ("server.tls.keyFile", path.to_owned(), Access::Read));
        let kubeconfig = self.generate_kubeconfig.map(|path| {
            let setting = "server.generateKubeconfig";
            (setting, path.to_owned(), kubeconfig_access)
        });
        state
            .into_iter()
            .flatten()
            .chain(named)
            .map(|(setting, path)| (setting, path, Access::Write))
            .chain(kubeconfig)
            .chain(key)
            .collect()
    }
}

/// What other users may not do with a file.
#[derive(Clone, Copy)]
enum Access {
    Write,
    /// Nor write.
    Read,
}

fn of_file(path: &Path, access: Access) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    // A device, such as `/dev/stdout`, decides nothing.
    if !metadata.is_file() {
        return None;
    }
    let ownership = Ownership::of(&metadata);
    let folder_owner = fs::metadata(files::folder(path)).ok()?.uid();
    let (is_exposed, what, mode) = match access {
        Access::Write => (ownership.is_writable_by_others(), "change it", "go-w"),
        Access::Read => (ownership.is_open_to_others(), "read or change it", "go="),
    };
    let is_trusted = ownership.is_trusted(folder_owner);
    if is_trusted && !is_exposed {
        return None;
    }
    let remedy = remedy(path, is_trusted, is_exposed.then_some(mode));
    Some(format!(
        "`{}` {ownership}, so other users may {what}; {remedy}",
        path.display()
    ))
}

/// The folder in which, or above which, other users may replace the file at `path`, and what to say of it.
fn exposed_folder(path: &Path) -> Option<(PathBuf, String)> {
    let folder = fs::canonicalize(files::folder(path)).ok()?;
    let folder_owner = fs::metadata(&folder).ok()?.uid();
    // Where a link leads, other folders count, too.
    let target = fs::canonicalize(path).ok();
    let is_there = target.is_some();
    let beyond = target.as_deref().and_then(Path::parent);
    let all = folder
        .ancestors()
        .chain(beyond.into_iter().flat_map(Path::ancestors));
    for above in all {
        let ownership = Ownership::of(&fs::metadata(above).ok()?);
        let is_trusted = ownership.is_trusted(folder_owner);
        // In a sticky folder others replace nothing, but they may make what is not there yet.
        let is_kept = ownership.is_sticky() && (is_there || above != folder);
        let is_exposed = ownership.is_writable_by_others() && !is_kept;
        if (is_trusted && !is_exposed) || is_read_only(above) {
            continue;
        }
        let remedy = remedy(above, is_trusted, is_exposed.then_some("go-w"));
        let text = format!(
            "the folder `{}` {ownership}, so other users may replace `{}`; {remedy}",
            above.display(),
            path.display()
        );
        return Some((above.to_owned(), text));
    }
    None
}

/// Returns whether the folder is on a file system that is mounted read-only, as the volumes of a ConfigMap are, whose
/// folder everybody could write otherwise.
fn is_read_only(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY))
}

fn remedy(path: &Path, is_trusted: bool, mode: Option<&str>) -> String {
    let path = path.display();
    let owner = (!is_trusted).then(|| format!("chown {} {path}", process_uid()));
    let mode = mode.map(|mode| format!("chmod {mode} {path}"));
    let commands: Vec<String> = [owner, mode].into_iter().flatten().collect();
    format!("run `{}`", commands.join(" && "))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn texts(files: &SensitiveFiles<'_>, folder: &Path) -> Vec<String> {
        let folder = folder.display().to_string();
        let exposures = files.exposures().into_iter();
        exposures
            .map(|found| format!("{}: {}", found.setting, found.text.replace(&folder, "F")))
            .collect()
    }

    #[test]
    fn file_that_others_may_write_is_found_under_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            chmod(&path, 0o644);
            path
        };
        let (config, dynamic, ca) = (path("config.yaml"), path("dynamic.json"), path("ca.pem"));
        let tls = TlsFiles {
            certificate: path("tls.crt"),
            key: path("tls.key"),
            ca: None,
        };
        chmod(&tls.key, 0o600);
        for name in ["cert.pem", "client-ca.pem"] {
            path(name);
        }
        let files = SensitiveFiles {
            config: Some(&config),
            state_dir: Some(folder.path()),
            tls: Some(&tls),
            sts_ca: Some(&ca),
            dynamic_file: Some(&dynamic),
            ..SensitiveFiles::default()
        };
        assert_eq!(files.exposures(), []);
        chmod(&tls.key, 0o440);
        chmod(&config, 0o664);
        chmod(&ca, 0o646);
        chmod(&dynamic, 0o666);
        chmod(&folder.path().join("client-ca.pem"), 0o622);
        let uid = process_uid();
        assert_eq!(
            texts(&files, folder.path()),
            [
                format!(
                    "server.stateDir: `F/client-ca.pem` belongs to uid {uid} and has mode 0622, so other users may change it; run `chmod go-w F/client-ca.pem`"
                ),
                format!(
                    ": `F/config.yaml` belongs to uid {uid} and has mode 0664, so other users may change it; run `chmod go-w F/config.yaml`"
                ),
                format!(
                    "server.sts.caFile: `F/ca.pem` belongs to uid {uid} and has mode 0646, so other users may change it; run `chmod go-w F/ca.pem`"
                ),
                format!(
                    "server.dynamicFilePath: `F/dynamic.json` belongs to uid {uid} and has mode 0666, so other users may change it; run `chmod go-w F/dynamic.json`"
                ),
                format!(
                    "server.tls.keyFile: `F/tls.key` belongs to uid {uid} and has mode 0440, so other users may read or change it; run `chmod go= F/tls.key`"
                ),
            ]
        );
    }

    #[test]
    fn folder_in_which_others_may_replace_a_file_is_named_once() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("a/b");
        fs::create_dir_all(&folder).unwrap();
        for name in ["a", "a/b"] {
            chmod(&top.path().join(name), 0o755);
        }
        let (config, dynamic) = (folder.join("config.yaml"), folder.join("dynamic.json"));
        fs::write(&config, "").unwrap();
        let link = top.path().join("link");
        symlink(&config, &link).unwrap();
        for (name, mode, path, expected) in [
            ("a/b", 0o755, &config, None),
            (
                "a/b",
                0o777,
                &config,
                Some("the folder `F/a/b` belongs to uid"),
            ),
            ("a", 0o775, &config, Some("the folder `F/a` belongs to uid")),
            // Through a link, the folders of its target.
            ("a", 0o775, &link, Some("the folder `F/a` belongs to uid")),
            // Sticky: what is there stays, what is not there may be made by others.
            ("a/b", 0o1777, &config, None),
            (
                "a/b",
                0o1777,
                &dynamic,
                Some("the folder `F/a/b` belongs to uid"),
            ),
            ("a", 0o1777, &dynamic, None),
        ] {
            chmod(&top.path().join(name), mode);
            let files = SensitiveFiles {
                config: Some(path),
                kubeconfig: Some(path),
                ..SensitiveFiles::default()
            };
            let found = texts(&files, top.path());
            chmod(&top.path().join(name), 0o755);
            match expected {
                None => assert!(found.is_empty(), "{name} {mode:o}: {found:?}"),
                Some(start) => {
                    let start = format!(": {start}");
                    assert!(
                        found.len() == 1 && found.iter().all(|text| text.starts_with(&start)),
                        "{name} {mode:o}: {found:?}"
                    );
                }
            }
        }
    }
}
