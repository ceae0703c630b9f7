//! Invalid input: an error is one line that names the failure, its place, and what to do, with exit code 1. A wrong
//! command line also prints the usage, with exit code 2. No file is left half-written.

use std::net::TcpListener;

use crate::program::TestFolder;

/// The arguments, variables and files of a run, and the expected parts of the error.
#[derive(Default)]
struct Case<'a> {
    args: &'a [&'a str],
    env: &'a [(&'a str, &'a str)],
    files: &'a [(&'a str, &'a str)],
    says: &'a [&'a str],
}

#[track_caller]
fn check(folder: &TestFolder, case: &Case<'_>, code: i32) -> String {
    let before = folder.tree();
    let run = folder.run(case.args, case.env);
    let args = case.args;
    assert_eq!(run.code, Some(code), "{args:?}: {run:?}");
    assert_eq!(run.stdout, "", "{args:?}");
    for part in case.says {
        assert!(run.stderr.contains(part), "{args:?}: no `{part}`: {run:?}");
    }
    assert!(!run.stderr.contains("CANARY"), "{args:?}: {run:?}");
    assert_eq!(folder.tree(), before, "{args:?} changed files");
    run.stderr
}

#[track_caller]
fn check_failure(case: &Case<'_>) {
    check_failure_in(&TestFolder::new(case.files), case);
}

/// Checks that standard error has one line besides the log.
#[track_caller]
fn check_failure_in(folder: &TestFolder, case: &Case<'_>) {
    let stderr = check(folder, case, 1);
    let lines: Vec<&str> = stderr.lines().filter(|line| !is_log(line)).collect();
    let [line] = lines[..] else {
        panic!("{:?}: {stderr}", case.args);
    };
    assert!(line.starts_with("error: "), "{:?}: {line}", case.args);
}

#[track_caller]
fn check_usage(case: &Case<'_>) {
    check(&TestFolder::new(case.files), case, 2);
}

fn is_log(line: &str) -> bool {
    line.contains("Z  WARN ") || line.contains("Z  INFO ")
}

