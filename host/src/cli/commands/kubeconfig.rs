//! `kubeconfig`: user entries of kubeconfig files that run this program.

mod identity_check;
mod report;

use std::env;
use std::io::Write as _;
use std::path::PathBuf;

use ack_ram_client::error::{ClientError, SetupError};
use ack_ram_client::kubeconfig::{
    self, ConvertRequest, KubeconfigError, KubeconfigPaths, PROGRAM, PluginUser, TokenOptions,
    UpdateOptions, WriteRequest,
};
use ack_ram_core::cluster_id::ClusterId;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::stored_login::StoredLogin;
use crate::cli::args::Globals;
use crate::cli::client::{IdentityOptions, absolute_path};
use crate::cli::failure::CommandFailure;
use crate::cli::output::{self, OutputFormat};
use crate::config::{self, Overrides};
use crate::environment;
use report::Report;

/// Print or write a kubeconfig user that runs this program
///
/// Prints a user entry for a kubeconfig. With `--write`, the command adds the entry to the kubeconfig file, or updates
/// the entry of that name. With `--convert`, the command converts users of ack-ram-tool to users of this program. Only
/// these entries change: everything else in the file stays as it is, with its comments. The file is `--kubeconfig`, a
/// file in KUBECONFIG, or `~/.kube/config`, as for `kubectl config`.
///
/// The entry runs `token` with the options for the access key and the role that you give here. For two roles in one
/// cluster, write two users, each with a context. Without a cluster ID, one user works for many clusters: `token` then
/// takes the ID from the entry of the cluster in the kubeconfig. `--cluster-info` writes the ID there.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator kubeconfig -i c0123456789abcdef0123456789abcdef
      Print a user entry
  ack-ram-authenticator kubeconfig -i c0123456789abcdef0123456789abcdef --write --context prod-dev \\
      --cluster prod --role-arn acs:ram::1234567890123456:role/dev
      Add a user with a role, and a context for it
  ack-ram-authenticator kubeconfig --convert --dry-run
      Show how the users of ack-ram-tool would change
  ack-ram-authenticator kubeconfig --convert --user admin -i c0123456789abcdef0123456789abcdef
      Replace the client certificate of a user, after a check that STS accepts the access key, and a backup

Environment:
  KUBECONFIG  Kubeconfig files, if --kubeconfig is not given

Exit codes:
  0  The entry is printed, or the files have the entry.
  1  Nothing was changed, or the error message says that the change is made.
  2  The command line is wrong.")]
pub(in crate::cli) struct KubeconfigArgs {
    /// Add the entry to the kubeconfig file
    #[arg(long, conflicts_with = "convert")]
    write: bool,

    /// Convert users of ack-ram-tool to users of this program
    ///
    /// The arguments stay, so the identity stays, too. A user whose arguments this program refuses is skipped. A user
    /// with a client certificate is converted only if `--user` names the user. The login then has another identity,
    /// perhaps with another username, so the command makes a backup of the file first.
    #[arg(long)]
    convert: bool,

    /// Show the change without writing it
    #[arg(long)]
    dry_run: bool,

    /// Kubeconfig file; defaults to the files in KUBECONFIG, or `~/.kube/config`
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Name of the user; defaults to the cluster ID with the profile and the role
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    user: Option<String>,

    /// Context that uses the user; added if the file has no context of this name
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), requires = "write")]
    context: Option<String>,

    /// Cluster of the context; defaults to the cluster that the context has, or to the only cluster
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new(), requires = "context")]
    cluster: Option<String>,

    /// Write the cluster ID into the entry of the cluster instead of the user
    #[arg(long, requires = "context")]
    cluster_info: bool,

    /// Write the path of this program instead of its name, for graphical programs with another PATH
    ///
    /// Without this option, a new entry has the name, and an entry of this program keeps the path that it has. `--convert`
    /// replaces a path of ack-ram-tool with the path of this program.
    #[arg(long)]
    absolute_path: bool,

    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,

    #[command(flatten)]
    identity: IdentityOptions,
}

