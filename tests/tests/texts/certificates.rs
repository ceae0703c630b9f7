//! The log and `/readyz` when certificates change.

use std::fs;

use ack_ram_tests::authenticator;
use ack_ram_tests::process::Process;
use ack_ram_tests::tls_secret::TlsSecret;

use crate::plan::Plan;
use crate::server::LIMIT;
use crate::snapshot;

pub(crate) async fn replace_own_pair() {
    let mut secret = TlsSecret::mount("localhost");
    let mut plan = Plan::new();
    plan.config["server"]["tls"] = secret.settings();
    let mut server = plan.start();
    let secret_folder = |secret: &TlsSecret, text: String| {
        let path = secret.path("tls.crt");
        let folder = path.parent().unwrap().to_string_lossy().into_owned();
        text.replace(&folder, "[secret]")
    };
    server.lines_so_far(&["listening on"]).await;
    secret.publish("localhost");
    server.event("another pair", "", &["is served now"]).await;
    secret.publish("elsewhere.example.com");
    server
        .event("a pair for another host", "", &["would reject"])
        .await;
    server.ready("ready", "would reject").await;
    secret.publish("localhost");
    server.event("a good pair", "", &["is served now"]).await;
    let text = secret_folder(&secret, server.finish());
    snapshot::check("server_own_certificates", &text);
}

pub(crate) async fn remove_client_authority() {
    let plan = Plan::new();
    let state = plan.path("state");
    fs::create_dir(&state).unwrap();
    let init = authenticator::command(&state, &["init", "--client-cert"]);
    let mut init = Process::spawn("init", init).unwrap();
    assert!(init.wait(LIMIT).unwrap().success(), "{}", init.log());
    let mut server = plan.start();
    server.lines_so_far(&["listening on"]).await;
    server.settle().await;
    for file in ["client-ca.pem", "client-ca-key.pem"] {
        fs::remove_file(state.join(file)).unwrap();
    }
    server.hang_up();
    server
        .event("gone", "", &["reloaded: ", "no longer exists"])
        .await;
    server.ready("ready", "no longer exists").await;
    server.check("server_client_authority");
}
