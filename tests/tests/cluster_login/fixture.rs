//! Everything that takes part in a login, running on this machine.

use std::path::PathBuf;

use ack_ram_core::review::ReviewVersion;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::cluster::{Cluster, ExecPlugin};
use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::json;
use tempfile::TempDir;

use crate::LONG;

pub const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
/// No rule speaks for this account.
pub const OTHER_ACCOUNT: &str = "6543210987654321";

/// STS, the authenticator that asks it, and the API server that asks the authenticator.
pub struct Fixture {
    pub cluster: Cluster,
    pub authenticator: Authenticator,
    pub sts: Emulator,
    // Dropped after those who use its files.
    _folder: TempDir,
}

impl Fixture {
    /// As an administrator sets it up: `init`, `server`, and the API server with the kubeconfig
    /// that `init` wrote. `stranger` is the key of a user in [`OTHER_ACCOUNT`].
    pub fn start(version: ReviewVersion, stranger: AccessKey) -> Self {
        // However slow the machine is, STS answers in time.
        Self::with_deadline(version, stranger, "30s")
    }

    /// The same with a `deadline` for STS.
    pub fn with_deadline(version: ReviewVersion, stranger: AccessKey, deadline: &str) -> Self {
        let sts = Emulator::builder()
            .demo()
            .user(OTHER_ACCOUNT, "eve", "200000000000000009", stranger)
            .start()
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = write_config(&folder, &sts, deadline);
        let file = config.to_string_lossy();
        let init = authenticator::command(folder.path(), &["init", "--config", &file]);
        let mut init = Process::spawn("init", init).unwrap();
        let ended = init.wait(LONG).unwrap();
        assert!(ended.success(), "init: {}", init.log());

        let authenticator = Authenticator::start(folder.path(), &config).unwrap();
        let webhook = folder.path().join("ack-ram-authenticator.kubeconfig");
        let cluster = Cluster::builder().webhook(&webhook, version).start();
        let_developers_see_config_maps(&cluster);
        Self {
            cluster,
            authenticator,
            sts,
            _folder: folder,
        }
    }
}

fn write_config(folder: &TempDir, sts: &Emulator, deadline: &str) -> PathBuf {
    let ca = folder.path().join("sts-ca.pem");
    std::fs::write(&ca, sts.ca_pem()).unwrap();
    let config = json!({
        "clusterID": CLUSTER,
        "server": {
            "port": ports::free_port(),
            "healthPort": 0,
            "stateDir": folder.path(),
            "generateKubeconfig": folder.path().join("generated.kubeconfig"),
            "sts": {
                "endpoint": sts.url(),
                "caFile": ca,
                "connectTimeout": deadline,
                "timeout": deadline,
                // kubectl asks some five times for each command that fails: STS would be left alone for a while.
                "breakerFailures": 0,
            },
            "mapUsers": [
                { "userARN": demo::USER_ARN, "username": "alice", "groups": ["developers"] },
            ],
            "mapRoles": [{
                "roleARN": demo::ROLE_ARN,
                "username": "dev:{{SessionName}}",
                "groups": ["sessions", "account-{{AccountID}}"],
            }],
            "mapAccounts": [demo::ACCOUNT],
        },
    });
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn let_developers_see_config_maps(cluster: &Cluster) {
    let api = "rbac.authorization.k8s.io";
    cluster.apply(&json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {
                "apiVersion": format!("{api}/v1"),
                "kind": "ClusterRole",
                "metadata": { "name": "see-config-maps" },
                "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"] }],
            },
            {
                "apiVersion": format!("{api}/v1"),
                "kind": "ClusterRoleBinding",
                "metadata": { "name": "developers-see-config-maps" },
                "roleRef": { "apiGroup": api, "kind": "ClusterRole", "name": "see-config-maps" },
                "subjects": [{ "apiGroup": api, "kind": "Group", "name": "developers" }],
            },
        ],
    }));
}

/// The binary as kubectl runs it: with its own command.
pub fn own_plugin(key: &AccessKey, cluster: &str) -> ExecPlugin {
    plugin(key, &["token", "--cluster-id", cluster], "v1")
}

/// The binary as kubectl runs it: in the place of ack-ram-tool.
pub fn drop_in_plugin(key: &AccessKey) -> ExecPlugin {
    let subcommand = ["credential-plugin", "get-token"];
    let arguments = [
        "--cluster-id",
        CLUSTER,
        "--api-version",
        "v1beta1",
        "--log-level",
        "error",
    ];
    plugin(key, &[&subcommand[..], &arguments].concat(), "v1beta1")
}

fn plugin(key: &AccessKey, args: &[&str], api_version: &'static str) -> ExecPlugin {
    let variable = |name: &str, value: &str| (format!("ALIBABA_CLOUD_{name}"), value.to_owned());
    let mut env = vec![
        variable("ACCESS_KEY_ID", key.id.as_str()),
        variable("ACCESS_KEY_SECRET", key.secret.expose()),
    ];
    if let Some(token) = &key.security_token {
        env.push(variable("SECURITY_TOKEN", token.expose()));
    }
    ExecPlugin {
        command: authenticator::binary(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env,
        api_version,
    }
}
