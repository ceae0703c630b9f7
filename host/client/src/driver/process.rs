//! Runs a process: without standard input, in a group of its own, and with limits for time and output.

use std::process::Stdio;
use std::time::Duration;

use ack_ram_core::secret::Secret;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::flow::ProcessOutput;
use crate::platform;

/// The maximum size of the standard output, in bytes.
const MAX_OUTPUT_BYTES: usize = 64 * 1024;
/// The part of the standard error that is kept, in bytes.
const KEPT_ERROR_BYTES: usize = 4 * 1024;
/// How long output is read after the process has ended. A process that it left behind may keep its output open.
const REST_TIME: Duration = Duration::from_secs(1);

/// Runs a program for at most `time`. At the end of the time, the program and its children are killed.
pub(super) async fn run(words: &[Secret], time: Duration) -> ProcessOutput {
    let Some((program, arguments)) = words.split_first() else {
        return ProcessOutput::NotStarted {
            reason: "there is no program".to_owned(),
        };
    };
    let mut command = std::process::Command::new(program.expose());
    command
        .args(arguments.iter().map(Secret::expose))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    platform::lead_group(&mut command);
    let mut command = Command::from(command);
    let mut child = match command.kill_on_drop(true).spawn() {
        Ok(child) => child,
        Err(error) => {
            return ProcessOutput::NotStarted {
                reason: error.to_string(),
            };
        }
    };
    let group = child.id();
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
    if let (false, Some(group)) = (is_success, group) {
        platform::end_group(group);
    }
    output
}

async fn finish(child: &mut Child) -> ProcessOutput {
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return ProcessOutput::NotStarted {
            reason: "it has no output".to_owned(),
        };
    };
    let mut out = Zeroizing::new(Vec::new());
    let mut err = Zeroizing::new(Vec::new());
    let status = {
        let reading = async {
            tokio::join!(
                read_limited(stdout, &mut out, MAX_OUTPUT_BYTES),
                read_first(stderr, &mut err),
            )
            .0
        };
        tokio::pin!(reading);
        let mut is_read = false;
        let status = loop {
            tokio::select! {
                fits = &mut reading, if !is_read => {
                    if !fits {
                        return ProcessOutput::TooLarge;
                    }
                    is_read = true;
                }
                status = child.wait() => break status,
            }
        };
        if !is_read && let Ok(false) = tokio::time::timeout(REST_TIME, &mut reading).await {
            return ProcessOutput::TooLarge;
        }
        status
    };
    match status {
        Ok(status) => ProcessOutput::Ended {
            is_success: status.success(),
            status: status.to_string(),
            stdout: out,
            stderr: err,
        },
        Err(error) => ProcessOutput::NotStarted {
            reason: error.to_string(),
        },
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

/// Reads until the end, and keeps the first bytes.
async fn read_first(mut from: impl AsyncRead + Unpin, into: &mut Zeroizing<Vec<u8>>) {
    let mut buffer = Zeroizing::new([0; 4096]);
    while let Ok(length @ 1..) = from.read(&mut buffer[..]).await {
        let room = KEPT_ERROR_BYTES.saturating_sub(into.len()).min(length);
        into.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
}
