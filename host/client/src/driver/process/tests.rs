//! Real processes. The deadline is far away if a process has to end by itself. A killed process is recognized by a pipe
//! that all of its copies have closed.

use std::fs::File;
use std::io::Read as _;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::runtime::Builder;

use super::*;

const LONG: Duration = Duration::from_secs(600);

fn run_words(words: &[&str], time: Duration) -> ProcessOutput {
    let words: Vec<Secret> = words.iter().copied().map(Secret::new).collect();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(&words, time, 0, &Environment::default()))
}

fn run_script(script: &str, time: Duration) -> ProcessOutput {
    run_words(&["/bin/sh", "-c", script], time)
}

/// Returns success, status, standard output, and standard error.
fn ended(output: &ProcessOutput) -> (bool, &str, &str, &str) {
    match output {
        ProcessOutput::Ended {
            is_success,
            status,
            stdout,
            stderr,
        } => (
            *is_success,
            status,
            std::str::from_utf8(stdout).unwrap(),
            std::str::from_utf8(stderr).unwrap(),
        ),
        other => panic!("{other:?}"),
    }
}

/// A named pipe that the processes of a script keep open while they live.
struct Witness {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    reader: File,
    /// Keeps the pipe open until the processes have ended or have opened it.
    writer: File,
}

impl Witness {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alive");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        // Opening one end alone would wait for the other end.
        let writer = File::options().read(true).write(true).open(&path).unwrap();
        Self {
            reader: File::open(&path).unwrap(),
            writer,
            path,
            _folder: folder,
        }
    }

    /// Returns a script that opens the pipe as 3, writes its process ID, and then runs `script`.
    fn script(&self, script: &str) -> String {
        format!("exec 3>'{}'; echo $$ >&3; {script}", self.path.display())
    }

    /// Waits until all writers have ended, and returns what they wrote.
    fn text_at_end(mut self) -> String {
        drop(self.writer);
        let mut text = String::new();
        self.reader.read_to_string(&mut text).unwrap();
        text
    }
}

#[test]
fn output_of_ended_process_is_returned() {
    for (script, expected) in [
        (
            "echo out; echo err >&2",
            (true, "exit status: 0", "out\n", ""),
        ),
        ("true", (true, "exit status: 0", "", "")),
        ("echo only >&2", (true, "exit status: 0", "", "only\n")),
        (
            "echo out; echo err >&2; exit 3",
            (false, "exit status: 3", "out\n", "err\n"),
        ),
        ("kill -9 $$", (false, "signal: 9 (SIGKILL)", "", "")),
        // The standard input is at its end.
        ("cat; echo end", (true, "exit status: 0", "end\n", "")),
        (
            "printf '%s' \"$0\"",
            (true, "exit status: 0", "/bin/sh", ""),
        ),
    ] {
        let output = run_script(script, LONG);
        let (is_success, status, stdout, stderr) = ended(&output);
        // The standard error of a process that printed a profile is not waited for.
        let stderr = if expected.3.is_empty() { "" } else { stderr };
        assert_eq!((is_success, status, stdout, stderr), expected, "{script}");
    }
}

#[test]
fn arguments_are_passed_as_they_are() {
    let output = run_words(
        &[
            "/bin/sh",
            "-c",
            "printf '%s|' \"$@\"",
            "sh",
            "a b",
            "$HOME",
            "*",
            "",
        ],
        LONG,
    );
    assert_eq!(ended(&output).2, "a b|$HOME|*||");
}

#[test]
fn process_knows_its_depth_and_is_not_started_in_the_depth() {
    let words = ["/bin/sh", "-c", "echo $ACK_RAM_AUTHENTICATOR_PROCESS_DEPTH"];
    let words: Vec<Secret> = words.into_iter().map(Secret::new).collect();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    for depth in 0..MAX_DEPTH {
        let output = runtime.block_on(run(&words, LONG, depth, &Environment::default()));
        assert_eq!(ended(&output).2, format!("{}\n", depth + 1));
    }
    for depth in [MAX_DEPTH, u32::MAX] {
        let output = runtime.block_on(run(&words, LONG, depth, &Environment::default()));
        assert!(
            matches!(output, ProcessOutput::NotStarted { .. }),
            "{depth}"
        );
    }
}

