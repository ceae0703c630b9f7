//! The soak: moderate load for a given time, with alternating faults of STS and edits of the mappings. Memory,
//! descriptors, threads, CPU time, and latency must be the same at the end as at the start.
//!
//! The table goes to standard output and to `target/tmp/soak.txt`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ack_ram_tests::callers::{Caller, Outcome, outcome};
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::sts::{Emulator, Fault, Handshake, Wire};
use ack_ram_tests::traffic::{Tally, Traffic};
use ack_ram_tests::usage::Usage;
use bytes::Bytes;
use hyper::Method;
use libtest_mimic::{Arguments, Trial};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::fixture::Meanwhile::Granted;
use crate::fixture::{FaultFixture, PATIENCE, Plan, SHORT_TIMEOUTS};
use crate::matrix::Fail;

/// Environment variable with the duration in seconds.
pub const VARIABLE: &str = "ACK_RAM_SOAK_SECONDS";

/// Duration of the measurements in a round, without a fault.
const MEASUREMENT: Duration = Duration::from_secs(8);
const FAULT: Duration = Duration::from_secs(3);
/// Number of callers with new tokens. With [`PACE`], the callers send some hundred reviews per second.
const FRESH: usize = 3;
const PACE: Duration = Duration::from_millis(25);
/// Number of timed reviews in each round, of cached and of new tokens.
const TIMED: usize = 50;
/// The cache is full after the first round, so its growth does not count.
const CACHE: usize = 300;

/// The measurements of a round.
struct Sample {
    at: Duration,
    usage: Usage,
    reviews: usize,
    /// CPU time of the server per review.
    cpu_micros: f64,
    known: Duration,
    fresh: Duration,
    slowest: Duration,
    fault: &'static str,
    recovered: Duration,
}

/// Runs the soak for `time`. Other selected tests do not run.
pub fn run(arguments: &Arguments, time: Duration) -> ExitCode {
    let trial = Trial::test("soak", move || {
        let runtime = tokio::runtime::Runtime::new()?;
        Ok(runtime.block_on(soak(time))?)
    });
    libtest_mimic::run(arguments, vec![trial]).exit_code()
}

async fn soak(time: Duration) -> Result<(), Fail> {
    let plan = Plan {
        sts: json!({ "cacheSize": CACHE, "refusalCacheSize": CACHE }),
        timeouts: SHORT_TIMEOUTS,
        ..Plan::default()
    };
    let mut fixture = FaultFixture::start_with(Emulator::builder().demo().start()?, plan).await?;
    let start = Instant::now();
    let mut samples = Vec::new();
    let mut faults = faults().into_iter().cycle();
    // Enough rounds to compare, even on a slow machine.
    while start.elapsed() < time || samples.len() < 4 {
        let (name, fault) = faults.next().ok_or("there are faults")?;
        let sample = round(&mut fixture, start, name, fault).await?;
        samples.push(sample);
        // The table is written after each round, in case a later one fails.
        show(&samples, None)?;
    }
    let verdict = verdict(&samples);
    show(&samples, Some(&verdict))?;
    let recovered = fixture.recovered().await?;
    fixture.end(Tally::default(), recovered).await?;
    match verdict.iter().find(|line| !line.is_flat) {
        None => Ok(()),
        Some(line) => Err(line.text.clone().into()),
    }
}

fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("closed on accept", Fault::CloseOnAccept),
        ("throttled", Fault::ThrottleApi),
        ("no answer", Fault::Hang),
        ("reset in the body", Fault::OnWire(Wire::ResetInBody)),
        ("silent", Fault::StallOnAccept),
        ("500", Fault::InternalError),
        ("certificate", Fault::InHandshake(Handshake::OtherName)),
        ("endless body", Fault::EndlessBody),
        ("a byte at a time", Fault::OnWire(Wire::SlowBody)),
        ("garbage", Fault::Garbage),
    ]
}

/// Runs a round: measurements without a fault, a fault, and an edit.
async fn round(
    fixture: &mut FaultFixture,
    start: Instant,
    name: &'static str,
    fault: Fault,
) -> Result<Sample, Fail> {
    fixture.cache_tokens().await?;
    let traffic = Traffic::start(&fixture.client, FRESH, &fixture.known, PACE);
    let (began, cpu) = (Instant::now(), cpu_seconds(fixture).await?);
    let mut known = time_reviews(fixture, true).await?;
    let mut fresh = time_reviews(fixture, false).await?;
    review_with_new_clients(fixture).await?;
    sleep(MEASUREMENT.saturating_sub(began.elapsed())).await;
    let usage = Usage::read_process(fixture.server().pid())?;
    let cpu = cpu_seconds(fixture).await? - cpu;
    let tally = traffic.stop().await;
    Granted.check(&tally)?;
    let reviews = tally.requests() + known.len() + fresh.len();

    let traffic = Traffic::start(&fixture.client, FRESH, &fixture.known, PACE);
    fixture.sts.set_fault(Some(fault));
    fixture.sts.cut_connections();
    sleep(FAULT).await;
    fixture.sts.set_fault(None);
    let during = traffic.stop().await;
    if !during.violations.is_empty() || during.known.unavailable > 0 {
        return Err(format!("while STS is at fault ({name}): {during:?}").into());
    }
    let recovered = fixture.recovered().await?;
    edit(fixture).await?;

    known.sort_unstable();
    fresh.sort_unstable();
    let slowest = *known.iter().chain(&fresh).max().ok_or("no timed review")?;
    Ok(Sample {
        at: start.elapsed(),
        usage,
        reviews: reviews + during.requests(),
        cpu_micros: cpu * 1e6 / reviews as f64,
        known: known[known.len() / 2],
        fresh: fresh[fresh.len() / 2],
        slowest,
        fault: name,
        recovered,
    })
}

