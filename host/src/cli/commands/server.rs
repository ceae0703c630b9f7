//! `server`: answers kube-apiserver.

mod check;

use std::io;
use std::path::PathBuf;

use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::backends::mounted_file::Inputs;
use crate::cli::args::{BOOL, Globals, as_go_bool};
use crate::cli::failure::CommandFailure;
use crate::cli::output::OutputFormat;
use crate::config::{self, Config, ConfigFile, ConfigSources, Overrides};
use crate::environment;
use crate::server::Server;

/// Run the webhook server that kube-apiserver asks about tokens
///
/// Listens on `server.address` (127.0.0.1) and port 21362, with the certificate in the state directory, which is made
/// if there is none. SIGTERM and Ctrl-C let what is under way finish, then end it. Files are read again when they
/// change, and all of them on SIGHUP; what of the configuration needs a restart is named in the log.
///
/// Every option is in the configuration file, too; the command line wins.
#[derive(Args, Debug)]
#[command(
    mut_args(as_go_bool),
    after_long_help = "\
Examples:
  ack-ram-authenticator server --config /etc/kubernetes/ack-ram-authenticator/config.yaml
  ack-ram-authenticator server -c config.yaml --port 21400 --state-dir ./state --log-format json
  ack-ram-authenticator server -c config.yaml --check

Exit codes:
  0  ended by SIGTERM or Ctrl-C; with --check, no errors
  1  could not start; with --check, errors
  2  wrong usage"
)]
pub(in crate::cli) struct ServerArgs {
    /// Where to write the kubeconfig for kube-apiserver's --authentication-token-webhook-config-file
    #[arg(long, value_name = "FILE")]
    generate_kubeconfig: Option<PathBuf>,

    /// Do not write that kubeconfig: `init` has made it
    #[arg(long, value_name = BOOL)]
    kubeconfig_pregenerated: Option<bool>,

    /// The folder of `cert.pem` and `key.pem`
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,

    /// The address to listen on, in place of `server.address`
    #[arg(long, short, value_name = "ADDRESS")]
    bind: Option<String>,

    /// Where mappings come from: `MountedFile`, `ACKConfigMap`, `CRD`, `DynamicFile`, or some with commas between, in the
    /// order in which they are asked
    ///
    /// `MountedFile` (or `File`) is the configuration file, `ACKConfigMap` (or `ConfigMap`) the ConfigMap
    /// kube-system/alibabacloud-auth, `CRD` the RAMIdentityMapping objects, `DynamicFile` the JSON file at
    /// `server.dynamicFilePath`.
    #[arg(long, value_name = "BACKENDS", value_delimiter = ',')]
    backend_mode: Option<Vec<String>>,

    /// Make the CustomResourceDefinition of RAMIdentityMapping, or bring it up to date
    #[arg(long, value_name = BOOL)]
    install_crd: Option<bool>,

    /// The port to listen on
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// The region whose STS is asked, inside its VPC
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// Look at everything that the server needs, tell all that is wrong or risky, and end
    ///
    /// Configuration, mappings, certificates, keys, kubeconfigs, addresses, variables of the environment, places to write,
    /// and which other users may write there; what is only a warning about the configuration at start is an error here.
    /// Nothing is written, and nobody is asked over the network. A server may run meanwhile.
    #[arg(long)]
    check: bool,

    /// The form of what --check prints
    #[arg(
        long,
        short,
        value_enum,
        value_name = "FORMAT",
        default_value = "text",
        requires = "check"
    )]
    output: OutputFormat,
}

pub(super) fn run(args: ServerArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let overrides = Overrides {
        cluster_id: globals.cluster_id.clone(),
        bind: args.bind,
        port: args.port,
        region: args.region,
        state_dir: args.state_dir,
        generate_kubeconfig: args.generate_kubeconfig,
        kubeconfig_pregenerated: args.kubeconfig_pregenerated,
        backend_mode: args.backend_mode,
        install_crd: args.install_crd,
        ..Overrides::default()
    };
    let runtime = || {
        Runtime::new()
            .map_err(|error| CommandFailure::Failed(format!("cannot start threads: {error}")))
    };
    if args.check {
        let sources = ConfigSources {
            file: globals.config.as_deref().map(ConfigFile::Path),
            overrides: &overrides,
            variables: &environment::variable,
        };
        return runtime()?.block_on(check::run(&sources, args.output));
    }
    let config = globals.configuration(config::load, overrides.clone())?;
    let inputs = Inputs {
        file: globals.config.clone(),
        overrides,
        variables: environment::variable,
    };
    let runtime = runtime()?;
    let ended = runtime.block_on(serve(config, inputs));
    // A look-up of a name that is under way would hold the process.
    runtime.shutdown_background();
    ended
}

async fn serve(config: Config, inputs: Inputs) -> Result<(), CommandFailure> {
    let server = Server::start(config, inputs).await?;
    let unheard = |error| CommandFailure::Failed(format!("cannot listen for signals: {error}"));
    let stops =
        count_signals([SignalKind::terminate(), SignalKind::interrupt()]).map_err(unheard)?;
    let hangups = count_signals([SignalKind::hangup()]).map_err(unheard)?;
    server
        .serve(
            wait_for_count(1, &stops),
            wait_for_count(2, &stops),
            hangups,
        )
        .await;
    Ok(())
}

/// How often the process has got one of these signals. From now on they no longer end it by themselves.
fn count_signals<const N: usize>(kinds: [SignalKind; N]) -> io::Result<watch::Receiver<u32>> {
    let (count, counted) = watch::channel(0);
    for kind in kinds {
        let mut signals = signal(kind)?;
        let count = count.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                count.send_modify(|count| *count += 1);
            }
        });
    }
    Ok(counted)
}

async fn wait_for_count(wanted: u32, signals: &watch::Receiver<u32>) {
    let mut signals = signals.clone();
    // The sender never goes away while the runtime lives.
    let _seen = signals.wait_for(|count| *count >= wanted).await;
}
