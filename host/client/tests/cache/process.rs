//! A client in a process of its own.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use ack_ram_client::Client;
use ack_ram_client::cache::CacheFolder;
use ack_ram_client::driver::{Driver, DriverSettings};
use ack_ram_client::environment::Environment;
use ack_ram_client::finding::Findings;
use ack_ram_client::origin::{Origin, Setting};
use ack_ram_client::settings::Settings;
use ack_ram_core::sts::RoleArn;
use ack_ram_core::time::UnixTime;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, setuid};

/// The current time in Unix seconds.
const NOW: &str = "CLIENT_TEST_NOW";
/// The role to assume.
const ROLE: &str = "CLIENT_TEST_ROLE";
/// The user to become.
const USER: &str = "CLIENT_TEST_USER";
/// Whether each write to a file kills the process.
const KILL_AT_WRITE: &str = "CLIENT_TEST_KILL_AT_WRITE";
/// The folder in which the client runs.
const FOLDER: &str = "CLIENT_TEST_FOLDER";
/// A folder to put on a full disk.
const FULL_DISK: &str = "CLIENT_TEST_FULL_DISK";
/// Whether the process could not be set up, which is printed in place of a result.
const NOT_POSSIBLE: &str = "not possible";

/// How to run a client.
#[derive(Clone, Default)]
pub(crate) struct ClientSetup {
    variables: BTreeMap<String, String>,
    ignores_hangups: bool,
}

impl ClientSetup {
    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes an environment variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// Sets the clock.
    pub(crate) fn at(self, now: UnixTime) -> Self {
        self.variable(NOW, &now.seconds().to_string())
    }

    /// Assumes a role, as `--role-arn` says.
    pub(crate) fn role(self, arn: &str) -> Self {
        self.variable(ROLE, arn)
    }

    /// Runs the client as another user, which only root can do.
    pub(crate) fn for_user(self, user: u32) -> Self {
        self.variable(USER, &user.to_string())
    }

    /// Kills the process when it writes into a file.
    pub(crate) fn killed_at_write(self) -> Self {
        self.variable(KILL_AT_WRITE, "1")
    }

    /// Puts `folder` on a full disk.
    pub(crate) fn on_full_disk(self, folder: &Path) -> Self {
        self.variable(FULL_DISK, folder.to_str().unwrap())
    }

    /// Runs the client in `folder`.
    pub(crate) fn in_folder(self, folder: &Path) -> Self {
        self.variable(FOLDER, folder.to_str().unwrap())
    }

    /// Makes the client ignore SIGHUP, as `nohup` does.
    pub(crate) fn ignoring_hangups(mut self) -> Self {
        self.ignores_hangups = true;
        self
    }

