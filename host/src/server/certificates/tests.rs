use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ack_ram_core::rules::{Backend, BackendRules, RuleSet};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::tls_secret::TlsSecret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::ClientConfig;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;
use crate::backends::live::LiveRules;
use crate::certs::tests::client;
use crate::fixture::load_config;
use crate::metrics::Metrics;
use crate::server::connections::{
    ConnectionLimits, Connections, RequestBody, RequestGuard, Responder,
};
use crate::server::line_limiter::LineLimiter;

const DAY: i64 = 24 * 60 * 60;
const START: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// A folder, and the certificates of a server in it.
struct CertificatesFixture {
    folder: TempDir,
    certificates: Certificates,
    metrics: Metrics,
}

impl CertificatesFixture {
    fn start(clock: Clock) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), clock)
    }

    fn start_in(folder: TempDir, clock: Clock) -> Self {
        Self::start_with(folder, clock, &json!({}))
    }

    fn start_with(folder: TempDir, clock: Clock, tls: &Value) -> Self {
        let server = json!({ "stateDir": folder.path(), "tls": tls });
        let text = json!({ "clusterID": "c", "server": server }).to_string();
        let config = load_config(&text);
        let rules = RuleSet::new(vec![BackendRules::new(Backend::MountedFile)], []);
        let metrics = Metrics::new(Arc::new(LiveRules::new(rules, START)), clock).unwrap();
        let certificates = Certificates::load(&config.unwrap(), clock, &metrics.certificates);
        Self {
            folder,
            certificates: certificates.unwrap(),
            metrics,
        }
    }

    fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig.yaml")
    }

    async fn metric_value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let text = self.metrics.text().await.unwrap();
        let exposition = Exposition::parse(&text).unwrap();
        exposition.value(&format!("ack_ram_authenticator_{name}"), labels)
    }
}

struct Ok;

impl Responder for Ok {
    async fn respond(&self, _: Request<RequestBody>, _: &RequestGuard) -> Response<Full<Bytes>> {
        Response::new(Full::from("ok"))
    }

    fn max_head(&self, _: &str) -> usize {
        16 * 1024
    }

    fn refuse_head(&self, _: &str, reason: &str) -> Response<Full<Bytes>> {
        Response::new(Full::from(reason.to_owned()))
    }
}

/// Sends requests to the server at `address`, each on a new connection or on a connection that is kept.
struct LoadClient {
    client: Client<hyper_rustls::HttpsConnector<HttpConnector>, Full<Bytes>>,
    address: SocketAddr,
}

