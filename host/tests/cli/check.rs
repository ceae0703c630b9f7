//! `server --check`: everything that is wrong, at once, and nothing is touched.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::Value;

use crate::program::{CommandRun, TestFolder};

const GOOD: &str = "\
clusterID: c1
server:
  stateDir: state
  generateKubeconfig: kubeconfig.yaml
  sts: {endpoint: 'https://127.0.0.1:1'}
  mapUsers: [{userARN: 'acs:ram::1:user/a', username: a, groups: [g]}]
";

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

/// The findings as `<severity> <code> <file>:<line> <entry>: <message>`, and the exit code.
#[track_caller]
fn findings(folder: &TestFolder, args: &[&str]) -> (Option<i32>, Vec<String>) {
    let run = check(folder, &[args, &["-o", "json"]].concat());
    assert_eq!(run.stderr, "");
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = report["findings"]
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
    (run.code, told.collect())
}

/// Each of `expected` is the beginning of one finding, and there are no others.
#[track_caller]
fn assert_found(folder: &TestFolder, args: &[&str], code: i32, expected: &[&str]) {
    let (exit, told) = findings(folder, args);
    let is_met = told.len() == expected.len()
        && expected
            .iter()
            .all(|start| told.iter().any(|told| told.starts_with(start)));
    assert!(is_met && exit == Some(code), "{exit:?} {told:#?}");
}

#[test]
fn valid_configuration_passes_check_before_first_start() {
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    let run = check(&folder, &[]);
    assert_eq!(
        (run.code, &*run.stdout, &*run.stderr),
        (Some(0), "nothing found\n", "")
    );
    assert!(!folder.path().join("state").exists());
}

