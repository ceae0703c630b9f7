//! The cost of a login in Envoy: `cargo xtask bench envoy`. The results are in `wasm/envoy/README.md`.
//!
//! One Envoy with one worker has three listeners that reply themselves: without a login, with the filter, and with
//! ext_authz, which calls the native server over TLS. The filter and the server have cached the tokens. The listeners
//! take turns, so that other load on the machine affects all of them.

mod fixture;
mod wrk;

use std::error::Error;
use std::time::Duration;

use clap::Parser;

use fixture::{AuthMode, Fixture};
use wrk::Figures;

type BoxError = Box<dyn Error + Send + Sync>;

/// Measure the cost of a login in Envoy, compared with no login
#[derive(Parser)]
struct Arguments {
    /// Short rounds, for rough results
    #[arg(long)]
    quick: bool,
    /// Flag that cargo passes to benchmarks
    #[arg(long, hide = true)]
    bench: bool,
}

const CONNECTIONS: [usize; 3] = [1, 32, 256];
/// The number of rounds of each mode, which take a minute in total.
const ROUNDS: u32 = 6;
const ROUND: Duration = Duration::from_secs(10);
const QUICK_ROUNDS: u32 = 2;
const QUICK_ROUND: Duration = Duration::from_secs(2);

fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    let (rounds, time) = if arguments.quick {
        (QUICK_ROUNDS, QUICK_ROUND)
    } else {
        (ROUNDS, ROUND)
    };
    let fixture = Fixture::start()?;
    println!(
        "{} rounds of {} s each, in turns; CPU of Envoy, and of the server with ext_authz",
        rounds,
        time.as_secs()
    );
    println!("connections  mode       requests/s   CPU us  added us   p50 us   p99 us   Envoy MiB");
    for connections in CONNECTIONS {
        let mut figures = AuthMode::ALL.map(|_| Vec::new());
        for round in 0..=rounds {
            for (mode, figures) in AuthMode::ALL.into_iter().zip(&mut figures) {
                // The first round is a warm-up.
                let time = if round == 0 {
                    Duration::from_secs(1)
                } else {
                    time
                };
                let figure = fixture.measure(mode, connections, time)?;
                if round > 0 {
                    figures.push(figure);
                }
            }
        }
        let figures = figures.map(|figures| Figures::sum(&figures));
        let [none, ..] = figures;
        for (mode, figures) in AuthMode::ALL.into_iter().zip(figures) {
            println!(
                "{connections:>11}  {:<9} {:>11.0} {:>8.1} {:>9.1} {:>8.0} {:>8.0} {:>11.1}",
                mode.name(),
                figures.per_second(),
                figures.cpu_micros(),
                figures.cpu_micros() - none.cpu_micros(),
                figures.p50.as_secs_f64() * 1e6,
                figures.p99.as_secs_f64() * 1e6,
                fixture.envoy_mib()?,
            );
        }
    }
    Ok(())
}
