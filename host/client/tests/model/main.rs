//! "Never another identity": the decision about a plan, compared with a plain model in random environments.

mod choices;
mod cli_file;
mod generate;
mod generate_files;
mod ini_file;
mod json;
mod model;
mod outcome;
mod values;
mod world;

use ack_ram_client::finding::Findings;
use ack_ram_client::resolve::resolve;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::choices::Choices;
use crate::outcome::describe;

/// Enough bytes for every choice of a world.
const BYTES: usize = 1500;

fn compare_worlds(cases: u32) {
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result =
        TestRunner::new(config).run(&proptest::collection::vec(any::<u8>(), BYTES), |bytes| {
            let world = generate::world(&mut Choices::new(&bytes));
            let predicted = model::predict(&world);
            let decision = resolve(
                &world.settings(),
                &world.environment(),
                &world,
                &mut Findings::default(),
            );
            prop_assert_eq!(
                describe(&decision),
                predicted,
                "{:?}\n{:#?}",
                decision,
                world
            );
            Ok(())
        });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn random_worlds_give_the_identity_that_the_model_predicts() {
    compare_worlds(4000);
}

#[test]
#[ignore = "takes minutes; run after a change of the decision"]
fn million_random_worlds_give_the_identity_that_the_model_predicts() {
    compare_worlds(1_000_000);
}

#[test]
fn survey() {
    use std::collections::BTreeMap;
    let mut rng = 1u64;
    let mut found: BTreeMap<String, (usize, usize, String)> = BTreeMap::new();
    let mut ok: BTreeMap<String, usize> = BTreeMap::new();
    let n: u64 = std::env::var("N")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(20000);
    for _ in 0..n {
        let bytes: Vec<u8> = (0..BYTES)
            .map(|_| {
                rng = rng
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (rng >> 40) as u8
            })
            .collect();
        let world = generate::world(&mut Choices::new(&bytes));
        let predicted = model::predict(&world);
        let decision = resolve(
            &world.settings(),
            &world.environment(),
            &world,
            &mut Findings::default(),
        );
        let got = describe(&decision);
        let short = |o: &outcome::Outcome| match o {
            Ok(w) => format!("{w:?}")
                .split([' ', '('])
                .next()
                .unwrap()
                .to_owned(),
            Err(k) => format!("Err {k:?}"),
        };
        *ok.entry(short(&got)).or_default() += 1;
        if got != predicted {
            let text = format!(
                "got {got:?}\npredicted {predicted:?}\n{:?}\n{world:?}",
                decision.as_ref().err()
            );
            let size = text.len();
            let e = found
                .entry(format!("{} / {}", short(&got), short(&predicted)))
                .or_insert((0, usize::MAX, String::new()));
            e.0 += 1;
            if size < e.1 {
                e.1 = size;
                e.2 = text;
            }
        }
    }
    println!("{ok:#?}");
    for (k, (n, _, t)) in found {
        println!("=== {k}: {n}\n{t}\n");
    }
}