#[test]
fn check_beside_running_server_reads_its_pair() {
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    assert_eq!(
        folder.run(&["init", "-c", "config.yaml"], &[]).code,
        Some(0)
    );
    fs::create_dir(folder.path().join("state")).unwrap();
    for name in ["cert.pem", "key.pem"] {
        let new = folder.path().join("state").join(name);
        fs::rename(folder.path().join(name), new).unwrap();
    }
    assert_found(&folder, &[], 0, &[]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_found(&folder, &["--port", &port], 0, &[]);

    fs::write(folder.path().join("state/key.pem"), "no key").unwrap();
    let start = "error unusable-file state:0 server.stateDir: `state/key.pem`";
    assert_found(&folder, &[], 1, &[start]);
    fs::remove_file(folder.path().join("state/key.pem")).unwrap();
    let start = "error unusable-file state:0 server.stateDir: there is `state/cert.pem` but no";
    assert_found(&folder, &[], 1, &[start]);
}

#[test]
fn check_reads_provided_pair_and_client_ca() {
    let tls = "  tls: {certFile: cert.pem, keyFile: key.pem, caFile: cert.pem}\n";
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    let init = ["init", "-c", "config.yaml", "--client-cert"];
    assert_eq!(folder.run(&init, &[]).code, Some(0));
    fs::write(folder.path().join("config.yaml"), format!("{GOOD}{tls}")).unwrap();
    assert_found(&folder, &["--state-dir", "."], 0, &[]);
    let path = |name: &str| folder.path().join(name);
    // Only a kubeconfig that has a certificate already needs no key.
    fs::rename(path("client-ca-key.pem"), path("aside")).unwrap();
    let missing = "error unusable-file .:0 server.stateDir: there is `./client-ca.pem` but no `./client-ca-key.pem`";
    assert_found(&folder, &["--state-dir", "."], 1, &[missing]);
    assert_found(
        &folder,
        &["--state-dir", ".", "--kubeconfig-pregenerated"],
        0,
        &[],
    );
    fs::copy(
        path("ack-ram-authenticator.kubeconfig"),
        path("kubeconfig.yaml"),
    )
    .unwrap();
    assert_found(&folder, &["--state-dir", "."], 0, &[]);
    fs::rename(path("aside"), path("client-ca-key.pem")).unwrap();
    let key = folder.read_file("key.pem");
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
    fs::write(folder.path().join("key.pem"), key).unwrap();
    let elsewhere = format!("{GOOD}{tls}  hostname: auth.example.com\n");
    fs::write(folder.path().join("config.yaml"), elsewhere).unwrap();
    let refused = "error certificate cert.pem:0 server.tls: `cert.pem`: ";
    assert_found(&folder, &[], 1, &[refused]);
}

#[test]
fn check_reports_every_finding_of_a_broken_configuration() {
    let folder = TestFolder::new(&[
        ("file", ""),
        (
            "dynamic.json",
            r#"{"mapRoles": [{"roleARN": "x"}], "mapRols": []}"#,
        ),
        (
            "config.yaml",
            "\
clusterID: c1
colour: blue
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
",
        ),
    ]);
    assert_found(
        &folder,
        &[],
        1,
        &[
            "warning no-break-glass config.yaml:0 ",
            "error unknown-key config.yaml:2 : unknown key `colour`",
            "error invalid-setting config.yaml:11 : `server.limits.maxStreams`",
            "error invalid-setting config.yaml:11 : `server.limits.stopTimeout`",
            "error empty-list config.yaml:12 : `server.mapRoles`",
            "error invalid-entry config.yaml:13 server.mapUsers[1]: ",
            "error unusable-file file/state:0 server.stateDir: cannot read `file/state/cert.pem`",
            "error unusable-file file/state:0 server.stateDir: cannot read `file/state/client-ca.pem`",
            "error unusable-file file/kubeconfig.yaml:0 server.generateKubeconfig: cannot write",
            "error unusable-file file/audit.log:0 server.audit.file: cannot be written",
            "error unusable-file missing.pem:0 server.sts.caFile: cannot read",
            "error unusable-file nowhere.yaml:0 server.kubeconfig: the kubeconfig",
            "error unknown-key dynamic.json:1 : unknown key `mapRols`",
            "error invalid-entry dynamic.json:1 mapRoles[0]: ",
        ],
    );
}

#[test]
fn check_reads_kubeconfigs_and_runs_no_command() {
    let with = |lines: &str| format!("{GOOD}  backendMode: [MountedFile, CRD]\n{lines}");
    let no_break_glass = "warning no-break-glass config.yaml:0 ";
    let folder = TestFolder::new(&[
        ("config.yaml", &with("  kubeconfig: api.yaml\n")),
        ("api.yaml", API_SERVER),
    ]);
    assert_found(&folder, &[], 0, &[no_break_glass]);
    let broken = API_SERVER.replace(
        "server: 'https://127.0.0.1:1'",
        "server: 'https://127.0.0.1:1', certificate-authority: nowhere.pem",
    );
    fs::write(folder.path().join("api.yaml"), broken).unwrap();
    let unusable = "error unusable-file api.yaml:0 server.kubeconfig: ";
    assert_found(&folder, &[], 1, &[no_break_glass, unusable]);
    let outside = "warning not-in-cluster :0 server.kubeconfig: this is not a pod";
    let folder = TestFolder::new(&[("config.yaml", &with(""))]);
    assert_found(&folder, &[], 0, &[no_break_glass, outside]);
}

#[test]
fn check_applies_command_line_and_environment() {
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    assert_found(
        &folder,
        &["--state-dir", "config.yaml/x"],
        1,
        &[
            "error unusable-file config.yaml/x:0 server.stateDir: cannot read `config.yaml/x/cert.pem`",
            "error unusable-file config.yaml/x:0 server.stateDir: cannot read `config.yaml/x/client-ca.pem`",
        ],
    );
    assert_found(
        &folder,
        &["--backend-mode", "CDR"],
        1,
        &["error invalid-setting :0 command line"],
    );
    let run = folder.run(&["server", "--check", "-i", "c1"], &[("STS_REGION", "x y")]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("environment"), "{run:?}");
    let run = folder.run(&["server", "--output", "json"], &[]);
    assert_eq!(run.code, Some(2), "{run:?}");
}

#[test]
fn check_reports_keys_and_files_writable_by_others() {
    let chmod = |folder: &TestFolder, name: &str, mode| {
        fs::set_permissions(folder.path().join(name), Permissions::from_mode(mode)).unwrap();
    };
    let folder = TestFolder::new(&[("config.yaml", GOOD)]);
    let init = ["init", "-c", "config.yaml", "--client-cert"];
    assert_eq!(folder.run(&init, &[]).code, Some(0));
    let args = ["--state-dir", "."];
    assert_found(&folder, &args, 0, &[]);
    chmod(&folder, "key.pem", 0o666);
    chmod(&folder, "client-ca-key.pem", 0o640);
    assert_found(
        &folder,
        &args,
        1,
        &[
            "error unusable-file .:0 server.stateDir: the key `./key.pem` belongs to uid ",
            "error unusable-file .:0 server.stateDir: the key `./client-ca-key.pem` belongs to uid ",
        ],
    );
    chmod(&folder, "key.pem", 0o600);
    chmod(&folder, "client-ca-key.pem", 0o600);

    // `server.tls.keyFile` may be in a Secret volume, which is readable for a group.
    let tls = "  tls: {certFile: cert.pem, keyFile: own-key.pem, caFile: cert.pem}\n";
    fs::copy(
        folder.path().join("key.pem"),
        folder.path().join("own-key.pem"),
    )
    .unwrap();
    chmod(&folder, "own-key.pem", 0o640);
    chmod(&folder, "client-ca.pem", 0o666);
    chmod(&folder, "config.yaml", 0o664);
    fs::write(folder.path().join("config.yaml"), format!("{GOOD}{tls}")).unwrap();
    assert_found(
        &folder,
        &args,
        0,
        &[
            "warning exposed-file config.yaml:0 : `config.yaml` belongs to uid ",
            "warning exposed-file ./client-ca.pem:0 server.stateDir: `./client-ca.pem` belongs to uid ",
            "warning exposed-file own-key.pem:0 server.tls.keyFile: `own-key.pem` belongs to uid ",
        ],
    );
    chmod(&folder, "own-key.pem", 0o600);
    chmod(&folder, "client-ca.pem", 0o644);
    chmod(&folder, "config.yaml", 0o644);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let (code, told) = findings(&folder, &args);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    assert!(
        code == Some(0) && told.len() == 1 && told.concat().contains("exposed-file"),
        "{told:#?}"
    );
}

#[test]
fn check_reports_public_port_without_client_certificates() {
    let with = |lines: &str| format!("{GOOD}{lines}");
    for (lines, code, expected) in [
        ("  address: 127.0.0.2\n", 0, &[][..]),
        (
            "  address: 0.0.0.0\n",
            0,
            &[
                "warning no-client-certificate :0 server.address: the server listens on `0.0.0.0`, which other machines may reach, and requires no client certificate",
            ],
        ),
        (
            "  bind: 0.0.0.0\n",
            0,
            &[
                "warning no-client-certificate :0 server.address: the server listens on `0.0.0.0`",
                "warning bind-wins ",
            ],
        ),
        (
            "  address: 0.0.0.0\n  requireClientCertificate: true\n",
            1,
            &[
                "error unusable-file state:0 server.stateDir: `server.requireClientCertificate` is true, and there is no CA of clients `state/client-ca.pem`",
            ],
        ),
        (
            "  requireClientCertificate:\n",
            1,
            &[
                "error invalid-setting config.yaml:7 : `server.requireClientCertificate` has no value",
            ],
        ),
        (
            "  requireClientCertificat: true\n",
            1,
            &["error invalid-setting config.yaml:7 : unknown key `server.requireClientCertificat`"],
        ),
    ] {
        let folder = TestFolder::new(&[("config.yaml", &with(lines))]);
        assert_found(&folder, &[], code, expected);
    }
    let folder = TestFolder::new(&[("config.yaml", &with("  address: 0.0.0.0\n"))]);
    let run = check(&folder, &["-o", "json"]);
    let advice = "run `init --client-cert` in `state`, restart kube-apiserver with the new kubeconfig, then set";
    assert!(run.stdout.contains(advice), "{run:?}");
}

#[test]
fn check_reports_unusable_audit_file_lock_and_control_socket() {
    let audit = format!("{GOOD}  audit: {{file: audit.log}}\n");
    let folder = TestFolder::new(&[("config.yaml", &audit)]);
    assert_found(&folder, &[], 0, &[]);
    fs::create_dir(folder.path().join("audit.log")).unwrap();
    let expected = "error unusable-file audit.log:0 server.audit.file: cannot be written: ";
    assert_found(&folder, &[], 1, &[expected]);
    fs::remove_dir(folder.path().join("audit.log")).unwrap();
    // What is there is no file to replace.
    let kubeconfig = folder.path().join("kubeconfig.yaml");
    symlink("/dev/null", &kubeconfig).unwrap();
    let expected = "error unusable-file kubeconfig.yaml:0 server.generateKubeconfig: cannot write the webhook kubeconfig `kubeconfig.yaml`: it is there and is no regular file, so it is not replaced";
    assert_found(&folder, &[], 1, &[expected]);
    fs::remove_file(kubeconfig).unwrap();

    let init = ["init", "-c", "config.yaml"];
    assert_eq!(folder.run(&init, &[]).code, Some(0));
    let path = |name: &str| folder.path().join(name);
    let expected = "warning unusable-file .:0 server.stateDir: no control socket, ";
    for name in ["control.sock", ".ack-ram-authenticator.lock"] {
        fs::create_dir(path(name)).unwrap();
        assert_found(&folder, &["--state-dir", "."], 0, &[expected]);
        fs::remove_dir(path(name)).unwrap();
    }
    symlink("config.yaml", path(".ack-ram-authenticator.lock")).unwrap();
    assert_found(&folder, &["--state-dir", "."], 0, &[expected]);
}
