//! Runs of the client: what is configured, who is granted, and which calls are made.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ack_ram_client::cache::{CacheFolder, Lookup, PlanCache};
use ack_ram_client::flow::Obtained;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::authenticator;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::eventually::LIMIT;
use ack_ram_tests::process::Process;
use ack_ram_tests::scripts::write_script;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fixture::{Calls, ClientFixture};

/// The path of the file of the CLI in the home folder.
pub const CLI_FILE: &str = ".aliyun/config.json";
/// The path of the default INI file in the home folder.
pub const INI_FILE: &str = ".alibabacloud/credentials";

/// The time of a command, which no command needs on an idle machine. A case can set another one, since the last one
/// counts.
const TIMEOUT: &str = "100s";

/// Returns times for a command that must do something before its time is over. On a slow machine, the first ones are too
/// short.
pub fn growing_timeouts() -> impl Iterator<Item = String> {
    (0..7).map(|exponent| format!("{}s", 1 << exponent))
}

/// The command that a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Token,
    GetToken,
}

impl Program {
    const BOTH: [Self; 2] = [Self::Token, Self::GetToken];

    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Token => &["token"],
            Self::GetToken => &["credential-plugin", "get-token"],
        }
    }

    /// Returns the name of sessions that have no other name.
    fn session_name(self) -> &'static str {
        match self {
            Self::Token => "ack-ram-authenticator",
            Self::GetToken => "ack-ram-tool",
        }
    }
}

/// The result that a case expects.
#[derive(Clone, Debug)]
enum Expected {
    /// The server grants the token to this user. `*` stands for the default session name of the command.
    Granted(String),
    /// The client prints a token, and the server denies it.
    Denied,
    /// The client prints no token, and these texts on standard error.
    Refused(Vec<String>),
}

/// A setup of the client with its expected result, in a new home folder.
#[derive(Clone, Debug)]
#[must_use]
pub struct Case {
    name: String,
    programs: Vec<Program>,
    args: Vec<String>,
    variables: Vec<(String, String)>,
    files: Vec<(String, String)>,
    expected: Expected,
    /// A text that a successful client prints on standard error, where it is silent otherwise.
    warning: Option<String>,
    calls: Calls,
}

