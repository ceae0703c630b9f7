//! Does what a flow asks for: sends requests, runs processes, reads files, writes sessions, and waits.
//!
//! The driver, the cache and the file of sessions are the only code of the client with effects. The async runtime and the
//! trusted certificates are made when the first plan needs them.

mod certificate;
mod http;
mod process;
mod system_files;

use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use ack_ram_transport::proxy::ProxySettings;
use ack_ram_transport::{Audience, StsTrust};
use tokio::runtime::{Builder, Runtime};

use crate::environment::Environment;
use crate::error::{ClientError, Unavailable};
use crate::files::Files as _;
use crate::finding::{Findings, Topic};
use crate::flow::{Effect, Flow, Moment, Obtained, Outcome, SessionUpdate, Step};
use crate::http::{Call, CallFailure, HttpReply, HttpRequest};
use crate::plan::Plan;
use crate::platform;
use crate::session_file;
pub(crate) use http::MAX_CLOCK_DIFFERENCE;
pub use system_files::SystemFiles;

/// The part of the time of a command that must be left when a refresh token is sent: a fifth. If the reply comes after the
/// deadline, the refresh token is used up and the new one is lost.
const REFRESH_PART: u32 = 5;

/// Runs plans until a deadline, which holds for the whole command.
pub struct Driver {
    clock: fn() -> UnixTime,
    deadline: Instant,
    refresh_time: Duration,
    ca_file: Option<std::path::PathBuf>,
    proxies: ProxySettings,
    process_depth: u32,
    /// The environment of the processes that print keys. It may differ from that of this process.
    environment: Environment,
    runtime: Option<Runtime>,
    trust: Option<StsTrust>,
    notes_certificates: bool,
}

/// Settings of a driver.
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// The clock.
    pub clock: fn() -> UnixTime,
    /// The time for the whole command.
    pub timeout: Duration,
    /// A file with the CA certificates to trust instead of those of the system.
    pub ca_file: Option<std::path::PathBuf>,
}

impl Driver {
    /// Creates a driver. Its time starts now.
    #[must_use]
    pub fn new(settings: DriverSettings, environment: &Environment) -> Self {
        let variables = |name: &str| environment.get(name).map(str::to_owned);
        Self {
            clock: settings.clock,
            deadline: after(settings.timeout),
            refresh_time: settings.timeout / REFRESH_PART,
            ca_file: settings.ca_file,
            proxies: ProxySettings::from_environment(&variables),
            process_depth: environment
                .get(process::DEPTH)
                .and_then(|depth| depth.parse().ok())
                .unwrap_or_default(),
            environment: environment.clone(),
            runtime: None,
            trust: None,
            notes_certificates: false,
        }
    }

    /// Makes each call over TLS add a finding about the certificate of the service.
    pub fn note_certificates(&mut self) {
        self.notes_certificates = true;
    }

    /// Returns the current time.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Returns when the time of the command is over.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Returns whether enough time is left to send a refresh token.
    pub(crate) fn has_time_for_refresh(&self) -> bool {
        self.remaining() >= self.refresh_time
    }

    /// Moves the deadline to at most `time` from now. Returns the previous deadline.
    pub(crate) fn limit_time(&mut self, time: Duration) -> Instant {
        let before = self.deadline;
        self.deadline = before.min(after(time));
        before
    }

    /// Sets the deadline.
    pub(crate) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// Runs a plan. `oidc_token` is the content of the token file, if it has been read.
    ///
    /// # Errors
    /// Returns the reason why there is no key.
    pub fn run(
        &mut self,
        plan: Plan,
        oidc_token: Option<Secret>,
        findings: &mut Findings,
    ) -> Result<Obtained, ClientError> {
        let mut step = Flow::start(plan, oidc_token, &self.moment());
        loop {
            match step {
                Step::Done(result) => return result,
                Step::Continue(flow, effect) => {
                    let outcome = self.perform(effect, findings)?;
                    step = flow.resume(outcome, &self.moment());
                }
            }
        }
    }

