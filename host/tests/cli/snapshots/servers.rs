//! Servers: failed starts, logs, and the output of `get mappings`.

use std::cell::Cell;
use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use ack_ram_tests::process::Process;

use super::Transcript;
use super::checks::GOOD;
use crate::program::TestFolder;

const LIMIT: Duration = Duration::from_secs(60);

/// A configuration as for the Go version, with suspicious settings.
const CONFIG: &str = "\
clusterID: c1
color: blue
server:
  port: 0
  healthPort: 0
  stateDir: state
  generateKubeconfig: kubeconfig.yaml
  sts: {endpoint: 'https://127.0.0.1:1', caFile: ca.pem}
  bind: 127.0.0.2
  extAuthz: {enabled: true}
  mapRoles:
  mapUsers:
  - {userARN: 'acs:ram::1:user/alice', username: alice, groups: 'a, b'}
  - {userARN: 'acs:ram::1:user/path/bob', username: bob, groups: [g]}
  - {userARN: 'acs:ram::1:user/alice', username: again}
  - {userARN: carol}
  - {userARN: dora, username: d}
  - {userARN: 'acs:ram::1:user/erin', username: erin, groups: [g, h]}
  mapAccounts: [1234567890123456, '2']
  mapRules:
  - {roleID: '3', usernameExpression: '\"x\"', groupsExpression: '[\"system:a\"]', groupsExpressionMayAdd: ['system:a']}
";