    /// Starts the client, and waits until it is about to obtain a key.
    pub(crate) fn start(&self) -> ClientProcess {
        let program = env::current_exe().unwrap();
        let mut command = match self.ignores_hangups {
            true => {
                let mut shell = Command::new("/bin/sh");
                shell
                    .args(["-c", r#"trap '' HUP; exec "$0" "$@""#])
                    .arg(program);
                shell
            }
            false => Command::new(program),
        };
        let mut child = command
            .args(["process::client_process", "--exact", "--nocapture"])
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut process = ClientProcess { child, output };
        process.read_until("READY");
        process
    }

    /// Runs the client. Returns the secret of its key, or its error.
    pub(crate) fn run(&self) -> Result<String, String> {
        self.start().finish()
    }

    /// Runs the client. Returns `None` if this user may not do what the test needs.
    pub(crate) fn run_if_possible(&self) -> Option<Result<String, String>> {
        let result = self.run();
        (result != Err(NOT_POSSIBLE.to_owned())).then_some(result)
    }
}

/// A client that runs. It is killed when it is dropped.
pub(crate) struct ClientProcess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl ClientProcess {
    /// Waits for the end of the client. Returns the secret of its key, or its error.
    pub(crate) fn finish(mut self) -> Result<String, String> {
        let result = self.read_until("RESULT ");
        self.output.read_to_string(&mut String::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
        assert_eq!(self.errors(), "");
        match result.split_once(' ').unwrap() {
            ("ok", secret) => Ok(secret.to_owned()),
            (_, error) => Err(error.to_owned()),
        }
    }

    /// Kills the client, and waits for its end.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal to the client alone.
    pub(crate) fn send(&self, signal: Signal) {
        let id = Pid::from_raw(self.child.id().try_into().unwrap());
        kill(id, signal).unwrap();
    }

    /// Waits until the client is killed by a signal. Returns the signal.
    pub(crate) fn wait_for_signal(mut self) -> Signal {
        use std::os::unix::process::ExitStatusExt as _;

        let status = self.child.wait().unwrap();
        match status.signal() {
            Some(signal) => signal.try_into().unwrap(),
            None => panic!("{status} {}", self.errors()),
        }
    }

    fn read_until(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).unwrap();
            assert!(length > 0, "no {start}: {}", self.errors());
            if let Some(rest) = line.strip_prefix(start) {
                return rest.trim_end().to_owned();
            }
        }
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        let mut errors = self.child.stderr.take().unwrap();
        errors.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is the client if a test has started this process, and does nothing else.
#[test]
fn client_process() {
    let Ok(now) = env::var(NOW) else { return };
    assert!(now.parse::<i64>().is_ok());
    let result = match prepare() {
        Some(()) => obtain(),
        None => {
            println!("\nREADY");
            Err(NOT_POSSIBLE.to_owned())
        }
    };
    match result {
        Ok(secret) => println!("\nRESULT ok {secret}"),
        Err(error) => println!("\nRESULT error {error}"),
    }
}

/// Sets the process up; `None` if this user may not do that.
fn prepare() -> Option<()> {
    // Some signals would leave a file in the folder of the tests.
    setrlimit(Resource::RLIMIT_CORE, 0, 0).ok()?;
    if let Ok(folder) = env::var(FOLDER) {
        env::set_current_dir(folder).unwrap();
    }
    if let Ok(user) = env::var(USER) {
        setuid(Uid::from_raw(user.parse().unwrap())).ok()?;
    }
    if let Ok(folder) = env::var(FULL_DISK) {
        unshare(CloneFlags::CLONE_NEWNS).ok()?;
        let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
        mount(kind, &*folder, kind, flags, Some("size=64k,mode=0700")).unwrap();
        let mut filler = std::fs::File::create(Path::new(&folder).join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }
    if env::var(KILL_AT_WRITE).is_ok() {
        setrlimit(Resource::RLIMIT_FSIZE, 0, 0).unwrap();
        setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    }
    Some(())
}

fn obtain() -> Result<String, String> {
    let variables = env::vars().filter(|(name, _)| !name.starts_with("CLIENT_TEST_"));
    let environment: Environment = variables.collect();
    let mut settings = Settings {
        default_session_name: "ack-ram-authenticator".to_owned(),
        role: env::var(ROLE)
            .ok()
            .map(|arn| Setting::new(RoleArn::parse(&arn).unwrap(), Origin::Option("--role-arn"))),
        ..Settings::default()
    };
    settings.add_variables(&environment);
    let driver = DriverSettings {
        clock: || UnixTime::from_seconds(env::var(NOW).unwrap().parse().unwrap()),
        // More than any machine needs.
        timeout: Duration::from_secs(3600),
        ca_file: None,
    };
    let mut driver = Driver::new(driver, &environment);
    let mut findings = Findings::default();
    let folder = CacheFolder::locate(None, &environment);
    let folder = folder.and_then(|folder| CacheFolder::open(&folder.value).ok());
    let mut client = Client {
        settings: &settings,
        environment: &environment,
        cache: folder.as_ref(),
        driver: &mut driver,
        findings: &mut findings,
    };
    println!("\nREADY");
    std::io::stdout().flush().unwrap();
    match client.obtain() {
        Ok(key) => Ok(key.key.secret.expose().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