    /// Sends a request outside of a flow.
    ///
    /// # Errors
    /// Returns an error if there is no runtime or no trusted certificate.
    pub fn send(
        &mut self,
        request: HttpRequest,
        findings: &mut Findings,
    ) -> Result<HttpReply, ClientError> {
        let too_late = if self.remaining().is_zero() {
            Some("the time for the command is over")
        } else if request.call == Call::OAuthRefresh && !self.has_time_for_refresh() {
            Some("too little time is left for the command, so no request was sent")
        } else {
            None
        };
        if let Some(text) = too_late {
            return Ok(HttpReply::Failed(CallFailure::timeout(text)));
        }
        let trust = if request.base.is_https() {
            self.load_trust()?
        } else {
            StsTrust::none()
        };
        let limits = http::Limits::new(request.limits, self.remaining());
        let started = Instant::now();
        let host = request.base.to_string();
        let call = request.call;
        self.start_runtime()?;
        let Some(runtime) = &self.runtime else {
            return Err(no_runtime("it was not started"));
        };
        let no_proxies = ProxySettings::default();
        let proxies = match request.limits.by_proxy {
            true => &self.proxies,
            false => &no_proxies,
        };
        let audience = match self.ca_file {
            Some(_) => Audience::ClientWithCaFile,
            None => Audience::Client,
        };
        let (reply, route) =
            runtime.block_on(http::call(request, limits, &trust, proxies, audience));
        if self.notes_certificates
            && let Some(der) = &route.certificate
        {
            certificate::note(&host, der, self.now(), findings);
        }
        http::note(
            call,
            &host,
            route.proxy.as_deref(),
            started.elapsed(),
            &reply,
            self.now(),
            findings,
        );
        Ok(reply)
    }

    fn perform(&mut self, effect: Effect, findings: &mut Findings) -> Result<Outcome, ClientError> {
        Ok(match effect {
            Effect::Send(request) => Outcome::Http(self.send(request, findings)?),
            Effect::Run(words) => {
                let time = self.remaining();
                self.start_runtime()?;
                let Some(runtime) = &self.runtime else {
                    return Err(no_runtime("it was not started"));
                };
                let output = process::run(&words, time, self.process_depth, &self.environment);
                Outcome::Process(runtime.block_on(output))
            }
            Effect::Read(path) => Outcome::File(SystemFiles.read(&path)),
            Effect::Save(update) => {
                save(&update, findings);
                Outcome::Done
            }
            Effect::Wait(time) => match self.wait(time) {
                true => Outcome::Done,
                false => Outcome::NoTime,
            },
        })
    }

    /// Waits. Returns `false` at once if the deadline is earlier.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let has_time = time < self.remaining();
        if has_time {
            std::thread::sleep(time);
        }
        has_time
    }

    /// Returns the time and new random values.
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: self.now(),
            nonce: format!("{:032x}", fastrand::u128(..)),
            pause: Duration::from_millis(fastrand::u64(500..=1500)),
        }
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn start_runtime(&mut self) -> Result<(), ClientError> {
        if self.runtime.is_none() {
            // Threads that look up names outlast their call. They must not receive a signal that this thread delays.
            let runtime = Builder::new_current_thread()
                .enable_all()
                .on_thread_start(platform::hold_back_signals)
                .build();
            self.runtime = Some(runtime.map_err(|error| no_runtime(&error.to_string()))?);
        }
        Ok(())
    }

    fn load_trust(&mut self) -> Result<StsTrust, ClientError> {
        if let Some(trust) = &self.trust {
            return Ok(trust.clone());
        }
        let trust = StsTrust::load(self.ca_file.as_ref()).map_err(|error| {
            ClientError::Unavailable(Unavailable {
                cause: "there are no trusted certificates".to_owned(),
                remedy: error.to_string(),
            })
        })?;
        Ok(self.trust.insert(trust).clone())
    }
}

/// Writes a renewed session. A failure does not end the command, because the key can be used now.
fn save(update: &SessionUpdate, findings: &mut Findings) {
    let profile = &update.profile;
    let error = match session_file::save(update) {
        Ok(()) => {
            let text = format!("the renewed session is written into {profile}");
            return findings.note(Topic::Files, text);
        }
        Err(error) => error,
    };
    let text = format!("the renewed session could not be written into {profile}: {error}");
    match error.remedy() {
        Some(remedy) => findings.warn(Topic::Files, text, remedy),
        None => findings.note(Topic::Files, text),
    }
}

