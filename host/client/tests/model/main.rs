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
