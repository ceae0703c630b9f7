//! `doctor`: examines step by step whether a login works.

#[cfg_attr(not(feature = "server"), path = "doctor/no_mapping.rs")]
mod mapping;
mod report;

use ack_ram_client::cache::CacheFolder;
use ack_ram_client::doctor::{self, CurrentLogin, Kubeconfigs};
use ack_ram_client::environment::Environment;
use ack_ram_client::finding::{Findings, Topic};
use ack_ram_client::plan::Plan;
use ack_ram_client::settings::Settings;
use clap::Args;

use super::stored_login::{self, StoredLogin};
use crate::cli::args::Globals;
use crate::cli::client::{
    CallOptions, ClientOptions, KeySource, SignedLogin, load_for_any_cluster,
};
use crate::cli::failure::CommandFailure;
use crate::cli::output::OutputFormat;
use crate::clock;
use crate::config::ClientConfig;
use report::Report;

/// Examine step by step whether a login works
///
/// Tries the login of kubectl in the current context, and reports each step: which variables and files are used, where
/// the access key comes from, each call, the clock, the token, and the answer of STS. With options, or if the current
/// context does not run this program, tries the login of `token` with these options. The report also shows the cache. A
/// remedy follows each problem. The command does not ask the cluster.
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
      Examine the login of kubectl in the current context
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
    let program = std::env::current_exe().ok();
    let mut about_kubeconfigs = Findings::default();
    let kubeconfigs = Kubeconfigs::read(&environment, &mut about_kubeconfigs);
    let has_options =
        args.client.selects_identity() || globals.config.is_some() || globals.cluster_id.is_some();
    let current = match has_options {
        true => None,
        false => kubeconfigs.current_login(&environment, program.as_deref()),
    };
    let login =
        match current.and_then(|current| Login::of_current_context(&current, &args.client.call)) {
            Some(login) => Ok(login),
            None => Login::prepare(args, globals, &environment, has_options),
        };
    let mut call = args.client.call.clone();
    let mut environment_of_login = environment.clone();
    let mut asked_id = None;
    let mut findings = match login {
        Ok(login) => {
            call = login.call.clone();
            environment_of_login = login.source.environment().clone();
            if has_options && login.has_cluster {
                asked_id = Some(login.config.policy.cluster_id.to_string());
            }
            login.examine(globals, &mut report)?
        }
        Err(failure @ (CommandFailure::CommandLine(_) | CommandFailure::Usage(_))) => {
            return Err(failure);
        }
        Err(failure) => examine_without_login(args, failure, &environment),
    };

    let location = CacheFolder::locate(call.cache_dir(), &environment_of_login);
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

    findings.append(about_kubeconfigs);
    kubeconfigs.examine(
        &environment,
        program.as_deref(),
        &stored_login::read_plan,
        asked_id.as_deref(),
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
    call: CallOptions,
    config: ClientConfig,
    has_cluster: bool,
}

impl Login {
    /// Prepares a login with the options of the command.
    fn prepare(
        args: &DoctorArgs,
        globals: &Globals,
        environment: &Environment,
        has_options: bool,
    ) -> Result<Self, CommandFailure> {
        // A wrong command line is reported before a file.
        let settings = args.client.settings(environment);
        let settings = match settings {
            Err(failure @ CommandFailure::Usage(_)) => return Err(failure),
            settings => settings,
        };
        let (config, has_cluster) = load_for_any_cluster(globals)?;
        let call = &args.client.call;
        let source = KeySource::new(settings?, call, &config, environment.clone())?;
        let login = Self {
            source,
            call: call.clone(),
            config,
            has_cluster,
        };
        Ok(login.with_subject(match has_options {
            true => "a login with the options of this command".to_owned(),
            false => "a login of `token` without options".to_owned(),
        }))
    }

    /// Prepares the login of the current context; `None` if this program refuses its arguments, which a finding about the
    /// kubeconfig says.
    fn of_current_context(current: &CurrentLogin, call: &CallOptions) -> Option<Self> {
        let stored = StoredLogin::of_current_context(current, call).ok()?;
        let login = Self {
            source: stored.source,
            call: stored.call,
            config: stored.config,
            has_cluster: stored.has_cluster_id,
        };
        Some(login.with_subject(format!(
            "the login of kubectl: the user `{}` of the current context `{}`",
            current.user.escape_debug(),
            current.context.escape_debug()
        )))
    }

    /// Adds the findings that the preparation has. `subject` says which login is examined.
    fn with_subject(mut self, subject: String) -> Self {
        self.source.driver.note_certificates();
        self.source.findings.note(Topic::Login, subject);
        for warning in &self.config.warnings {
            let (text, remedy) = split_remedy(&warning.warning_text());
            self.source.findings.advise(Topic::Files, text, remedy);
        }
        self
    }

    /// Tries a login, and prints the sections about it.
    fn examine(
        mut self,
        globals: &Globals,
        report: &mut Report,
    ) -> Result<Findings, CommandFailure> {
        let plan = doctor::examine_setup(&mut self.source.client());
        report.print(
            &self.source.findings,
            &[Topic::Login, Topic::Environment, Topic::Files, Topic::Plan],
        )?;
        if let Some(plan) = plan {
            self.log_in(globals, plan);
        }
        report.print(
            &self.source.findings,
            &[Topic::Calls, Topic::Clock, Topic::Token],
        )?;
        Ok(self.source.findings)
    }

    /// Obtains the key, signs a token, and asks STS about it.
    fn log_in(&mut self, globals: &Globals, plan: Plan) {
        let key = match self.source.client().obtain_by(plan.clone()) {
            Ok(key) => key,
            Err(error) => {
                doctor::add_failure(Topic::Calls, &error, &mut self.source.findings);
                return self.name_owner_of_source(plan);
            }
        };
        let login = match SignedLogin::sign(&key, &self.source, &self.call, &self.config) {
            Ok(login) => login,
            Err(failure) => {
                let (cause, remedy) = failure.into_cause_and_remedy();
                return self.source.findings.fail(Topic::Token, cause, remedy);
            }
        };
        let findings = &mut self.source.findings;
        if !self.has_cluster {
            findings.note(
                Topic::Token,
                "no cluster ID is given (`--cluster-id`), so the token is for no real cluster",
            );
        }
        doctor::examine_token(login.token(), findings);
        let mut client = self.source.client();
        match client.identify(login.token(), login.policy(), &plan) {
            Ok(caller) => {
                doctor::examine_caller(&caller, &mut self.source.findings);
                mapping::examine(&caller.identity, globals, &mut self.source.findings);
            }
            Err(error) => doctor::add_failure(Topic::Token, &error, &mut self.source.findings),
        }
    }

    /// Says whose key could not assume the role of a plan, since the trust policy of the role has to name the owner.
    fn name_owner_of_source(&mut self, plan: Plan) {
        let Plan::AssumeRole(role) = plan else { return };
        let source = role.source;
        let Ok(key) = self.source.client().obtain_by(source.clone()) else {
            return self.name_owner_of_source(source);
        };
        let Ok(login) = SignedLogin::sign(&key, &self.source, &self.call, &self.config) else {
            return;
        };
        let mut client = self.source.client();
        if let Ok(caller) = client.identify(login.token(), login.policy(), &source) {
            self.source.findings.note(
                Topic::Calls,
                format!(
                    "the key that has to assume the role belongs to `{}`",
                    caller.identity.arn
                ),
            );
        }
    }
}
