//! `server --check`.

use std::fs;
use std::os::unix::fs::symlink;

use super::Transcript;
use crate::program::TestFolder;

/// A configuration with which a server starts, and which has no findings.
pub(crate) const GOOD: &str = "\
clusterID: c1
server:
  stateDir: state
  generateKubeconfig: kubeconfig.yaml
  sts: {endpoint: 'https://127.0.0.1:1'}
  mapUsers: [{userARN: 'acs:ram::1:user/a', username: a, groups: [g]}]
";

const CHECK: [&str; 4] = ["server", "-c", "config.yaml", "--check"];

/// Creates a folder with the configuration [`GOOD`] and `lines`.
fn folder(lines: &str) -> TestFolder {
    TestFolder::new(&[("config.yaml", &format!("{GOOD}{lines}"))])
}

fn with_pair(lines: &str) -> TestFolder {
    let folder = folder(lines);
    folder.make_certificates();
    folder
}

/// Runs `server --check`, and verifies that it writes nothing.
#[track_caller]
fn check(transcript: &mut Transcript, folder: &TestFolder, args: &[&str], env: &[(&str, &str)]) {
    let before = folder.tree();
    transcript.run(folder, &[&CHECK[..], args].concat(), env);
    assert_eq!(folder.tree(), before, "something was written");
}

#[test]
fn check_prints_findings_of_each_file() {
    let mut transcript = Transcript::new();
    transcript.file("config.yaml", GOOD);
    let good = folder("");
    check(&mut transcript, &good, &[], &[]);
    check(&mut transcript, &good, &["-o", "json"], &[]);
    let odd = "\
clusterID: c1
color: blue
server:
  backendMode: [MountedFile, DynamicFile, CRD]
  dynamicFilePath: dynamic.json
  kubeconfig: nowhere.yaml
  stateDir: file/state
  generateKubeconfig: file/kubeconfig.yaml
  audit: {file: file/audit.log}
  sts: {caFile: missing.pem}
  limits: {maxStreams: 0, stopTimeout: 1h}
  mapRoles:
  mapUsers: [{userARN: 'acs:ram::1:user/a', username: a, groups: [g]}, {userARN: 7}]
";
    let dynamic = r#"{"mapRoles": [{"roleARN": "x"}], "mapRols": []}"#;
    let folder = TestFolder::new(&[
        ("file", ""),
        ("dynamic.json", dynamic),
        ("config.yaml", odd),
    ]);
    transcript.file("config.yaml", odd);
    transcript.file("dynamic.json", dynamic);
    check(&mut transcript, &folder, &[], &[]);
    check(&mut transcript, &folder, &["-o", "json"], &[]);
    transcript.check("check");
}

#[test]
fn check_prints_settings_that_the_machine_cannot_meet() {
    let mut transcript = Transcript::new();
    transcript.hide("(lookup address information: )[A-Za-z ]+", "${1}<reason>");
    for lines in [
        "  address: 192.0.2.1\n",
        "  healthAddress: 192.0.2.1\n",
        "  address: name.invalid\n",
        "  address: 0.0.0.0\n",
        "  bind: 0.0.0.0\n",
        "  address: 0.0.0.0\n  requireClientCertificate: true\n",
        "  audit: {file: nowhere/audit.log}\n",
        "  audit: {file: .}\n",
        "  backendMode: [MountedFile, CRD]\n",
        "  backendMode: [MountedFile, ACKConfigMap]\n  kubeconfig: config.yaml\n",
        "  backendMode: [DynamicFile]\n  dynamicFilePath: dynamic.json\n",
        "  backendMode: [MountedFile, DynamicFile]\n  dynamicFilePath: .\n",
        "  tls: {certFile: cert.pem, keyFile: key.pem, caFile: ca.pem}\n",
        "  region: cn-hangzhou\n",
    ] {
        transcript.heading(&lines.trim().replace("\n  ", ", "));
        check(&mut transcript, &folder(lines), &[], &[]);
    }
    let good = folder("");
    for args in [
        &["--bind", "192.0.2.1"][..],
        &["--port", "21363"],
        &["--state-dir", "config.yaml/x"],
        &["--backend-mode", "CDR"],
        &["--backend-mode", "CRD,CRD"],
        &["--backend-mode", ""],
        &["--region", "a b"],
        &["--cluster-id", "a b"],
        &["--generate-kubeconfig", "."],
    ] {
        check(&mut transcript, &good, args, &[]);
    }
    transcript.check("check_settings");
}