pub(super) fn run(args: &KubeconfigArgs, globals: &Globals) -> Result<(), CommandFailure> {
    if args.dry_run && !args.write && !args.convert {
        return Err(CommandFailure::Usage(
            "--dry-run needs --write or --convert".to_owned(),
        ));
    }
    match (args.write, args.convert) {
        (_, true) => convert(args, globals),
        (true, false) => write(args, globals),
        (false, false) => print(args, globals),
    }
}

fn print(args: &KubeconfigArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let user = args.plugin_user(globals, cluster_id(globals)?.as_ref())?;
    output::print(&match args.output {
        OutputFormat::Json => output::json(&user.to_json(), "  ")?,
        OutputFormat::Text if user.takes_cluster_info() => {
            format!("{CLUSTER_COMMENT}{}", user.fragment())
        }
        OutputFormat::Text => user.fragment(),
    })
}

const CLUSTER_COMMENT: &str = "\
# The user has no cluster ID, so the entry of each cluster needs one:
#   clusters:
#   - name: CLUSTER
#     cluster:
#       extensions:
#       - name: client.authentication.k8s.io/exec
#         extension:
#           clusterId: ID
";

fn write(args: &KubeconfigArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let id = cluster_id(globals)?;
    let (in_user, in_cluster) = match (args.cluster_info, &id) {
        (true, None) => {
            return Err(CommandFailure::Usage(
                "--cluster-info needs a cluster ID; set --cluster-id".to_owned(),
            ));
        }
        (true, Some(_)) => (None, id),
        (false, _) => (id, None),
    };
    let request = WriteRequest {
        user: args.plugin_user(globals, in_user.as_ref())?,
        is_named: args.user.is_some(),
        context: args.context.clone(),
        cluster: args.cluster.clone(),
        cluster_id: in_cluster,
    };
    let outcome = kubeconfig::write(&args.paths()?, &request, &args.update_options());
    let outcome = outcome.map_err(show_fragment)?;
    print_report(&Report::new(outcome, args.dry_run), args.output)
}

/// Prints the report. If standard output cannot be written, the report about written files goes to standard error.
fn print_report(report: &Report, format: OutputFormat) -> Result<(), CommandFailure> {
    let printed = output::print(&report.render(format)?);
    let Err(CommandFailure::Failed(cause)) = printed else {
        return printed;
    };
    if !report.has_written() {
        return Err(CommandFailure::Failed(cause));
    }
    // If standard error is closed, too, the report is lost.
    let text = report.render(OutputFormat::Text)?;
    let _ = anstream::stderr().write_all(text.as_bytes());
    Err(CommandFailure::Failed(format!(
        "{cause}, but the change is made, as shown above"
    )))
}

fn convert(args: &KubeconfigArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let id = cluster_id(globals)?;
    let replacement = match (&args.user, &id) {
        (Some(_), Some(id)) => Some(args.plugin_user(globals, Some(id))?),
        _ if args.identity.token_options()? != TokenOptions::default() => {
            return Err(CommandFailure::Usage(
                "--convert keeps the options of users; leave out the options for the access key and the role, or give --user and --cluster-id for a user with a client certificate".to_owned(),
            ));
        }
        _ => None,
    };
    let request = ConvertRequest {
        user: args.user.clone(),
        command: args.command()?,
        path: own_path().ok(),
        replacement,
    };
    let mut identities = Vec::new();
    let outcome = kubeconfig::convert(
        &args.paths()?,
        &request,
        &args.update_options(),
        &identity_check::check_arguments,
        &mut |user| {
            let identity = identity_check::check_identity(user)?;
            identities.push((user.name.clone(), identity));
            Ok(())
        },
    );
    let outcome = outcome.map_err(show_fragment)?;
    let report = Report::new(outcome, args.dry_run).with_identities(identities);
    print_report(&report, args.output)
}

