//! Connections over real sockets, with a clock that advances whenever nothing else is left to wait for.

mod evictions;
mod floods;
mod frames;
mod heads;
mod unread_bodies;

use std::net::SocketAddr;

use ack_ram_core::rules::RuleSet;
use ack_ram_core::time::UnixTime;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use frames::{
    END_STREAM_AND_HEADERS, FrameReader, GET_ROOT, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS,
    frame, read_frames,
};

use super::*;
use crate::backends::live::LiveRules;
use crate::metrics::Metrics;
use crate::server::status;

/// A time longer than any deadline.
const FOREVER: Duration = Duration::from_secs(3_600);

const BOUNDS: ConnectionLimits = ConnectionLimits {
    connections: 8,
    streams: 100,
    max_head: 16 * 1024,
    header_timeout: Duration::from_secs(30),
    idle_timeout: Duration::from_secs(120),
};

/// Responds with `ok`. It panics at `/panic`, waits for the test at `/wait`, and grants a login at `/login`.
struct Answers {
    may_answer: Semaphore,
    arrived: Semaphore,
}

impl Responder for Answers {
    async fn respond(
        &self,
        request: Request<RequestBody>,
        guard: &RequestGuard,
    ) -> Response<Full<Bytes>> {
        match request.uri().path() {
            "/login" => guard.mark_granted(),
            "/panic" => panic!("requested panic"),
            "/wait" => {
                self.arrived.add_permits(1);
                self.may_answer.acquire().await.unwrap().forget();
            }
            "/long" => return Response::new(Full::from(vec![b'x'; 1 << 20])),
            "/refuse" => return status::status(413, "RequestEntityTooLarge", "too long"),
            _ => {}
        }
        Response::new(Full::from("ok"))
    }

    fn max_head(&self, path: &str) -> usize {
        match path {
            "/small" => 1_024,
            _ => BOUNDS.max_head,
        }
    }

    fn refuse_head(&self, _: &str, reason: &str) -> Response<Full<Bytes>> {
        status::status(head::STATUS, "RequestHeaderFieldsTooLarge", reason)
    }
}

/// A listener without TLS.
struct ListenerFixture {
    address: SocketAddr,
    answers: Arc<Answers>,
    metrics: PortMetrics,
    stop: Arc<tokio::sync::Notify>,
    stopped: tokio::task::JoinHandle<()>,
}

impl ListenerFixture {
    async fn new(bounds: ConnectionLimits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rules = RuleSet::new(Vec::new(), []);
        let now = UnixTime::from_seconds(0);
        let metrics = Metrics::new(Arc::new(LiveRules::new(rules, now)), crate::clock::now);
        let metrics = metrics.unwrap().connections.port("test");
        let lines = Arc::new(LineLimiter::new(None, crate::clock::wall_clock));
        let mut connections = Connections::new(listener, None, bounds, metrics.clone(), lines);
        let answers = Arc::new(Answers {
            may_answer: Semaphore::new(0),
            arrived: Semaphore::new(0),
        });
        let stop = Arc::new(tokio::sync::Notify::new());
        let (stopping, respond) = (Arc::clone(&stop), Arc::clone(&answers));
        let stopped = tokio::spawn(async move {
            tokio::select! {
                () = connections.serve(respond) => {}
                () = stopping.notified() => {}
            }
            connections.finish().await;
        });
        Self {
            address,
            answers,
            metrics,
            stop,
            stopped,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Connects and sends `bytes`.
    async fn connect_and_send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream
    }

    async fn http1(&self) -> http1::SendRequest<Empty<Bytes>> {
        let stream = TokioIo::new(self.connect().await);
        let (sender, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn http2(&self) -> http2::SendRequest<Empty<Bytes>> {
        let stream = TokioIo::new(self.connect().await);
        let handshake = http2::handshake(TokioExecutor::new(), stream).await;
        let (sender, connection) = handshake.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Returns the response to a request on a new connection.
    async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        read_to_close(self.connect_and_send(request.as_bytes()).await).await
    }

    /// Waits until `wanted` connections are open.
    async fn until_open(&self, wanted: i64) {
        while self.metrics.open.get() != wanted {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    let request = Request::get(format!("http://h{path}"));
    request.header("host", "h").body(Empty::new()).unwrap()
}

/// Reads until the connection is closed or reset.
async fn read_to_close(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ended = tokio::time::timeout(FOREVER, stream.read_to_end(&mut answer))
        .await
        .expect("the connection is closed");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(start_paused = true)]
async fn idle_connection_is_closed() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let settings = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for sent in [
        "".as_bytes(),
        b"P",
        b"GET /healthz HTTP/1.1\r\n",
        PREFACE,
        &settings,
    ] {
        let answer = read_to_close(fixture.connect_and_send(sent).await).await;
        assert!(!answer.contains(" 200 "), "{sent:?}: {answer}");
    }
    fixture.until_open(0).await;
}

#[tokio::test(start_paused = true)]
async fn slow_headers_end_connection() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let mut stream = fixture.connect_and_send(b"GET / HTTP/1.1\r\nx: ").await;
    let started = tokio::time::Instant::now();
    while stream.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(started.elapsed() < Duration::from_secs(60));
    }
    fixture.until_open(0).await;
}

#[tokio::test(start_paused = true)]
async fn client_that_reads_no_answers_is_disconnected() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let request = b"GET /long HTTP/1.1\r\nhost: h\r\n\r\n";
    let http1 = fixture.connect_and_send(&request.repeat(20)).await;
    let http2 = [
        PREFACE,
        &frame(SETTINGS, 0, 0, &[]),
        &frame(HEADERS, END_STREAM_AND_HEADERS, 1, &GET_ROOT),
        &frame(HEADERS, END_STREAM_AND_HEADERS, 3, &GET_ROOT),
    ];
    let http2 = fixture.connect_and_send(&http2.concat()).await;
    fixture.until_open(2).await;
    fixture.until_open(0).await;
    drop((http1, http2));
}

#[tokio::test]
async fn panic_gives_503_and_affects_no_other_request() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let mut http1 = fixture.http1().await;
    let mut http2 = fixture.http2().await;
    let other = tokio::spawn(http2.send_request(get("/wait")));
    fixture.answers.arrived.acquire().await.unwrap().forget();
    let failed = [
        http1.send_request(get("/panic")).await.unwrap(),
        http2.send_request(get("/panic")).await.unwrap(),
    ];
    for failed in failed {
        assert_eq!(failed.status(), 503);
        assert!(!failed.headers().contains_key("retry-after"));
        let body = failed.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&body["kind"], &body["code"]),
            (&"Status".into(), &503.into())
        );
        let message = body["message"].as_str().unwrap();
        assert!(message.contains("see its log"), "{message}");
    }
    assert_eq!(fixture.metrics.panics.get(), 2);
    http1.ready().await.unwrap();
    assert_eq!(http1.send_request(get("/")).await.unwrap().status(), 200);
    assert_eq!(http2.send_request(get("/")).await.unwrap().status(), 200);
    fixture.answers.may_answer.add_permits(1);
    assert_eq!(other.await.unwrap().unwrap().status(), 200);
}