impl LoadClient {
    fn new(tls: ClientConfig, address: SocketAddr, kept: usize) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(kept)
            .build(connector);
        Self { client, address }
    }

    async fn send_request(&self) -> Result<u16, String> {
        let uri = format!("https://localhost:{}/", self.address.port());
        let answer = self.client.get(uri.parse().unwrap()).await;
        let answer = answer.map_err(|error| format!("{error:?}"))?;
        std::result::Result::Ok(answer.status().as_u16())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn certificate_rotation_loses_no_request() {
    /// The clock switches between two times. The certificate of each time is due for renewal at the other one; at the
    /// time of the clients, which is in between, both are valid.
    static IS_LATE: AtomicBool = AtomicBool::new(false);
    const LATE: i64 = 5 * DAY;
    const BETWEEN: i64 = 4 * DAY + DAY / 2;
    let fixture = CertificatesFixture::start(|| {
        let late = if IS_LATE.load(Ordering::Relaxed) {
            LATE
        } else {
            0
        };
        START.plus_seconds(late)
    });
    let ca_pem = fs::read_to_string(fixture.folder.path().join("cert.pem")).unwrap();
    let tls = || {
        let now = START.plus_seconds(BETWEEN);
        client::config(&ca_pem, now, None, rustls::DEFAULT_VERSIONS)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let lines = Arc::new(LineLimiter::new(None, crate::clock::wall_clock));
    let bounds = ConnectionLimits {
        max_head: 16 * 1024,
        connections: 64,
        streams: 100,
        header_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(120),
    };
    let tls_of_server = fixture.certificates.tls().unwrap();
    let counts = fixture.metrics.connections.port("webhook");
    let mut connections = Connections::new(listener, Some(tls_of_server), bounds, counts, lines);
    tokio::spawn(async move { connections.serve(Arc::new(Ok)).await });

    let mut clients = tokio::task::JoinSet::new();
    // Four of the sixteen clients keep their connection.
    for number in 0..16 {
        let client = LoadClient::new(tls(), address, usize::from(number < 4));
        clients.spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..50 {
                answers.push(client.send_request().await);
            }
            answers
        });
    }
    let clock = tokio::spawn(async {
        loop {
            IS_LATE.fetch_xor(true, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let answers: Vec<_> = clients.join_all().await.concat();
    clock.abort();
    let lost: Vec<_> = answers
        .iter()
        .filter(|answer| **answer != std::result::Result::Ok(200))
        .collect();
    assert_eq!((answers.len(), lost), (16 * 50, Vec::new()));
    let labels = [("certificate", "serving"), ("result", "success")];
    let rotations = fixture
        .metric_value("certificate_rotations_total", &labels)
        .await;
    assert!(
        rotations.is_some_and(|rotations| rotations > 10.0),
        "{rotations:?}"
    );
}

#[tokio::test]
async fn kubeconfig_is_written_and_kept_current() {
    static NOW: AtomicI64 = AtomicI64::new(START.seconds());
    const YEAR: i64 = 365 * DAY;
    let clock = || UnixTime::from_seconds(NOW.load(Ordering::Relaxed));
    let folder = tempfile::tempdir().unwrap();
    certs::load_or_create_clients(folder.path(), START).unwrap();
    let mut fixture = CertificatesFixture::start_in(folder, clock);
    let path = fixture.kubeconfig();
    let url = "https://localhost:1/authenticate";
    fixture
        .certificates
        .write_kubeconfig(&path, url.to_owned())
        .unwrap();
    let first = kubeconfig::read_client_certificate(&path).unwrap();
    let client = [("certificate", "client")];
    let rotated = [("certificate", "client"), ("result", "success")];
    let mut previous = first.clone();
    for (years, is_renewed, rotations) in [
        (0, false, None),
        (4, false, None),
        (6, true, Some(1.0)),
        (10, false, Some(1.0)),
        (12, true, Some(2.0)),
    ] {
        NOW.store(
            START.plus_seconds(years * YEAR).seconds(),
            Ordering::Relaxed,
        );
        fixture.certificates.renew();
        let current = kubeconfig::read_client_certificate(&path).unwrap();
        assert_eq!(current != previous, is_renewed, "{years}");
        previous = current;
        let expiry = fixture.metric_value("certificate_expiry_timestamp_seconds", &client);
        let left = expiry.await.unwrap() - clock().seconds() as f64;
        assert!(left > (5 * YEAR) as f64, "{years}: {left}");
        assert_eq!(
            fixture
                .metric_value("certificate_rotations_total", &rotated)
                .await,
            rotations,
            "{years}"
        );
        assert_eq!(fixture.certificates.client_warnings(), Some(Vec::new()));
    }

    // A restarted server keeps the certificate.
    let mut again = CertificatesFixture::start_in(fixture.folder, clock);
    again
        .certificates
        .write_kubeconfig(&path, url.to_owned())
        .unwrap();
    assert_eq!(kubeconfig::read_client_certificate(&path), Some(previous));

    // Without the key, the server keeps the existing certificate and warns before it expires. Without both, it does not
    // start.
    fs::remove_file(again.folder.path().join("client-ca-key.pem")).unwrap();
    let mut keyless = CertificatesFixture::start_in(again.folder, clock);
    keyless
        .certificates
        .write_kubeconfig(&path, url.to_owned())
        .unwrap();
    NOW.fetch_add(10 * YEAR - 20 * DAY, Ordering::Relaxed);
    keyless.certificates.renew();
    let warnings = keyless.certificates.client_warnings().unwrap().concat();
    assert!(warnings.contains("expires at"), "{warnings}");
    fs::remove_file(&path).unwrap();
    let error = keyless
        .certificates
        .write_kubeconfig(&path, url.to_owned())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("but no") && error.contains("client-ca-key.pem"),
        "{error}"
    );
    assert!(!path.exists());
}

/// The CA is loaded at the start. After its file is removed, client certificates are still required, and the log and
/// `/readyz?verbose` report the missing file.
#[tokio::test]
async fn missing_client_ca_gives_warning_and_certificates_stay_required() {
    let folder = tempfile::tempdir().unwrap();
    certs::load_or_create_clients(folder.path(), crate::clock::now()).unwrap();
    let fixture = CertificatesFixture::start_in(folder, crate::clock::now);
    assert_eq!(fixture.certificates.client_warnings(), Some(Vec::new()));
    fs::remove_file(fixture.folder.path().join("client-ca.pem")).unwrap();
    fixture.certificates.reload();
    let warnings = fixture.certificates.client_warnings().unwrap();
    assert_eq!(
        *fixture.certificates.logged_warnings.lock(),
        warnings,
        "warnings in the log"
    );
    let warnings = warnings.concat();
    assert!(
        warnings.contains("client-ca.pem` no longer exists: this server still requires"),
        "{warnings}"
    );
    let tls = fixture.certificates.tls().unwrap();
    assert!(tls.clients.is_some());
}

#[tokio::test]
async fn kubeconfig_pins_current_ca_of_provided_pair() {
    let secret = TlsSecret::mount("localhost");
    let folder = tempfile::tempdir().unwrap();
    let mut fixture =
        CertificatesFixture::start_with(folder, crate::clock::now, &secret.settings());
    let path = fixture.kubeconfig();
    let url = "https://localhost:1/authenticate".to_owned();
    fixture.certificates.write_kubeconfig(&path, url).unwrap();
    let pins = |pem: &str| {
        let kubeconfig = fs::read_to_string(&path).unwrap();
        let line = format!("certificate-authority-data: {}\n", STANDARD.encode(pem));
        kubeconfig.contains(&line)
    };
    let old = secret.ca_pem();
    assert!(pins(old));

    // First the new CA is added to the old one, then the pair is replaced, then the old CA is removed.
    let other = TlsSecret::mount("localhost");
    let both = format!("{old}{}", other.ca_pem());
    for (ca, pair, pinned) in [
        (&*both, &secret, &*both),
        (&both, &other, &both),
        (other.ca_pem(), &other, other.ca_pem()),
    ] {
        for name in ["tls.crt", "tls.key"] {
            let text = fs::read(pair.path(name)).unwrap();
            fs::write(secret.path(name), text).unwrap();
        }
        fs::write(secret.path("ca.crt"), ca).unwrap();
        for _ in 0..2 {
            fixture.certificates.serving.poll(Instant::now());
        }
        fixture.certificates.renew();
        assert!(pins(pinned));
        assert_eq!(fixture.certificates.warnings(), [""; 0]);
    }
    let labels = [("certificate", "own"), ("result", "success")];
    let rotations = fixture
        .metric_value("certificate_rotations_total", &labels)
        .await;
    assert_eq!(rotations, Some(3.0));
}
