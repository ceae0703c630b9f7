//! `token`: makes the token that logs in.

use clap::Args;

use crate::cli::args::Globals;
use crate::cli::exec_credential::{ApiVersion, EXEC_INFO};
use crate::cli::failure::CommandFailure;
use crate::cli::output;
use crate::cli::signed_login::SignedLogin;
use crate::config::Overrides;
use crate::environment;

/// Make a token that logs in to a cluster
///
/// Signs a question to Alibaba Cloud's STS ("who am I?") with the access key in the environment and wraps it in a
/// token, without sending anything. It is good for 15 minutes, for the one cluster. Printed as an ExecCredential, which
/// is what kubectl wants of its credential plugins; it has kubectl make a new token after ten minutes.
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
  ALIBABA_CLOUD_ACCESS_KEY_ID      the access key
  ALIBABA_CLOUD_ACCESS_KEY_SECRET  its secret
  ALIBABA_CLOUD_SECURITY_TOKEN     its security token, when it is a temporary key
  KUBERNETES_EXEC_INFO             set by kubectl: says which version of ExecCredential it wants

Exit codes:
  0  the token is printed
  1  none could be made; nothing is printed
  2  wrong usage")]
pub(in crate::cli) struct TokenArgs {
    /// The version of ExecCredential to print; unless given, the one that kubectl asks for, or v1
    #[arg(long, value_enum, value_name = "VERSION")]
    api_version: Option<ApiVersion>,

    /// Print the bare token
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
