//! `init`: prepares the webhook.

use std::io;
use std::path::Path;

use clap::Args;

use crate::certs::{self, CertificateError};
use crate::cli::args::Globals;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{self, Overrides};
use crate::env;
use crate::kubeconfig;

const KUBECONFIG: &str = "ack-ram-authenticator.kubeconfig";

/// Make the webhook's certificate and kubeconfig in the current folder
///
/// Writes `cert.pem` and `key.pem`, the certificate authority of the webhook, and `ack-ram-authenticator.kubeconfig`,
/// which tells kube-apiserver where the webhook is and that it has a certificate of that authority. A pair that is
/// there already is kept. What to do with the files is printed.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator init
      The webhook runs on the machine of kube-apiserver
  ack-ram-authenticator init --config config.yaml --hostname authenticator.example.com
      It runs elsewhere; what config.yaml says of `server` is used, too

Exit codes:
  0  the three files are there
  1  one could not be made
  2  wrong usage")]
pub(super) struct InitArgs {
    /// The host by which kube-apiserver reaches the webhook; `localhost` unless configured
    #[arg(long, value_name = "HOST")]
    hostname: Option<String>,

    /// One more host that the certificate is for; `127.0.0.1` unless configured
    #[arg(long, value_name = "HOST")]
    address: Option<String>,
}

pub(super) fn run(args: InitArgs, globals: &Globals) -> Result<(), Failure> {
    let overrides = Overrides {
        hostname: args.hostname,
        address: args.address,
        ..Overrides::default()
    };
    let config = globals.configuration(config::load_webhook, overrides)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let port = config.listen.port;
    if port == 0 {
        return Err(Failure::Failed(
            "`server.port` is 0, so nobody knows it yet; write the port that kube-apiserver is to use"
                .to_owned(),
        ));
    }
    let url = config.listen.url(port);
    let was_there = Path::new("cert.pem").exists();
    let authority = certs::load_or_create(Path::new("."), &config.listen.names(), env::now())
        .map_err(|error| match error {
            CertificateError::Unwritable { path, source } => unwritable(&path, &source),
            other => other.into(),
        })?;
    kubeconfig::write(Path::new(KUBECONFIG), &url, &authority)
        .map_err(|error| unwritable(&error.path, &error.source))?;
    output::print(&next_steps(was_there, &url))?;
    let hostname = &config.listen.hostname;
    if !authority.is_for(hostname) {
        output::print(&format!(
            "\nThe pair that was kept is not for `{hostname}`: have `hostname: {hostname}` under `server` in config.yaml.\n"
        ))?;
    }
    Ok(())
}

/// Here the folder is the current one, and not what an option says.
fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!(
        "cannot write `{}`: {error}; run `init` in a folder where you may write",
        path.display()
    ))
}

fn next_steps(was_there: bool, url: &str) -> String {
    let pair = if was_there { "kept" } else { "new" };
    format!(
        "\
cert.pem ({pair}): the webhook's certificate authority
key.pem ({pair}): its private key; show it to nobody
{KUBECONFIG}: tells kube-apiserver that the webhook is at {url}

What comes next:
1. Copy cert.pem and key.pem to the webhook's state directory:
     sudo install -d -m 700 /var/ack-ram-authenticator
     sudo install -m 600 cert.pem key.pem /var/ack-ram-authenticator
2. Copy the kubeconfig to where kube-apiserver can read it:
     sudo install -D -m 600 {KUBECONFIG} /etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml
3. Start the webhook:
     ack-ram-authenticator server --config config.yaml --kubeconfig-pregenerated
4. Give kube-apiserver this flag (in a static pod also a volume with that folder), and let it restart:
     --authentication-token-webhook-config-file=/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml
"
    )
}
