//! Runs the program in a temporary folder, without the environment of the tests.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ack_ram_tests::scripts::write_script;
use tempfile::TempDir;

/// The time limit for a command. Every command in these tests takes much less.
const LIMIT: Duration = Duration::from_secs(60);

/// A folder in which the program runs.
pub(crate) struct TestFolder {
    folder: TempDir,
    /// The files for standard streams, in a second folder so that the first contains only the files of the test.
    streams: TempDir,
}

/// The exit code and output of a run.
#[derive(Debug)]
pub(crate) struct CommandRun {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Files and folders with their permissions, and the contents of files.
pub(crate) type FileTree = BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>;

impl TestFolder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = folder.path().join(name);
            if contents.starts_with("#!") {
                write_script(&path, contents).unwrap();
                continue;
            }
            fs::write(&path, contents).unwrap();
            // The umask must not matter: files that others can write lead to findings, and keys that others can read
            // are refused.
            let mode = if name.ends_with("key.pem") {
                0o600
            } else {
                0o644
            };
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        Self {
            folder,
            streams: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn read_file(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        let metadata = fs::metadata(self.path().join(name)).unwrap();
        metadata.permissions().mode() & 0o777
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path().join(name), Permissions::from_mode(mode)).unwrap();
    }

    /// Creates the pair of the server, the client CA and the kubeconfig for `config.yaml`, with `init`.
    #[track_caller]
    pub(crate) fn make_certificates(&self) {
        self.run(&["init", "-c", "config.yaml", "--client-cert"], &[])
            .printed();
    }

    pub(crate) fn tree(&self) -> FileTree {
        let mut tree = FileTree::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let metadata = entry.metadata().unwrap();
                let contents = if metadata.is_dir() {
                    folders.push(entry.path());
                    None
                } else {
                    Some(fs::read(entry.path()).unwrap())
                };
                tree.insert(entry.path(), (metadata.permissions().mode(), contents));
            }
        }
        tree
    }

    /// Returns a command that runs the program in this folder, with these arguments and variables.
    pub(crate) fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ack-ram-authenticator"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .envs(env.iter().copied())
            .env("HOME", self.path());
        command
    }

    /// Runs the program to its end, with empty standard input.
    pub(crate) fn run(&self, args: &[&str], env: &[(&str, &str)]) -> CommandRun {
        self.run_with_input(args, env, "")
    }

    pub(crate) fn run_with_input(
        &self,
        args: &[&str],
        env: &[(&str, &str)],
        input: &str,
    ) -> CommandRun {
        let stream = |name| self.streams.path().join(name);
        let [input_path, out, err] = ["in", "out", "err"].map(stream);
        fs::write(&input_path, input).unwrap();
        let mut child = self
            .command(args, env)
            .stdin(File::open(&input_path).unwrap())
            .stdout(Stdio::from(File::create(&out).unwrap()))
            .stderr(Stdio::from(File::create(&err).unwrap()))
            .spawn()
            .unwrap();
        CommandRun {
            code: wait(&mut child),
            stdout: fs::read_to_string(out).unwrap(),
            stderr: fs::read_to_string(err).unwrap(),
        }
    }
}

/// Waits for the exit code; `None` if the program does not end in time.
fn wait(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}

impl CommandRun {
    /// Returns the standard output of a run that succeeded without messages on standard error.
    #[track_caller]
    pub(crate) fn printed(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }
}
