//! Runs a process that prints a profile, and follows the profile.

use zeroize::Zeroizing;

use crate::error::{ClientError, Refusal};
use crate::flow::redact::redact_lines;
use crate::flow::{Effect, State, Transition};
use crate::plan::ProcessPlan;
use crate::resolve::OutputError;

/// What a process did. `Debug` shows no output.
pub enum ProcessOutput {
    /// The process ended.
    Ended {
        /// Whether it succeeded.
        is_success: bool,
        /// How it ended, such as `exit status: 1`.
        status: String,
        /// The standard output.
        stdout: Zeroizing<Vec<u8>>,
        /// The start of the standard error.
        stderr: Zeroizing<Vec<u8>>,
    },
    /// The process could not be started.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// The process ran until the time of the command was over.
    TimedOut,
    /// The process printed too much.
    TooLarge,
}

impl std::fmt::Debug for ProcessOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ended { status, .. } => write!(f, "Ended({status})"),
            Self::NotStarted { reason } => write!(f, "NotStarted({reason})"),
            Self::TimedOut => f.write_str("TimedOut"),
            Self::TooLarge => f.write_str("TooLarge"),
        }
    }
}

#[derive(Debug)]
pub(super) struct Process(ProcessPlan);

pub(super) fn start(plan: ProcessPlan) -> Transition {
    let words = plan.words.clone();
    Transition::Continue(State::Process(Process(plan)), Effect::Run(words))
}

impl Process {
    pub(super) fn resume(self, output: ProcessOutput) -> Transition {
        let program = self.0.program();
        let stdout = match output {
            ProcessOutput::Ended {
                is_success: true,
                stdout,
                ..
            } => stdout,
            ProcessOutput::Ended { status, stderr, .. } => {
                let lines = redact_lines(&stderr);
                let cause = if lines.is_empty() {
                    format!("the process `{program}` failed ({status})")
                } else {
                    format!("the process `{program}` failed ({status}): {lines}")
                };
                return self.fail(cause, "run the command of {} by hand");
            }
            ProcessOutput::NotStarted { reason } => {
                let cause = format!("the process `{program}` could not be started: {reason}");
                return self.fail(cause, "correct the path of the program in {}");
            }
            ProcessOutput::TimedOut => {
                let cause = format!("the process `{program}` did not end in time, and was killed");
                return self.fail(
                    cause,
                    "run the command of {} by hand; it must not ask questions",
                );
            }
            ProcessOutput::TooLarge => {
                let cause = format!("the process `{program}` printed more than 64 KiB");
                return self.fail(cause, "let the command of {} print only a profile");
            }
        };
        let Ok(text) = std::str::from_utf8(&stdout) else {
            let cause = format!("the process `{program}` printed text that is not UTF-8");
            return self.fail(cause, "let the command of {} print only a profile");
        };
        match self.0.plan_of_output(text) {
            Ok(plan) => Transition::Plan(plan),
            Err(OutputError::NoProfile) => {
                let cause = format!("the process `{program}` printed no JSON object with a `mode`");
                self.fail(
                    cause,
                    "let the command of {} print a profile such as `{\"mode\": \"StsToken\", ...}`",
                )
            }
            Err(OutputError::Setup(error)) => Transition::Fail(ClientError::Setup(error)),
        }
    }

    /// Ends the flow. `remedy` has `{}` where the origin of the command belongs.
    fn fail(&self, cause: String, remedy: &str) -> Transition {
        Transition::Fail(ClientError::Refused(Refusal {
            cause,
            remedy: remedy.replacen("{}", &self.0.origin.to_string(), 1),
        }))
    }
}