/// Returns the time after `time`. A time that the clock cannot represent is a day.
fn after(time: Duration) -> Instant {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + DAY)
}

/// Does not wait for the threads of the runtime: the system can take long to look up a name, even after the deadline.
impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn no_runtime(reason: &str) -> ClientError {
    ClientError::Unavailable(Unavailable {
        cause: format!("the async runtime could not be started: {reason}"),
        remedy: "check the limits of this process (`ulimit -a`)".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use crate::flow::ProcessOutput;

    fn driver(timeout: Duration) -> Driver {
        let settings = DriverSettings {
            clock: || UnixTime::from_seconds(0),
            timeout,
            ca_file: None,
        };
        Driver::new(settings, &Environment::default())
    }

    #[test]
    fn time_that_the_clock_cannot_represent_is_long() {
        assert!(driver(Duration::MAX).remaining() > Duration::from_secs(3600));
    }

    #[cfg(unix)]
    #[test]
    fn threads_of_the_runtime_hold_back_signals() {
        use nix::sys::signal::{SigSet, Signal};

        let is_held = || {
            let mask = SigSet::thread_get_mask().unwrap();
            [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].map(|signal| mask.contains(signal))
        };
        let mut driver = driver(Duration::MAX);
        driver.start_runtime().unwrap();
        let runtime = driver.runtime.as_ref().unwrap();
        let held = runtime.block_on(runtime.spawn_blocking(is_held));
        assert_eq!(held.unwrap(), [true; 3]);
        assert_eq!(is_held(), [false; 3]);
    }

    /// The variables of a user in a kubeconfig decide about the key that a process prints.
    #[cfg(unix)]
    #[test]
    fn process_has_the_variables_of_the_given_environment() {
        let home = std::env::var("HOME").unwrap_or_default();
        for (variables, expected) in [
            (vec![], format!("absent {home}")),
            (vec![("ACK_TEST_WHO", "prod")], format!("prod {home}")),
            (
                vec![("ACK_TEST_WHO", ""), ("HOME", "/other")],
                " /other".to_owned(),
            ),
        ] {
            let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
            let settings = DriverSettings {
                clock: || UnixTime::from_seconds(0),
                timeout: Duration::from_secs(3600),
                ca_file: None,
            };
            let environment = variables.into_iter().map(owned).collect();
            let mut driver = Driver::new(settings, &environment);
            let words = [
                "sh",
                "-c",
                "printf '%s %s' \"${ACK_TEST_WHO-absent}\" \"$HOME\"",
            ];
            let effect = Effect::Run(words.map(Secret::new).to_vec());
            let outcome = driver.perform(effect, &mut Findings::default()).unwrap();
            let Outcome::Process(ProcessOutput::Ended { stdout, .. }) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(String::from_utf8_lossy(&stdout), expected);
        }
    }

    #[test]
    fn wait_beyond_the_deadline_ends_at_once() {
        for (timeout, wait, is_done) in [
            (Duration::MAX, Duration::ZERO, true),
            (Duration::ZERO, Duration::ZERO, false),
            (Duration::from_secs(60), Duration::from_secs(3600), false),
        ] {
            let effect = Effect::Wait(wait);
            let outcome = driver(timeout).perform(effect, &mut Findings::default());
            let expected = match is_done {
                true => matches!(outcome, Ok(Outcome::Done)),
                false => matches!(outcome, Ok(Outcome::NoTime)),
            };
            assert!(expected, "{timeout:?} {outcome:?}");
        }
    }

    #[test]
    fn limited_time_ends_no_later_than_the_command() {
        let mut driver = driver(Duration::from_secs(3600));
        let deadline = driver.deadline();
        assert_eq!(driver.limit_time(Duration::from_secs(7200)), deadline);
        assert_eq!(driver.deadline(), deadline);
        assert_eq!(driver.limit_time(Duration::from_secs(60)), deadline);
        assert!(driver.deadline() < deadline);
        driver.set_deadline(deadline);
        assert_eq!(driver.deadline(), deadline);
    }
}
