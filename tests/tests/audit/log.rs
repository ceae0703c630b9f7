//! A log that nobody reads, and one that cannot be written.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::demo;
use ack_ram_tests::webhook::WebhookClient;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::world::{SOON, World, eventually, is_granted, metrics};

/// A server whose standard error is not read by the harness.
struct Server(Child);

impl Server {
    /// Starts it, and waits until it answers.
    async fn start(world: &World, stderr: impl Into<Stdio>, level: &str) -> (Self, WebhookClient) {
        let mut command = world.server();
        command.env("ACK_RAM_AUTHENTICATOR_LOG", level);
        let streams = command.stdin(Stdio::null()).stdout(Stdio::null());
        let server = Self(streams.stderr(stderr).spawn().unwrap());
        let ca = world.folder.path().join("state/cert.pem");
        eventually("the CA", || {
            fs::read_to_string(&ca).ok().filter(|ca| !ca.is_empty())
        })
        .await;
        let webhook = world.webhook();
        let deadline = Instant::now() + SOON;
        while webhook
            .review(&world.token(&demo::user_key()))
            .await
            .is_err()
        {
            assert!(Instant::now() < deadline, "it does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (server, webhook)
    }

    /// Whether it ends by itself when it is asked to.
    async fn stops(&mut self) -> bool {
        let pid = Pid::from_raw(self.0.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        let status = eventually("the end", || self.0.try_wait().unwrap()).await;
        status.success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

async fn lost(webhook: &WebhookClient) -> f64 {
    let told = metrics(webhook).await;
    told.value("ack_ram_authenticator_log_lines_lost_total", &[])
        .unwrap()
}

/// Reviews tokens, each of which must be granted, until lines are lost.
async fn review_until_lines_are_lost(world: &World, webhook: &WebhookClient) {
    let token = world.token(&demo::session_key());
    let deadline = Instant::now() + SOON;
    while lost(webhook).await == 0.0 {
        assert!(Instant::now() < deadline, "no line is lost");
        for _ in 0..20 {
            assert!(is_granted(&webhook.review(&token).await.unwrap()));
        }
    }
    assert!(is_granted(&webhook.review(&token).await.unwrap()));
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_up_neither_logins_nor_the_end() {
    let world = World::new();
    let (unread, stderr) = std::io::pipe().unwrap();
    let (mut server, webhook) = Server::start(&world, stderr, "info").await;
    review_until_lines_are_lost(&world, &webhook).await;
    assert!(server.stops().await);
    drop(unread);
}

#[tokio::test]
async fn a_log_that_is_read_again_tells_how_much_is_missing() {
    let world = World::new();
    let (unread, stderr) = std::io::pipe().unwrap();
    let (mut server, webhook) = Server::start(&world, stderr, "info").await;
    review_until_lines_are_lost(&world, &webhook).await;
    let (line, lines) = mpsc::channel();
    let read = thread::spawn(move || {
        let lines = BufReader::new(unread).lines();
        // Whoever has seen enough is gone.
        lines.for_each(|text| drop(line.send(text.unwrap())));
    });
    let told = lines
        .iter()
        .map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .find(|line: &Value| line["message"].to_string().contains("are lost"));
    assert!(told.unwrap()["lines"].as_u64().unwrap() > 0);
    assert!(server.stops().await);
    read.join().unwrap();
}

#[tokio::test]
async fn a_log_on_a_full_disk_holds_up_no_login() {
    let world = World::new();
    let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (mut server, webhook) = Server::start(&world, full, "info").await;
    review_until_lines_are_lost(&world, &webhook).await;
    assert!(server.stops().await);
}

#[tokio::test]
async fn what_a_login_does_is_told_by_targets_and_tied_by_its_reference() {
    let authenticator = ("ack_ram_authenticator::authenticator", "login");
    let sts = ("ack_ram_authenticator::sts::endpoint", "sts_call");
    for (level, told) in [
        ("warn,ack_ram_authenticator::sts=debug", vec![sts, sts]),
        (
            "warn,ack_ram_authenticator::authenticator=debug",
            vec![authenticator],
        ),
        (
            "warn,ack_ram_authenticator=debug,ack_ram_authenticator::server=warn",
            vec![authenticator, sts, sts],
        ),
    ] {
        let world = World::new();
        let (read, stderr) = std::io::pipe().unwrap();
        let (mut server, webhook) = Server::start(&world, stderr, level).await;
        let token = world.token(&demo::user_key());
        assert!(is_granted(&webhook.review(&token).await.unwrap()));
        assert!(server.stops().await);
        let reference = Fingerprint::from_text(token.expose()).to_string();
        let of_login = |line: &Value| {
            let spans = line["spans"].as_array()?;
            let span = spans.last()?;
            let is_its = span["reference"] == *reference;
            is_its.then(|| [&line["target"], &span["name"]].map(|text| text.to_string()))
        };
        let lines = BufReader::new(read).lines();
        let seen = lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .filter_map(|line| of_login(&line));
        let told = told
            .iter()
            .map(|(target, span)| [target, span].map(|text| format!("\"{text}\"")));
        assert_eq!(Vec::from_iter(seen), Vec::from_iter(told), "{level}");
    }
}

#[test]
fn what_was_logged_before_a_start_that_fails_is_written() {
    let world = World::new();
    let config = world.folder.path().join("config.yaml");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "\"healthPort\":0",
        &format!("\"colour\":1,\"healthPort\":{port}"),
    );
    fs::write(&config, text).unwrap();
    let mut server = Process::spawn("server", world.server()).unwrap();
    let status = server.wait(SOON).unwrap();
    let log = server.stderr();
    assert_eq!(status.code(), Some(1), "{log}");
    let warning = log.find("`server.colour`");
    let error = log.find("error: cannot listen on port");
    assert!(warning.is_some() && warning < error, "{log}");
}