fn folder(config: &str) -> TestFolder {
    let folder = TestFolder::new(&[("config.yaml", config)]);
    // Any certificate will do, since the server calls no STS.
    folder.run(&["init"], &[]).printed();
    fs::rename(folder.path().join("cert.pem"), folder.path().join("ca.pem")).unwrap();
    for file in ["key.pem", "ack-ram-authenticator.kubeconfig"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    folder
}

fn start(folder: &TestFolder, args: &[&str]) -> Process {
    let args = [&["server", "-c", "config.yaml"], args].concat();
    let mut server = Process::spawn("server", folder.command(&args, &[])).unwrap();
    let listening = server.wait_for_line(|line| line.contains("listening on https://"), LIMIT);
    listening.unwrap_or_else(|error| panic!("{error}"));
    server
}

fn stop(mut server: Process, transcript: &mut Transcript) {
    let status = server.stop(LIMIT).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(status.code(), Some(0), "{}", server.log());
    transcript.hide("127[.]0[.]0[.][12]:[0-9]+", "<address>");
    transcript.stream("stdout", &server.stdout());
    transcript.stream("stderr", &server.stderr());
}

#[test]
fn suspicious_settings_are_logged() {
    let mut transcript = Transcript::new();
    transcript.file("config.yaml", CONFIG);
    for format in ["text", "json"] {
        transcript.heading(&format!("server -c config.yaml --log-format {format}"));
        let server = start(&folder(CONFIG), &["--log-format", format]);
        stop(server, &mut transcript);
    }
    transcript.check("server_log");
}

/// A separate thread writes the audit file, so the position of this line in the log varies.
#[test]
fn unwritable_audit_file_is_logged() {
    let config = format!("{CONFIG}  audit: {{file: nowhere/audit.log}}\n");
    let mut server = start(&folder(&config), &[]);
    let line = server.wait_for_line(|line| line.contains("the audit file"), LIMIT);
    let line = line.unwrap_or_else(|error| panic!("{error}"));
    let mut transcript = Transcript::new();
    transcript.stream("stderr", &format!("{line}\n"));
    transcript.check("server_log_audit");
    server.kill();
}

#[test]
fn get_mappings_prints_mappings_in_effect() {
    let mut transcript = Transcript::new();
    transcript.hide(r#"("version": ")[^"]+"#, "${1}<version>");
    transcript.hide("last confirmed [a-z0-9 ]+", "last confirmed <age>");
    transcript.hide(r#"("confirmedAgeSeconds": )[0-9]+"#, "${1}<age>");
    let folder = folder(CONFIG);
    let get = ["get", "mappings", "--state-dir", "state"];
    transcript.heading("no server");
    transcript.run(&folder, &get, &[]);
    transcript.run(&folder, &["get", "mappings", "-c", "config.yaml"], &[]);
    let nowhere = ["get", "mappings", "--state-dir", ".", "--backend", "crd"];
    transcript.run(&folder, &nowhere, &[]);
    let mut server = start(&folder, &[]);
    transcript.heading("a server");
    transcript.file("config.yaml", CONFIG);
    for more in [
        &[][..],
        &["-o", "json"],
        &["--backend", "file"],
        &["--backend", "crd"],
    ] {
        transcript.run(&folder, &[&get[..], more].concat(), &[]);
    }
    let broken = CONFIG
        .replace("username: bob, groups: [g]", "username: '{{', groups: [g]")
        .replace("groups: [g, h]", "groups: [g, [h]]");
    fs::write(folder.path().join("config.yaml"), &broken).unwrap();
    // The line appears once at the start and once after the edit takes effect.
    let conflicts = Cell::new(0);
    let is_in_effect = |line: &str| {
        conflicts.set(conflicts.get() + usize::from(line.contains(" is shadowed by ")));
        conflicts.get() == 2
    };
    let second = server.wait_for_line(is_in_effect, LIMIT);
    second.unwrap_or_else(|error| panic!("{error}"));
    transcript.heading("after an invalid edit");
    transcript.run(&folder, &get, &[]);
    transcript.run(&folder, &[&get[..], &["-o", "json"]].concat(), &[]);
    stop(server, &mut transcript);
    transcript.heading("after the server has stopped");
    transcript.run(&folder, &get, &[]);
    fs::write(folder.path().join("state/control.sock"), "").unwrap();
    transcript.run(&folder, &get, &[]);
    transcript.check("get_mappings");
}

/// The error is one line after the warnings in the log, and says what failed, where, and what to do.
#[test]
fn failed_start_prints_cause_and_advice() {
    const NOWHERE: &str = "clusterID: c1\nserver: {healthPort: 0, kubeconfigPregenerated: true}\n";
    let mut transcript = Transcript::new();
    transcript.hide("(lookup address information: )[A-Za-z ]+", "${1}<reason>");
    for (files, more) in [
        (&[("file", "")][..], &["--state-dir", "file/state"][..]),
        (&[("cert.pem", "")], &["--state-dir", "."]),
        (&[("key.pem", "SECRET")], &["--state-dir", "."]),
        (
            &[("cert.pem", "SECRET"), ("key.pem", "SECRET")],
            &["--state-dir", "."],
        ),
        (&[("client-ca.pem", "x")], &["--state-dir", "."]),
        (
            &[],
            &["--state-dir", "state", "--bind", "192.0.2.1", "--port", "0"],
        ),
        (
            &[],
            &[
                "--state-dir",
                "state",
                "--bind",
                "name.invalid",
                "--port",
                "0",
            ],
        ),
        (
            &[],
            &[
                "--state-dir",
                "state",
                "--generate-kubeconfig",
                ".",
                "--kubeconfig-pregenerated=false",
                "--port",
                "0",
            ],
        ),
        (&[], &["--state-dir", "state", "--backend-mode", "Etcd"]),
        (&[], &["--state-dir", "state", "--region", "a/b"]),
    ] {
        let folder = TestFolder::new(&[&[("config.yaml", NOWHERE)], files].concat());
        transcript.run(
            &folder,
            &[&["server", "-c", "config.yaml"], more].concat(),
            &[],
        );
    }
    for (more, env) in [
        ("  address: 192.0.2.1\n", &[][..]),
        ("  address: name.invalid\n", &[]),
        ("  requireClientCertificate: true\n", &[]),
        (
            "  tls: {certFile: cert.pem, keyFile: key.pem, caFile: ca.pem}\n",
            &[],
        ),
        ("  sts: {caFile: missing.pem}\n", &[]),
        ("", &[("HTTPS_PROXY", "http://user:1#SECRET@proxy.example")]),
        ("", &[("SSL_CERT_FILE", "/nowhere/ca.pem")]),
    ] {
        let config = GOOD.replace("  sts: {endpoint: 'https://127.0.0.1:1'}\n", "");
        let folder = TestFolder::new(&[(
            "config.yaml",
            &format!("{config}  port: 0\n  healthPort: 0\n{more}"),
        )]);
        transcript.heading(more.trim());
        transcript.run(&folder, &["server", "-c", "config.yaml"], env);
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    transcript.replace(&port, "<port in use>");
    let folder = TestFolder::new(&[("config.yaml", NOWHERE)]);
    let args = [
        "server",
        "-c",
        "config.yaml",
        "--state-dir",
        "state",
        "--port",
        &port,
    ];
    transcript.run(&folder, &args, &[]);
    transcript.check("server_refused");
}
