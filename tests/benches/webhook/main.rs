//! The cost of a review: `cargo xtask bench`. The results and their explanation are in `host/benches/README.md`.
//!
//! Three server processes get the same reviews: a bare server, a real server with cached identities, and a real server
//! that calls STS. They take turns, so that other load on the machine affects all of them.

mod rounds;
mod servers;
mod single;

use std::error::Error;

use ack_ram_tests::load::Shape;
use clap::Parser;

use rounds::Plan;
use servers::Fixture;

type BoxError = Box<dyn Error + Send + Sync>;

/// Measure the cost of a review, compared with a bare server
#[derive(Parser)]
struct Arguments {
    /// Few and short rounds, for rough results
    #[arg(long)]
    quick: bool,
    /// Only tables of reviews under load whose name contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Flag that cargo passes to benchmarks
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
        name: "32 concurrent requests on one HTTP/2 connection",
        reviews: 10_000,
    },
    Plan {
        shape: Shape::NewConnections(32),
        name: "32 concurrent requests, each on a new connection",
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
