//! What a login in Envoy costs: `cargo xtask bench envoy`. The figures are in `wasm/envoy/README.md`.
//!
//! One Envoy with one worker, and three ways through it to an answer that Envoy makes itself: without a login, with the
//! filter, and with ext_authz, which asks the native server over TLS. Tokens are known already, to the filter and to the
//! server. The ways take turns, so that whatever else the machine does hits all of them.

mod fixture;
mod wrk;

use std::error::Error;
use std::time::Duration;

use clap::Parser;

use fixture::{AuthMode, Fixture};
use wrk::Figures;

type BoxError = Box<dyn Error + Send + Sync>;

/// What a login in Envoy costs, beside no login in the same run.
#[derive(Parser)]
struct Arguments {
    /// Short rounds: the figures are rough.
    #[arg(long)]
    quick: bool,
    /// Cargo says so.
    #[arg(long, hide = true)]
    bench: bool,
}

const CONNECTIONS: [usize; 3] = [1, 32, 256];
/// Each way has this many rounds by turns, a minute altogether.
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
        "{} rounds of {} s each, by turns; CPU of Envoy, and of the server where it is asked",
        rounds,
        time.as_secs()
    );
    println!("connections  way        requests/s   CPU us  added us   p50 us   p99 us   Envoy MiB");
    for connections in CONNECTIONS {
        let mut figures = AuthMode::ALL.map(|_| Vec::new());
        for round in 0..=rounds {
            for (way, figures) in AuthMode::ALL.into_iter().zip(&mut figures) {
                // The first is to get warm.
                let time = if round == 0 {
                    Duration::from_secs(1)
                } else {
                    time
                };
                let figure = fixture.measure(way, connections, time)?;
                if round > 0 {
                    figures.push(figure);
                }
            }
        }
        let figures = figures.map(|figures| Figures::sum(&figures));
        let [none, ..] = figures;
        for (way, figures) in AuthMode::ALL.into_iter().zip(figures) {
            println!(
                "{connections:>11}  {:<9} {:>11.0} {:>8.1} {:>9.1} {:>8.0} {:>8.0} {:>11.1}",
                way.name(),
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
