//! Signals with which a person or a shell ends a client that runs a process.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};

use crate::fixture::{Fixture, START, role_reply};
use crate::process::{ClientProcess, ClientSetup};

/// How long a process may take to end.
const LIMIT: Duration = Duration::from_secs(120);

/// Returns a client whose key comes from a shell that runs `script`.
fn client_of(fixture: &Fixture, script: &str) -> ClientSetup {
    let folder = fixture.home().join(".aliyun");
    fs::create_dir_all(&folder).unwrap();
    let file = fixture.home().join("get-key");
    fs::write(&file, script).unwrap();
    let text = format!(
        r#"{{"current": "p", "profiles": [{{"name": "p", "mode": "External", "process_command": "/bin/sh {}"}}]}}"#,
        file.display()
    );
    fs::write(folder.join("config.json"), text).unwrap();
    fixture.client_without_source(START)
}

/// A process that never ends by itself, and that keeps a pipe open while it lives.
struct Running {
    alive: BufReader<File>,
    id: Pid,
}

impl Running {
    /// Returns a script that waits for ever, and the pipe that it opens.
    fn script(fixture: &Fixture) -> (String, PathBuf) {
        let [alive, never] = ["alive", "never"].map(|name| fixture.home().join(name));
        for pipe in [&alive, &never] {
            if !pipe.exists() {
                mkfifo(pipe, Mode::S_IRWXU).unwrap();
            }
        }
        // The process has a child, which has the pipe, too.
        let script = format!(
            "exec 3> {}\necho $$ >&3\n(read -r _ < {})\n",
            alive.display(),
            never.display()
        );
        (script, alive)
    }

    /// Waits until the process has opened the pipe.
    fn wait_for(alive: &Path) -> Self {
        let mut alive = BufReader::new(File::open(alive).unwrap());
        let mut id = String::new();
        alive.read_line(&mut id).unwrap();
        let id = Pid::from_raw(id.trim_end().parse().unwrap());
        Self { alive, id }
    }

    /// Checks that the process and its child end.
    fn assert_ends(self) {
        let (sender, receiver) = mpsc::channel();
        let mut alive = self.alive;
        thread::spawn(move || {
            alive.read_to_end(&mut Vec::new()).unwrap();
            sender.send(()).unwrap();
        });
        if receiver.recv_timeout(LIMIT).is_err() {
            // The process must not outlive the test.
            let _ = killpg(self.id, Signal::SIGKILL);
            panic!("the process {} lives on", self.id);
        }
    }
}

#[test]
fn signal_ends_the_client_and_its_process() {
    for signal in [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGQUIT,
    ] {
        let fixture = Fixture::new(|_| (404, String::new()));
        let (script, alive) = Running::script(&fixture);
        let client: ClientProcess = client_of(&fixture, &script).start();
        let process = Running::wait_for(&alive);
        client.send(signal);
        assert_eq!(client.wait_for_signal(), signal);
        process.assert_ends();
    }
}

#[test]
fn signal_that_the_client_ignores_stays_ignored() {
    let fixture = Fixture::new(|_| (404, String::new()));
    let (script, alive) = Running::script(&fixture);
    let client = client_of(&fixture, &script).ignoring_hangups().start();
    let process = Running::wait_for(&alive);
    client.send(Signal::SIGHUP);
    client.send(Signal::SIGTERM);
    assert_eq!(client.wait_for_signal(), Signal::SIGTERM);
    process.assert_ends();
}

#[test]
fn signal_ends_the_client_after_its_process() {
    let (fixture, gate) = Fixture::with_gate(1, |call| role_reply(call.number, START));
    let script = r#"echo '{"mode": "AK", "access_key_id": "LTAI5tFakeAccessKeyId001", "access_key_secret": "FakeUserSecret1"}'"#;
    let client = fixture.with_role(client_of(&fixture, script)).start();
    fixture.server.wait_for_call(1);
    client.send(Signal::SIGTERM);
    assert_eq!(client.wait_for_signal(), Signal::SIGTERM);
    gate.add();
}
