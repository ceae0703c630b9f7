//! A plugin that fails, which kubectl runs several times for one command.

use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::sts::demo;

use crate::Test;
use crate::fixture::{ABSENT_ROLE, CLOSED_ROLE, PluginFixture};
use crate::home::Home;
use crate::kubeconfig::{Kubeconfig, Program};

pub const TESTS: &[Test] = &[(
    "refused_role_calls_sts_once_for_all_runs_of_plugin",
    refused_role_calls_sts_once_for_all_runs_of_plugin,
)];

/// A refusal is forgotten when the clock shows this number of seconds more.
const FORGOTTEN_SECONDS: i64 = 5;

fn refused_role_calls_sts_once_for_all_runs_of_plugin(fixture: &PluginFixture) {
    for program in Program::BOTH {
        for (role, cause, remedy) in [
            (CLOSED_ROLE, "`NoPermission`", "`AliyunSTSAssumeRoleAccess`"),
            (
                ABSENT_ROLE,
                "`EntityNotExist.Role`",
                "correct the ARN of the role",
            ),
        ] {
            let home = Home::new(fixture);
            let kubeconfig = Kubeconfig::new(program).args(&["--cluster-id", CLUSTER]);
            home.write_kubeconfig(&kubeconfig.role(fixture, role).recorded());
            let before = fixture.assume_role_calls(role);

            let answer = home.kubectl(&["get", "configmaps"]);

            let error = format!("{program:?} {role}: {}", answer.stderr);
            assert!(!answer.success, "{error}");
            for text in ["STS refused AssumeRole for ", cause, remedy] {
                assert!(error.contains(text), "no `{text}` in {error}");
            }
            for secret in [demo::user_key().secret.expose(), "panicked"] {
                assert!(!error.contains(secret), "{error}");
            }
            let times = home.recorded_times();
            assert!(times.len() >= 4, "kubectl ran the plugin once: {times:?}");
            let calls = fixture.assume_role_calls(role) - before;
            let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else {
                unreachable!("there are times");
            };
            // One call if all runs take less than five seconds. On a slow machine, each call after the first one comes after the
            // refusal of the call before it is forgotten.
            let allowed = 1 + last.seconds_since(*first) / FORGOTTEN_SECONDS;
            let runs = times.len() / 2;
            println!("{program:?}, {cause}: {runs} runs of the plugin, {calls} AssumeRole");
            let is_allowed = (1..=allowed).contains(&i64::try_from(calls).unwrap());
            assert!(is_allowed, "{calls} calls, {allowed} allowed: {times:?}");
        }
    }
}