impl KubeconfigArgs {
    fn paths(&self) -> Result<KubeconfigPaths, CommandFailure> {
        let option = self.kubeconfig.clone();
        let option = option.filter(|path| !path.as_os_str().is_empty());
        Ok(KubeconfigPaths::find(option, &environment::all())?)
    }

    fn update_options(&self) -> UpdateOptions {
        UpdateOptions {
            dry_run: self.dry_run,
            ..UpdateOptions::default()
        }
    }

    /// Returns the command for kubectl.
    fn command(&self) -> Result<String, CommandFailure> {
        match self.absolute_path {
            true => own_path(),
            false => Ok(PROGRAM.to_owned()),
        }
    }

    fn plugin_user(
        &self,
        globals: &Globals,
        cluster_id: Option<&ClusterId>,
    ) -> Result<PluginUser, CommandFailure> {
        let mut options = self.identity.token_options()?;
        if let Some(config) = &globals.config {
            let config = absolute_path(config)?;
            options.others.extend(["--config".to_owned(), config]);
        }
        let name = self.user.as_deref();
        let user = PluginUser::new(name, &self.command()?, cluster_id, &options);
        if options.role_arn.is_none()
            && let Some(option) = session_option(user.args())
        {
            check_session_option(option, &user)?;
        }
        Ok(user)
    }
}

/// Returns the path of this program.
fn own_path() -> Result<String, CommandFailure> {
    let path = env::current_exe().map_err(|error| {
        CommandFailure::Failed(format!("cannot find the path of this program: {error}"))
    })?;
    absolute_path(&path)
}

/// Returns the option in arguments that concerns the session of a role.
fn session_option(args: &[String]) -> Option<&'static str> {
    const OPTIONS: [&str; 5] = [
        "--session-name",
        "--forward-session-name",
        "--external-id",
        "--duration",
        "--session-policy",
    ];
    OPTIONS
        .into_iter()
        .find(|option| args.iter().any(|arg| arg == option))
}

/// Refuses an option about the session of a role if no role is assumed.
///
/// A profile or the configuration file may have a role. If neither can be read here, they may be right where kubectl runs.
fn check_session_option(option: &'static str, user: &PluginUser) -> Result<(), CommandFailure> {
    let Ok(mut login) = StoredLogin::read(user.command(), user.args(), environment::all()) else {
        return Ok(());
    };
    let error = match login.plan() {
        Err(ClientError::Setup(error)) => *error,
        _ => return Ok(()),
    };
    let error = match error {
        SetupError::NotConfigured { .. } if !login.has_default_role() => SetupError::NoRole(option),
        error if error.is_wrong_usage() => error,
        _ => return Ok(()),
    };
    Err(CommandFailure::from_client(error.into()))
}

/// Returns the cluster ID of the option or of the configuration file; `None` if neither is given.
fn cluster_id(globals: &Globals) -> Result<Option<ClusterId>, CommandFailure> {
    if let Some(id) = globals.cluster_id.as_deref().filter(|id| !id.is_empty()) {
        return ClusterId::parse(id).map(Some).ok_or_else(|| {
            CommandFailure::Usage(
                "--cluster-id is not a cluster ID: 1 to 253 visible ASCII characters".to_owned(),
            )
        });
    }
    if globals.config.is_none() {
        return Ok(None);
    }
    let config = globals.configuration(config::load_client, Overrides::default())?;
    Ok(Some(config.policy.cluster_id))
}

/// Converts an error. Shows the entry to add by hand, if the file cannot be edited safely.
fn show_fragment(error: KubeconfigError) -> CommandFailure {
    if let Some(fragment) = error.fragment() {
        // If standard error is closed, the error message cannot be shown either.
        let _ = anstream::stderr().write_all(fragment.as_bytes());
    }
    error.into()
}
