//! `server`: runs the webhook server.

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

/// Run the webhook server for kube-apiserver
///
/// Listens on `server.address` (127.0.0.1) and port 21362. The certificate is in the state directory; the server
/// creates one if there is none. On SIGTERM or Ctrl-C, the server finishes in-flight requests and then stops. It
/// reloads a file when the file changes, and all files on SIGHUP. The log names changed settings that take effect only
/// after a restart.
///
/// Every option except --check and --output also exists as a setting in the configuration file. The command line takes
/// precedence.
#[derive(Args, Debug)]
#[command(
    mut_args(as_go_bool),
    after_long_help = "\
Examples:
  ack-ram-authenticator server --config /etc/kubernetes/ack-ram-authenticator/config.yaml
  ack-ram-authenticator server -c config.yaml --port 21400 --state-dir ./state --log-format json
  ack-ram-authenticator server -c config.yaml --check

Exit codes:
  0  SIGTERM or Ctrl-C stopped the server. With --check: there are no errors.
  1  The server could not start. With --check: there are errors.
  2  The command line is wrong."
)]
pub(in crate::cli) struct ServerArgs {
    /// Path to write the webhook kubeconfig to, for kube-apiserver's --authentication-token-webhook-config-file
    #[arg(long, value_name = "FILE")]
    generate_kubeconfig: Option<PathBuf>,

    /// Do not write the webhook kubeconfig, for example because `init` created it
    #[arg(long, value_name = BOOL)]
    kubeconfig_pregenerated: Option<bool>,

    /// State directory, with `cert.pem`, `key.pem` and the control socket
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,

    /// Address to listen on; overrides `server.address`
    #[arg(long, short, value_name = "ADDRESS")]
    bind: Option<String>,

    /// Backends, the sources of mappings, separated by commas and in order of precedence: `MountedFile`,
    /// `ACKConfigMap`, `CRD`, `DynamicFile`
    ///
    /// `MountedFile` (or `File`) is the configuration file, `ACKConfigMap` (or `ConfigMap`) the ConfigMap
    /// kube-system/alibabacloud-auth, `CRD` the RAMIdentityMapping objects, and `DynamicFile` the JSON or YAML file at
    /// `server.dynamicFilePath`.
    #[arg(long, value_name = "BACKENDS", value_delimiter = ',')]
    backend_mode: Option<Vec<String>>,

    /// Create or update the CustomResourceDefinition of RAMIdentityMapping
    #[arg(long, value_name = BOOL)]
    install_crd: Option<bool>,

    /// Port to listen on
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// Region whose internal (VPC) STS endpoint the server calls
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// Check the setup, report errors and risks, and exit
    ///
    /// Checks the configuration, mappings, certificates, keys, kubeconfigs, addresses, environment variables, the paths
    /// that the server writes to, and whether other users can write there. Some warnings about the configuration that a
    /// starting server logs are errors here. The check writes nothing and calls neither STS nor the API server. You can
    /// run it beside a running server.
    #[arg(long)]
    check: bool,

    /// Output format of --check
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
        Runtime::new().map_err(|error| {
            CommandFailure::Failed(format!("cannot start the async runtime: {error}"))
        })
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
    let result = runtime.block_on(serve(config, inputs));
    // A DNS lookup in progress would otherwise delay the exit of the process.
    runtime.shutdown_background();
    result
}

async fn serve(config: Config, inputs: Inputs) -> Result<(), CommandFailure> {
    let server = Server::start(config, inputs).await?;
    let failed = |error| CommandFailure::Failed(format!("cannot listen for signals: {error}"));
    let stops =
        count_signals([SignalKind::terminate(), SignalKind::interrupt()]).map_err(failed)?;
    let hangups = count_signals([SignalKind::hangup()]).map_err(failed)?;
    server
        .serve(
            wait_for_count(1, &stops),
            wait_for_count(2, &stops),
            hangups,
        )
        .await;
    Ok(())
}

/// Counts the signals of these kinds that the process receives. From now on, they do not end the process by themselves.
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
    // This cannot fail: the sender lives as long as the runtime.
    let _count = signals.wait_for(|count| *count >= wanted).await;
}
