//! `init`: creates the files that the webhook needs.

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

/// The path of the kubeconfig in `deploy/example.yaml` and in the script that configures kube-apiserver.
const INSTALLED_KUBECONFIG: &str = "/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml";

const SERVER_PAIR: PairNames = ["cert.pem", "key.pem", "the webhook's certificate authority"];
const CLIENT_PAIR: PairNames = ["client-ca.pem", "client-ca-key.pem", "the client CA"];

/// The files of a pair: the certificate, its key, and a description.
type PairNames = [&'static str; 3];

/// Create the webhook's certificate and kubeconfig
///
/// Writes three files to the current folder: `cert.pem` and `key.pem`, the certificate authority (CA) of the webhook,
/// and `ack-ram-authenticator.kubeconfig`, which gives kube-apiserver the URL and the CA of the webhook. An existing
/// pair is kept. The command prints what to do with the files.
///
/// With --client-cert, only kube-apiserver can use the webhook. The command also creates `client-ca.pem` and
/// `client-ca-key.pem`, a client CA, and puts a client certificate that is valid for ten years into the
/// kubeconfig. Once this CA exists, every `init` adds such a certificate, and renews it when necessary. The setting
/// `server.requireClientCertificate` in --config has the same effect as --client-cert.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator init
      For a webhook on the machine of kube-apiserver
  ack-ram-authenticator init --config config.yaml --hostname authenticator.example.com
      For a webhook on another machine; also uses the `server` settings in config.yaml
  ack-ram-authenticator init --client-cert
      For a webhook that requires the client certificate in the kubeconfig

Exit codes:
  0  The files exist.
  1  A file could not be created.
  2  The command line is wrong.")]
pub(in crate::cli) struct InitArgs {
    /// Host name by which kube-apiserver reaches the webhook; defaults to the one in --config, or `localhost`
    #[arg(long, value_name = "HOST")]
    hostname: Option<String>,

    /// Additional host in the certificate; defaults to the address in --config, or `127.0.0.1`
    #[arg(long, value_name = "HOST")]
    address: Option<String>,

    /// Also create a client CA, and put a client certificate into the kubeconfig
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
            "`server.port` is 0, so the port is not known before the server starts; set the port that kube-apiserver connects to"
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
    let mut prepared = PreparedFiles {
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
            prepared.note(SERVER_PAIR);
            let names = config.listen.names();
            let authority =
                certs::load_or_create(folder, &names, now).map_err(in_current_folder)?;
            let hostname = config.listen.hostname;
            prepared.not_for = (!authority.is_for(&hostname)).then(|| hostname.to_string());
            authority.certificate_pem().to_owned()
        }
    };
    let clients = if args.client_cert || config.require_client_certificate {
        prepared.note(CLIENT_PAIR);
        Some(certs::load_or_create_clients(folder, now).map_err(in_current_folder)?)
    } else {
        certs::load_clients(folder, false)?.inspect(|_| prepared.note(CLIENT_PAIR))
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
        url: prepared.url.clone(),
        authority,
        client,
    }
    .write(Path::new(KUBECONFIG))
    .map_err(|error| unwritable(&error.path, &error.source))?;
    output::print(&prepared.next_steps())
}

/// Replaces the advice of `error`, which would name an option for the folder: `init` writes to the current folder.
fn in_current_folder(error: CertificateError) -> CommandFailure {
    match error {
        CertificateError::Unwritable { path, source } => unwritable(&path, &source),
        other => other.into(),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> CommandFailure {
    CommandFailure::Failed(format!(
        "cannot write `{}`: {error}; run `init` in a folder that you can write to",
        path.display()
    ))
}

/// The files that exist after the command, and the settings that the next steps depend on.
struct PreparedFiles {
    url: String,
    /// The pairs, and whether each existed before.
    pairs: Vec<(PairNames, bool)>,
    /// The configured host name, if the kept pair does not cover it.
    not_for: Option<String>,
    /// The configuration file, if one is given.
    config: Option<PathBuf>,
    /// Whether the configuration already requires client certificates.
    is_required: bool,
    /// The state directory of the server.
    state_dir: PathBuf,
    /// The path to which the server would write the kubeconfig; `None` when it is configured not to write one.
    generate_kubeconfig: Option<PathBuf>,
}

impl PreparedFiles {
    /// Records `pair`, and whether it already exists.
    fn note(&mut self, pair: PairNames) {
        let existed = Path::new(pair[0]).exists();
        self.pairs.push((pair, existed));
    }

    fn next_steps(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` never fails.
        for ([certificate, key, what], existed) in &self.pairs {
            let pair = if *existed { "kept" } else { "new" };
            let _ = writeln!(text, "{certificate} ({pair}): {what}");
            let _ = writeln!(text, "{key} ({pair}): its private key; keep it secret");
        }
        let url = &self.url;
        let _ = writeln!(
            text,
            "{KUBECONFIG}: the kubeconfig for kube-apiserver, with the webhook at {url}"
        );
        text.push_str("\nNext steps:\n");
        for (number, step) in (1..).zip(self.steps()) {
            let _ = writeln!(text, "{number}. {step}");
        }
        if self.has(CLIENT_PAIR) {
            let [ca, key, _] = CLIENT_PAIR;
            let _ = write!(
                text,
                "
If the webhook is already running, restart kube-apiserver with the new kubeconfig before you restart the webhook:
a webhook that starts with {ca} refuses clients without a certificate.
Keep {key} here: `init` needs it to renew the client certificate in ten years.
"
            );
        }
        if self.has(CLIENT_PAIR) && !self.is_required {
            let _ = write!(
                text,
                "
When kube-apiserver uses the new kubeconfig, set `requireClientCertificate: true` under `server` in {}.
The webhook then refuses to start without {}, and never answers clients without a certificate.
",
                self.config(),
                CLIENT_PAIR[0]
            );
        }
        if let Some(hostname) = &self.not_for {
            let _ = write!(
                text,
                "\nThe kept certificate does not cover `{hostname}`: set `hostname: {hostname}` under `server` in {}.\n",
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
Copy the kubeconfig to a path that kube-apiserver can read:
     sudo install -D -m 600 {KUBECONFIG} {installed}"
            ),
            format!(
                "\
Start the webhook:
     ack-ram-authenticator server --config {config}{pregenerated}"
            ),
            format!(
                "\
Add this flag to kube-apiserver and restart it (a static pod also needs a volume with the folder):
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
        self.pairs.iter().any(|(names, _)| *names == pair)
    }
}
