//! The client as a credential plugin of a real kubectl, which logs in to a real API server with keys that a service
//! issues.
//!
//! The start of a cluster takes seconds, so all tests share one. Each test has a role of its own, by which its calls are
//! counted, and a home folder of its own.

mod cluster_info;
mod failures;
mod fixture;
mod home;
mod kubeconfig;
mod many_commands;
mod profile;
mod session_ends;
mod versions;

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use libtest_mimic::{Arguments, Trial};

use crate::fixture::PluginFixture;

type Test = (&'static str, fn(&PluginFixture));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // Without a selected test, the cluster does not start.
    let fixture = Arc::new(LazyLock::new(PluginFixture::start as fn() -> PluginFixture));
    let tests = [
        cluster_info::TESTS,
        failures::TESTS,
        many_commands::TESTS,
        profile::TESTS,
        session_ends::TESTS,
        versions::TESTS,
    ];
    let trials = tests.iter().copied().flatten().map(|&(name, test)| {
        let fixture = Arc::clone(&fixture);
        Trial::test(name, move || {
            test(&fixture);
            Ok(())
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
