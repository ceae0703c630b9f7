//! `doctor`: examines step by step whether a login works.

mod report;

use ack_ram_client::cache::CacheFolder;
use ack_ram_client::doctor;
use ack_ram_client::environment::Environment;
use ack_ram_client::finding::Topic;
use ack_ram_client::plan::Plan;
use clap::Args;

use crate::cli::args::Globals;
use crate::cli::client::{ClientOptions, KeySource, SignedLogin, load_for_any_cluster};
use crate::cli::failure::CommandFailure;
use crate::cli::output::OutputFormat;
use crate::config::ClientConfig;
use report::Report;

/// Examine step by step whether a login works
///
/// Logs in as `token` does with the same options, and reports what it finds: the variables that count, the files, where
/// the access key comes from, each call, the clock, the token and what STS says about it, the cache, and the users in
/// your kubeconfig that run this program or ack-ram-tool. A remedy follows each failure.
///
/// The report is safe to post in public: it contains no secret, no token, no value of a variable, and only the start of
/// the ID of an access key. It does contain ARNs, host names, and names of files, profiles and contexts.
///
/// A key in the cache is used as `token` uses it. --no-cache makes every call.
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
  1  A login would fail.
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
    let (config, has_cluster) = load_for_any_cluster(globals)?;
    let settings = args.client.settings(&environment)?;
    let call = &args.client.call;
    let mut source = KeySource::new(settings, call, &config, environment)?;
    source.driver.note_certificates();
    for warning in &config.warnings {
        let text = warning.warning_text();
        let (text, remedy) = text
            .split_once("; ")
            .unwrap_or((&text, "correct the configuration file"));
        source.findings.advise(Topic::Files, text, remedy);
    }
    let mut report = Report::new(args.output, source.environment());

    let plan = doctor::examine_setup(&mut source.client());
    report.print(
        &source.findings,
        &[Topic::Environment, Topic::Files, Topic::Plan],
    )?;
    if let Some(plan) = plan {
        examine_login(&mut source, args, &config, has_cluster, plan);
    }
    report.print(
        &source.findings,
        &[Topic::Calls, Topic::Clock, Topic::Token],
    )?;

    let location = CacheFolder::locate(call.cache_dir(), source.environment());
    let folder = source.cache().cloned();
    let now = source.driver.now();
    if call.no_cache {
        source.findings.note(
            Topic::Cache,
            "the cache is not used, because of `--no-cache`",
        );
    }
    doctor::examine_cache(
        location.as_ref(),
        folder.as_ref(),
        now,
        &mut source.findings,
    );
    report.print(&source.findings, &[Topic::Cache])?;

    let program = std::env::current_exe().ok();
    let environment = source.environment().clone();
    doctor::examine_kubeconfigs(&environment, program.as_deref(), &mut source.findings);
    report.print(&source.findings, &[Topic::Kubeconfig])?;
    report.finish(&source.findings)
}

/// Obtains the key, signs a token, and asks STS about it.
fn examine_login(
    source: &mut KeySource,
    args: &DoctorArgs,
    config: &ClientConfig,
    has_cluster: bool,
    plan: Plan,
) {
    let key = match source.client().obtain_by(plan.clone()) {
        Ok(key) => key,
        Err(error) => {
            return doctor::add_failure(Topic::Calls, &error, &mut source.findings);
        }
    };
    let login = match SignedLogin::sign(&key, source, &args.client.call, config) {
        Ok(login) => login,
        Err(failure) => {
            let (cause, remedy) = failure.into_cause_and_remedy();
            return source.findings.fail(Topic::Token, cause, remedy);
        }
    };
    if !has_cluster {
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
