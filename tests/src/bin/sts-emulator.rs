//! The STS emulator as a program, for experiments by hand.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ack_ram_tests::sts::{
    Builder, Directory, EXAMPLE_STATE, Emulator, StartError, StateError, demo,
};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Run a local emulator of Alibaba Cloud STS.
///
/// The emulator verifies signatures, knows the identities in its state file, and makes no calls. It answers
/// GetCallerIdentity, AssumeRole and AssumeRoleWithOIDC, prints the address that it listens on, and runs until SIGTERM
/// or SIGINT. It generates a new certificate at every start; to trust it, clients use the file that --ca-out writes.
#[derive(Parser)]
#[command(version, after_long_help = after_help())]
struct Arguments {
    /// Address to listen on; port 0 selects a free port.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// JSON file with accounts, users, roles and keys. Defaults to a demonstration account.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,

    /// File to write the certificate authority to, in PEM.
    #[arg(long, value_name = "FILE", conflicts_with = "http")]
    ca_out: Option<PathBuf>,

    /// Additional name or address in the certificate, such as sts.aliyuncs.com; may be repeated.
    #[arg(long, value_name = "NAME", conflicts_with = "http")]
    name: Vec<String>,

    /// Serve plain HTTP, without TLS.
    #[arg(long)]
    http: bool,
}

fn after_help() -> String {
    let mut help = "Keys of the demonstration account (ID, secret, security token):\n".to_owned();
    for (arn, key) in demo::keys() {
        let _ = write!(help, "  {arn}\n    {} {}", key.id, key.secret.expose());
        if let Some(token) = &key.security_token {
            let _ = write!(help, " {}", token.expose());
        }
        help.push('\n');
    }
    let _ = write!(help, "\nExample of a state file:\n{EXAMPLE_STATE}");
    help
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sts-emulator: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let emulator = configure(arguments)?.start().map_err(Failure::Start)?;
    if let Some(path) = &arguments.ca_out {
        std::fs::write(path, emulator.ca_pem()).map_err(|error| Failure::file(path, error))?;
    }
    until_stopped(|| {
        let mut stdout = io::stdout();
        writeln!(stdout, "listening on {}", emulator.url())?;
        stdout.flush()
    })
    .map_err(Failure::Run)
}

fn configure(arguments: &Arguments) -> Result<Builder, Failure> {
    let mut builder = Emulator::builder().listen(arguments.listen);
    builder = match &arguments.state {
        None => builder.demo(),
        Some(path) => {
            let json = std::fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
            let state = Directory::parse(&json).map_err(|error| Failure::state(path, error))?;
            builder.directory(state)
        }
    };
    for name in &arguments.name {
        builder = builder.name(name);
    }
    if arguments.http {
        builder = builder.plain_http();
    }
    Ok(builder)
}

/// Waits for SIGTERM or SIGINT. Calls `ready` as soon as signals are handled.
fn until_stopped(ready: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        ready()?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    })
}

enum Failure {
    File { path: PathBuf, error: io::Error },
    State { path: PathBuf, error: StateError },
    Start(StartError),
    Run(io::Error),
}

impl Failure {
    fn file(path: &Path, error: io::Error) -> Self {
        let path = path.to_owned();
        Self::File { path, error }
    }

    fn state(path: &Path, error: StateError) -> Self {
        let path = path.to_owned();
        Self::State { path, error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "`{}`: {error}", path.display()),
            Self::State { path, error } => {
                write!(f, "invalid state file `{}`: {error}", path.display())
            }
            Self::Start(error) => error.fmt(f),
            Self::Run(error) => error.fmt(f),
        }
    }
}
