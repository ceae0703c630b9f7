//! A server with its STS. Each event becomes a section of a snapshot, with the reply and the log lines of the event.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::callers::{CLUSTER, bearer};
use ack_ram_tests::dates::DistinctDates;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::sts::Emulator;
use ack_ram_tests::webhook::{Reply, WebhookClient};
use bytes::Bytes;
use hyper::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::plan::{Plan, replace, text};
use crate::snapshot;

/// How long an event may take, even on a slow machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    pub(crate) plan: Plan,
    pub(crate) authenticator: Authenticator,
    pub(crate) webhook: WebhookClient,
    dates: DistinctDates,
    /// The number of bytes of the log that were read.
    log_position: usize,
    /// The sections so far.
    text: String,
}

impl Server {
    /// Returns a server that listens, and whose certificate is of the authority in `ca`.
    pub(crate) fn new(plan: Plan, authenticator: Authenticator, ca: &Path) -> Self {
        Self {
            webhook: WebhookClient::new(ca, plan.port).unwrap(),
            dates: DistinctDates::back_from(plan.sts.now()),
            authenticator,
            log_position: 0,
            text: String::new(),
            plan,
        }
    }

    pub(crate) fn sts(&self) -> &Emulator {
        &self.plan.sts
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.plan.path(name)
    }

    /// Signs a token that differs from all others.
    pub(crate) fn token(&self, key: &AccessKey) -> Secret {
        self.token_for(key, CLUSTER, 0)
    }

    /// Signs a token for `cluster` with a date `age` seconds ago.
    pub(crate) fn token_for(&self, key: &AccessKey, cluster: &str, age: i64) -> Secret {
        let cluster = ClusterId::parse(cluster).unwrap();
        let date = self.dates.next().plus_seconds(-age);
        sign::sign_token_v2(key, &cluster, "test", date).unwrap()
    }

    pub(crate) async fn review(&self, token: &Secret) -> Reply {
        self.webhook.review(token).await.unwrap()
    }

    /// Sends a request to the webhook's port.
    pub(crate) async fn send_request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut request = self.webhook.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::copy_from_slice(body).into()).unwrap();
        self.webhook.send(request).await.unwrap()
    }

    /// Sends the request of a proxy that checks a request with `token`.
    pub(crate) async fn ask_as_proxy(&self, token: &Secret) -> Reply {
        let headers = [("authorization", &*bearer(token))];
        self.send_request(Method::GET, "/ext-authz/", &headers, b"")
            .await
    }

    /// Gets `path` from the health port. Returns the reply without the headers for the date and the length.
    pub(crate) async fn ask_health(&self, path: &str) -> String {
        let address = ("127.0.0.1", self.plan.health_port);
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head
            .lines()
            .filter(|line| !line.starts_with("date: ") && !line.starts_with("content-length: "));
        let head: Vec<_> = head.collect();
        format!("{}\n\n{body}", head.join("\n"))
    }

    /// Waits until the reply of `/readyz` contains `part`, because the log may be first. Adds a section with the reply.
    pub(crate) async fn ready(&mut self, name: &str, part: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            let reply = self.ask_health("/readyz?verbose").await;
            if reply.contains(part) {
                return self.section(name, &reply);
            }
            assert!(Instant::now() < deadline, "no {part}: {reply}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Edits `server` in the configuration file.
    pub(crate) fn edit(&mut self, edit: impl FnOnce(&mut Value)) {
        edit(&mut self.plan.config["server"]);
        replace(&self.path("config.yaml"), &text(&self.plan.config));
    }

    /// Waits until the server has read the configuration file after the start, so that every later change is an edit.
    pub(crate) async fn settle(&self) {
        let name = "ack_ram_authenticator_reloads_total";
        let labels = [("source", "MountedFile"), ("result", "success")];
        let deadline = Instant::now() + LIMIT;
        loop {
            let reply = self.send_request(Method::GET, "/metrics", &[], b"").await;
            let text = String::from_utf8_lossy(&reply.bytes);
            if Exposition::parse(&text).unwrap().value(name, &labels) >= Some(1.0) {
                return;
            }
            assert!(Instant::now() < deadline, "{text}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends SIGHUP, so that the server reads all files again.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::SIGHUP);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.authenticator.pid()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Waits until the server has exited.
    pub(crate) fn wait_for_exit(&mut self) {
        let status = self.authenticator.wait(LIMIT).unwrap();
        assert!(status.success(), "{status}");
    }

    /// Adds a section `name` with `reply` and the sorted log lines since the last section. Waits until the lines
    /// contain each of `parts`.
    pub(crate) async fn event(&mut self, name: &str, reply: &str, parts: &[&str]) {
        let lines = self.lines_with(parts).await;
        let reply = snapshot::stable(reply, self.plan.folder.path());
        self.text += &format!("# {name}\n{reply}");
        if !reply.is_empty() && !reply.ends_with('\n') {
            self.text.push('\n');
        }
        for line in lines {
            self.text += &line;
            self.text.push('\n');
        }
        self.text.push('\n');
    }

    /// Waits until the log contains `parts`, and skips the lines so far.
    pub(crate) async fn lines_so_far(&mut self, parts: &[&str]) {
        let _lines = self.lines_with(parts).await;
    }

    /// Waits until the log lines since the last section contain each of `parts`. Returns the lines that contain one of
    /// `parts`.
    pub(crate) async fn lines_of(&mut self, parts: &[&str]) -> String {
        let lines = self.lines_with(parts).await.into_iter();
        let lines = lines.filter(|line| parts.iter().any(|part| line.contains(part)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Adds a section.
    pub(crate) fn section(&mut self, name: &str, text: &str) {
        let text = snapshot::stable(text, self.plan.folder.path());
        self.text += &format!("# {name}\n{}\n\n", text.trim_end());
    }

    pub(crate) fn port(&self) -> u16 {
        self.plan.port
    }

    /// Kills the server, and compares all sections with the snapshot `name`.
    pub(crate) fn check(self, name: &str) -> Plan {
        self.authenticator.kill();
        snapshot::check(name, &self.text);
        self.plan
    }

    /// Kills the server, because a stop would wait for its clients. Returns all sections.
    pub(crate) fn finish(self) -> String {
        self.authenticator.kill();
        self.text
    }

    async fn lines_with(&mut self, parts: &[&str]) -> Vec<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let log = self.authenticator.log();
            let new = &log[self.log_position..];
            let new = new.rfind('\n').map_or("", |end| &new[..=end]);
            if parts.iter().all(|part| new.contains(part)) {
                self.log_position += new.len();
                let stable = snapshot::stable(new, self.plan.folder.path());
                // A machine with little memory adds this line.
                let lines = stable
                    .lines()
                    .filter(|line| !line.contains("control group"));
                let mut lines: Vec<_> = lines.map(str::to_owned).collect();
                lines.sort();
                return lines;
            }
            assert!(Instant::now() < deadline, "no {parts:?}: {log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Formats the status, the headers and the body of a reply, without headers that vary.
pub(crate) fn describe(reply: &Reply) -> String {
    let mut headers: Vec<_> = reply
        .headers
        .iter()
        .filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
        .collect();
    headers.sort();
    let body = String::from_utf8_lossy(&reply.bytes);
    format!("{}\n{}{body}", reply.status.as_u16(), headers.concat())
}
