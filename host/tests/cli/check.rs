//! `server --check`: cases whose text is not in `snapshots/checks.rs`.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::program::{CommandRun, TestFolder};
use crate::snapshots::GOOD;

const API_SERVER: &str = "
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: one, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: one, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [ran], interactiveMode: Never}}}]
contexts: [{name: here, context: {cluster: one, user: one}}]
";

fn check(folder: &TestFolder, args: &[&str]) -> CommandRun {
    let before = folder.tree();
    let args = [&["server", "-c", "config.yaml", "--check"], args].concat();
    let run = folder.run(&args, &[]);
    assert_eq!(folder.tree(), before, "something was written");
    run
}

/// Returns the exit code, and the findings as `<severity> <code> <file>:<line> <entry>: <message>`.
#[track_caller]
fn findings(folder: &TestFolder, args: &[&str]) -> (Option<i32>, Vec<String>) {
    let run = check(folder, &[args, &["-o", "json"]].concat());
    assert_eq!(run.stderr, "");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let position = &finding["position"];
            format!(
                "{} {} {}:{} {}: {}",
                text(&finding["severity"]),
                text(&finding["code"]),
                text(&position["file"]),
                position["line"].as_u64().unwrap_or_default(),
                text(&position["entry"]),
                text(&finding["message"])
            )
        });
    (run.code, findings.collect())
}

/// Checks that each finding starts with one of `expected`, and that none is missing.
#[track_caller]
fn assert_found(folder: &TestFolder, args: &[&str], code: i32, expected: &[&str]) {
    let (exit, found) = findings(folder, args);
    let is_met = found.len() == expected.len()
        && expected
            .iter()
            .all(|start| found.iter().any(|finding| finding.starts_with(start)));
    assert!(is_met && exit == Some(code), "{exit:?} {found:#?}");
}

#[test]
fn check_beside_running_server_reads_its_pair() {
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    folder.make_certificates();
    fs::create_dir(folder.path().join("state")).unwrap();
    for name in ["cert.pem", "key.pem"] {
        let new = folder.path().join("state").join(name);
        fs::rename(folder.path().join(name), new).unwrap();
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_found(&folder, &["--port", &port], 0, &[]);
}

#[test]
fn client_ca_key_is_needed_only_without_a_kubeconfig() {
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    folder.make_certificates();
    let path = |name: &str| folder.path().join(name);
    fs::remove_file(path("client-ca-key.pem")).unwrap();
    let args = ["--state-dir", ".", "--kubeconfig-pregenerated"];
    assert_found(&folder, &args, 0, &[]);
    let created = path("ack-ram-authenticator.kubeconfig");
    fs::rename(created, path("kubeconfig.yaml")).unwrap();
    assert_found(&folder, &["--state-dir", "."], 0, &[]);
}

#[test]
fn check_reports_provided_pair_and_client_ca_together() {
    let tls = "  tls: {certFile: cert.pem, keyFile: key.pem, caFile: cert.pem}\n";
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    folder.make_certificates();
    fs::write(folder.path().join("config.yaml"), format!("{GOOD}{tls}")).unwrap();
    for name in ["key.pem", "client-ca.pem"] {
        fs::write(folder.path().join(name), "nothing").unwrap();
    }
    assert_found(
        &folder,
        &["--state-dir", "."],
        1,
        &[
            "error unusable-file cert.pem:0 server.tls: ",
            "error unusable-file .:0 server.stateDir: `./client-ca.pem`",
        ],
    );
}

#[test]
fn check_reads_kubeconfigs_and_runs_no_command() {
    let config = format!("{GOOD}  backendMode: [MountedFile, CRD]\n  kubeconfig: api.yaml\n");
    let no_break_glass = "warning no-break-glass config.yaml:0 ";
    let folder = TestFolder::new(&[("config.yaml", &config), ("api.yaml", API_SERVER)]);
    assert_found(&folder, &[], 0, &[no_break_glass]);
    let broken = API_SERVER.replace(
        "server: 'https://127.0.0.1:1'",
        "server: 'https://127.0.0.1:1', certificate-authority: nowhere.pem",
    );
    fs::write(folder.path().join("api.yaml"), broken).unwrap();
    let unusable = "error unusable-file api.yaml:0 server.kubeconfig: ";
    assert_found(&folder, &[], 1, &[no_break_glass, unusable]);
}

#[test]
fn check_without_a_file_applies_the_environment() {
    let folder = TestFolder::new(&[]);
    let run = folder.run(&["server", "--check", "-i", "c1"], &[("STS_REGION", "x y")]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("environment"), "{run:?}");
}

#[test]
fn loopback_address_and_writable_audit_file_have_no_finding() {
    for lines in ["  address: 127.0.0.2\n", "  audit: {file: audit.log}\n"] {
        let folder = TestFolder::new(&[("config.yaml", &format!("{GOOD}{lines}"))]);
        assert_found(&folder, &[], 0, &[]);
    }
}

#[test]
fn misspelled_client_certificate_setting_is_an_error() {
    let config = format!("{GOOD}  requireClientCertificat: true\n");
    let folder = TestFolder::new(&[("config.yaml", &config)]);
    let typo = "error invalid-setting config.yaml:7 : unknown key `server.requireClientCertificat`";
    assert_found(&folder, &[], 1, &[typo]);
}

#[test]
fn lock_that_is_a_link_leaves_no_control_socket() {
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    folder.make_certificates();
    let lock = folder.path().join(".ack-ram-authenticator.lock");
    symlink("config.yaml", lock).unwrap();
    let expected = "warning unusable-file .:0 server.stateDir: no control socket, ";
    assert_found(&folder, &["--state-dir", "."], 0, &[expected]);
}
