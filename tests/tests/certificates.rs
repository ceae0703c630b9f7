//! Certificates of the real binary: created by several servers at the same time, provided by the operator, and those of
//! clients.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::health;
use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::server_config::ServerConfig;
use ack_ram_tests::tls_secret::TlsSecret;
use ack_ram_tests::webhook::{Reply, WebhookClient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(60);
const GO_STATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/go-state");

/// Returns a token of another type, which is answered without STS.
fn foreign_token() -> Secret {
    Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln")
}

/// Builds a configuration with `settings` and an STS that the tests never call.
fn configure(folder: &Path, port: u16, settings: &Value) -> ServerConfig {
    let no_sts = json!({ "sts": { "endpoint": "http://127.0.0.1:1" } });
    let config = ServerConfig::new(folder, port).settings(&no_sts);
    config.settings(settings)
}

async fn get(client: &WebhookClient, path: &str) -> Result<Reply, String> {
    let request = client.request(Method::GET, path).body(Default::default());
    let reply = client.send(request.unwrap()).await;
    reply.map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn concurrent_starts_on_empty_state_directory_share_one_ca() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let ports: Vec<u16> = (0..4).map(|_| ports::free_port()).collect();
    let start = |port: &u16| {
        let kubeconfig = folder.join(format!("{port}.kubeconfig"));
        let settings = json!({ "generateKubeconfig": kubeconfig });
        let config = configure(folder, *port, &settings).write_as(&format!("{port}.yaml"));
        (Authenticator::start(folder, &config).unwrap(), kubeconfig)
    };
    let servers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = ports
            .iter()
            .map(|port| scope.spawn(move || start(port)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let ca = folder.join("state/cert.pem");
    let pinned = STANDARD.encode(fs::read(&ca).unwrap());
    for (port, (_server, kubeconfig)) in ports.iter().zip(&servers) {
        let kubeconfig = fs::read_to_string(kubeconfig).unwrap();
        assert!(kubeconfig.contains(&pinned), "{kubeconfig}");
        let client = WebhookClient::new(&ca, *port).unwrap();
        assert_eq!(get(&client, "/healthz").await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn server_killed_during_start_leaves_usable_state() {
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let port = ports::free_port();
        let config = configure(folder, port, &json!({})).write();
        let args = ["server", "-c", &config.to_string_lossy()];
        let mut first = Process::spawn("first", authenticator::command(folder, &args)).unwrap();
        let state = folder.join("state");
        let started = Instant::now();
        // Each round kills the server later: the first before any file exists, the last long after the start.
        while !state.exists() && started.elapsed() < LONG {
            thread::sleep(Duration::from_micros(100));
        }
        thread::sleep(Duration::from_micros(250 * round));
        first.kill();
        let server = Authenticator::start(folder, &config).unwrap();
        let client = WebhookClient::new(&state.join("cert.pem"), port).unwrap();
        assert_eq!(
            get(&client, "/healthz").await.unwrap().status,
            200,
            "{round}"
        );
        server.kill();
    }
}

#[tokio::test]
async fn go_state_directory_is_served_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let state = folder.join("state");
    fs::create_dir(&state).unwrap();
    let names = ["cert.pem", "key.pem"];
    for name in names {
        fs::copy(Path::new(GO_STATE).join(name), state.join(name)).unwrap();
    }
    // Go writes the key with this mode.
    fs::set_permissions(state.join("key.pem"), Permissions::from_mode(0o600)).unwrap();
    let (port, health) = (ports::free_port(), ports::free_port());
    let config = configure(folder, port, &json!({ "healthPort": health })).write();
    let _server = Authenticator::start(folder, &config).unwrap();
    let client = WebhookClient::new(&state.join("cert.pem"), port).unwrap();
    assert_eq!(get(&client, "/healthz").await.unwrap().status, 200);
    for name in names {
        let [here, go] = [&state, Path::new(GO_STATE)].map(|folder| fs::read(folder.join(name)));
        assert_eq!(here.unwrap(), go.unwrap(), "{name}");
    }
    let exposition = metrics(health).await;
    // 2126-10-30T19:56:47Z, and a week from now.
    assert_eq!(expiry(&exposition, "ca"), Some(4_949_063_807.0));
    assert!(expiry(&exposition, "serving").is_some_and(|at| at < 4_949_063_807.0));
    assert_eq!(expiry(&exposition, "client_ca"), None);
}

async fn metrics(health: u16) -> Exposition {
    let page = health::get(health, "/metrics").await;
    Exposition::parse(&page.body).unwrap()
}

fn value(exposition: &Exposition, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    exposition.value(&format!("ack_ram_authenticator_{name}"), labels)
}

fn expiry(exposition: &Exposition, certificate: &str) -> Option<f64> {
    let labels = [("certificate", certificate)];
    value(exposition, "certificate_expiry_timestamp_seconds", &labels)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaced_provided_pair_is_served_and_no_request_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut secret = TlsSecret::mount("localhost");
    let (port, health) = (ports::free_port(), ports::free_port());
    let kubeconfig = folder.join("webhook.kubeconfig");
    let settings = json!({ "healthPort": health, "tls": secret.settings() });
    let config = configure(folder, port, &settings).write();
    let server = Authenticator::start(folder, &config).unwrap();
    // The server creates no CA, and the kubeconfig pins the operator's CA.
    assert!(!folder.join("state/cert.pem").exists());
    assert!(folder.join("state/control.sock").exists());
    let kubeconfig = fs::read_to_string(kubeconfig).unwrap();
    assert!(
        kubeconfig.contains(&STANDARD.encode(secret.ca_pem())),
        "{kubeconfig}"
    );

    let is_over = Arc::new(AtomicBool::new(false));
    let reviewers: Vec<_> = (0..4)
        .map(|number| {
            let (ca, is_over) = (secret.path("ca.crt"), Arc::clone(&is_over));
            tokio::spawn(async move {
                let kept = WebhookClient::new(&ca, port).unwrap();
                let mut answers = 0;
                while !is_over.load(Ordering::Relaxed) {
                    // Half of the clients open a new connection each time.
                    let fresh;
                    let client = if number % 2 == 0 {
                        &kept
                    } else {
                        fresh = WebhookClient::new(&ca, port).unwrap();
                        &fresh
                    };
                    let reply = client.review(&foreign_token()).await.unwrap();
                    assert_eq!(reply.status, 200, "{reply:?}");
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    let replaced = [("certificate", "own"), ("result", "success")];
    let failed = [("certificate", "own"), ("result", "failure")];
    let rotations = async |labels: &[(&str, &str)]| {
        let exposition = metrics(health).await;
        value(&exposition, "certificate_rotations_total", labels).unwrap_or_default()
    };
    for times in 1..=4 {
        secret.publish("localhost");
        eventually("the new pair is served", async || {
            rotations(&replaced).await >= f64::from(times)
        })
        .await;
    }

    // API servers would reject this certificate, so it is not served.
    secret.publish("elsewhere.example.com");
    eventually("the refused pair is counted", async || {
        rotations(&failed).await >= 1.0
    })
    .await;
    let trouble = async || value(&metrics(health).await, "certificate_files_trouble", &[]);
    eventually("there is trouble", async || trouble().await == Some(1.0)).await;

    secret.publish("localhost");
    eventually("the valid pair is served", async || {
        rotations(&replaced).await >= 5.0
    })
    .await;
    eventually("the trouble is over", async || trouble().await == Some(0.0)).await;
    let exposition = metrics(health).await;
    assert!(expiry(&exposition, "own").is_some());
    assert_eq!(expiry(&exposition, "ca"), None);

    is_over.store(true, Ordering::Relaxed);
    for reviewer in reviewers {
        let answers = reviewer.await.expect("no request was lost");
        assert!(answers > 0);
    }
    assert!(!server.log().contains("PRIVATE"));
}

/// Returns the client certificate and its key in a kubeconfig.
fn client_of(kubeconfig: &Path) -> [Vec<u8>; 2] {
    let text = fs::read_to_string(kubeconfig).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let user = &file["users"][0]["user"];
    ["client-certificate-data", "client-key-data"]
        .map(|key| STANDARD.decode(user[key].as_str().unwrap()).unwrap())
}

#[tokio::test]
async fn client_ca_rejects_all_other_clients() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let init = |at: &Path| {
        fs::create_dir_all(at).unwrap();
        let args = ["init", "--client-cert"];
        let mut init = Process::spawn("init", authenticator::command(at, &args)).unwrap();
        assert!(init.wait(LONG).unwrap().success(), "{}", init.log());
        client_of(&at.join("ack-ram-authenticator.kubeconfig"))
    };
    let (state, other) = (folder.join("state"), folder.join("other"));
    let [of_init, foreign] = [&state, &other].map(|at| init(at));
    let (port, health) = (ports::free_port(), ports::free_port());
    let generated = folder.join("webhook.kubeconfig");
    let config = configure(folder, port, &json!({ "healthPort": health })).write();
    let server = Authenticator::start(folder, &config).unwrap();
    let of_server = client_of(&generated);
    let ca = state.join("cert.pem");
    let with = |[certificate, key]: &[Vec<u8>; 2]| {
        WebhookClient::with_certificate(&ca, port, certificate, key).unwrap()
    };
    let without = WebhookClient::new(&ca, port).unwrap();
    for (name, client, status) in [
        ("nothing", &without, 401),
        ("another CA's", &with(&foreign), 403),
        ("what init wrote", &with(&of_init), 200),
        ("what the server wrote", &with(&of_server), 200),
    ] {
        let reply = client.review(&foreign_token()).await.unwrap();
        assert_eq!(reply.status, status, "{name}: {reply:?}");
        let kind = if status == 200 {
            "TokenReview"
        } else {
            "Status"
        };
        assert_eq!(reply.body["kind"], kind, "{name}");
        for path in ["/healthz", "/metrics"] {
            assert_eq!(
                get(client, path).await.unwrap().status,
                200,
                "{name} {path}"
            );
        }
        assert_eq!(
            get(client, "/elsewhere").await.unwrap().status,
            404,
            "{name}"
        );
    }
    let exposition = metrics(health).await;
    for (reason, count) in [("missing", 1.0), ("unknown", 1.0), ("expired", 0.0)] {
        let refused = value(&exposition, "client_refusals_total", &[("reason", reason)]);
        assert_eq!(refused, Some(count), "{reason}");
    }
    let ten_years = expiry(&exposition, "client").unwrap();
    assert!(expiry(&exposition, "client_ca").unwrap() > ten_years);
    assert!((expiry(&exposition, "client_seen").unwrap() - ten_years).abs() < 24.0 * 60.0 * 60.0);
    let log = server.log();
    assert!(!log.contains("PRIVATE"), "{log}");

    // A restarted server uses the same files and leaves the kubeconfig unchanged.
    let before = fs::read(&generated).unwrap();
    server.stop().unwrap();
    let mut server = Authenticator::start(folder, &config).unwrap();
    assert_eq!(fs::read(&generated).unwrap(), before);
    let reply = with(&of_server).review(&foreign_token()).await.unwrap();
    assert_eq!(reply.status, 200);

    // When the files disappear, clients still need a certificate, even after all files are loaded again.
    let files = ["client-ca.pem", "client-ca-key.pem"].map(|name| state.join(name));
    for file in &files {
        fs::rename(file, file.with_extension("kept")).unwrap();
    }
    let pid = Pid::from_raw(server.pid().try_into().unwrap());
    kill(pid, Signal::SIGHUP).unwrap();
    let is_read = |line: &str| line.contains("reloading all files");
    server.wait_for_log(is_read, LONG).unwrap();
    for (client, status) in [
        (&without, 401),
        (&with(&foreign), 403),
        (&with(&of_server), 200),
    ] {
        let reply = client.review(&foreign_token()).await.unwrap();
        assert_eq!(reply.status, status, "{reply:?}");
    }
    server.stop().unwrap();
    for file in &files {
        fs::rename(file.with_extension("kept"), file).unwrap();
    }

    // With only one of the two files, the server fails to start and names the missing file.
    fs::remove_file(state.join("client-ca.pem")).unwrap();
    let error = Authenticator::start(folder, &config).err().unwrap();
    assert!(error.log().contains("client-ca.pem"), "{error}");
}