#[test]
fn check_prints_findings_about_variables() {
    let folder = TestFolder::new(&[(
        "config.yaml",
        &GOOD.replace("  sts: {endpoint: 'https://127.0.0.1:1'}\n", ""),
    )]);
    let mut transcript = Transcript::new();
    for env in [
        &[("HTTPS_PROXY", "http://proxy.example:3128")][..],
        &[("HTTPS_PROXY", "http://user:SECRET@SECRET@proxy.example")],
        &[("HTTPS_PROXY", "http://user:1#SECRET@proxy.example")],
        &[
            ("HTTPS_PROXY", "http://user:1#SECRET@proxy.example"),
            ("NO_PROXY", "*"),
        ],
        &[("HTTPS_PROXY", "http://user:SECRET@127.0.0.1:99999")],
        &[("HTTPS_PROXY", "https://user:SECRET@127.0.0.1:1")],
        &[("https_proxy", "socks5://127.0.0.1:1")],
        &[("HTTPS_PROXY", "http://")],
        &[("HTTPS_PROXY", "http://a b")],
        &[("HTTPS_PROXY", "http://user:%zz@proxy.example")],
        &[
            ("HTTPS_PROXY", "http://proxy.example:3128"),
            (
                "NO_PROXY",
                "http://sts.aliyuncs.com,10.0.0.0/99, *x,sts.*.com",
            ),
        ],
        &[("HTTPS_PROXY", "\"http://proxy.example:3128\"")],
        &[("HTTPS_PROXY", "http:proxy.example")],
        &[("HTTPS_PROXY", "http://us\u{7f}er@proxy.example")],
        &[("HTTPS_PROXY", "http://us^er:x@proxy.example")],
        &[("HTTPS_PROXY", "http://proxy.example:1:2")],
        &[("HTTPS_PROXY", "http://2001:db8::1")],
        &[("HTTPS_PROXY", "http://[fe80::1%25eth0]:3128")],
        &[
            ("HTTPS_PROXY", "http://proxy.example:3128"),
            (
                "NO_PROXY",
                "a b,\u{e9}.example,[x],x.example.,h:99999,a/b,*,http://x,http://y,http://z,http://w",
            ),
        ],
        &[("SSL_CERT_FILE", "/nowhere/ca.pem")],
        &[("SSL_CERT_FILE", "config.yaml")],
        &[("SSL_CERT_DIR", "nowhere")],
        &[("STS_REGION", "x y")],
        &[("ALIBABA_CLOUD_STS_ENDPOINT", "x/y")],
        &[("STS_MAX_IDLE_CONNS_PER_HOST", "many")],
    ] {
        check(&mut transcript, &folder, &[], env);
        let verify = ["verify", "-c", "config.yaml", "--token", "k8s-ack-v2.e30="];
        transcript.run(&folder, &verify, env);
    }
    transcript.check("check_environment");
}

#[test]
fn check_prints_findings_about_certificates_and_keys() {
    let mut transcript = Transcript::new();
    let mut case = |title: &str, change: &dyn Fn(&TestFolder)| {
        let folder = with_pair("");
        change(&folder);
        transcript.heading(title);
        check(&mut transcript, &folder, &["--state-dir", "."], &[]);
        folder.set_mode(".", 0o700);
    };
    let remove =
        |folder: &TestFolder, name: &str| fs::remove_file(folder.path().join(name)).unwrap();
    let write = |folder: &TestFolder, name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
    };
    case("all files exist", &|_| {});
    case("no key", &|folder| remove(folder, "key.pem"));
    case("no certificate", &|folder| remove(folder, "cert.pem"));
    case("an invalid key", &|folder| {
        write(folder, "key.pem", "no key")
    });
    case("an invalid certificate", &|folder| {
        write(folder, "cert.pem", "none")
    });
    case("a key of another pair", &|folder| {
        let other = folder.read_file("client-ca-key.pem");
        write(folder, "key.pem", &other);
    });
    case("no key of the client CA", &|folder| {
        remove(folder, "client-ca-key.pem")
    });
    case("no client CA", &|folder| remove(folder, "client-ca.pem"));
    case("an invalid client CA", &|folder| {
        write(folder, "client-ca.pem", "none")
    });
    case("keys that others may write or read", &|folder| {
        folder.set_mode("key.pem", 0o666);
        folder.set_mode("client-ca-key.pem", 0o640);
    });
    case("files that others may write", &|folder| {
        folder.set_mode("client-ca.pem", 0o666);
        folder.set_mode("config.yaml", 0o664);
    });
    case("a folder that others may write", &|folder| {
        folder.set_mode(".", 0o777);
    });
    case("a kubeconfig that is not a file", &|folder| {
        symlink("/dev/null", folder.path().join("kubeconfig.yaml")).unwrap();
    });
    case("a control socket that is a folder", &|folder| {
        fs::create_dir(folder.path().join("control.sock")).unwrap();
    });
    case("a lock that is a folder", &|folder| {
        fs::create_dir(folder.path().join(".ack-ram-authenticator.lock")).unwrap();
    });
    let tls = "  tls: {certFile: cert.pem, keyFile: own-key.pem, caFile: cert.pem}\n";
    for (title, more, mode) in [
        ("a provided pair", "", 0o600),
        ("a provided key that a group may read", "", 0o640),
        ("a provided key that all users may read", "", 0o644),
        (
            "a provided pair for another host",
            "  hostname: auth.example.com\n",
            0o600,
        ),
    ] {
        let folder = with_pair("");
        fs::copy(
            folder.path().join("key.pem"),
            folder.path().join("own-key.pem"),
        )
        .unwrap();
        folder.set_mode("own-key.pem", mode);
        fs::write(
            folder.path().join("config.yaml"),
            format!("{GOOD}{tls}{more}"),
        )
        .unwrap();
        transcript.heading(title);
        check(&mut transcript, &folder, &[], &[]);
    }
    transcript.check("check_certificates");
}
