//! `doctor`: examines step by step whether a login works.

mod report;

use ack_ram_client::cache::CacheFolder;
use ack_ram_client::doctor;
use ack_ram_client::environment::Environment;
use ack_ram_client::finding::{Findings, Topic};
use ack_ram_client::plan::Plan;
use ack_ram_client::settings::Settings;
use clap::Args;

use super::stored_login;
use crate::cli::args::Globals;
use crate::cli::client::{ClientOptions, KeySource, SignedLogin, load_for_any_cluster};
use crate::cli::failure::CommandFailure;
use crate::cli::output::OutputFormat;
use crate::clock;
use crate::config::ClientConfig;
use report::Report;

/// Examine step by step whether a login works
///
/// Logs in as `token` does with the same options, and reports each step: which variables and files are used, where the
/// access key comes from, each call, the clock, the token, and the answer of STS. The report also shows the cache. A
/// remedy follows each problem.
///
/// The report ends with the users in your kubeconfig that run this program or ack-ram-tool. For a user that runs this
/// program, `doctor` reads the arguments and variables in the kubeconfig as a login with kubectl would. A mistake in the
/// user of the current context is a problem. A mistake in another user is a warning.
///
/// The report is safe to post in public: it contains no secret, no token, no value of a variable, and only the start of
/// the ID of an access key. The report does contain ARNs, host names, and names of files, profiles and contexts.
///
/// Like `token`, the command uses a key in the cache. With --no-cache, the command makes every call.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator doctor
      Examine a login with the access key in the environment, or with the current profile
  ack-ram-authenticator doctor -i c0123456789abcdef0123456789abcdef --profile-name dev --no-cache
      Examine a login to a cluster with the profile `dev`, and make every call
  ack-ram-authenticator doctor --output json
      Print the report for a program

Exit codes:
  0  A login works.
  1  A login would fail, with these options or as the user of the current context.
  2  The command line is wrong.")]
pub(in crate::cli) struct DoctorArgs {
    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,

    #[command(flatten)]
    pub(super) client: ClientOptions,
}

pub(super) fn run(
    args: &DoctorArgs,
    globals: &Globals,
    environment: Environment,
) -> Result<(), CommandFailure> {
    let mut report = Report::new(args.output, &environment);
    let call = &args.client.call;
    let mut findings = match Login::prepare(args, globals, &environment) {
        Ok(login) => login.examine(args, &mut report)?,
        Err(failure @ (CommandFailure::CommandLine(_) | CommandFailure::Usage(_))) => {
            return Err(failure);
        }
        Err(failure) => examine_without_login(args, failure, &environment),
    };

    let location = CacheFolder::locate(call.cache_dir(), &environment);
    let folder = location.as_ref().filter(|_| !call.no_cache);
    // The login has a finding about a folder that is not used.
    let folder = folder.and_then(|location| CacheFolder::open(&location.value).ok());
    if call.no_cache {
        findings.note(
            Topic::Cache,
            "the cache is not used, because of `--no-cache`",
        );
    }
    let now = clock::now();
    doctor::examine_cache(location.as_ref(), folder.as_ref(), now, &mut findings);

    let program = std::env::current_exe().ok();
    doctor::examine_kubeconfigs(
        &environment,
        program.as_deref(),
        &stored_login::read_plan,
        &mut findings,
    );
    report.finish(&findings)
}

/// Adds the reason why there is nothing to log in with, and what can be found out without a login.
fn examine_without_login(
    args: &DoctorArgs,
    failure: CommandFailure,
    environment: &Environment,
) -> Findings {
    let mut findings = Findings::default();
    let settings = args.client.settings(environment).unwrap_or_else(|_| {
        let mut settings = Settings::default();
        settings.add_variables(environment);
        settings
    });
    doctor::examine_variables(&settings, environment, &mut findings);
    let (topic, (cause, remedy)) = match failure {
        CommandFailure::Failed(text) => match text.strip_prefix("environment: ") {
            Some(text) => (Topic::Environment, split_remedy(text)),
            None => (Topic::Files, split_remedy(&text)),
        },
        failure => (Topic::Files, failure.into_cause_and_remedy()),
    };
    findings.fail(topic, cause, remedy);
    findings
}

/// Splits a text about the configuration file into the cause and the remedy.
fn split_remedy(text: &str) -> (String, String) {
    let (text, remedy) = text
        .split_once("; ")
        .unwrap_or((text, "correct the configuration file"));
    (text.to_owned(), remedy.to_owned())
}

/// What a login is tried with.
struct Login {
    source: KeySource,
    config: ClientConfig,
    has_cluster: bool,
}

impl Login {
    fn prepare(
        args: &DoctorArgs,
        globals: &Globals,
        environment: &Environment,
    ) -> Result<Self, CommandFailure> {
        // A wrong command line is reported before a file.
        let settings = args.client.settings(environment);
        let settings = match settings {
            Err(failure @ CommandFailure::Usage(_)) => return Err(failure),
            settings => settings,
        };
        let (config, has_cluster) = load_for_any_cluster(globals)?;
        let call = &args.client.call;
        let mut source = KeySource::new(settings?, call, &config, environment.clone())?;
        source.driver.note_certificates();
        for warning in &config.warnings {
            let (text, remedy) = split_remedy(&warning.warning_text());
            source.findings.advise(Topic::Files, text, remedy);
        }
        Ok(Self {
            source,
            config,
            has_cluster,
        })
    }

    /// Tries a login, and prints the sections about it.
    fn examine(
        mut self,
        args: &DoctorArgs,
        report: &mut Report,
    ) -> Result<Findings, CommandFailure> {
        let plan = doctor::examine_setup(&mut self.source.client());
        report.print(
            &self.source.findings,
            &[Topic::Environment, Topic::Files, Topic::Plan],
        )?;
        if let Some(plan) = plan {
            self.log_in(args, plan);
        }
        report.print(
            &self.source.findings,
            &[Topic::Calls, Topic::Clock, Topic::Token],
        )?;
        Ok(self.source.findings)
    }

    /// Obtains the key, signs a token, and asks STS about it.
    fn log_in(&mut self, args: &DoctorArgs, plan: Plan) {
        let source = &mut self.source;
        let key = match source.client().obtain_by(plan.clone()) {
            Ok(key) => key,
            Err(error) => {
                return doctor::add_failure(Topic::Calls, &error, &mut source.findings);
            }
        };
        let login = match SignedLogin::sign(&key, source, &args.client.call, &self.config) {
            Ok(login) => login,
            Err(failure) => {
                let (cause, remedy) = failure.into_cause_and_remedy();
                return source.findings.fail(Topic::Token, cause, remedy);
            }
        };
        if !self.has_cluster {
            source.findings.note(
                Topic::Token,
                "no cluster ID is given (`--cluster-id`), so the token is for no real cluster",
            );
        }
        doctor::examine_token(login.token(), &mut source.findings);
        let caller = source
            .client()
            .identify(login.token(), login.policy(), &plan);
        match caller {
            Ok(caller) => doctor::examine_caller(&caller, &mut source.findings),
            Err(error) => doctor::add_failure(Topic::Token, &error, &mut source.findings),
        }
    }
}
