//! A folder in place of a control-plane node, for runs of `example-configure-api-server.sh`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ack_ram_tests::process::Process;
use serde_json::Value;
use tempfile::TempDir;

pub const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../deploy/example-configure-api-server.sh"
);
/// The line of the script that sets its search path.
const PATHS: &str = "\nPATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin\n";
const LONG: Duration = Duration::from_secs(60);
const NAME: &str = "kube-apiserver.yaml";

/// Manifests that the script must support, by name. `KUBECONFIG` is replaced by the node's kubeconfig.
pub const SHAPES: [(&str, &str); 9] = [
    ("kubeadm's", KUBEADM),
    (
        "odd indentation",
        include_str!("manifests/odd-indentation.yaml"),
    ),
    (
        "the flag is already set",
        include_str!("manifests/flag-already-there.yaml"),
    ),
    ("comments", include_str!("manifests/comments.yaml")),
    ("other mounts", include_str!("manifests/other-mounts.yaml")),
    (
        "indented lists",
        include_str!("manifests/indented-lists.yaml"),
    ),
    ("args", include_str!("manifests/args.yaml")),
    ("quoted", include_str!("manifests/quoted.yaml")),
    ("no volumes", include_str!("manifests/no-volumes.yaml")),
];

/// A manifest as kubeadm writes it.
pub const KUBEADM: &str = include_str!("manifests/kubeadm.yaml");

/// A node with a manifest and a webhook kubeconfig.
pub struct Node {
    folder: TempDir,
}

/// The result of a run of the script.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Node {
    /// Creates a node with this manifest, in which `KUBECONFIG` is replaced by [`Self::kubeconfig`].
    pub fn new(manifest: &str) -> Self {
        let node = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        // The modes do not depend on the umask: the script rejects folders that other users may write.
        for folder in [node.manifests(), node.webhook_folder()] {
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(node.kubeconfig(), "kind: Config\n").unwrap();
        fs::set_permissions(node.kubeconfig(), Permissions::from_mode(0o600)).unwrap();
        let kubeconfig = node.kubeconfig().to_string_lossy().into_owned();
        node.write(&manifest.replace("KUBECONFIG", &kubeconfig));
        fs::set_permissions(node.manifest(), Permissions::from_mode(0o640)).unwrap();
        node
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    pub fn manifest(&self) -> PathBuf {
        self.manifests().join(NAME)
    }

    pub fn webhook_folder(&self) -> PathBuf {
        self.folder.path().join("webhook")
    }

    pub fn kubeconfig(&self) -> PathBuf {
        self.webhook_folder().join("kubeconfig.yaml")
    }

    pub fn backups(&self) -> PathBuf {
        self.folder.path().join("backups")
    }

    /// Returns the flag that the script adds.
    pub fn flag(&self) -> String {
        let kubeconfig = self.kubeconfig();
        format!(
            "--authentication-token-webhook-config-file={}",
            kubeconfig.display()
        )
    }

    pub fn read_manifest(&self) -> String {
        fs::read_to_string(self.manifest()).unwrap()
    }

    pub fn write(&self, manifest: &str) {
        fs::write(self.manifest(), manifest).unwrap();
    }

    /// Replaces `from`, which must be in the manifest.
    pub fn edit(&self, from: &str, to: &str) {
        let manifest = self.read_manifest();
        assert!(manifest.contains(from), "no `{from}` in:\n{manifest}");
        self.write(&manifest.replace(from, to));
    }

    /// Returns the permission bits of the manifest.
    pub fn mode(&self) -> u32 {
        fs::metadata(self.manifest()).unwrap().permissions().mode() & 0o7777
    }

    /// Runs the script for this node.
    pub fn run(&self, args: &[&str]) -> Outcome {
        run(self.command(Path::new(SCRIPT), args))
    }

    /// Runs a copy of the script that finds its programs in the folder `path`. The script itself has no such option.
    pub fn run_with_path(&self, path: &Path, args: &[&str]) -> Outcome {
        self.run_armed(path, args, |_| ())
    }

    /// Like [`Self::run_with_path`], after `arm` has changed the command.
    pub fn run_armed(&self, path: &Path, args: &[&str], arm: impl FnOnce(&mut Command)) -> Outcome {
        let script = fs::read_to_string(SCRIPT).unwrap();
        let other = format!("\nPATH={}\n", path.display());
        assert_eq!(script.matches(PATHS).count(), 1);
        let copy = self.folder.path().join("copy.sh");
        fs::write(&copy, script.replace(PATHS, &other)).unwrap();
        fs::set_permissions(&copy, Permissions::from_mode(0o700)).unwrap();
        let mut command = self.command(&copy, args);
        arm(&mut command);
        let outcome = run(command);
        fs::remove_file(copy).unwrap();
        outcome
    }

    /// Returns the command that runs the script for this node with an empty environment.
    pub fn command(&self, script: &Path, args: &[&str]) -> Command {
        let mut command = Command::new("/bin/bash");
        command
            .arg(script)
            .arg("--manifest")
            .arg(self.manifest())
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .arg("--backup-dir")
            .arg(self.backups())
            .args(args)
            .env_clear();
        command
    }

    /// Runs the script, which must succeed. Returns its standard output.
    #[track_caller]
    pub fn run_successfully(&self, args: &[&str]) -> String {
        let outcome = self.run(args);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stdout
    }

    /// Checks that the folder has only the manifest. The kubelet starts a pod for each file, even for a hidden one.
    #[track_caller]
    pub fn assert_no_other_files(&self) {
        let names: Vec<_> = fs::read_dir(self.manifests())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, [NAME]);
    }

    /// Returns the files in the backup folder whose names have this ending.
    pub fn backups_ending(&self, ending: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.backups()) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(ending))
            .collect();
        paths.sort();
        paths
    }
}

/// Runs the script with only these arguments.
pub fn run_without_node(args: &[&str]) -> Outcome {
    let mut command = Command::new("bash");
    command.arg(SCRIPT).args(args);
    run(command)
}

/// Runs a command and waits for its exit.
pub fn run(command: Command) -> Outcome {
    let mut script = Process::spawn("example-configure-api-server.sh", command).unwrap();
    let status = script.wait(LONG).unwrap();
    Outcome {
        code: status.code(),
        stdout: script.stdout(),
        stderr: script.stderr(),
    }
}

/// Parses YAML independently of the script.
#[track_caller]
pub fn parse(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}
