//! The cost of a login in WebAssembly relative to native code: the same function with the same input and output. The
//! results, and how to measure them, are in `core/benches/README.md`.
//!
//! Native code and WebAssembly take turns, so that other load on the machine affects both.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ack_ram_tests::vectors;
use ack_ram_tests::wasm_guest::{Guest, load};
use serde_json::{Map, Value};

const ROUNDS: usize = 101;
/// How long one side runs in a round: shorter than the time slice of a scheduler.
const TURN: Duration = Duration::from_millis(1);
/// The number of runs between two readings of the clock.
const BATCH: u32 = 5;

const EXACT: &str = "role by exact ARN";

/// Representative logins of the vectors.
const LOGINS: [&str; 6] = [
    "refused: SignatureDoesNotMatch with 400",
    "condition identity.roleName == 'Dev'",
    "pattern role/dev-* and role dev-a",
    EXACT,
    "groups from an expression follow the listed groups",
    "near miss: another path",
];

/// Two lengths of tokens. The difference of their costs is only the cost of the additional bytes.
const SHORT: usize = 1_024;
const LONG: usize = 8 * SHORT;

fn main() {
    let mut guest = Guest::new(&load("ACK_RAM_CORE_WASM"));
    let vectors = vectors::logins();
    let login = |name: &str| -> Map<String, Value> {
        let case = vectors.iter().find(|case| case.name == name);
        case.expect("a login of the vectors").login.clone()
    };
    let mut time = |login: Map<String, Value>| {
        let input = Value::from(login).to_string();
        measure(&mut guest, input.as_bytes())
    };

    let exact = login(EXACT);
    let hash = {
        // Both prefixes are refused: the first after the token was hashed, the second without hashing.
        let mut byte = |prefix: &str| {
            let long = time(with_token(&exact, prefix, LONG));
            let short = time(with_token(&exact, prefix, SHORT));
            long.combine(short, |long, short| (long - short) / (LONG - SHORT) as f64)
        };
        let (hashed, unhashed) = (byte("k8s-ack-v9."), byte("k8s-not-ours."));
        let bytes = hashed_bytes(exact["token"].as_str().expect("a token"));
        hashed.combine(unhashed, |hashed, unhashed| (hashed - unhashed) * bytes)
    };

    println!("{:<46}{:>24}{:>26}", "", "all", "without hashing");
    let columns = ["native", "wasm", "ratio"].map(|name| format!("{name:>8}"));
    println!("{:<46}{}  {}", "", columns.concat(), columns.concat());
    println!("{:<46}{hash}", "SHA-256 of the token");
    let show = |name: &str, all: Cost| {
        let unhashed = all.combine(hash, |all, hash| all - hash);
        println!("{name:<46}{all}  {unhashed}");
    };
    let mut without_sts = exact.clone();
    without_sts.remove("sts");
    show("any, until STS is called", time(without_sts));
    for name in LOGINS {
        show(name, time(login(name)));
    }
}

/// The duration of a run on each side, in microseconds.
#[derive(Clone, Copy)]
struct Cost {
    native: f64,
    wasm: f64,
}

impl Cost {
    fn combine(self, other: Self, operation: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            native: operation(self.native, other.native),
            wasm: operation(self.wasm, other.wasm),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { native, wasm } = self;
        write!(f, "{native:>8.2}{wasm:>8.2}{:>8.2}", wasm / native)
    }
}

/// Returns the medians of many turns.
fn measure(guest: &mut Guest, input: &[u8]) -> Cost {
    assert_eq!(guest.run(input), ack_ram_core_wasm::run(input));
    let mut native = Vec::new();
    let mut wasm = Vec::new();
    for _ in 0..ROUNDS {
        native.push(turn(|| ack_ram_core_wasm::run(black_box(input))));
        wasm.push(turn(|| guest.run(black_box(input))));
    }
    Cost {
        native: median(native),
        wasm: median(wasm),
    }
}

/// Returns the duration of one `run`, in microseconds.
fn turn(mut run: impl FnMut() -> Vec<u8>) -> f64 {
    let start = Instant::now();
    let mut runs = 0;
    while start.elapsed() < TURN {
        for _ in 0..BATCH {
            black_box(run());
        }
        runs += BATCH;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(runs)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn with_token(login: &Map<String, Value>, prefix: &str, length: usize) -> Map<String, Value> {
    let mut login = login.clone();
    login.insert("token".to_owned(), format!("{prefix:A<length$}").into());
    login
}

/// Returns the number of bytes that SHA-256 processes for `text`: complete blocks of 64 bytes with the padding.
fn hashed_bytes(text: &str) -> f64 {
    ((text.len() + 9).div_ceil(64) * 64) as f64
}