#[test]
fn invalid_input_is_named() {
    /// UTF-16 without a byte order mark.
    const WIDE: &str = "c\0l\0u\0s\0t\0e\0r\0I\0D\0:\0 \0c\0\n\0";
    const CONFIG: &str = "clusterID: c1\nserver: {healthPort: 0, kubeconfigPregenerated: true}\n";
    for (args, files, says) in [
        (
            &["server", "-c", "config.yaml"] as &[&str],
            &[] as &[(&str, &str)],
            &["`config.yaml`", "No such file", "check the path"] as &[&str],
        ),
        (
            &["server", "-c", "."],
            &[],
            &["`.`", "directory", "check the path"],
        ),
        (
            &["server", "-c", "config.yaml"],
            &[("config.yaml", "clusterID: [c1\nserver: {}\n")],
            &["config.yaml:2:", "correct the YAML"],
        ),
        (
            &["server", "-c", "config.yaml"],
            &[("config.yaml", "clusterID: c1\nserver:\n\tport: 1\n")],
            &["config.yaml:3:1: tab in indentation", "use spaces"],
        ),
        (
            &["server", "-c", "config.yaml"],
            &[("config.yaml", WIDE)],
            &[
                "`config.yaml`",
                "UTF-16 (little endian)",
                "Out-File -Encoding utf8",
            ],
        ),
        (
            &["explain", "-c", "config.yaml", "--arn", "acs:ram::1:user/a"],
            &[("config.yaml", WIDE)],
            &["UTF-16 (little endian)", "Out-File -Encoding utf8"],
        ),
        (
            &["server", "-c", "config.yaml"],
            &[("config.yaml", "clusterID: c1\nserver: {port: 1}\n# a\0b\n")],
            &["NUL character in line 3 at byte 4", "remove it"],
        ),
        (
            &["server", "-c", "config.yaml"],
            &[("config.yaml", "server: {port: 21362}\n")],
            &[
                "`clusterID` is required",
                "`config.yaml`",
                "`clusterID: <id>`",
            ],
        ),
        (
            &["server", "-c", "config.yaml"],
            &[("config.yaml", "clusterID: c1\nserver:\n  port: many\n")],
            &[
                "config.yaml:3:",
                "`server.port`",
                "`many`",
                "between 0 and 65535",
            ],
        ),
        (
            &["server", "-c", "config.yaml", "--state-dir", "file/state"],
            &[("config.yaml", CONFIG), ("file", "")],
            &["`file/state`", "cannot", "--state-dir"],
        ),
        (
            &["server", "-c", "config.yaml", "--state-dir", "."],
            &[("config.yaml", CONFIG), ("cert.pem", "")],
            &["`./cert.pem`", "no `./key.pem`", "restore"],
        ),
        (
            &["server", "-c", "config.yaml", "--state-dir", "."],
            &[("config.yaml", CONFIG), ("key.pem", "CANARY")],
            &["`./key.pem`", "no `./cert.pem`", "restore"],
        ),
        (
            &["server", "-c", "config.yaml", "--state-dir", "."],
            &[
                ("config.yaml", CONFIG),
                ("cert.pem", "CANARY"),
                ("key.pem", "CANARY"),
            ],
            &["`./cert.pem`", "holds no certificate", "restore"],
        ),
        (
            &["init"],
            &[("cert.pem", "")],
            &["`./cert.pem`", "no `./key.pem`"],
        ),
        (
            &["init", "-c", "config.yaml"],
            &[("config.yaml", "server: {port: 0}\n")],
            &["`server.port` is 0", "set the port"],
        ),
    ] {
        check_failure(&Case {
            args,
            files,
            says,
            ..Case::default()
        });
    }
    check_usage(&Case {
        args: &["diff", "config.yaml", "config.yaml"],
        files: &[("config.yaml", WIDE)],
        says: &["UTF-16 (little endian)", "Out-File -Encoding utf8"],
        ..Case::default()
    });
}

#[test]
fn port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = TestFolder::new(&[("config.yaml", "server: {healthPort: 0}\n")]);
    folder.run(&["init"], &[]).printed();
    let port = address.port().to_string();
    let case = Case {
        args: &[
            "server",
            "-c=config.yaml",
            "-i=c1",
            "--state-dir=.",
            "--generate-kubeconfig=kubeconfig.yaml",
            "--port",
            &port,
        ],
        says: &[
            &address.to_string(),
            "in use",
            "stop the program that uses the port",
        ],
        ..Case::default()
    };
    check_failure_in(&folder, &case);
}

#[test]
fn invalid_log_filter_is_named() {
    check_failure(&Case {
        args: &["init"],
        env: &[("ACK_RAM_AUTHENTICATOR_LOG", "hyper=loud")],
        says: &["`ACK_RAM_AUTHENTICATOR_LOG`", "use a level"],
        ..Case::default()
    });
}

#[test]
fn misplaced_secret_is_not_echoed() {
    let jwt = format!("eyJhbGciOi.{}.c2ln", "CANARY".repeat(30));
    let json = r#"{"kind": "ExecCredential", "status": {"clientKeyData": "CANARY"}}"#;
    for args in [
        &["verify", "k8s-ack-v2.CANARY"] as &[&str],
        &["verify", &jwt],
        &["inspect", "-", &jwt],
        &["inspect", "-", json],
        &["inspect", json, "--token", json],
        &["inspect", "--output", json],
        &["explain", "-c", "config.yaml", "--arn", json],
        &[json],
    ] {
        check_usage(&Case {
            args,
            ..Case::default()
        });
    }
    for (json, says) in [
        (json, "expected text in `status.token`"),
        (r#"{"status": {"token": "CANARY""#, "not whole JSON"),
    ] {
        for command in ["inspect", "verify"] {
            check_failure(&Case {
                args: &[command, "-i", "c1", "--token", json],
                says: &[says, "give all that the credential plugin printed"],
                ..Case::default()
            });
        }
    }
}
