//! Runs a process: without standard input, in a group of its own, and with limits for time and output.

mod group;

use std::process::Stdio;
use std::time::Duration;

use ack_ram_core::secret::Secret;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::environment::Environment;
use crate::flow::ProcessOutput;
use crate::platform;

/// The maximum size of the standard output, in bytes.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// The part of the standard error that is kept, in bytes.
const KEPT_ERROR_BYTES: usize = 4 * 1024;
/// How long output is read after the process has ended. A process that it left behind may keep its output open.
const REST_TIME: Duration = Duration::from_secs(1);

/// The variable with the number of processes of this client that a process is in, one in the other.
pub(super) const DEPTH: &str = "ACK_RAM_AUTHENTICATOR_PROCESS_DEPTH";
/// The maximum of that number. A process that calls this client for the key that it has to print would start itself again
/// without end, even after the first command has ended.
const MAX_DEPTH: u32 = 3;

/// Runs a program for at most `time`, inside of `depth` other processes of this client. The variables in `environment`
/// replace those of this process.
///
/// If the program fails or does not end in time, or if a signal ends this program, its children are killed with it.
/// Children of a program that succeeds live on, since they may serve its next call.
pub(super) async fn run(
    words: &[Secret],
    time: Duration,
    depth: u32,
    environment: &Environment,
) -> ProcessOutput {
    if depth >= MAX_DEPTH {
        return not_started("it has called this client, which would start it again");
    }
    let Some((program, arguments)) = words.split_first() else {
        return not_started("there is no program");
    };
    let mut command = std::process::Command::new(program.expose());
    command
        .args(arguments.iter().map(Secret::expose))
        // Other variables are inherited, so that invalid Unicode stays as it is.
        .envs(environment.difference(&Environment::of_process()))
        .env(DEPTH, (depth + 1).to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    platform::lead_group(&mut command);
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    let (mut child, group) = match group::spawn(&mut command) {
        Ok(started) => started,
        Err(error) => return not_started(&error.to_string()),
    };
    let output = match tokio::time::timeout(time, finish(&mut child)).await {
        Ok(output) => output,
        Err(_) => ProcessOutput::TimedOut,
    };
    let is_success = matches!(
        output,
        ProcessOutput::Ended {
            is_success: true,
            ..
        }
    );
    if !is_success {
        group.end();
        // On systems without groups, this ends the program alone. The program may have ended.
        let _ = child.start_kill();
        let _ = tokio::time::timeout(REST_TIME, child.wait()).await;
    }
    output
}

async fn finish(child: &mut Child) -> ProcessOutput {
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return not_started("it has no output");
    };
    let mut out = Zeroizing::new(Vec::new());
    let mut err = Zeroizing::new(Vec::new());
    let mut reading_errors = Box::pin(read_first(stderr, &mut err));
    let mut errors_end = false;
    let mut reading = Box::pin(read_limited(stdout, &mut out, MAX_OUTPUT_BYTES));
    let mut fits = None;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            result = &mut reading, if fits.is_none() => {
                if !result {
                    return ProcessOutput::TooLarge;
                }
                fits = Some(result);
            }
            () = &mut reading_errors, if !errors_end => errors_end = true,
        }
    };
    let status = match status {
        Ok(status) => status,
        Err(error) => return not_started(&error.to_string()),
    };
    if fits.is_none() {
        let rest = async {
            loop {
                tokio::select! {
                    result = &mut reading => break result,
                    () = &mut reading_errors, if !errors_end => errors_end = true,
                }
            }
        };
        fits = tokio::time::timeout(REST_TIME, rest).await.ok();
    }
    drop(reading);
    if fits == Some(false) {
        return ProcessOutput::TooLarge;
    }
    // A process that prints a profile and leaves another behind would otherwise cost the whole time.
    let shows_errors = !status.success() || out.is_empty();
    if shows_errors && !errors_end {
        // What the process itself printed is there by now.
        let _ = tokio::time::timeout(REST_TIME, &mut reading_errors).await;
    }
    drop(reading_errors);
    ProcessOutput::Ended {
        is_success: status.success(),
        status: status.to_string(),
        stdout: out,
        stderr: err,
    }
}

fn not_started(reason: &str) -> ProcessOutput {
    ProcessOutput::NotStarted {
        reason: reason.to_owned(),
    }
}

/// Reads until the end. Returns `false` if there are more than `max` bytes.
async fn read_limited(
    mut from: impl AsyncRead + Unpin,
    into: &mut Zeroizing<Vec<u8>>,
    max: usize,
) -> bool {
    let mut buffer = Zeroizing::new([0; 4096]);
    loop {
        match from.read(&mut buffer[..]).await {
            Ok(0) | Err(_) => return true,
            Ok(length) => into.extend_from_slice(buffer.get(..length).unwrap_or_default()),
        }
        if into.len() > max {
            return false;
        }
    }
}

/// Reads until the end, and keeps the first bytes: whole lines, since half a secret is not recognized as one.
async fn read_first(mut from: impl AsyncRead + Unpin, into: &mut Zeroizing<Vec<u8>>) {
    let mut buffer = Zeroizing::new([0; 4096]);
    let mut is_cut = false;
    while let Ok(length @ 1..) = from.read(&mut buffer[..]).await {
        if is_cut {
            continue;
        }
        let room = KEPT_ERROR_BYTES.saturating_sub(into.len()).min(length);
        into.extend_from_slice(buffer.get(..room).unwrap_or_default());
        if room < length {
            is_cut = true;
            if let Some(end) = into.iter().rposition(|byte| *byte == b'\n') {
                into.truncate(end);
            }
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
