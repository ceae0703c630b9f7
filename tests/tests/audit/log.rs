//! A log that is not read, and a log that cannot be written.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::process::Process;
use ack_ram_tests::repository::{files_below, read};
use ack_ram_tests::sts::demo;
use ack_ram_tests::webhook::WebhookClient;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use regex::Regex;
use serde_json::Value;

use crate::fixture::{LIMIT, prepare, server_command};

/// A server whose standard error the harness does not read.
struct Server(Child);

impl Server {
    /// Starts the server and waits until it answers.
    async fn start(
        fixture: &Fixture,
        stderr: impl Into<Stdio>,
        level: &str,
    ) -> (Self, WebhookClient) {
        let mut command = server_command(fixture);
        command.env("ACK_RAM_AUTHENTICATOR_LOG", level);
        let streams = command.stdin(Stdio::null()).stdout(Stdio::null());
        let server = Self(streams.stderr(stderr).spawn().unwrap());
        let ca = fixture.ca_file();
        eventually("the CA", async || {
            fs::read_to_string(&ca).ok().filter(|ca| !ca.is_empty())
        })
        .await;
        let webhook = fixture.new_webhook();
        eventually("an answer", async || {
            webhook.review(&fixture.token()).await.is_ok()
        })
        .await;
        (server, webhook)
    }

    /// Sends SIGTERM and returns whether the server exits with success.
    async fn stops(&mut self) -> bool {
        let pid = Pid::from_raw(self.0.id().try_into().unwrap());
        kill(pid, Signal::SIGTERM).unwrap();
        let status = eventually("the exit", async || self.0.try_wait().unwrap()).await;
        status.success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _may_have_ended = self.0.kill();
        let _status = self.0.wait();
    }
}

async fn lost_lines(webhook: &WebhookClient) -> f64 {
    let metrics = webhook.metrics().await;
    metrics
        .value("ack_ram_authenticator_log_lines_lost_total", &[])
        .unwrap()
}

/// Reviews tokens until log lines are lost. Each token must be granted.
async fn review_until_lines_are_lost(fixture: &Fixture, webhook: &WebhookClient) {
    let token = fixture.token_of(&demo::session_key());
    let deadline = Instant::now() + LIMIT;
    while lost_lines(webhook).await == 0.0 {
        assert!(Instant::now() < deadline, "no line is lost");
        for _ in 0..20 {
            assert!(webhook.review(&token).await.unwrap().is_granted());
        }
    }
    assert!(webhook.review(&token).await.unwrap().is_granted());
}

#[tokio::test]
async fn unread_log_delays_neither_logins_nor_shutdown() {
    let fixture = prepare();
    let (unread, stderr) = std::io::pipe().unwrap();
    let (mut server, webhook) = Server::start(&fixture, stderr, "info").await;
    review_until_lines_are_lost(&fixture, &webhook).await;
    assert!(server.stops().await);
    drop(unread);
}

#[tokio::test]
async fn log_read_again_reports_lost_lines() {
    let fixture = prepare();
    let (unread, stderr) = std::io::pipe().unwrap();
    let (mut server, webhook) = Server::start(&fixture, stderr, "info").await;
    review_until_lines_are_lost(&fixture, &webhook).await;
    let (line, lines) = mpsc::channel();
    let read = thread::spawn(move || {
        let lines = BufReader::new(unread).lines();
        // Sending fails once the test has dropped the receiver.
        lines.for_each(|text| drop(line.send(text.unwrap())));
    });
    let report = lines
        .iter()
        .map(|line| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .find(|line: &Value| line["message"].to_string().contains("are lost"));
    assert!(report.unwrap()["lines"].as_u64().unwrap() > 0);
    assert!(server.stops().await);
    read.join().unwrap();
}

#[tokio::test]
async fn log_on_full_disk_does_not_delay_logins() {
    let fixture = prepare();
    let full: File = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (mut server, webhook) = Server::start(&fixture, full, "info").await;
    review_until_lines_are_lost(&fixture, &webhook).await;
    assert!(server.stops().await);
}

#[tokio::test]
async fn login_log_lines_share_targets_and_reference() {
    let authenticator = ("ack_ram_authenticator::authenticator", "login");
    let sts = ("ack_ram_authenticator::sts::endpoint", "sts_call");
    for (level, expected) in [
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
        let fixture = prepare();
        let (read, stderr) = std::io::pipe().unwrap();
        let (mut server, webhook) = Server::start(&fixture, stderr, level).await;
        let token = fixture.token();
        assert!(webhook.review(&token).await.unwrap().is_granted());
        assert!(server.stops().await);
        let reference = Fingerprint::from_text(token.expose()).to_string();
        let of_login = |line: &Value| {
            let spans = line["spans"].as_array()?;
            let span = spans.last()?;
            let is_its = span["reference"] == *reference;
            is_its.then(|| [&line["target"], &span["name"]].map(|text| text.to_string()))
        };
        let lines = BufReader::new(read).lines();
        let logged = lines
            .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
            .filter_map(|line| of_login(&line));
        let expected = expected
            .iter()
            .map(|(target, span)| [target, span].map(|text| format!("\"{text}\"")));
        assert_eq!(Vec::from_iter(logged), Vec::from_iter(expected), "{level}");
    }
}

#[test]
fn failed_start_writes_earlier_log_lines() {
    let fixture = prepare();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    fixture.edit(|server| {
        server["color"] = 1.into();
        server["healthPort"] = port.into();
    });
    let mut server = Process::spawn("server", server_command(&fixture)).unwrap();
    let status = server.wait(LIMIT).unwrap();
    let log = server.stderr();
    assert_eq!(status.code(), Some(1), "{log}");
    let warning = log.find("`server.color`");
    let error = log.find("error: cannot listen on port");
    assert!(warning.is_some() && warning < error, "{log}");
}

/// The modules whose log lines operators filter by: the modules that CONFIGURATION.md names, and those of start and
/// shutdown.
const LOG_MODULES: [&str; 10] = [
    "audit",
    "authenticator",
    "backends",
    "certs",
    "cli",
    "kubeconfig",
    "kubernetes",
    "logging",
    "server",
    "sts",
];

/// A line that moves to another module must keep its target. Otherwise, a filter does not find it any more.
#[test]
fn log_lines_outside_the_known_modules_name_their_target() {
    let event = Regex::new(r"tracing::(?:error|warn|info|debug|trace)!\(\s*(\S+)").unwrap();
    let mut events = 0;
    for file in files_below("host/src") {
        let module = file.with_extension("");
        let module = module.iter().next().unwrap().to_str().unwrap();
        let source = read(&Path::new("host/src").join(&file));
        for found in event.captures_iter(&source) {
            events += 1;
            let has_target = &found[1] == "target:";
            assert!(
                has_target || LOG_MODULES.contains(&module),
                "{}: {}",
                file.display(),
                &found[0]
            );
        }
    }
    assert!(events > 100, "{events} events found");
}
