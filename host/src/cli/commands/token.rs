//! `token`: creates a token.

use ack_ram_client::environment::Environment;
use clap::Args;

use crate::cli::args::Globals;
use crate::cli::client::{
    ApiVersion, ClientOptions, EXEC_INFO, ExecInfo, ExecInfoError, SignedLogin,
};
use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// Create a token that logs in to a cluster
///
/// Signs a GetCallerIdentity request to Alibaba Cloud STS with an access key, and wraps the request in a token without
/// sending it. The token is valid for one cluster, and for 13 to 15 minutes. The output is an ExecCredential, the format
/// of kubectl credential plugins. It makes kubectl request a new token after eight to ten minutes, or earlier if the
/// access key expires.
///
/// The command takes the first access key that is configured: in the environment, in the file of the Alibaba Cloud CLI
/// (`~/.aliyun/config.json`), or in `~/.alibabacloud/credentials`. The command caches temporary keys that STS, a URL
/// or a process issues.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator token --cluster-id c0123456789abcdef0123456789abcdef
      Log in with the access key in the environment, or with the current profile
  ack-ram-authenticator token -i c0123456789abcdef0123456789abcdef --profile-name dev \\
      --role-arn acs:ram::1234567890123456:role/dev
      Log in with a role that the profile `dev` assumes

In a kubeconfig:
  users:
    - name: me
      user:
        exec:
          apiVersion: client.authentication.k8s.io/v1
          interactiveMode: Never
          command: /usr/local/bin/ack-ram-authenticator
          args: [token, --cluster-id, c0123456789abcdef0123456789abcdef]

Environment:
  ALIBABA_CLOUD_ACCESS_KEY_ID          Access key ID
  ALIBABA_CLOUD_ACCESS_KEY_SECRET      Access key secret
  ALIBABA_CLOUD_SECURITY_TOKEN         Security token, for a temporary access key
  ALIBABA_CLOUD_PROFILE                Profile, if --profile-name is not given
  ACK_RAM_AUTHENTICATOR_CACHE_DIR      Folder of the cache, if --cache-dir is not given
  KUBERNETES_EXEC_INFO                 ExecCredential version and cluster that kubectl requests
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY    Proxy for calls
CONFIGURATION.md lists all variables.

Exit codes:
  0  The token is printed.
  1  No token could be created, and nothing is printed.
  2  The command line is wrong.")]
pub(in crate::cli) struct TokenArgs {
    /// Version of the ExecCredential, if kubectl requests none; defaults to v1
    #[arg(long, value_enum, value_name = "VERSION")]
    api_version: Option<ApiVersion>,

    /// Print only the token
    #[arg(long, conflicts_with = "api_version")]
    pub(super) token_only: bool,

    #[command(flatten)]
    pub(super) client: ClientOptions,
}

pub(super) fn run(
    args: &TokenArgs,
    globals: &Globals,
    environment: Environment,
) -> Result<(), CommandFailure> {
    let request = environment.get(EXEC_INFO).map(ExecInfo::parse);
    let option = globals.cluster_id.clone();
    let (version, cluster_id) = match (request, args.api_version) {
        (Some(Ok(request)), given) => {
            note_other_version(given, request.version);
            (request.version, request.cluster_id(option)?)
        }
        (Some(Err(ExecInfoError::Malformed)), Some(version)) => (version, option),
        (Some(Err(ExecInfoError::Malformed)), None) if args.token_only => (ApiVersion::V1, option),
        (Some(Err(error)), _) => return Err(error.into_failure()),
        (None, version) => (version.unwrap_or(ApiVersion::V1), option),
    };
    let login = SignedLogin::new(
        globals,
        cluster_id,
        |environment| args.client.settings(environment),
        &args.client.call,
        environment,
    )?;
    if args.token_only {
        return output::print(&format!("{}\n", login.token().expose()));
    }
    output::print(&login.render(version)?)
}

/// Logs that `--api-version` is not used, because kubectl requests another version.
pub(super) fn note_other_version(given: Option<ApiVersion>, requested: ApiVersion) {
    if given.is_some_and(|given| given != requested) {
        tracing::debug!(
            "kubectl requests {}, so --api-version is not used",
            requested.name()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::cli::command_line;

    const DOCUMENT: &str = include_str!("../../../../CONFIGURATION.md");
    /// The options that every command has.
    const COMMON: [&str; 4] = ["config", "cluster-id", "log-format", "help"];

    #[test]
    fn documented_options_are_those_of_the_command() {
        let mut program = command_line::command();
        program.build();
        let token = program.find_subcommand("token").unwrap();
        let shown = token.get_arguments().filter(|option| !option.is_hide_set());
        let options: BTreeSet<_> = shown
            .filter_map(clap::Arg::get_long)
            .filter(|name| !COMMON.contains(name))
            .collect();
        let (_, section) = DOCUMENT.split_once("### Options of `token`").unwrap();
        let rows = section
            .lines()
            .skip_while(|line| !line.starts_with('|'))
            .take_while(|line| line.starts_with('|'));
        let documented: BTreeSet<_> = rows
            .filter_map(|row| row.strip_prefix("| `--")?.split('`').next())
            .collect();
        assert_eq!(documented, options);
    }
}
