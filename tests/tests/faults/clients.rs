//! Faulty clients: slow, silent, half-open, very many, or with a flood of bad tokens.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::callers::{CLUSTER, Outcome, outcome};
use ack_ram_tests::sts::{Emulator, Fault};
use ack_ram_tests::webhook::{WebhookClient, trusting};
use bytes::Bytes;
use hyper::Method;
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fixture::Meanwhile::Granted;
use crate::fixture::{FaultFixture, PATIENCE, Plan};
use crate::matrix::{Fail, Figures, Matrix};

const CLIENTS: usize = 200;
/// Fewer slots than clients, so that idle clients are evicted.
const FEW_SLOTS: usize = 128;
/// The default of the server.
const SLOTS: usize = 4_096;

pub fn rows(matrix: &mut Matrix) {
    for (name, client, slots) in [
        ("clients: 200 silent, 128 slots", Client::Silent, FEW_SLOTS),
        (
            "clients: 200 in the middle of the handshake, 128 slots",
            Client::HalfHello,
            FEW_SLOTS,
        ),
        (
            "clients: 200 that send a head slowly, 128 slots",
            Client::SlowHead,
            FEW_SLOTS,
        ),
        (
            "clients: 200 without TLS, 128 slots",
            Client::NoTls,
            FEW_SLOTS,
        ),
        (
            "clients: 200 that send a body slowly",
            Client::SlowBody,
            SLOTS,
        ),
        (
            "clients: 200 that send a body slowly, 128 slots",
            Client::SlowBody,
            FEW_SLOTS,
        ),
        (
            "clients: 200 that do not read answers",
            Client::NeverReads,
            SLOTS,
        ),
        (
            "clients: 200 that disconnect before the answer",
            Client::Disconnects,
            SLOTS,
        ),
    ] {
        matrix.row_alone(name, move || row(client, slots));
    }
    matrix.row_alone("clients: 10,000 idle connections", ten_thousand);
    for (name, flood) in [
        ("flood: malformed tokens", Flood::Garbage),
        ("flood: wrong secrets of one key", Flood::OneKey),
        ("flood: wrong secrets of many keys", Flood::ManyKeys),
        ("flood: a megabyte in place of a review", Flood::Large),
    ] {
        matrix.row_alone(name, move || floods(flood));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Silent,
    HalfHello,
    SlowHead,
    SlowBody,
    NeverReads,
    Disconnects,
    NoTls,
}

const HEAD: &str =
    "POST /authenticate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

impl Client {
    /// Connects again each time that the connection ends.
    async fn run(self, port: u16, tls: TlsConnector) {
        loop {
            // An error is an expected end of these clients.
            let _ended = self.once(port, &tls).await;
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn once(self, port: u16, tls: &TlsConnector) -> Result<(), Fail> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        match self {
            Self::Silent => until_closed(&mut stream).await?,
            Self::HalfHello => {
                // The start of a TLS record of 512 bytes with a ClientHello. The rest is never sent.
                stream
                    .write_all(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])
                    .await?;
                until_closed(&mut stream).await?;
            }
            Self::NoTls => {
                stream.write_all(HEAD.as_bytes()).await?;
                until_closed(&mut stream).await?;
            }
            Self::SlowHead => {
                let mut stream = handshake(tls, stream).await?;
                stream.write_all(HEAD.as_bytes()).await?;
                drip(&mut stream, b"x").await?;
            }
            Self::SlowBody => {
                let mut stream = handshake(tls, stream).await?;
                let head = format!("{HEAD}content-length: 1000\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                drip(&mut stream, b" ").await?;
            }
            Self::NeverReads => {
                let mut stream = handshake(tls, stream).await?;
                let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
                stream.write_all(request.repeat(100).as_bytes()).await?;
                stream.flush().await?;
                std::future::pending().await
            }
            Self::Disconnects => {
                let mut stream = handshake(tls, stream).await?;
                let head = format!("{HEAD}content-length: 2\r\n\r\n{{}}");
                stream.write_all(head.as_bytes()).await?;
                stream.flush().await?;
                stream.get_ref().0.set_zero_linger()?;
            }
        }
        Ok(())
    }
}

async fn handshake(tls: &TlsConnector, stream: TcpStream) -> Result<TlsStream<TcpStream>, Fail> {
    let name = ServerName::try_from("localhost")?;
    Ok(tls.connect(name, stream).await?)
}

async fn until_closed(stream: &mut TcpStream) -> Result<(), Fail> {
    let mut ignored = [0; 256];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

async fn drip(stream: &mut TlsStream<TcpStream>, byte: &[u8]) -> Result<(), Fail> {
    loop {
        stream.write_all(byte).await?;
        stream.flush().await?;
        sleep(Duration::from_millis(500)).await;
    }
}

async fn fixture(slots: usize) -> Result<FaultFixture, Fail> {
    let plan = Plan {
        settings: json!({ "limits": { "maxConnections": slots } }),
        ..Plan::default()
    };
    FaultFixture::start_with(Emulator::builder().demo().start()?, plan).await
}

/// Checks that existing callers are granted, and that a new client gets a connection.
async fn row(client: Client, slots: usize) -> Result<Figures, Fail> {
    let fixture = fixture(slots).await?;
    let tls = TlsConnector::from(Arc::new(trusting(&fixture.ca())?));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client.run(fixture.port, tls.clone()));
    }
    // Until all clients are connected.
    sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    let new_client = fixture.client.at(fixture.webhook()?);
    fixture.recovered_as(&new_client).await?;
    let elapsed = start.elapsed();
    let tally = fixture.run_traffic().await;
    Granted.check(&tally)?;
    clients.shutdown().await;
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(tally, recovered).await?;
    let note = format!(
        "a new client was granted after {:.2} s",
        elapsed.as_secs_f64()
    );
    Ok(Figures { note, ..figures })
}

/// Opens 10,000 connections from several addresses, because one address does not have enough ports.
async fn ten_thousand() -> Result<Figures, Fail> {
    const WANTED: usize = 10_000;
    let fixture = FaultFixture::start().await?;
    let open = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..WANTED {
        let address = Ipv4Addr::new(127, 0, 1, u8::try_from(number % 8)? + 1);
        clients.spawn(stay_connected(address, fixture.port, Arc::clone(&open)));
    }
    let start = Instant::now();
    let mut most = 0;
    while start.elapsed() < Duration::from_secs(10) {
        most = most.max(open.load(Ordering::Relaxed));
        sleep(Duration::from_millis(20)).await;
    }
    if let Some(failed) = clients.try_join_next() {
        return Err(format!("a client failed: {failed:?}").into());
    }
    let new_client = fixture.client.at(fixture.webhook()?);
    let start = Instant::now();
    fixture.recovered_as(&new_client).await?;
    let elapsed = start.elapsed();
    let tally = fixture.run_traffic().await;
    Granted.check(&tally)?;
    clients.shutdown().await;
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(tally, recovered).await?;
    let note = format!(
        "{most} connected at the same time; a new client was granted after {:.2} s",
        elapsed.as_secs_f64()
    );
    Ok(Figures { note, ..figures })
}

/// Sends nothing, and connects again each time that the server closes the connection.
async fn stay_connected(
    address: Ipv4Addr,
    port: u16,
    open: Arc<AtomicUsize>,
) -> io::Result<Infallible> {
    loop {
        let socket = TcpSocket::new_v4()?;
        socket.bind((address, 0).into())?;
        let server = (Ipv4Addr::LOCALHOST, port).into();
        let Ok(mut stream) = socket.connect(server).await else {
            continue;
        };
        open.fetch_add(1, Ordering::Relaxed);
        let _ended = until_closed(&mut stream).await;
        open.fetch_sub(1, Ordering::Relaxed);
        sleep(Duration::from_millis(500)).await;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flood {
    Garbage,
    OneKey,
    ManyKeys,
    Large,
}

/// Number of clients that send tokens without a pause.
const FLOODERS: usize = 64;

async fn floods(flood: Flood) -> Result<Figures, Fail> {
    let fixture = FaultFixture::start().await?;
    // The usual latency of STS.
    let delay = Duration::from_millis(20);
    fixture.sts.set_fault(Some(Fault::Delay(delay)));
    let answered = Arc::new(AtomicUsize::new(0));
    let now = fixture.sts.now();
    let webhook = fixture.webhook()?;
    let mut flooders = JoinSet::new();
    for flooder in 0..FLOODERS {
        let (webhook, answered) = (webhook.clone(), Arc::clone(&answered));
        if flood == Flood::Large {
            flooders.spawn(send_large_bodies(webhook, answered));
            continue;
        }
        flooders.spawn(async move {
            for count in 0_u64.. {
                let key = match flood {
                    Flood::ManyKeys => format!("LTAI5tFlood{flooder}x{count}"),
                    _ => "LTAI5tFlood".to_owned(),
                };
                let token = match flood {
                    Flood::Garbage => Secret::new(format!("k8s-ack-v2.{flooder}x{count}")),
                    Flood::OneKey | Flood::ManyKeys | Flood::Large => {
                        let key = AccessKey {
                            id: AccessKeyId::parse(&key).expect("letters and digits"),
                            secret: Secret::new("wrong"),
                            security_token: None,
                        };
                        let cluster = ClusterId::parse(CLUSTER).expect("a cluster id");
                        let user_agent = format!("{flooder}x{count}");
                        sign::sign_token_v2(&key, &cluster, &user_agent, now).expect("it signs")
                    }
                };
                flood_once(&webhook, &token).await;
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    sleep(Duration::from_millis(500)).await;
    let start = (Instant::now(), answered.load(Ordering::Relaxed));
    let tally = fixture.run_traffic().await;
    let rate =
        (answered.load(Ordering::Relaxed) - start.1) as f64 / start.0.elapsed().as_secs_f64();
    Granted.check(&tally)?;
    if let Some(Err(panicked)) = flooders.try_join_next() {
        return Err(panicked.into());
    }
    flooders.shutdown().await;
    fixture.sts.set_fault(None);
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(tally, recovered).await?;
    let note = format!("{rate:.0} bad tokens per second");
    Ok(Figures { note, ..figures })
}

async fn send_large_bodies(webhook: WebhookClient, answered: Arc<AtomicUsize>) {
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    loop {
        let request = webhook.request(Method::POST, "/authenticate");
        let request = request.body(body.clone().into()).expect("a request");
        // No answer to these requests can be a grant.
        let _reply = timeout(PATIENCE, webhook.send(request)).await;
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sends one token.
///
/// # Panics
/// When the login is granted.
async fn flood_once(webhook: &WebhookClient, token: &Secret) {
    let reply = timeout(PATIENCE, webhook.review(token)).await;
    if let Ok(Ok(reply)) = reply {
        let result = outcome(&reply);
        assert_ne!(result, Some(Outcome::Granted));
    }
}
