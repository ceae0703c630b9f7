//! The cost of a token: `cargo xtask bench client`. The results and their explanation are in `host/benches/README.md`.
//!
//! The programs take turns, beside a program that does nothing, so that other load on the machine affects all of them.

mod absent;
mod cases;
mod crowd;
mod measure;

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

use ack_ram_tests::authenticator;
use ack_ram_tests::sts::Emulator;
use clap::Parser;

use cases::{Case, Source};
use measure::{Measured, megabytes};

type BoxError = Box<dyn Error + Send + Sync>;

/// The variable with the path of the client-only program.
const CLIENT_ONLY: &str = "ACK_RAM_CLIENT_ONLY";

/// Measure the cost of a token, compared with a program that does nothing
#[derive(Parser)]
struct Arguments {
    /// Few runs, for rough results
    #[arg(long)]
    quick: bool,
    /// Flag that cargo passes to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
}

/// A program that logs in.
struct Client {
    name: &'static str,
    path: PathBuf,
}

fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    let (runs, crowds, absences) = if arguments.quick {
        (20, 3, 3)
    } else {
        (200, 20, 10)
    };
    let mut clients = vec![Client {
        name: "full program",
        path: authenticator::binary(),
    }];
    clients.extend(env::var_os(CLIENT_ONLY).map(|path| Client {
        name: "client only",
        path: path.into(),
    }));
    let sts = Emulator::builder().demo().start()?;
    let folder = tempfile::tempdir()?;
    let mut cases = vec![Case::empty()];
    for (number, client) in clients.iter().enumerate() {
        for source in Source::ALL {
            let home = folder.path().join(format!("{number}-{source:?}"));
            cases.push(Case::new(source, client, home, &sts)?);
        }
    }
    let measured = measure::all(&cases, runs, &sts)?;
    println!("{}", table(&cases, &measured, runs)?);
    for client in &clients {
        let size = std::fs::metadata(&client.path)?.len();
        println!("\n{}: {} on disk", client.name, megabytes(size));
        let home = |name: &str| folder.path().join(format!("{name} {}", client.name));
        println!("{}", crowd::measure(client, &home("crowd"), &sts, crowds)?);
        println!("{}", absent::measure(client, &home("absent"), absences)?);
    }
    Ok(())
}

fn table(cases: &[Case], measured: &[Measured], runs: usize) -> Result<String, BoxError> {
    let empty = measured.first().ok_or("nothing was measured")?;
    let mut text = format!(
        "one token, medians of {runs} runs\n{:<14}{:<24}{:>9}{:>10}{:>10}{:>13}",
        "", "", "time", "to empty", "CPU", "peak memory"
    );
    for (case, figures) in cases.iter().zip(measured) {
        text.push_str(&format!(
            "\n{:<14}{:<24}{:>6.2} ms{:>10.2}{:>7.2} ms{:>13}",
            case.program,
            case.name,
            figures.time,
            figures.time / empty.time,
            figures.cpu,
            megabytes(figures.peak_kib * 1_024),
        ));
    }
    Ok(text)
}

/// Returns the folder of the cache below `home`.
fn cache_folder(home: &Path) -> PathBuf {
    home.join(".kube/cache/ack-ram-authenticator")
}