#[test]
fn program_that_cannot_run_is_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "#!/bin/sh\necho no\n").unwrap();
    for (words, reason) in [
        (vec![], "there is no program"),
        (
            vec!["/nonexistent/program", "CANARY"],
            "No such file or directory (os error 2)",
        ),
        (
            vec!["no-such-program-in-path"],
            "No such file or directory (os error 2)",
        ),
        (
            vec![plain.to_str().unwrap()],
            "Permission denied (os error 13)",
        ),
        (
            vec![folder.path().to_str().unwrap()],
            "Permission denied (os error 13)",
        ),
        (vec!["/bin/sh", "a\0b"], "nul byte found in provided data"),
    ] {
        match run_words(&words, LONG) {
            ProcessOutput::NotStarted { reason: found } => assert_eq!(found, reason, "{words:?}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn endless_output_is_too_large_and_its_process_killed() {
    let witness = Witness::new();
    let script = witness.script("while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done");
    assert!(matches!(run_script(&script, LONG), ProcessOutput::TooLarge));
    assert_is_gone(&witness.text_at_end());
}

#[test]
fn output_of_exactly_the_maximum_is_returned() {
    let print = |bytes: usize| format!("head -c {bytes} /dev/zero | tr '\\0' x");
    let output = run_script(&print(MAX_OUTPUT_BYTES), LONG);
    assert_eq!(ended(&output).2.len(), MAX_OUTPUT_BYTES);
    assert!(matches!(
        run_script(&print(MAX_OUTPUT_BYTES + 1), LONG),
        ProcessOutput::TooLarge
    ));
}

#[test]
fn long_standard_error_is_read_and_cut_at_a_line() {
    let line = "x".repeat(99);
    let script =
        format!("i=0; while [ $i -lt 5000 ]; do echo {line} >&2; i=$((i+1)); done; exit 1");
    let output = run_script(&script, LONG);
    let stderr = ended(&output).3;
    assert_eq!(stderr, vec![&*line; KEPT_ERROR_BYTES / 100].join("\n"));
}

#[test]
fn process_and_children_are_killed_at_the_deadline() {
    for script in [
        // The process waits for a child.
        "(while :; do sleep 1000; done)",
        // The process has a child that it does not wait for, and ignores signals.
        "trap '' TERM HUP INT; (while :; do sleep 1000; done) & while :; do sleep 1000; done",
        // The process has closed its output.
        "exec >&- 2>&-; while :; do sleep 1000; done",
        // The process prints to its standard error without end.
        "while :; do echo x >&2; done",
    ] {
        // A slow machine may not start the process before the first deadline.
        let deadlines = (1..10).map(|tries| Duration::from_millis(100 << tries));
        let id = deadlines.map(|deadline| {
            let witness = Witness::new();
            let output = run_script(&witness.script(script), deadline);
            assert!(matches!(output, ProcessOutput::TimedOut), "{output:?}");
            witness.text_at_end()
        });
        assert_is_gone(&id.into_iter().find(|id| !id.is_empty()).unwrap());
    }
}

#[test]
fn children_of_failed_process_are_killed() {
    let witness = Witness::new();
    let script = witness.script("(while :; do sleep 1000; done) & echo failed >&2; exit 1");
    let output = run_script(&script, LONG);
    assert_eq!(ended(&output), (false, "exit status: 1", "", "failed\n"));
    assert_is_gone(&witness.text_at_end());
}

#[test]
fn child_that_keeps_the_output_open_lives_on_after_success() {
    let witness = Witness::new();
    let folder = tempfile::tempdir().unwrap();
    let stop = folder.path().join("stop");
    nix::unistd::mkfifo(&stop, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // The child reads until the test has opened and closed the second pipe.
    let script = format!("(cat '{}'; echo stopped >&3) & echo out", stop.display());
    let output = run_script(&witness.script(&script), LONG);
    assert_eq!(ended(&output).2, "out\n");
    drop(File::options().write(true).open(&stop).unwrap());
    assert!(witness.text_at_end().ends_with("\nstopped\n"));
}

/// Checks that the process with this ID does not exist, not even as a zombie.
fn assert_is_gone(id: &str) {
    let id = id.lines().next().unwrap().parse().unwrap();
    assert_eq!(kill(Pid::from_raw(id), None), Err(Errno::ESRCH));
}
