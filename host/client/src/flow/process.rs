//! Runs a process that prints a profile, and follows the profile.

use zeroize::Zeroizing;

use crate::error::{ClientError, Refusal, Unavailable};
use crate::flow::redact::redact_lines;
use crate::flow::session::live_key;
use crate::flow::{Effect, Moment, State, Transition};
use crate::plan::{OAuthPlan, Plan, ProcessPlan};
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
    let state = State::Process(Box::new(Process(plan)));
    Transition::Continue(state, Effect::Run(words))
}

impl Process {
    pub(super) fn resume(self, output: ProcessOutput, moment: &Moment) -> Transition {
        let program = format!("the process `{}`", self.0.program());
        let (stdout, stderr) = match output {
            ProcessOutput::Ended {
                is_success: true,
                stdout,
                stderr,
                ..
            } => (stdout, stderr),
            ProcessOutput::Ended { status, stderr, .. } => {
                let cause = self.with_errors(format!("{program} failed ({status})"), &stderr);
                return self.refused(cause, "run the command of {} by hand");
            }
            ProcessOutput::NotStarted { reason } => {
                let cause = format!("{program} could not be started: {reason}");
                return self.refused(cause, "correct the path of the program in {}");
            }
            ProcessOutput::TimedOut => {
                return Transition::Fail(ClientError::Unavailable(Unavailable {
                    cause: format!("{program} did not end in time, and was killed"),
                    remedy: self.remedy("run the command of {} by hand; it must not ask questions"),
                }));
            }
            ProcessOutput::TooLarge => {
                let cause = format!("{program} printed more than 64 KiB");
                return self.refused(cause, "let the command of {} print only a profile");
            }
        };
        let Ok(text) = std::str::from_utf8(&stdout) else {
            let cause = format!("{program} printed text that is not UTF-8");
            return self.refused(cause, "let the command of {} print only a profile");
        };
        match self.0.plan_of_output(text) {
            // The renewal of a session needs a lock, and the file of the session is read before the lock is there.
            Ok(plan) => match ended_oauth_session(&plan, moment) {
                None => Transition::Plan(Box::new(plan)),
                Some(session) => Transition::Fail(ClientError::Refused(Refusal {
                    cause: format!(
                        "{program} printed a profile that needs the OAuth session of {}, which has ended",
                        session.profile
                    ),
                    remedy: format!(
                        "renew the session: run `ack-ram-authenticator whoami --profile-name {}`",
                        shlex::try_quote(&session.profile.name).unwrap_or_default()
                    ),
                })),
            },
            Err(OutputError::NoProfile) => {
                let cause = match text.trim().is_empty() {
                    true => format!("{program} printed nothing to its standard output"),
                    false => format!("{program} printed no JSON object with a `mode`"),
                };
                self.refused(
                    self.with_errors(cause, &stderr),
                    "let the command of {} print a profile such as `{\"mode\": \"StsToken\", ...}`",
                )
            }
            Err(OutputError::Setup(error)) => Transition::Fail(ClientError::Setup(error)),
        }
    }

    /// Adds the first lines of the standard error.
    fn with_errors(&self, cause: String, stderr: &[u8]) -> String {
        let arguments = self.0.words.get(1..).unwrap_or_default();
        match redact_lines(stderr, arguments) {
            lines if lines.is_empty() => cause,
            lines => format!("{cause}: {lines}"),
        }
    }

    /// Ends the flow. `remedy` has `{}` where the origin of the command belongs.
    fn refused(&self, cause: String, remedy: &str) -> Transition {
        Transition::Fail(ClientError::Refused(Refusal {
            cause,
            remedy: self.remedy(remedy),
        }))
    }

    fn remedy(&self, text: &str) -> String {
        text.replacen("{}", &self.0.origin.to_string(), 1)
    }
}

/// Returns the OAuth session from which a plan starts, if its key cannot be used.
fn ended_oauth_session<'a>(plan: &'a Plan, moment: &Moment) -> Option<&'a OAuthPlan> {
    match plan {
        Plan::AssumeRole(plan) => ended_oauth_session(&plan.source, moment),
        Plan::OAuth(plan) if live_key(plan.session.as_ref(), moment).is_none() => Some(plan),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