impl Case {
    /// Creates a case that expects the server to grant nobody, which [`Self::granted`] and others replace.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            programs: Program::BOTH.to_vec(),
            args: Vec::new(),
            variables: Vec::new(),
            files: Vec::new(),
            expected: Expected::Denied,
            warning: None,
            calls: Calls::NONE,
        }
    }

    /// Runs only this command.
    pub fn only(mut self, program: Program) -> Self {
        self.programs = vec![program];
        self
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    pub fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the variables of the Alibaba Cloud SDKs to `key`.
    pub fn key_variables(self, key: &AccessKey) -> Self {
        let case = self
            .variable("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.as_str())
            .variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret.expose());
        match &key.security_token {
            Some(token) => case.variable("ALIBABA_CLOUD_SECURITY_TOKEN", token.expose()),
            None => case,
        }
    }

    /// Adds a file at `path` in the home folder.
    pub fn file(mut self, path: &str, content: impl Into<String>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Adds the file of the CLI with `profiles`, of which the first is the current one.
    pub fn profiles(self, profiles: &[Value]) -> Self {
        let config = json!({
            "current": profiles[0]["name"],
            "profiles": profiles,
            "meta_path": "",
        });
        self.file(CLI_FILE, format!("{config:#}\n"))
    }

    /// Adds the file of the CLI with one profile: `mode` and the members of each of `parts`.
    pub fn profile(self, mode: &str, parts: &[&Value]) -> Self {
        self.profiles(&[profile("default", mode, parts)])
    }

    /// Adds the default INI file.
    pub fn ini(self, content: impl Into<String>) -> Self {
        self.file(INI_FILE, content)
    }

    /// Expects that the server grants the token to `username`, after `calls`.
    pub fn granted(mut self, username: &str, calls: Calls) -> Self {
        self.expected = Expected::Granted(username.to_owned());
        self.calls = calls;
        self
    }

    /// Expects that the server denies the token, after `calls`.
    pub fn denied(mut self, calls: Calls) -> Self {
        self.expected = Expected::Denied;
        self.calls = calls;
        self
    }

    /// Expects that the client fails with all of `texts`, after `calls`.
    pub fn refused(mut self, texts: &[&str], calls: Calls) -> Self {
        self.expected = Expected::Refused(texts.iter().map(|&text| text.to_owned()).collect());
        self.calls = calls;
        self
    }

    /// Expects `text` in a warning of a successful client.
    pub fn warns(mut self, text: &str) -> Self {
        self.warning = Some(text.to_owned());
        self
    }

    /// Switches the debug log on, so that a successful client is not silent.
    pub fn with_debug_log(self) -> Self {
        self.args(&["--log-level", "debug"]).warns("DEBUG")
    }

    /// Starts the command in `home`.
    pub fn spawn_in(&self, home: &Home, program: Program) -> Process {
        home.spawn(program, &self.args, &self.variables)
    }

    /// Runs the command in `home`, and does not check the result.
    pub fn run_in(&self, home: &Home, program: Program) -> Run {
        Run::wait_for(self.spawn_in(home, program))
    }

    /// Runs each command in a home folder of its own, and checks the results.
    pub async fn check(&self, fixture: &ClientFixture) {
        for &program in &self.programs {
            let home = self.home(fixture);
            self.check_in(fixture, &home, program).await;
        }
    }

    /// Writes the files into a new home folder.
    pub fn home(&self, fixture: &ClientFixture) -> Home {
        let home = Home {
            folder: tempfile::tempdir().unwrap(),
            ca_file: fixture.ca_file(),
            proxy: fixture.proxy.url(),
        };
        for (path, content) in &self.files {
            home.write(path, &home.expand(content));
        }
        home
    }

    /// Runs the command in `home`, and checks the result.
    pub async fn check_in(&self, fixture: &ClientFixture, home: &Home, program: Program) {
        let name = format!("{} ({program:?})", self.name);
        let before = fixture.calls();
        let run = self.run_in(home, program);
        let calls = fixture.calls().since(before);
        let output = format!("{name}: exit code {:?}\n{}", run.code, run.stderr);
        check_for_secrets(&output);
        match &self.expected {
            Expected::Refused(texts) => {
                assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{output}");
                for text in texts {
                    let text = home.expand(text);
                    assert!(run.stderr.contains(&text), "no `{text}` in {output}");
                }
            }
            Expected::Granted(username) => {
                let expected = username.replace('*', program.session_name());
                let granted = fixture.review(&run.token(&output)).await;
                assert_eq!(granted, Ok(expected), "{output}");
                match &self.warning {
                    None => assert_eq!(run.stderr, "", "{output}"),
                    Some(text) => assert!(run.stderr.contains(text), "no `{text}` in {output}"),
                }
            }
            Expected::Denied => {
                let granted = fixture.review(&run.token(&output)).await;
                assert!(granted.is_err(), "{granted:?}: {output}");
            }
        }
        assert_eq!(calls, self.calls, "{output}");
    }
}

/// Returns a profile of the CLI: its name, `mode`, and the members of each of `parts`.
pub fn profile(name: &str, mode: &str, parts: &[&Value]) -> Value {
    let mut profile = json!({ "name": name, "mode": mode, "language": "en" });
    for part in parts {
        for (member, value) in part.as_object().unwrap() {
            profile[member] = value.clone();
        }
    }
    profile
}

/// Parts of the secrets of all sources. Issued security tokens start with `CAIS`.
const SECRETS: [&str; 9] = [
    "CAIS",
    "DemoAliceSecret",
    "DemoMallorySecret",
    "DemoRootSecret",
    "DemoSessionSecret",
    "eyJhbGciOiJub25lIn0",
    "FakeAccess",
    "FakeRefresh",
    "s3cret",
];

fn check_for_secrets(output: &str) {
    for secret in SECRETS {
        assert!(!output.contains(secret), "`{secret}` in {output}");
    }
}

/// A home folder, in which the client runs with no variables but those that lead to the emulators.
pub struct Home {
    folder: TempDir,
    ca_file: PathBuf,
    proxy: String,
}

/// The result of a command.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Returns the first profile in the file of the CLI.
    pub fn first_profile(&self) -> Value {
        let config: Value = serde_json::from_str(&self.read(CLI_FILE)).unwrap();
        config["profiles"][0].clone()
    }

    /// Writes a file that only its owner can read. A script can be run.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if content.starts_with("#!") {
            return write_script(&path, content).unwrap();
        }
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Returns the only key in the cache.
    pub fn cached_key(&self) -> Obtained {
        self.with_entry(|cache, obtained| match cache.look_up(obtained) {
            Lookup::Fresh(key) => key,
            other => panic!("{other:?}"),
        })
    }

    /// Changes the only entry of the cache to what it would be if its key had been obtained at `obtained` and ended at
    /// `expires`.
    pub fn redate_cached_key(&self, obtained: UnixTime, expires: UnixTime) {
        let key = Obtained {
            expires: Some(expires),
            ..self.cached_key()
        };
        let stored = self.with_entry(|cache, _| cache.store(&key, "AssumeRole", None, obtained));
        assert!(stored.unwrap());
    }

    /// Calls `action` with the only entry of the cache, and with the time at which its key was obtained.
    fn with_entry<T>(&self, action: impl FnOnce(&PlanCache<'_>, UnixTime) -> T) -> T {
        let folder = CacheFolder::open(&self.path(".kube/cache/ack-ram-authenticator")).unwrap();
        let [file] = <[_; 1]>::try_from(folder.list().unwrap()).unwrap();
        let obtained = file.entry.expect("an undamaged entry").obtained;
        action(&PlanCache::new(&folder, file.key), obtained)
    }

    /// Replaces `{home}` with the path of the folder.
    fn expand(&self, text: &str) -> String {
        text.replace("{home}", &self.folder.path().to_string_lossy())
    }

    fn spawn(&self, program: Program, args: &[String], variables: &[(String, String)]) -> Process {
        let mut command = authenticator::command(self.folder.path(), program.words());
        command
            .args(["--cluster-id", CLUSTER, "--timeout", TIMEOUT])
            .args(args.iter().map(|arg| self.expand(arg)))
            .env("SSL_CERT_FILE", &self.ca_file)
            .env("HTTPS_PROXY", &self.proxy)
            .env("HTTP_PROXY", &self.proxy);
        for (name, value) in variables {
            command.env(name, self.expand(value));
        }
        Process::spawn("client", command).unwrap()
    }
}

impl Run {
    /// Waits until the command has exited.
    pub fn wait_for(mut process: Process) -> Self {
        let status = process
            .wait(LIMIT)
            .unwrap_or_else(|error| panic!("{error}"));
        Self {
            code: status.code(),
            stdout: process.stdout(),
            stderr: process.stderr(),
        }
    }

    /// Returns the token in the printed ExecCredential.
    pub fn token(&self, context: &str) -> String {
        self.status(context, "token")
    }

    /// Returns the time at which kubectl asks for a new token.
    pub fn expiration(&self, context: &str) -> UnixTime {
        UnixTime::parse(&self.status(context, "expirationTimestamp")).expect(context)
    }

    fn status(&self, context: &str, member: &str) -> String {
        assert_eq!(self.code, Some(0), "{context}");
        let credential: Value = serde_json::from_str(&self.stdout).expect(context);
        assert_eq!(credential["kind"], "ExecCredential", "{context}");
        let text = credential["status"][member].as_str();
        text.expect(context).to_owned()
    }
}
