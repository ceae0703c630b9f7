//! The guard of child processes.

use std::process::Command;
use std::thread;
use std::time::Duration;

use ack_ram_tests::process::Process;
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn drop_ends_grandchildren() {
    let mut parent = shell("trap '' TERM; sleep 600 & echo started $!; wait");
    let line = parent.wait_for_line(|line| line.starts_with("started"), LONG);
    let sleeper: i32 = line.unwrap()["started ".len()..].parse().unwrap();
    drop(parent);
    // An orphan stays in the process table until its new parent has reaped it.
    let has_exited = (0..600).any(|_| {
        thread::sleep(Duration::from_millis(100));
        kill(Pid::from_raw(sleeper), None) == Err(Errno::ESRCH) || is_zombie(sleeper)
    });
    assert!(has_exited, "process {sleeper} is still running");
}

#[test]
fn early_exit_error_has_the_output() {
    let mut child = shell("echo to out; echo to err >&2; exit 3");
    let error = child
        .wait_for_line(|line| line == "never", LONG)
        .unwrap_err();
    assert!(error.to_string().contains("exit status: 3"), "{error}");
    assert_eq!(
        (child.stdout().as_str(), child.stderr().as_str()),
        ("to out\n", "to err\n")
    );
}

#[test]
fn wait_for_hanging_child_times_out() {
    let mut child = shell("sleep 600");
    let error = child.wait(Duration::from_millis(50)).unwrap_err();
    assert!(
        error.to_string().contains("timed out after 50ms"),
        "{error}"
    );
    assert!(child.is_running());
}

#[test]
fn stop_sends_sigterm_first() {
    let mut child = shell("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.1; done");
    child.wait_for_line(|line| line == "ready", LONG).unwrap();
    let status = child.stop(LONG).unwrap();
    assert_eq!(
        (status.code(), child.stdout().as_str()),
        (Some(5), "ready\nbye\n")
    );
}

fn shell(script: &str) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Process::spawn("sh", command).unwrap()
}

fn is_zombie(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.contains("State:\tZ")
}
