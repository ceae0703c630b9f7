//! The home folder of a person who runs kubectl.

use std::fs;
use std::path::PathBuf;

use ack_ram_client::cache::{CacheFolder, Lookup, PlanCache};
use ack_ram_client::flow::Obtained;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::authenticator;
use ack_ram_tests::cluster::KubectlOutput;
use ack_ram_tests::eventually::LIMIT;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::demo;
use tempfile::TempDir;

use crate::fixture::PluginFixture;
use crate::kubeconfig::Kubeconfig;

/// Prints the username that the API server knows.
const WHO_AM_I: [&str; 3] = [
    "auth",
    "whoami",
    "--output=jsonpath={.status.userInfo.username}",
];

/// A home folder with a kubeconfig and a cache, and the variables of the shell.
pub struct Home<'a> {
    pub fixture: &'a PluginFixture,
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl<'a> Home<'a> {
    /// Creates a home folder, and sets the variables of the SDKs to the key of a user who may assume roles.
    pub fn new(fixture: &'a PluginFixture) -> Self {
        Self::without_key(fixture).key(&demo::user_key())
    }

    /// Creates a home folder. The environment has no key.
    pub fn without_key(fixture: &'a PluginFixture) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Self {
            fixture,
            folder,
            variables: Vec::new(),
        };
        let (ca_file, runs) = (fixture.server.path("sts-ca.pem"), home.path("runs"));
        home.variable("SSL_CERT_FILE", ca_file.to_str().unwrap())
            .variable("RUNS", runs.to_str().unwrap())
    }

    /// Sets the variables of the SDKs to `key`.
    pub fn key(self, key: &AccessKey) -> Self {
        self.variable("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.as_str())
            .variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret.expose())
    }

    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file, and creates its folder.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn write_kubeconfig(&self, kubeconfig: &Kubeconfig) {
        let json = kubeconfig.to_json(&self.fixture.cluster);
        self.write(".kube/config", &json.to_string());
    }

    pub fn kubectl(&self, args: &[&str]) -> KubectlOutput {
        let kubeconfig = self.path(".kube/config");
        let cluster = &self.fixture.cluster;
        cluster.kubectl_in(self.folder.path(), &kubeconfig, &self.variables, args)
    }

    /// Logs in, and returns the username, or what kubectl prints for the person.
    pub fn who_am_i(&self, options: &[&str]) -> Result<String, String> {
        let answer = self.kubectl(&[&WHO_AM_I, options].concat());
        match answer.success {
            true => Ok(answer.stdout.trim_end().to_owned()),
            false => Err(answer.stderr),
        }
    }

    /// Logs in with `kubeconfig` as [`Self::who_am_i`] does.
    pub fn log_in(&self, kubeconfig: &Kubeconfig) -> Result<String, String> {
        self.write_kubeconfig(kubeconfig);
        self.who_am_i(&[])
    }

    /// Runs the binary with the same environment, and checks that it succeeds.
    #[track_caller]
    pub fn run_binary(&self, args: &[&str]) {
        let mut command = authenticator::command(self.folder.path(), args);
        let variables = self.variables.iter();
        command.envs(variables.map(|(name, value)| (name, value)));
        let mut process = Process::spawn("client", command).unwrap();
        let ended = process
            .wait(LIMIT)
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(ended.success(), "{args:?}: {}", process.stderr());
    }

    /// Returns the only key in the cache.
    pub fn cached_key(&self) -> Obtained {
        // The key may have ended since.
        self.with_entry(|cache, obtained| match cache.look_up(obtained) {
            Lookup::Fresh(key) => key,
            other => panic!("{other:?}"),
        })
    }

    /// Changes the only entry of the cache to what it would be if its key ended at `expires`.
    pub fn end_cached_key(&self, expires: UnixTime) {
        let key = Obtained {
            expires: Some(expires),
            ..self.cached_key()
        };
        let obtained = expires.plus_seconds(-3600);
        self.with_entry(|cache, _| cache.store(&key, "AssumeRole", None, obtained).unwrap());
    }

    /// Calls `action` with the only entry of the cache, and with the time at which its key was obtained.
    fn with_entry<T>(&self, action: impl FnOnce(&PlanCache<'_>, UnixTime) -> T) -> T {
        let folder = CacheFolder::open(&self.path(".kube/cache/ack-ram-authenticator")).unwrap();
        let [file] = <[_; 1]>::try_from(folder.list().unwrap()).unwrap();
        let obtained = file.entry.expect("an undamaged entry").obtained;
        action(&PlanCache::new(&folder, file.key), obtained)
    }

    /// Returns the times of a [recorded](Kubeconfig::recorded) plugin, in pairs: before and after each run.
    pub fn recorded_times(&self) -> Vec<UnixTime> {
        let times = fs::read_to_string(self.path("runs")).unwrap_or_default();
        let times = times.lines().map(|line| line.parse().unwrap());
        times.map(UnixTime::from_seconds).collect()
    }
}
