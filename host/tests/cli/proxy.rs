//! Calls to STS through the proxy in `HTTPS_PROXY`, and without it because of `NO_PROXY`.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign;
use ack_ram_tests::ports;
use ack_ram_tests::socks_proxy::{SocksProxy, SocksTarget};
use ack_ram_tests::sts::{Emulator, demo};

use crate::program::{CommandRun, TestFolder};
use crate::snapshots::Transcript;

/// The name in the certificate of the STS emulator. It does not resolve to an address.
const NAME: &str = "sts.proxied.invalid";

/// How a proxy reacts to a request for a tunnel.
#[derive(Clone, Copy)]
enum ProxyBehavior {
    Connects(SocketAddr),
    Answers(&'static str),
    IsSilent,
}

/// An HTTP proxy on a free port, and the heads of the requests that it received, in order.
struct HttpProxy {
    address: SocketAddr,
    heads: Receiver<String>,
}

impl HttpProxy {
    fn start(behavior: ProxyBehavior) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, heads) = mpsc::channel();
        // The thread ends with the test process.
        thread::spawn(move || {
            let mut open = Vec::new();
            for stream in listener.incoming().flatten() {
                if let Ok(stream) = serve(stream, behavior, &sender) {
                    open.push(stream);
                }
            }
        });
        Self { address, heads }
    }
}

fn serve(
    mut stream: TcpStream,
    behavior: ProxyBehavior,
    heads: &Sender<String>,
) -> io::Result<TcpStream> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream.try_clone()?);
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let _ = heads.send(head);
    match behavior {
        ProxyBehavior::IsSilent => {}
        ProxyBehavior::Answers(status) => {
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")?;
        }
        ProxyBehavior::Connects(server) => {
            let server = TcpStream::connect(server)?;
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let ends = [
                (stream.try_clone()?, server.try_clone()?),
                (server, stream.try_clone()?),
            ];
            for (mut from, mut to) in ends {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        }
    }
    Ok(stream)
}

/// An STS emulator with the name [`NAME`], and a folder with a configuration for it.
struct ProxyFixture {
    sts: Emulator,
    folder: TestFolder,
}

impl ProxyFixture {
    fn start() -> Self {
        let sts = Emulator::builder().demo().name(NAME).start().unwrap();
        let config = format!(
            "clusterID: c1\nserver: {{sts: {{endpoint: '{NAME}:{}', caFile: sts-ca.pem}}}}\n",
            sts.address().port()
        );
        let folder = TestFolder::new(&[("config.yaml", &config), ("sts-ca.pem", sts.ca_pem())]);
        Self { sts, folder }
    }

    fn verify(&self, env: &[(&str, &str)]) -> CommandRun {
        let token = self.token();
        let args = ["verify", "-c", "config.yaml", "--token", token.expose()];
        self.folder.run(&args, env)
    }

    fn token(&self) -> Secret {
        let cluster = ClusterId::parse("c1").unwrap();
        sign::sign_token_v2(&demo::user_key(), &cluster, "test", self.sts.now()).unwrap()
    }
}

#[test]
fn sts_call_uses_proxy_with_decoded_password() {
    let fixture = ProxyFixture::start();
    let proxy = HttpProxy::start(ProxyBehavior::Connects(fixture.sts.address()));
    let port = proxy.address.port();
    for (url, credentials) in [
        (format!("127.0.0.1:{port}"), None),
        (
            format!("http://user:p%23%2F%3F%40@127.0.0.1:{port}"),
            Some("Basic dXNlcjpwIy8/QA=="),
        ),
    ] {
        let printed = fixture.verify(&[("https_proxy", &url)]).printed();
        assert!(printed.contains(demo::USER_ARN), "{printed}");
        let head = proxy.heads.recv().unwrap();
        let sts = fixture.sts.address().port();
        assert!(
            head.starts_with(&format!("CONNECT {NAME}:{sts} HTTP/1.1\r\n")),
            "{head}"
        );
        let sent = head
            .lines()
            .find_map(|line| line.strip_prefix("Proxy-Authorization: "));
        assert_eq!(sent, credentials);
    }
}

#[test]
fn sts_call_uses_socks_proxy_that_resolves_the_name() {
    let fixture = ProxyFixture::start();
    let target = format!("{NAME}:{}", fixture.sts.address().port());
    let open = SocksProxy::start().unwrap();
    let guarded = SocksProxy::start_for("user", "p#/?@").unwrap();
    for (proxy, user, reason) in [
        (&open, "", None),
        (&guarded, "user:p%23%2F%3F%40@", None),
        (&guarded, "user:CANARY@", Some("`HTTPS_PROXY`")),
    ] {
        proxy.route(&target, fixture.sts.address());
        let before = proxy.requests().len();
        let url = format!("socks5h://{user}{}", proxy.address());
        let run = fixture.verify(&[("HTTPS_PROXY", &url)]);
        let requests = proxy.requests().split_off(before);
        match reason {
            None => {
                let printed = run.printed();
                assert!(printed.contains(demo::USER_ARN), "{printed}");
                assert_eq!(requests, [SocksTarget::Name(target.clone())]);
            }
            Some(reason) => {
                assert_eq!(run.code, Some(1), "{run:?}");
                assert!(run.stderr.contains(reason), "{run:?}");
                assert!(!run.stderr.contains("CANARY"), "{run:?}");
                assert_eq!(requests, []);
            }
        }
    }
}