/// Returns the status and the body of an HTTP/2 response.
async fn read_response(response: Response<hyper::body::Incoming>) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let answer = read_to_close(fixture.connect_and_send(b"GET / HTTP/1.0\r\n\r\n").await).await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn http_2_announces_and_enforces_limits() {
    let fixture = ListenerFixture::new(ConnectionLimits {
        streams: 7,
        ..BOUNDS
    })
    .await;
    let sent = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let frames = read_frames(fixture.connect_and_send(&sent).await).await;
    let (_, _, settings) = frames.iter().find(|(kind, ..)| *kind == SETTINGS).unwrap();
    let settings: Vec<(u16, u32)> = settings
        .chunks(6)
        .map(|setting| {
            let [a, b, c, d, e, f] = *setting else {
                panic!("{setting:?}");
            };
            (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))
        })
        .collect();
    // Concurrent streams, window of a stream, size of a frame, size of a header list (RFC 9113, 6.5.2).
    for wanted in [(3, 7), (4, 65_536), (6, 16_384 + 8_192)] {
        assert!(settings.contains(&wanted), "{wanted:?}: {settings:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rapid_reset_flood_ends_connection() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let mut sent = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for stream in (1..4_001).step_by(2) {
        sent.extend(frame(HEADERS, END_STREAM_AND_HEADERS, stream, &GET_ROOT));
        sent.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    let mut stream = fixture.connect().await;
    // The server may close the connection before everything is sent.
    let _written = stream.write_all(&sent).await;
    let frames = read_frames(stream).await;
    let end = frames.iter().find(|(kind, ..)| *kind == GOAWAY);
    let (_, _, payload) = end.unwrap_or_else(|| panic!("{frames:?}"));
    // ENHANCE_YOUR_CALM (RFC 9113, 7).
    assert_eq!(payload.get(4..8), Some(&[0, 0, 0, 11][..]));
    fixture.until_open(0).await;
}

#[tokio::test(start_paused = true)]
async fn stop_closes_idle_connections_and_waits_for_busy_ones() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let mut http1 = fixture.http1().await;
    let waiting = tokio::spawn(http1.send_request(get("/wait")));
    fixture.answers.arrived.acquire().await.unwrap().forget();
    let silent = fixture.connect_and_send(b"GET / HTTP/1.1\r\n").await;
    let http2 = fixture
        .connect_and_send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())
        .await;
    fixture.until_open(3).await;
    fixture.stop.notify_one();
    read_to_close(silent).await;
    read_to_close(http2).await;
    assert!(!fixture.stopped.is_finished());
    assert!(TcpStream::connect(fixture.address).await.is_err());
    fixture.answers.may_answer.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    fixture.stopped.await.unwrap();
}