/// Returns the durations of sequential reviews, with cached or new tokens.
async fn time_reviews(fixture: &FaultFixture, is_known: bool) -> Result<Vec<Duration>, Fail> {
    let mut times = Vec::new();
    for (caller, token) in fixture.known.iter().cycle().take(TIMED) {
        let token = if is_known {
            token.clone()
        } else {
            fixture.client.token(*caller)
        };
        let sent = Instant::now();
        fixture.client.review(*caller, &token).await?;
        times.push(sent.elapsed());
    }
    Ok(times)
}

/// Opens ten connections, one after the other, and sends a review on each.
async fn review_with_new_clients(fixture: &FaultFixture) -> Result<(), Fail> {
    for _ in 0..10 {
        let new_client = fixture.client.at(fixture.webhook()?);
        new_client.review_new_token(Caller::User).await?;
    }
    Ok(())
}

async fn cpu_seconds(fixture: &FaultFixture) -> Result<f64, Fail> {
    let webhook = fixture.webhook()?;
    let request = webhook.request(Method::GET, "/metrics");
    let reply = webhook.send(request.body(Bytes::new().into())?).await?;
    let metrics = Exposition::parse(std::str::from_utf8(&reply.bytes)?)?;
    let seconds = metrics.value("process_cpu_seconds_total", &[]);
    Ok(seconds.ok_or("no process_cpu_seconds_total")?)
}

/// Removes the mapping of the user and restores it. Both edits must affect cached and new tokens.
async fn edit(fixture: &FaultFixture) -> Result<(), Fail> {
    let path = fixture.folder().join("config.yaml");
    let before = fs::read_to_string(&path)?;
    let mut config: Value = serde_json::from_str(&before)?;
    config["server"]["mapUsers"] = json!([]);
    for (text, wanted) in [
        (config.to_string(), Outcome::Denied),
        (before, Outcome::Granted),
    ] {
        fs::write(&path, text)?;
        let edited = Instant::now();
        let tokens = [
            fixture.known[0].1.clone(),
            fixture.client.token(Caller::User),
        ];
        for token in &tokens {
            let webhook = fixture.webhook()?;
            while outcome(&webhook.review(token).await?) != Some(wanted.clone()) {
                if edited.elapsed() > PATIENCE {
                    return Err(format!("after an edit: not {wanted:?}").into());
                }
                sleep(PACE).await;
            }
        }
    }
    Ok(())
}

/// The comparison of one measure.
struct Line {
    text: String,
    is_flat: bool,
}

/// Compares the last third of the rounds with the first third, without the first round, in which the server warms up.
/// The limits allow for memory that the allocator keeps, and for other load on the machine.
fn verdict(samples: &[Sample]) -> Vec<Line> {
    let warm = samples.get(1..).unwrap_or_default();
    let third = (warm.len() / 3).max(1);
    let mean = |samples: &[Sample], measure: fn(&Sample) -> f64| {
        samples.iter().map(measure).sum::<f64>() / samples.len() as f64
    };
    let mut lines = Vec::new();
    let mut compare = |name, unit, measure: fn(&Sample) -> f64, factor: f64, more: f64| {
        let first = mean(&warm[..third], measure);
        let last = mean(&warm[warm.len() - third..], measure);
        let limit = first * factor + more;
        let is_flat = last <= limit;
        let flat = if is_flat { "flat" } else { "NOT FLAT" };
        let text = format!(
            "{name:<28} {first:>9.1} {unit:<3} first {last:>9.1} {unit:<3} last, {limit:>9.1} {unit:<3} at most: {flat}"
        );
        lines.push(Line { text, is_flat });
    };
    let mib = |sample: &Sample| sample.usage.resident_kib as f64 / 1024.0;
    compare("memory", "MiB", mib, 1.15, 6.0);
    compare(
        "descriptors",
        "",
        |sample| sample.usage.descriptors as f64,
        1.0,
        16.0,
    );
    compare(
        "threads",
        "",
        |sample| sample.usage.threads as f64,
        1.0,
        8.0,
    );
    compare(
        "CPU per review",
        "us",
        |sample| sample.cpu_micros,
        1.5,
        500.0,
    );
    compare(
        "latency, known",
        "ms",
        |sample| millis(sample.known),
        3.0,
        50.0,
    );
    compare(
        "latency, new",
        "ms",
        |sample| millis(sample.fresh),
        3.0,
        100.0,
    );
    lines
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const HEAD: &str = "
      at   memory   descriptors threads   reviews   CPU each   known     new       slowest   fault              recovery
";

/// Prints the measurements and writes them to the file.
fn show(samples: &[Sample], verdict: Option<&[Line]>) -> Result<(), Fail> {
    let mut table = HEAD.to_owned();
    for sample in samples {
        let Usage {
            resident_kib,
            descriptors,
            threads,
            ..
        } = sample.usage;
        writeln!(
            table,
            "{:>6} s {:>5.1} MiB {descriptors:>10} {threads:>8} {:>9} {:>7.0} us {:>6.1} ms {:>6.1} ms {:>7.1} ms   {:<18} {:>6.2} s",
            sample.at.as_secs(),
            resident_kib as f64 / 1024.0,
            sample.reviews,
            sample.cpu_micros,
            millis(sample.known),
            millis(sample.fresh),
            millis(sample.slowest),
            sample.fault,
            sample.recovered.as_secs_f64(),
        )?;
    }
    match verdict {
        None => {
            if let Some(last) = table.lines().last() {
                println!("{last}");
            }
        }
        Some(lines) => {
            table.push('\n');
            for line in lines {
                writeln!(table, "{}", line.text)?;
            }
            println!("{table}");
        }
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak.txt");
    Ok(fs::write(path, table)?)
}
