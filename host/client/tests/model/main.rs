//! "Never another identity": the decision about a plan, compared with a plain model in random environments.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a panic is how a test fails"
)]

mod choices;
mod cli_file;
mod generate;
mod generate_cli_file;
mod generate_ini_file;
mod ini_file;
mod json;
mod model;
mod model_services;
mod outcome;
mod values;
mod world;

use ack_ram_client::finding::Findings;
use ack_ram_client::resolve::resolve;
use proptest::prelude::*;

use crate::choices::Choices;
use crate::outcome::describe;

/// Enough bytes for every choice of a world.
const BYTES: usize = 1500;

/// Compares the decision in one world with the prediction. Returns a description of a difference.
fn compare(bytes: &[u8]) -> Result<(), String> {
    let world = generate::world(&mut Choices::new(bytes));
    let predicted = model::predict(&world);
    let decision = resolve(
        &world.settings(),
        &world.environment(),
        &world,
        &mut Findings::default(),
    );
    let decided = describe(&decision);
    match decided == predicted {
        true => Ok(()),
        false => Err(format!(
            "decided {decided:?}\npredicted {predicted:?}\n{decision:?}\n{world:#?}"
        )),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_worlds_give_the_identity_that_the_model_predicts(
        bytes in proptest::collection::vec(any::<u8>(), BYTES)
    ) {
        compare(&bytes).map_err(TestCaseError::fail)?;
    }
}

/// Takes minutes, so `cargo xtask release-check` runs it.
#[cfg(feature = "release-check")]
#[test]
fn million_random_worlds_give_the_identity_that_the_model_predicts() {
    let mut bytes = vec![0; BYTES];
    for seed in 0..1_000_000 {
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        if let Err(difference) = compare(&bytes) {
            panic!("seed {seed}: {difference}");
        }
    }
}
