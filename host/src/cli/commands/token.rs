//! `token`: creates a token.

use clap::Args;

use crate::cli::args::Globals;
use crate::cli::exec_credential::{ApiVersion, EXEC_INFO};
use crate::cli::failure::CommandFailure;
use crate::cli::output;
use crate::cli::signed_login::SignedLogin;
use crate::config::Overrides;
use crate::environment;

/// Create a token that logs in to a cluster
///
/// Signs a GetCallerIdentity request to Alibaba Cloud STS with the access key in the environment, and wraps the request
/// in a token without sending it. The token is valid for one cluster and for 15 minutes. The output is an
/// ExecCredential, the format of kubectl credential plugins; it makes kubectl request a new token after ten minutes.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  export ALIBABA_CLOUD_ACCESS_KEY_ID=... ALIBABA_CLOUD_ACCESS_KEY_SECRET=...
  ack-ram-authenticator token --cluster-id c0123456789abcdef0123456789abcdef

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
  ALIBABA_CLOUD_ACCESS_KEY_ID      Access key ID
  ALIBABA_CLOUD_ACCESS_KEY_SECRET  Access key secret
  ALIBABA_CLOUD_SECURITY_TOKEN     Security token, for a temporary access key
  KUBERNETES_EXEC_INFO             ExecCredential version that kubectl requests; set by kubectl

Exit codes:
  0  The token is printed.
  1  No token could be created, and nothing is printed.
  2  The command line is wrong.")]
pub(in crate::cli) struct TokenArgs {
    /// Version of the ExecCredential; defaults to the version that kubectl requests, or v1
    #[arg(long, value_enum, value_name = "VERSION")]
    api_version: Option<ApiVersion>,

    /// Print only the token
    #[arg(long, conflicts_with = "api_version")]
    token_only: bool,
}

pub(super) fn run(args: &TokenArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let login = SignedLogin::new(globals, Overrides::default())?;
    if args.token_only {
        return output::print(&format!("{}\n", login.token().expose()));
    }
    let version = match (args.api_version, environment::variable(EXEC_INFO)) {
        (Some(version), _) => version,
        (None, Some(exec_info)) => ApiVersion::from_exec_info(&exec_info)?,
        (None, None) => ApiVersion::V1,
    };
    output::print(&login.render(version)?)
}