#[test]
fn no_proxy_host_bypasses_the_proxy() {
    let fixture = ProxyFixture::start();
    let proxy = HttpProxy::start(ProxyBehavior::Answers("502 Bad Gateway"));
    let url = format!("http://{}", proxy.address);
    for no_proxy in [
        "*.proxied.invalid",
        " .INVALID ",
        "*",
        "other.example,proxied.invalid",
    ] {
        let run = fixture.verify(&[("HTTPS_PROXY", &url), ("NO_PROXY", no_proxy)]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(!run.stderr.contains("through the proxy"), "{run:?}");
    }
    assert!(proxy.heads.try_recv().is_err());
    let run = fixture.verify(&[("HTTPS_PROXY", &url), ("NO_PROXY", "sts.*.invalid")]);
    assert!(run.stderr.contains("through the proxy"), "{run:?}");
}

#[test]
fn proxy_failure_names_proxy_variable_and_fix() {
    let fixture = ProxyFixture::start();
    let start = |behavior| HttpProxy::start(behavior);
    let refuses = start(ProxyBehavior::Answers("403 Forbidden"));
    let wants_login = start(ProxyBehavior::Answers("407 Proxy Authentication Required"));
    let silent = start(ProxyBehavior::IsSilent);
    let closed: SocketAddr = ([127, 0, 0, 1], ports::free_port()).into();
    let mut transcript = Transcript::new();
    for (title, address) in [
        ("it refuses", refuses.address),
        ("it wants a login", wants_login.address),
        ("nothing listens", closed),
        ("it is silent", silent.address),
    ] {
        transcript.heading(title);
        transcript.replace(&address.to_string(), "<proxy>");
        let url = format!("http://user:CANARY@{address}");
        let token = fixture.token();
        transcript.hide_secret(token.expose(), "<token>");
        let args = ["verify", "-c", "config.yaml", "--token", token.expose()];
        transcript.run(&fixture.folder, &args, &[("HTTPS_PROXY", &url)]);
        let run = fixture.verify(&[
            ("HTTPS_PROXY", &url),
            ("ACK_RAM_AUTHENTICATOR_LOG", "trace"),
        ]);
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(!run.stderr.contains("CANARY"), "{}", run.stderr);
        // The log must not contain the password in Base64, either.
        assert!(!run.stderr.contains("dXNlcjpDQU5BUl"), "{}", run.stderr);
    }
    transcript.check("verify_proxy");
}

#[test]
fn slow_proxy_is_named_in_timeout() {
    let fixture = ProxyFixture::start();
    let silent = HttpProxy::start(ProxyBehavior::IsSilent);
    let config = fixture.folder.read_file("config.yaml");
    let config = config.replace("caFile:", "connectTimeout: 30s, timeout: 500ms, caFile:");
    fs::write(fixture.folder.path().join("config.yaml"), config).unwrap();
    let url = format!("http://{}", silent.address);
    let run = fixture.verify(&[("HTTPS_PROXY", &url)]);
    assert_eq!(run.code, Some(1), "{run:?}");
    let named = format!("through the proxy `{}` from `HTTPS_PROXY`", silent.address);
    assert!(run.stderr.contains(&named), "{run:?}");
}

#[test]
fn malformed_proxy_fails_server_start() {
    let fixture = ProxyFixture::start();
    for url in [
        "http://user:12#CANARY@127.0.0.1:1",
        "http://user:12/CANARY@127.0.0.1:1",
        "http://user:12?CANARY@127.0.0.1:1",
        "http://user:CANARY@127.0.0.1:99999",
        "https://user:CANARY@127.0.0.1:1",
    ] {
        let env = [("HTTPS_PROXY", url)];
        for args in [
            &["server", "-c", "config.yaml", "--state-dir", "state"][..],
            &[
                "server",
                "-c",
                "config.yaml",
                "--state-dir",
                "state",
                "--check",
            ],
            &["verify", "-c", "config.yaml", "--token", "k8s-ack-v2.e30="],
        ] {
            let run = fixture.folder.run(args, &env);
            assert_eq!(run.code, Some(1), "{run:?}");
            let output = format!("{}{}", run.stdout, run.stderr);
            assert!(output.contains("`HTTPS_PROXY`"), "{output}");
            assert!(
                !output.contains("CANARY") && !output.contains("127.0.0.1"),
                "{output}"
            );
        }
        assert!(!fixture.folder.path().join("state").exists());
    }
    // `token` does not call STS.
    let key = [
        ("HTTPS_PROXY", "http://u:1#2@h"),
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001"),
        (
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "FakeAccessKeySecret0000000001",
        ),
    ];
    fixture.folder.run(&["token", "-i", "c1"], &key).printed();
}

#[test]
fn cluster_command_ignores_sts_proxy() {
    let kubeconfig = "
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: one, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: one, user: {token: x}}]
contexts: [{name: here, context: {cluster: one, user: one}}]
";
    let folder = TestFolder::new(&[("kubeconfig", kubeconfig)]);
    let args = ["list", "--backend", "crd", "--kubeconfig", "kubeconfig"];
    let run = folder.run(&args, &[("HTTPS_PROXY", "http://user:pa ss@proxy")]);
    assert!(!run.stderr.contains("proxy"), "{run:?}");
    assert!(run.stderr.contains("Connection refused"), "{run:?}");
}
