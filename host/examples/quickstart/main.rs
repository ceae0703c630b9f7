//! A complete login on this machine, without a cloud account, a cluster or an installation.
//!
//! ```text
//! cargo run --example quickstart            # shows a login that is granted and one that is denied
//! cargo run --example quickstart -- --keep  # also leaves the server running, and prints a curl command to try
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
    /// Leave the server running until Ctrl-C or SIGTERM, and print a curl command to try
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments = Arguments::parse();
    let page = Page::new();
    let log = page::capture_log();
    let folder = tempfile::Builder::new().prefix("quickstart-").tempdir()?;

    page.title("ack-ram-authenticator: a complete login on this machine");

    page.step("Start an STS emulator, which really verifies signatures");
    let sts = Emulator::builder().demo().start()?;
    page.field("listens on", sts.url());

    page.step("Start the webhook server with this configuration");
    let server = start_server(folder.path(), &sts).await?;
    let address = server.address();
    page.block(&std::fs::read_to_string(folder.path().join("config.yaml"))?);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop_requested = async {
        // The server also stops if the sender is dropped.
        let _result = stopped.await;
    };
    let (_, no_hangups) = tokio::sync::watch::channel(0);
    let serving = tokio::spawn(server.serve(stop_requested, std::future::pending(), no_hangups));
    page.field("listens on", format!("https://{address}/authenticate"));
    let webhook = WebhookClient::new(&folder.path().join("state/cert.pem"), address.port())?;

    page.step(
        "Sign a GetCallerIdentity request with alice's key, as the kubectl plugin does, without sending it",
    );
    let token = token(&demo::user_key())?;
    show_token(&page, &token)?;

    page.step("Review the token, as kube-apiserver does: a login that is granted");
    let answer = webhook.review(&token).await?.body;
    page.note("the webhook checked every part of the token and sent the rebuilt request to STS");
    show_sts_request(&page, &sts);
    page.note("STS verified the signature and returned the identity, which the webhook mapped");
    show_decision(&page, &log);
    page.note("the answer to kube-apiserver");
    page.good(&pretty(&answer));

    page.step(
        "Review a token of mallory, who has a valid key but no mapping: a login that is denied",
    );
    let answer = webhook
        .review(&self::token(&demo::stranger_key())?)
        .await?
        .body;
    show_decision(&page, &log);
    page.note("the answer to kube-apiserver");
    page.bad(&pretty(&answer));
    page.note("the line in the webhook's log, which has the same reference");
    page.block(&log.last_line());

    if arguments.keep {
        keep(&page, folder.path(), address, &token).await?;
    } else {
        page.title(
            "Done. Add `-- --keep` to leave the server running and get a curl command to try.",
        );
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
  port: 0                     # any free port
  healthPort: 0               # no health port
  stateDir: {folder}/state
  generateKubeconfig: {folder}/kubeconfig.yaml
  sts:
    endpoint: {sts}
    caFile: {sts_ca}
    connectTimeout: 30s       # for a busy machine
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
        // The environment must not affect the demonstration.
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
    let cluster = ClusterId::parse(CLUSTER).ok_or("the cluster ID is not valid")?;
    let token = sign::sign_token_v2(key, &cluster, "quickstart", clock::now())
        .ok_or("the access key cannot sign")?;
    Ok(token)
}

/// Shows a token. Never do this with a real token; this one is valid only within this process.
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

/// Shows what the webhook logged about its last decision.
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
    page.title(
        "The server runs until Ctrl-C or SIGTERM. The token is valid for 15 minutes. Try this command:",
    );
    page.block(&format!(
        "curl --cacert {folder}/state/cert.pem -H 'Content-Type: application/json' --data @{review} \\\n  https://localhost:{port}/authenticate",
        folder = folder.display(),
        review = review.display(),
        port = address.port(),
    ));
    // After both signals, `main` removes the folder with the state.
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| json!(null).to_string())
}
