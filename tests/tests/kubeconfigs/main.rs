//! kubectl reads the kubeconfigs that the client has edited, and edits them at the same time.

#[path = "../../../host/client/src/kubeconfig/tests/shape_table.rs"]
mod shape_table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};

use ack_ram_client::environment::Environment;
use ack_ram_client::kubeconfig::{
    self, KubeconfigPaths, Outcome, PROGRAM, PluginUser, TokenOptions, UpdateOptions, WriteRequest,
};
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_tests::process::Process;
use ack_ram_tests::tools;
use serde_json::Value;
use shape_table::SHAPES;
use tempfile::TempDir;

/// How long a command or a lock may take. It takes a small part of it.
const LIMIT: Duration = Duration::from_secs(300);

struct Fixture {
    folder: TempDir,
    paths: KubeconfigPaths,
}

impl Fixture {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        fs::write(&path, text).unwrap();
        let paths = KubeconfigPaths::find(Some(path), &Environment::default()).unwrap();
        Self { folder, paths }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    fn write(&self, user: &str) -> Outcome {
        let cluster_id = ClusterId::parse("c0123").unwrap();
        let options = TokenOptions::default();
        let request = WriteRequest {
            user: PluginUser::new(Some(user), PROGRAM, Some(&cluster_id), &options),
            is_named: true,
            context: None,
            cluster: None,
            cluster_id: None,
        };
        let options = UpdateOptions {
            dry_run: false,
            lock_wait: LIMIT,
        };
        kubeconfig::write(&self.paths, &request, &options).unwrap()
    }

    /// Returns the file as kubectl reads it; the error text if kubectl refuses the file.
    fn view(&self) -> Result<Value, String> {
        let args = ["config", "view", "--raw", "-o", "json"];
        let text = kubectl(self.folder.path(), &self.path(), &args)?;
        Ok(serde_json::from_str(&text).unwrap())
    }
}

/// Runs kubectl. From the environment of the test, it inherits only `PATH`.
fn kubectl(home: &Path, kubeconfig: &Path, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(tools::KUBECTL.path());
    command
        .args(args)
        .current_dir(home)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("KUBECONFIG", kubeconfig);
    let mut kubectl = Process::spawn("kubectl", command).unwrap();
    match kubectl.wait(LIMIT).unwrap().success() {
        true => Ok(kubectl.stdout()),
        false => Err(kubectl.stderr()),
    }
}

/// Removes the users from a view, and returns them by their names.
fn take_users(view: &mut Value) -> BTreeMap<String, Value> {
    let users = view["users"].take();
    let users = users.as_array().cloned().unwrap_or_default();
    let name = |user: &Value| user["name"].as_str().unwrap().to_owned();
    users
        .into_iter()
        .map(|user| (name(&user), user["user"].clone()))
        .collect()
}

#[test]
fn kubectl_reads_each_shape_with_only_the_user_added() {
    // kubectl reads no YAML that declares the newer version.
    let mut refused = Vec::new();
    for (name, before, _) in SHAPES {
        let fixture = Fixture::new(before);
        let Ok(mut expected) = fixture.view() else {
            refused.push(*name);
            continue;
        };
        assert_eq!(fixture.write("new").files.len(), 1, "{name}");
        assert_eq!(fixture.write("new").files, [], "{name}");
        let mut found = fixture
            .view()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut users = take_users(&mut found);
        let new = users.remove("new").unwrap();
        assert_eq!(new["exec"]["command"], PROGRAM, "{name}");
        assert_eq!(
            new["exec"]["args"],
            serde_json::json!(["token", "--cluster-id", "c0123"])
        );
        assert_eq!(new["exec"]["interactiveMode"], "Never", "{name}");
        assert_eq!(new["exec"]["apiVersion"], "client.authentication.k8s.io/v1");
        assert_eq!(users, take_users(&mut expected), "{name}");
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(refused, [""; 0]);
}

/// Returns whether kubectl found the file locked. Then the person runs the command again.
fn is_locked(error: &str) -> bool {
    error.contains(".lock") && error.contains("exists")
}

/// kubectl reads the file before it locks the file, and then removes entries that were added in between. So the client
/// cannot keep its own entries from kubectl, but it must lose none of kubectl's.
#[test]
fn no_entry_of_kubectl_is_lost_beside_the_client() {
    const COMMANDS: usize = 20;
    let fixture = Fixture::new("# mine\nkind: Config\napiVersion: v1\nusers: []\n");
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut index = 0;
            while !is_done.load(Ordering::Relaxed) {
                fixture.write(&format!("client-{index}"));
                index = (index + 1) % 50;
            }
        });
        for index in 0..COMMANDS {
            let name = format!("kubectl-{index}");
            let args = ["config", "set-credentials", &name, "--token=made-up"];
            while let Err(error) = kubectl(fixture.folder.path(), &fixture.path(), &args) {
                assert!(is_locked(&error), "{error}");
            }
        }
        is_done.store(true, Ordering::Relaxed);
        writer.join().unwrap();
    });
    fixture.write("client-last");
    let users = take_users(&mut fixture.view().unwrap());
    for index in 0..COMMANDS {
        assert!(users.contains_key(&format!("kubectl-{index}")), "{users:?}");
    }
    assert!(users.contains_key("client-last"), "{users:?}");
    let names: Vec<_> = fs::read_dir(fixture.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name != ".kube")
        .collect();
    assert_eq!(names, ["config"]);
}
