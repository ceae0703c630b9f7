//! Memory of the real binary before, at and after a peak: the server returns the memory to the system, and the peak
//! stays below the bound of `host/src/server/memory.rs`.

use std::convert::Infallible;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::webhook::trusting;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use http_body_util::StreamBody;
use hyper::Request;
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const MIB: u64 = 1 << 20;
/// How long an event may take, even on a slow machine.
const LIMIT: Duration = Duration::from_secs(900);
/// The time after the peak at which the size is reported.
const REPORTED_AFTER: Duration = Duration::from_secs(10);

/// The memory that a server keeps after work: threads, pools, caches.
const KEPT: u64 = 16 * MIB;

const MAPPINGS: usize = 200_000;
const CONNECTIONS: usize = 4_000;
const BODIES_EACH: usize = 4;
const BODY: usize = 62 * 1024;
const TOKENS: usize = 5_000;

/// The worst case of one connection, the worst case of one body, and the maximum number of bodies, as in `memory.rs`
/// and the defaults.
const CONNECTION_BOUND: u64 = 112 * 1024;
const BODY_BOUND: u64 = 128 * 1024;
const MAX_BODIES: u64 = 1_024;

/// A server whose mappings are in a dynamic file.
struct MeasuredServer {
    fixture: Fixture,
}

impl MeasuredServer {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mappings = folder.path().join("mappings.json");
        fs::write(&mappings, json!({ "mapUsers": [] }).to_string()).unwrap();
        let settings = json!({
            "backendMode": ["DynamicFile"],
            "dynamicFilePath": mappings,
            // Fixed limits, independent of the memory of this machine.
            "limits": { "maxConnections": 4_096, "maxBodies": MAX_BODIES, "bodyTimeout": "30s" },
        });
        let fixture = Fixture::builder()
            .folder(folder)
            .settings(&settings)
            .start();
        Self { fixture }
    }

    /// Returns the value of `name` in the process status of the server, in bytes.
    fn status(&self, name: &str) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.fixture.server().pid())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        let kib = line.split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() * 1024
    }

    fn resident(&self) -> u64 {
        self.status("VmRSS")
    }

    fn write_mappings(&self, entries: &[Value]) {
        let mappings = json!({ "mapUsers": entries }).to_string();
        self.fixture.replace("mappings.json", &mappings);
    }

    fn wait_for_log(&mut self, part: &str) {
        let server = self.fixture.server_mut();
        server
            .wait_for_log(|line| line.contains(part), LIMIT)
            .unwrap();
    }

    /// Reports the sizes around the previous peak, and waits until the server has returned half of its memory. Returns
    /// the peak.
    async fn report(&self, what: &str, before: u64) -> u64 {
        let peak = self.status("VmHWM");
        let over = Instant::now();
        let half = before + ((peak - before) / 2).max(KEPT);
        tokio::time::sleep(REPORTED_AFTER).await;
        let after = self.resident();
        println!(
            "{what}: {} MiB before, {} MiB at the peak, {} MiB after {REPORTED_AFTER:?}",
            before / MIB,
            peak / MIB,
            after / MIB
        );
        while self.resident() > half {
            assert!(
                over.elapsed() < LIMIT,
                "{what}: {} MiB are not returned",
                self.resident() / MIB
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        peak
    }
}

#[tokio::test]
async fn removed_mappings_release_memory() {
    let mut server = MeasuredServer::start();
    let before = server.resident();
    let entries: Vec<Value> = (0..MAPPINGS)
        .map(|number| {
            let arn = format!("acs:ram::1234567890123456:user/u{number}");
            json!({ "userARN": arn, "username": format!("u{number}"), "groups": ["dev", "ops"] })
        })
        .collect();
    server.write_mappings(&entries);
    server.wait_for_log(&format!("mappings={MAPPINGS}"));
    server.write_mappings(&[]);
    server.wait_for_log(&format!("gone={MAPPINGS}"));
    server.report("200,000 mappings", before).await;
}

#[tokio::test]
async fn unfinished_bodies_stay_within_bound_and_release_memory() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let server = MeasuredServer::start();
    let before = server.resident();
    let mut tls = trusting(&server.fixture.ca_file()).unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(tls));
    let connect = async || {
        let stream = TcpStream::connect(("127.0.0.1", server.fixture.port))
            .await
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, stream).await.unwrap();
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.unwrap();
        let connection = tokio::spawn(connection);
        let mut sent = Vec::new();
        for _ in 0..BODIES_EACH {
            let piece = Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b' '; BODY])));
            let body = stream::iter([piece]).chain(stream::pending());
            let request = Request::post("https://localhost/authenticate")
                .header("content-type", "application/json")
                .body(StreamBody::new(Box::pin(body)));
            sender.ready().await.unwrap();
            sent.push(tokio::spawn(sender.send_request(request.unwrap())));
        }
        (sender, connection, sent)
    };
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS / 100 {
        connections.extend(join_all((0..100).map(|_| connect())).await);
    }
    // The oldest bodies were evicted for the newest.
    let mut evicted = 0;
    for (_, _, sent) in &mut connections {
        for answer in sent.iter_mut() {
            if evicted < CONNECTIONS * BODIES_EACH - usize::try_from(MAX_BODIES).unwrap() {
                let answer = tokio::time::timeout(LIMIT, answer).await.unwrap();
                evicted += usize::from(answer.unwrap().is_ok());
            }
        }
    }
    for (_, connection, sent) in connections.drain(..) {
        connection.abort();
        sent.iter().for_each(tokio::task::JoinHandle::abort);
    }
    let peak = server
        .report("4,000 connections with four unfinished bodies", before)
        .await;
    let bound = CONNECTIONS as u64 * CONNECTION_BOUND + MAX_BODIES * BODY_BOUND;
    println!("bound: {} MiB", bound / MIB);
    assert!(peak - before < bound, "{} MiB", (peak - before) / MIB);
}

#[tokio::test]
async fn flood_of_tokens_releases_memory() {
    let server = MeasuredServer::start();
    let before = server.resident();
    let webhook = server.fixture.new_webhook();
    let garbage = Secret::new(format!("k8s-ack-v2.{}", "e30".repeat(5_000)));
    // Opens the connection for all following reviews.
    assert_eq!(webhook.review(&garbage).await.unwrap().status, 200);
    for _ in 0..TOKENS / 100 {
        for reply in join_all((0..100).map(|_| webhook.review(&garbage))).await {
            assert_eq!(reply.unwrap().status, 200);
        }
    }
    drop(webhook);
    server.report("5,000 tokens of 15 KB", before).await;
}
