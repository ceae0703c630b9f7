//! Certificates in TLS connections from an API server, which uses Go's TLS.

use std::fs;

use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::cluster::{Cluster, ExecPlugin};
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::demo;
use ack_ram_tests::tls_secret::TlsSecret;
use ack_ram_tests::webhook::WebhookClient;
use serde_json::json;

use crate::LONG;
use crate::fixture::{own_plugin, run_init};

/// The API server starts once, with the kubeconfig that the server has written.
#[test]
fn api_server_follows_replaced_pair_and_needs_client_certificate() {
    let mut secret = TlsSecret::mount("localhost");
    let builder = Fixture::builder().settings(&json!({
        "tls": secret.settings(),
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice" }],
        "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }],
        "mapAccounts": [demo::ACCOUNT],
    }));
    let mut server = builder.prepare();
    fs::create_dir(server.path("state")).unwrap();
    run_init(&server, &["--client-cert"]);
    let kubeconfig = server.path("webhook.kubeconfig");
    server.start_server();
    let mut cluster = Cluster::builder()
        .webhook(&kubeconfig, ReviewVersion::V1)
        .start();
    let log_in = |name: &str, plugin: &ExecPlugin, username: &str| {
        let kubeconfig = cluster.write_kubeconfig(name, plugin);
        let args = [
            "auth",
            "whoami",
            "--output=jsonpath={.status.userInfo.username}",
        ];
        let answer = cluster.kubectl_with(&kubeconfig, &args);
        assert_eq!(answer.stdout.trim(), username, "{name}: {}", answer.stderr);
    };
    log_in("user", &own_plugin(&demo::user_key(), CLUSTER), "alice");

    secret.publish("localhost");
    let is_served = |line: &str| line.contains("changed and is served now");
    server.server_mut().wait_for_log(is_served, LONG).unwrap();
    // Otherwise, the API server would keep its connection, with the old certificate.
    server.restart();
    let plugin = own_plugin(&demo::session_key(), CLUSTER);
    log_in("role", &plugin, "dev:alice-example.com");

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let without = WebhookClient::new(&secret.path("ca.crt"), server.port).unwrap();
    let token = Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
    let reply = runtime.block_on(without.review(&token)).unwrap();
    assert_eq!(reply.status, 401, "{reply:?}");

    // The log of the API server says why a client certificate is rejected. Its administrator looks there.
    server.stop_server();
    for name in ["client-ca.pem", "client-ca-key.pem"] {
        fs::remove_file(server.path("state").join(name)).unwrap();
    }
    run_init(&server, &["--client-cert"]);
    server.start_server();
    let kubeconfig = cluster.write_kubeconfig("root", &own_plugin(&demo::root_key(), CLUSTER));
    let answer = cluster.kubectl_with(&kubeconfig, &["auth", "whoami"]);
    assert!(!answer.success, "{}", answer.stdout);
    let is_logged =
        |line: &str| line.contains("the client certificate is not signed by `client-ca.pem`");
    cluster.wait_for_apiserver_log(is_logged, LONG);
}
