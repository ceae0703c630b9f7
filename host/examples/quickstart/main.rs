//! A login, decided end to end on this machine: no cloud account, no cluster, nothing installed.
//!
//! ```text
//! cargo run --release --example quickstart            # shows a login that is granted and one that is denied
//! cargo run --release --example quickstart -- --keep  # and leaves the server running, with a curl line to try
//! ```

mod page;

use std::error::Error;
use std::path::Path;

use ack_ram_authenticator::backends::mounted_file::Inputs;
use ack_ram_authenticator::clock;
use ack_ram_authenticator::config::{self, ConfigFile, ConfigSources, Overrides};
use ack_ram_authenticator::server::Server;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::{self, WebhookClient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Parser;
use page::{Log, Page};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";

/// Shows a login that is granted and one that is denied, step by step.
#[derive(Parser)]
struct Arguments {
    /// Leave the server running afterwards, until Ctrl-C or SIGTERM, and print a curl line to try
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments = Arguments::parse();
    let page = Page::new();
    let log = page::capture_log();
    let folder = tempfile::Builder::new().prefix("quickstart-").tempdir()?;

    page.title("ack-ram-authenticator: a login, decided end to end on this machine");

    page.step("A stand-in for STS, which verifies signatures for real");
    let sts = Emulator::builder().demo().start()?;
    page.field("listens on", sts.url());

    page.step("The webhook server, started with this configuration");
    let server = start_server(folder.path(), &sts).await?;
    let address = server.address();
    page.block(&std::fs::read_to_string(folder.path().join("config.yaml"))?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let asked_to_stop = async {
        // A sender that is gone stops the server, too.
        let _either_way = stopped.await;
    };
    let (_, never) = tokio::sync::watch::channel(0);
    let serving = tokio::spawn(server.serve(asked_to_stop, std::future::pending(), never));
    page.field("listens on", format!("https://{address}/authenticate"));
    let webhook = WebhookClient::new(&folder.path().join("state/cert.pem"), address.port())?;

    page.step(
        "kubectl's plugin signs a GetCallerIdentity request with alice's key, without sending it",
    );
    let token = token(&demo::user_key())?;
    show_token(&page, &token)?;

    page.step("kube-apiserver asks the webhook about the token");
    let answer = webhook.review(&token).await?.body;
    page.note("the webhook checked every part of the token and rebuilt the request; STS received");
    show_sts_request(&page, &sts);
    page.note("STS verified the signature and said who signed");
    show_decision(&page, &log);
    page.note("the answer to kube-apiserver");
    page.good(&pretty(&answer));

    page.step("mallory logs in: a good key of the same account, but nobody mapped her");
    let answer = webhook
        .review(&self::token(&demo::stranger_key())?)
        .await?
        .body;
    show_decision(&page, &log);
    page.note("the answer to kube-apiserver; its reference finds the line in the webhook's log");
    page.bad(&pretty(&answer));

    if arguments.keep {
        keep(&page, folder.path(), address, &token).await?;
    } else {
        page.title("Done. Run it with `-- --keep` to leave it running, with a curl line to try.");
    }
    drop(stop);
    serving.await?;
    Ok(())
}

async fn start_server(
    folder: &Path,
    sts: &Emulator,
) -> Result<Server, Box<dyn Error + Send + Sync>> {
    let sts_ca = folder.join("sts-ca.pem");
    std::fs::write(&sts_ca, sts.ca_pem())?;
    let config = format!(
        "clusterID: {CLUSTER}
server:
  port: 0                     # any free one
  healthPort: 0               # none
  stateDir: {folder}/state
  generateKubeconfig: {folder}/kubeconfig.yaml
  sts:
    endpoint: {sts}
    caFile: {sts_ca}
    connectTimeout: 30s         # the machine may be busy
    timeout: 30s
  mapUsers:
    - userARN: {user}
      username: alice
      groups: [developers]
  mapRoles:
    - roleARN: {role}
      username: dev:{{{{SessionName}}}}
",
        folder = folder.display(),
        sts = sts.url(),
        sts_ca = sts_ca.display(),
        user = demo::USER_ARN,
        role = demo::ROLE_ARN,
    );
    let file = folder.join("config.yaml");
    std::fs::write(&file, config)?;
    let inputs = Inputs {
        file: Some(file.clone()),
        overrides: Overrides::default(),
        // The demonstration does not depend on what is set around it.
        variables: |_| None,
    };
    let config = config::load(&ConfigSources {
        file: Some(ConfigFile::Path(&file)),
        overrides: &inputs.overrides,
        variables: &inputs.variables,
    })?;
    Ok(Server::start(config, inputs).await?)
}

fn token(key: &AccessKey) -> Result<Secret, Box<dyn Error + Send + Sync>> {
    let cluster = ClusterId::parse(CLUSTER).ok_or("a cluster id")?;
    let token = sign::sign_token_v2(key, &cluster, "quickstart", clock::now()).ok_or("a token")?;
    Ok(token)
}

/// A real token must never be shown. This one opens nothing outside this process.
fn show_token(page: &Page, token: &Secret) -> Result<(), Box<dyn Error + Send + Sync>> {
    let text = token.expose();
    let shown: String = text.chars().take(60).collect();
    page.field("token", format!("{shown}... ({} bytes)", text.len()));
    let json = STANDARD.decode(text.trim_start_matches("k8s-ack-v2."))?;
    page.note("decoded");
    page.block(&pretty(&serde_json::from_slice(&json)?));
    Ok(())
}

fn show_sts_request(page: &Page, sts: &Emulator) {
    if let Some(request) = sts.requests().last() {
        let mut text = format!("{} {}\n", request.method, request.target);
        for (name, value) in &request.headers {
            text += &format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()));
        }
        page.block(&text);
    }
}

/// What the webhook logged about its last decision.
fn show_decision(page: &Page, log: &Log) {
    let decision = log.last_event();
    for (name, field) in [
        ("identity", "arn"),
        ("signed with", "access_key_id"),
        ("rule", "rule"),
        ("username", "username"),
        ("groups", "groups"),
        ("reason", "reason"),
        ("reference", "reference"),
    ] {
        if let Some(value) = decision
            .pointer(&format!("/fields/{field}"))
            .and_then(Value::as_str)
        {
            page.field(name, value);
        }
    }
}

async fn keep(
    page: &Page,
    folder: &Path,
    address: std::net::SocketAddr,
    token: &Secret,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let review = folder.join("review.json");
    std::fs::write(
        &review,
        webhook::token_review(ReviewVersion::V1, token).to_string(),
    )?;
    let mut terminate = signal(SignalKind::terminate())?;
    page.title("Still running, until Ctrl-C. The token is good for 15 minutes. Try");
    page.block(&format!(
        "curl --cacert {folder}/state/cert.pem -H 'Content-Type: application/json' --data @{review} \\\n  https://localhost:{port}/authenticate",
        folder = folder.display(),
        review = review.display(),
        port = address.port(),
    ));
    // Either way the folder with the state is removed after this.
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| json!(null).to_string())
}
