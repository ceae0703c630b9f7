//! The binary of the emulator: its output, its files and its exit codes.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ack_ram_tests::process::Process;
use ack_ram_tests::sts::{EXAMPLE_STATE, demo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(30);

fn start(arguments: &[&str]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sts-emulator"));
    command.args(arguments);
    Process::spawn("sts-emulator", command).unwrap()
}

/// Waits for the line with the address, and returns the address.
fn wait_for_url(process: &mut Process, scheme: &str) -> String {
    let prefix = format!("listening on {scheme}://");
    let line = process
        .wait_for_line(|line| line.starts_with(&prefix), PATIENCE)
        .unwrap();
    line[prefix.len()..].to_owned()
}

fn path(directory: &Path, name: &str) -> String {
    directory.join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn program_answers_until_signal() {
    let directory = tempfile::tempdir().unwrap();
    let state = path(directory.path(), "state.json");
    std::fs::write(&state, EXAMPLE_STATE).unwrap();
    let mut process = start(&["--http", "--state", &state]);
    let address = wait_for_url(&mut process, "http");

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"POST / HTTP/1.1\r\nhost: sts\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    assert!(reply.contains("\"MissingAction\""), "{reply}");

    assert_eq!(process.stop(PATIENCE).unwrap().code(), Some(0));
}

#[test]
fn ca_out_has_the_certificate_authority() {
    let directory = tempfile::tempdir().unwrap();
    let ca = path(directory.path(), "ca.pem");
    let mut process = start(&["--ca-out", &ca, "--name", "sts.aliyuncs.com"]);
    wait_for_url(&mut process, "https");
    let pem = std::fs::read_to_string(&ca).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
}

#[test]
fn invalid_arguments_are_reported_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let missing = path(directory.path(), "missing.json");
    let broken = path(directory.path(), "broken.json");
    std::fs::write(&broken, "{\"users\":[]}").unwrap();
    let nowhere = path(directory.path(), "no/where/ca.pem");
    for (arguments, expected) in [
        (["--state", &missing], format!("`{missing}`: No such file")),
        (
            ["--state", &broken],
            format!("invalid state file `{broken}`: unknown field `users`"),
        ),
        (["--ca-out", &nowhere], format!("`{nowhere}`: No such file")),
    ] {
        let mut process = start(&arguments);
        assert_eq!(
            process.wait(PATIENCE).unwrap().code(),
            Some(1),
            "{arguments:?}"
        );
        let stderr = process.stderr();
        assert!(
            stderr.starts_with(&format!("sts-emulator: {expected}")),
            "{stderr}"
        );
        assert_eq!(
            (stderr.lines().count(), process.stdout()),
            (1, String::new())
        );
    }
    for arguments in [&["--listen", "here"][..], &["--http", "--ca-out", "x"]] {
        let mut process = start(arguments);
        assert_eq!(
            process.wait(PATIENCE).unwrap().code(),
            Some(2),
            "{arguments:?}"
        );
    }
}

#[test]
fn help_has_keys_and_state_file_example() {
    let mut process = start(&["--help"]);
    assert!(process.wait(PATIENCE).unwrap().success());
    let help = process.stdout();
    assert!(help.contains(EXAMPLE_STATE.trim_end()), "{help}");
    for (arn, key) in demo::keys() {
        let line = format!("{} {}", key.id, key.secret.expose());
        assert!(help.contains(arn) && help.contains(&line), "{help}");
    }
}
