//! Clients at fault: slow, silent, half-open, very many, or full of bad tokens.

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

const MANY: usize = 200;
/// Fewer than they are: those who are idle have to make room.
const FEW_PLACES: usize = 128;
/// The server's own number.
const PLACES: usize = 4_096;

pub fn rows(matrix: &mut Matrix) {
    for (name, client, places) in [
        (
            "clients: 200 that say nothing, 128 places",
            Client::Silent,
            FEW_PLACES,
        ),
        (
            "clients: 200 half-way into the handshake, 128 places",
            Client::HalfHello,
            FEW_PLACES,
        ),
        (
            "clients: 200 that send a head slowly, 128 places",
            Client::SlowHead,
            FEW_PLACES,
        ),
        (
            "clients: 200 that speak no TLS, 128 places",
            Client::NoTls,
            FEW_PLACES,
        ),
        (
            "clients: 200 that send a body slowly",
            Client::SlowBody,
            PLACES,
        ),
        (
            "clients: 200 that send a body slowly, 128 places",
            Client::SlowBody,
            FEW_PLACES,
        ),
        (
            "clients: 200 that read no answers",
            Client::NeverReads,
            PLACES,
        ),
        (
            "clients: 200 that go away before the answer",
            Client::GoesAway,
            PLACES,
        ),
    ] {
        matrix.row_alone(name, move || row(client, places));
    }
    matrix.row_alone("clients: 10,000 idle connections", ten_thousand);
    for (name, flood) in [
        ("flood: tokens that are none", Flood::Garbage),
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
    GoesAway,
    NoTls,
}

const HEAD: &str =
    "POST /authenticate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";

impl Client {
    /// Comes again whenever it is turned away.
    async fn play(self, port: u16, tls: TlsConnector) {
        loop {
            // However it ends, that is what this client is for.
            let _ended = self.once(port, &tls).await;
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn once(self, port: u16, tls: &TlsConnector) -> Result<(), Fail> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        match self {
            Self::Silent => until_closed(&mut stream).await?,
            Self::HalfHello => {
                // A record of 512 bytes with a ClientHello, of which most never comes.
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
            Self::GoesAway => {
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

async fn fixture(places: usize) -> Result<FaultFixture, Fail> {
    let plan = Plan {
        settings: json!({ "limits": { "maxConnections": places } }),
        ..Plan::default()
    };
    FaultFixture::start_with(Emulator::builder().demo().start()?, plan).await
}

/// Those who are served go on, and a new client gets in.
async fn row(client: Client, places: usize) -> Result<Figures, Fail> {
    let fixture = fixture(places).await?;
    let tls = TlsConnector::from(Arc::new(trusting(&fixture.ca())?));
    let mut clients = JoinSet::new();
    for _ in 0..MANY {
        clients.spawn(client.play(fixture.port, tls.clone()));
    }
    // Until they all have come.
    sleep(Duration::from_secs(2)).await;
    let start = Instant::now();
    let new_client = fixture.client.at(fixture.webhook()?);
    fixture.recovered_as(&new_client).await?;
    let newcomers = start.elapsed();
    let tally = fixture.run_traffic().await;
    Granted.check(&tally)?;
    clients.shutdown().await;
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(tally, recovered).await?;
    let note = format!("a new client got in after {:.2} s", newcomers.as_secs_f64());
    Ok(Figures { note, ..figures })
}

/// From several addresses, for one has not so many ports.
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
    if let Some(given_up) = clients.try_join_next() {
        return Err(format!("a client gave up: {given_up:?}").into());
    }
    let new_client = fixture.client.at(fixture.webhook()?);
    let start = Instant::now();
    fixture.recovered_as(&new_client).await?;
    let newcomers = start.elapsed();
    let tally = fixture.run_traffic().await;
    Granted.check(&tally)?;
    clients.shutdown().await;
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(tally, recovered).await?;
    let note = format!(
        "{most} connected at once; a new client got in after {:.2} s",
        newcomers.as_secs_f64()
    );
    Ok(Figures { note, ..figures })
}

/// Says nothing, and comes again when it is sent away.
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

/// So many ask without a pause.
const FLOODERS: usize = 64;

async fn floods(flood: Flood) -> Result<Figures, Fail> {
    let fixture = FaultFixture::start().await?;
    // STS is as far away as it is used to be.
    let delay = Duration::from_millis(20);
    fixture.sts.set_fault(Some(Fault::Delay(delay)));
    let asked = Arc::new(AtomicUsize::new(0));
    let now = fixture.sts.now();
    let webhook = fixture.webhook()?;
    let mut flooders = JoinSet::new();
    for flooder in 0..FLOODERS {
        let (webhook, asked) = (webhook.clone(), Arc::clone(&asked));
        if flood == Flood::Large {
            flooders.spawn(large_ones(webhook, asked));
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
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    sleep(Duration::from_millis(500)).await;
    let start = (Instant::now(), asked.load(Ordering::Relaxed));
    let tally = fixture.run_traffic().await;
    let rate = (asked.load(Ordering::Relaxed) - start.1) as f64 / start.0.elapsed().as_secs_f64();
    Granted.check(&tally)?;
    if let Some(Err(panicked)) = flooders.try_join_next() {
        return Err(panicked.into());
    }
    flooders.shutdown().await;
    fixture.sts.set_fault(None);
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(tally, recovered).await?;
    let note = format!("{rate:.0} bad ones a second");
    Ok(Figures { note, ..figures })
}

async fn large_ones(webhook: WebhookClient, asked: Arc<AtomicUsize>) {
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    loop {
        let request = webhook.request(Method::POST, "/authenticate");
        let request = request.body(body.clone().into()).expect("a request");
        // Whatever the answer is, there is no grant in it.
        let _told = timeout(PATIENCE, webhook.send(request)).await;
        asked.fetch_add(1, Ordering::Relaxed);
    }
}

/// # Panics
/// When it is let in.
async fn flood_once(webhook: &WebhookClient, token: &Secret) {
    let reply = timeout(PATIENCE, webhook.review(token)).await;
    if let Ok(Ok(reply)) = reply {
        let told = outcome(&reply);
        assert_ne!(told, Some(Outcome::Granted));
    }
}
