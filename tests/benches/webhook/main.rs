//! What a review costs: `cargo xtask bench`. The figures, and where the time goes, are in `host/benches/README.md`.
//!
//! Three servers, each a process of its own, answer the same reviews and take turns, so that whatever else the machine
//! does hits all of them: a bare one, the real one from its cache, and the real one that has to ask STS.

mod rounds;
mod servers;
mod single;

use std::error::Error;

use ack_ram_tests::load::Shape;
use clap::Parser;

use rounds::Plan;
use servers::Fixture;

type BoxError = Box<dyn Error + Send + Sync>;

/// What a review costs, beside a bare server in the same run.
#[derive(Parser)]
struct Arguments {
    /// Few and short rounds: the figures are rough.
    #[arg(long)]
    quick: bool,
    /// Only reviews under load, and only the tables that have this in their name.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

const PLANS: [Plan; 5] = [
    Plan {
        shape: Shape::Connections(1),
        name: "1 connection",
        reviews: 2_000,
    },
    Plan {
        shape: Shape::Connections(32),
        name: "32 connections",
        reviews: 10_000,
    },
    Plan {
        shape: Shape::Connections(512),
        name: "512 connections",
        reviews: 10_000,
    },
    Plan {
        shape: Shape::Streams(32),
        name: "32 requests at once in one connection of HTTP/2",
        reviews: 10_000,
    },
    Plan {
        shape: Shape::NewConnections(32),
        name: "32 at once, a new connection for each",
        reviews: 1_000,
    },
];
const ROUNDS: usize = 9;
const QUICK_ROUNDS: usize = 3;

fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    let rounds = if arguments.quick {
        QUICK_ROUNDS
    } else {
        ROUNDS
    };
    let folder = tempfile::tempdir()?;
    if arguments.only.is_none() {
        // First: a child's peak of memory is never below what this process had when it started the child.
        println!("{}", single::client(folder.path(), 10 * rounds)?);
    }
    let fixture = Fixture::start(folder)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        if arguments.only.is_none() {
            println!("{}", single::start(&fixture, 2 * rounds).await?);
            for mappings in [100, 10_000] {
                println!("{}", single::memory(&fixture, mappings).await?);
            }
        }
        let only = arguments.only.as_deref().unwrap_or_default();
        for plan in PLANS.iter().filter(|plan| plan.name.contains(only)) {
            eprintln!("{} ...", plan.name);
            println!("\n{}", rounds::run(&fixture, plan, rounds).await?);
        }
        Ok(())
    })
}
