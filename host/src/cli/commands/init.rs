//! `init`: prepares the webhook.

use std::fmt::Write as _;
use std::io;
use std::path::{Display, Path, PathBuf};

use clap::Args;

use crate::certs::{self, CertificateError};
use crate::cli::args::Globals;
use crate::cli::failure::CommandFailure;
use crate::cli::output;
use crate::clock;
use crate::config::{self, Overrides};
use crate::exposure::SensitiveFiles;
use crate::kubeconfig::{self, WebhookKubeconfig};

const KUBECONFIG: &str = "ack-ram-authenticator.kubeconfig";

/// Where the example and the script that configures kube-apiserver have the kubeconfig.
const INSTALLED_KUBECONFIG: &str = "/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml";

/// The pairs that there may be: the certificate, its key, and what they are.
const SERVER_PAIR: PairNames = ["cert.pem", "key.pem", "the webhook's certificate authority"];
const CLIENT_PAIR: PairNames = [
    "client-ca.pem",
    "client-ca-key.pem",
    "the certificate authority of clients",
];

type PairNames = [&'static str; 3];

/// Make the webhook's certificate and kubeconfig in the current folder
///
/// Writes `cert.pem` and `key.pem`, the certificate authority of the webhook, and `ack-ram-authenticator.kubeconfig`,
/// which tells kube-apiserver where the webhook is and that it has a certificate of that authority. A pair that is
/// there already is kept. What to do with the files is printed.
///
/// With --client-cert, the webhook is to answer kube-apiserver alone: `client-ca.pem` and `client-ca-key.pem`, a second
/// certificate authority, are made too, and the kubeconfig has a certificate of it, good for ten years. Once that
/// authority is there, `init` puts such a certificate in each kubeconfig, and a new one where it is time for that. The
/// setting `server.requireClientCertificate` of --config has the same effect.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator init
      The webhook runs on the machine of kube-apiserver
  ack-ram-authenticator init --config config.yaml --hostname authenticator.example.com
      It runs elsewhere; what config.yaml says of `server` is used, too
  ack-ram-authenticator init --client-cert
      It answers nobody but those who have the kubeconfig

Exit codes:
  0  the files are there
  1  one could not be made
  2  wrong usage")]
pub(in crate::cli) struct InitArgs {
    /// The host by which kube-apiserver reaches the webhook; `localhost` unless configured
    #[arg(long, value_name = "HOST")]
    hostname: Option<String>,

    /// One more host that the certificate is for; `127.0.0.1` unless configured
    #[arg(long, value_name = "HOST")]
    address: Option<String>,

    /// Make a certificate authority of clients, too, and a client certificate for the kubeconfig
    #[arg(long)]
    client_cert: bool,
}

pub(super) fn run(args: InitArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let overrides = Overrides {
        hostname: args.hostname,
        address: args.address,
        ..Overrides::default()
    };
    let config = globals.configuration(config::load_webhook, overrides)?;
    for warning in &config.warnings {
        tracing::warn!("{}", warning.warning_text());
    }
    let port = config.listen.port;
    if port == 0 {
        return Err(CommandFailure::Failed(
            "`server.port` is 0, so nobody knows it yet; write the port that kube-apiserver is to use"
                .to_owned(),
        ));
    }
    let (folder, now) = (Path::new("."), clock::now());
    let files = SensitiveFiles {
        config: globals.config.as_deref(),
        state_dir: Some(folder),
        tls: config.tls.as_ref(),
        generate_kubeconfig: Some(Path::new(KUBECONFIG)),
        ..SensitiveFiles::default()
    };
    for exposure in files.exposures() {
        tracing::warn!("{}", exposure.text);
    }
    let mut made = PreparedFiles {
        url: config.listen.url(port),
        pairs: Vec::new(),
        not_for: None,
        config: globals.config.clone(),
        is_required: config.require_client_certificate,
        state_dir: config.state_dir,
        generate_kubeconfig: config.generate_kubeconfig,
    };
    let authority = match &config.tls {
        Some(files) => certs::pinned_by(files)?,
        None => {
            made.note(SERVER_PAIR);
            let names = config.listen.names();
            let authority =
                certs::load_or_create(folder, &names, now).map_err(in_current_folder)?;
            let hostname = config.listen.hostname;
            made.not_for = (!authority.is_for(&hostname)).then(|| hostname.to_string());
            authority.certificate_pem().to_owned()
        }
    };
    let clients = if args.client_cert || config.require_client_certificate {
        made.note(CLIENT_PAIR);
        Some(certs::load_or_create_clients(folder, now).map_err(in_current_folder)?)
    } else {
        certs::load_clients(folder, false)?.inspect(|_| made.note(CLIENT_PAIR))
    };
    let client = match clients {
        Some(clients) => {
            let held = kubeconfig::read_client_certificate(Path::new(KUBECONFIG));
            let (client, _) = certs::client_certificate(folder, &clients, held, now)?;
            Some(client)
        }
        None => None,
    };
    WebhookKubeconfig {
        url: made.url.clone(),
        authority,
        client,
    }
    .write(Path::new(KUBECONFIG))
    .map_err(|error| unwritable(&error.path, &error.source))?;
    output::print(&made.next_steps())
}

/// Here the folder is the current one, and not what an option says.
fn in_current_folder(error: CertificateError) -> CommandFailure {
    match error {
        CertificateError::Unwritable { path, source } => unwritable(&path, &source),
        other => other.into(),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> CommandFailure {
    CommandFailure::Failed(format!(
        "cannot write `{}`: {error}; run `init` in a folder where you may write",
        path.display()
    ))
}

/// What there is now.
struct PreparedFiles {
    url: String,
    /// And whether each was there before.
    pairs: Vec<(PairNames, bool)>,
    /// The configured host that the kept pair is not for.
    not_for: Option<String>,
    /// The configuration file, if one was named.
    config: Option<PathBuf>,
    /// Whether the configuration requires client certificates already.
    is_required: bool,
    /// Where the server has its pairs.
    state_dir: PathBuf,
    /// Where the server would write the kubeconfig, unless it is configured not to.
    generate_kubeconfig: Option<PathBuf>,
}

impl PreparedFiles {
    /// Records `pair`, and whether it was there before.
    fn note(&mut self, pair: PairNames) {
        let was_there = Path::new(pair[0]).exists();
        self.pairs.push((pair, was_there));
    }

    fn next_steps(&self) -> String {
        let mut text = String::new();
        // Writing to a string never fails.
        for ([certificate, key, what], was_there) in &self.pairs {
            let pair = if *was_there { "kept" } else { "new" };
            let _ = writeln!(text, "{certificate} ({pair}): {what}");
            let _ = writeln!(text, "{key} ({pair}): its private key; show it to nobody");
        }
        let url = &self.url;
        let _ = writeln!(
            text,
            "{KUBECONFIG}: tells kube-apiserver that the webhook is at {url}"
        );
        text.push_str("\nWhat comes next:\n");
        for (number, step) in (1..).zip(self.steps()) {
            let _ = writeln!(text, "{number}. {step}");
        }
        if self.has(CLIENT_PAIR) {
            let [ca, key, _] = CLIENT_PAIR;
            let _ = write!(
                text,
                "
Where the webhook runs already, let kube-apiserver start again with the kubeconfig first: once the webhook has started with
{ca}, it answers nobody else. Keep {key} here: with it, `init` makes another certificate in ten years.
"
            );
        }
        if self.has(CLIENT_PAIR) && !self.is_required {
            let _ = write!(
                text,
                "
Set `requireClientCertificate: true` under `server` in {} when kube-apiserver has the new kubeconfig: then the webhook
refuses to start without {}, and never answers clients without a certificate.
",
                self.config(),
                CLIENT_PAIR[0]
            );
        }
        if let Some(hostname) = &self.not_for {
            let _ = write!(
                text,
                "\nThe pair that was kept is not for `{hostname}`: have `hostname: {hostname}` under `server` in {}.\n",
                self.config()
            );
        }
        text
    }

    fn steps(&self) -> Vec<String> {
        let mut files = Vec::new();
        if self.has(SERVER_PAIR) {
            files.extend(["cert.pem", "key.pem"]);
        }
        if self.has(CLIENT_PAIR) {
            files.push("client-ca.pem");
        }
        let state_dir = self.state_dir.display();
        let is_here = self.state_dir.canonicalize().is_ok_and(|folder| {
            Path::new(".")
                .canonicalize()
                .is_ok_and(|here| here == folder)
        });
        let copy = (!files.is_empty() && !is_here).then(|| {
            let listed = match files.split_last() {
                Some((last, others)) if !others.is_empty() => {
                    format!("{} and {last}", others.join(", "))
                }
                _ => files.concat(),
            };
            format!(
                "\
Copy {listed} to the webhook's state directory:
     sudo install -d -m 700 {state_dir}
     sudo install -m 600 {} {state_dir}",
                files.join(" ")
            )
        });
        let installed = self.generate_kubeconfig.as_deref();
        let installed = installed
            .unwrap_or(Path::new(INSTALLED_KUBECONFIG))
            .display();
        let pregenerated = match self.generate_kubeconfig {
            Some(_) => " --kubeconfig-pregenerated",
            None => "",
        };
        let config = self.config();
        let others = [
            format!(
                "\
Copy the kubeconfig to where kube-apiserver can read it:
     sudo install -D -m 600 {KUBECONFIG} {installed}"
            ),
            format!(
                "\
Start the webhook:
     ack-ram-authenticator server --config {config}{pregenerated}"
            ),
            format!(
                "\
Give kube-apiserver this flag (in a static pod also a volume with that folder), and let it restart:
     --authentication-token-webhook-config-file={installed}"
            ),
        ];
        copy.into_iter().chain(others).collect()
    }

    fn config(&self) -> Display<'_> {
        let config = self.config.as_deref();
        config.unwrap_or(Path::new("config.yaml")).display()
    }

    fn has(&self, pair: PairNames) -> bool {
        self.pairs.iter().any(|(made, _)| *made == pair)
    }
}
