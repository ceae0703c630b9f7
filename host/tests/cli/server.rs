//! `server`: start, warnings in the log, and stop.

use std::process::Command;
use std::time::Duration;

use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use serde_json::Value;

use crate::program::TestFolder;

const LIMIT: Duration = Duration::from_secs(60);

/// A configuration as for the Go version, with an unknown key and empty lists.
const CONFIG: &str = "
clusterID: c1
color: blue
server:
  port: 0
  healthPort: 0
  stateDir: state
  generateKubeconfig: kubeconfig.yaml
  mapRoles:
  mapUsers:
    - userARN: acs:ram::1234567890123456:user/alice
      username: alice
  mapAccounts:
";

/// Starts the server, waits until it listens, stops it, and returns its log.
#[track_caller]
fn log_of(folder: &TestFolder, args: &[&str]) -> String {
    log_of_command(folder.command(args, &[]))
}

#[track_caller]
fn log_of_command(command: Command) -> String {
    let mut server = Process::spawn("server", command).unwrap();
    let listening = server.wait_for_line(|line| line.contains("listening on https://"), LIMIT);
    listening.unwrap_or_else(|error| panic!("{error}"));
    let status = server.stop(LIMIT).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert_eq!(server.stdout(), "");
    server.stderr()
}

#[test]
fn log_in_a_file_has_no_colors_and_start_writes_private_key_and_kubeconfig() {
    let folder = TestFolder::new(&[("config.yaml", CONFIG)]);
    let log = log_of(&folder, &["server", "-c", "config.yaml"]);
    assert!(!log.contains('\u{1b}'), "colors in a file: {log}");
    assert_eq!(folder.mode("state/key.pem"), 0o600);
    assert!(
        folder
            .read_file("kubeconfig.yaml")
            .contains("/authenticate")
    );
}

#[test]
fn suspicious_proxy_variables_are_warnings() {
    let folder = TestFolder::new(&[("config.yaml", CONFIG)]);
    let env = [
        ("HTTPS_PROXY", "http://user:CANARY@CANARY@proxy.invalid"),
        ("no_proxy", "http://other.invalid"),
    ];
    let command = folder.command(&["server", "-c", "config.yaml"], &env);
    let log = log_of_command(command);
    for part in [
        "environment: `HTTPS_PROXY` has several `@`",
        "environment: the entry `http://other.invalid` in `no_proxy` is a URL",
    ] {
        let line = log.lines().find(|line| line.contains(part));
        assert!(
            line.is_some_and(|line| line.contains(" WARN ")),
            "{part}: {log}"
        );
    }
    assert!(!log.contains("CANARY"), "{log}");
}

#[test]
fn log_format_json_makes_each_line_json() {
    for args in [
        ["-l", "json", "server", "-c", "config.yaml"],
        ["server", "-c", "config.yaml", "--log-format", "json"],
    ] {
        let log = log_of(&TestFolder::new(&[("config.yaml", CONFIG)]), &args);
        assert!(log.lines().count() > 3, "{log}");
        for line in log.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            assert!(event["message"].is_string() && event["level"].is_string());
        }
    }
}

#[test]
fn log_names_listening_addresses() {
    let port = ports::free_port();
    let config = CONFIG.replace("healthPort: 0", &format!("healthPort: {port}"));
    for (config, health) in [
        (config.as_str(), Some(format!(":{port}\""))),
        (CONFIG, None),
    ] {
        let folder = TestFolder::new(&[("config.yaml", config)]);
        let log = log_of(&folder, &["server", "-c", "config.yaml"]);
        let is_it = |line: &&str| line.contains("listening on https://127.0.0.1:");
        let line = log.lines().find(is_it).unwrap();
        match health {
            Some(port) => assert!(
                line.contains("health=\"http://") && line.contains(&port),
                "{line}"
            ),
            None => assert!(!line.contains("health"), "{line}"),
        }
    }
}

#[test]
fn flags_override_file() {
    let folder = TestFolder::new(&[("config.yaml", CONFIG)]);
    log_of(
        &folder,
        &[
            "-c=config.yaml",
            "server",
            "--state-dir=elsewhere",
            "--kubeconfig-pregenerated",
            "-b=127.0.0.1",
            "--backend-mode=File",
        ],
    );
    assert!(folder.path().join("elsewhere/cert.pem").exists());
    for untouched in ["state", "kubeconfig.yaml"] {
        assert!(!folder.path().join(untouched).exists(), "{untouched}");
    }
}

#[test]
fn required_client_certificates_without_client_ca_fail_start() {
    let config = format!("{CONFIG}  requireClientCertificate: true\n");
    let folder = TestFolder::new(&[("config.yaml", &config)]);
    let run = folder.run(&["server", "-c", "config.yaml"], &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    for name in ["kubeconfig.yaml", "state"] {
        assert!(!folder.path().join(name).exists(), "{name} was created");
    }

    let run = folder.run(&["init", "--client-cert"], &[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let args = ["server", "-c", "config.yaml", "--state-dir", "."];
    log_of(&folder, &args);
}

#[test]
fn file_writable_by_others_is_logged() {
    let folder = TestFolder::new(&[("config.yaml", CONFIG)]);
    let args = ["server", "-c", "config.yaml"];
    assert!(!log_of(&folder, &args).contains("other users"));
    folder.set_mode("config.yaml", 0o666);
    let log = log_of(&folder, &args);
    let line = log.lines().find(|line| line.contains("`config.yaml`"));
    assert!(
        line.is_some_and(|line| line.contains(" WARN ") && line.contains("has mode 0666")),
        "{log}"
    );
}
