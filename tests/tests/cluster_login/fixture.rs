//! All participants of a login, on this machine.

use std::fs;

use ack_ram_core::review::ReviewVersion;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::authenticator;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::cluster::{Cluster, ExecPlugin};
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::json;

use crate::LONG;

/// An account without a mapping.
pub const OTHER_ACCOUNT: &str = "6543210987654321";

/// STS, the authenticator that calls STS, and the API server that calls the authenticator.
pub struct LoginFixture {
    pub cluster: Cluster,
    pub server: Fixture,
}

impl LoginFixture {
    /// Starts everything as an administrator does: `init`, `server`, and the API server with the kubeconfig that `init`
    /// wrote. `stranger` is the key of a user in [`OTHER_ACCOUNT`].
    pub fn start(version: ReviewVersion, stranger: AccessKey) -> Self {
        // Even on a slow machine, STS answers within this deadline.
        Self::with_deadline(version, stranger, "30s")
    }

    /// Like [`Self::start`], with a `deadline` for STS.
    pub fn with_deadline(version: ReviewVersion, stranger: AccessKey, deadline: &str) -> Self {
        let sts =
            Emulator::builder()
                .demo()
                .user(OTHER_ACCOUNT, "eve", "200000000000000009", stranger);
        let settings = json!({
            "sts": {
                "connectTimeout": deadline,
                "timeout": deadline,
                // kubectl tries each failing command about five times, which would open the circuit breaker.
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
        });
        let builder = Fixture::builder().sts(sts.start().unwrap());
        let mut server = builder.settings(&settings).prepare();
        fs::create_dir(server.path("state")).unwrap();
        run_init(&server, &[]);
        server.start_server();
        let webhook = server.path("state/ack-ram-authenticator.kubeconfig");
        let cluster = Cluster::builder().webhook(&webhook, version).start();
        let_developers_see_config_maps(&cluster);
        Self { cluster, server }
    }
}

/// Runs `init` in the state directory of `server`, with its configuration and with `options`.
pub fn run_init(server: &Fixture, options: &[&str]) {
    let config = server.path("config.yaml");
    let config = config.to_string_lossy();
    let init = [&["init", "--config", &config], options].concat();
    let init = authenticator::command(&server.path("state"), &init);
    let mut init = Process::spawn("init", init).unwrap();
    let ended = init.wait(LONG).unwrap();
    assert!(ended.success(), "init: {}", init.log());
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

/// Returns the binary as kubectl runs it, with its own command line.
pub fn own_plugin(key: &AccessKey, cluster: &str) -> ExecPlugin {
    ExecPlugin::authenticator(key, &["token", "--cluster-id", cluster], "v1")
}

/// Returns the binary as kubectl runs it, with the command line of ack-ram-tool.
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
    ExecPlugin::authenticator(key, &[&subcommand[..], &arguments].concat(), "v1beta1")
}
