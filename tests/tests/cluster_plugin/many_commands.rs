//! Many commands at once and one after the other, with the calls that they cause.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::dates;

use crate::Test;
use crate::fixture::{PERMANENT_USERNAME, PluginFixture, permanent_key};
use crate::home::Home;
use crate::kubeconfig::{Kubeconfig, Program};

pub const TESTS: &[Test] = &[
    (
        "two_hundred_commands_of_role_assume_it_once_and_share_tokens",
        two_hundred_commands_of_role_assume_it_once_and_share_tokens,
    ),
    (
        "commands_without_cache_assume_role_in_each_run",
        commands_without_cache_assume_role_in_each_run,
    ),
    (
        "commands_of_permanent_key_share_tokens",
        commands_of_permanent_key_share_tokens,
    ),
];

/// The number of commands that run at the same time.
const AT_ONCE: usize = 8;
/// The date of a token is a multiple of this number of seconds, and the server caches an identity as long.
const WINDOW_SECONDS: i64 = 120;

fn two_hundred_commands_of_role_assume_it_once_and_share_tokens(fixture: &PluginFixture) {
    const ROLE: &str = "commands";
    let home = Home::new(fixture);
    let kubeconfig = Kubeconfig::new(Program::Token).args(&["--cluster-id", CLUSTER]);
    home.write_kubeconfig(&kubeconfig.role(fixture, ROLE));
    let run = run_commands(&home, 200, &format!("{ROLE}:ack-ram-authenticator"));
    let assumed = fixture.assume_role_calls(ROLE);
    println!("{run}: {assumed} AssumeRole");
    assert_eq!(assumed, 1);
    run.check(fixture, &home.cached_key().key.id);
}

fn commands_of_permanent_key_share_tokens(fixture: &PluginFixture) {
    let home = Home::without_key(fixture).key(&permanent_key());
    let kubeconfig = Kubeconfig::new(Program::Token).args(&["--cluster-id", CLUSTER]);
    home.write_kubeconfig(&kubeconfig);
    let run = run_commands(&home, 20, PERMANENT_USERNAME);
    run.check(fixture, &permanent_key().id);
}

fn commands_without_cache_assume_role_in_each_run(fixture: &PluginFixture) {
    const ROLE: &str = "uncached";
    let home = Home::new(fixture);
    let args = ["--cluster-id", CLUSTER, "--no-cache"];
    let kubeconfig = Kubeconfig::new(Program::Token).args(&args);
    home.write_kubeconfig(&kubeconfig.role(fixture, ROLE).recorded());
    let run = run_commands(&home, 3, &format!("{ROLE}:ack-ram-authenticator"));
    let plugin_runs = home.recorded_times().len() / 2;
    assert!(plugin_runs >= run.count, "{plugin_runs}");
    assert_eq!(fixture.assume_role_calls(ROLE), plugin_runs);
    assert!(!home.path(".kube/cache/ack-ram-authenticator").exists());
}

/// Commands that have ended.
struct CommandRun {
    count: usize,
    /// The system time before the first and after the last command, in seconds.
    times: [i64; 2],
}

impl CommandRun {
    /// Checks that the server asked STS about each token once. `id` is the key that signed the tokens.
    #[track_caller]
    fn check(&self, fixture: &PluginFixture, id: &AccessKeyId) {
        let calls = fixture.identity_calls(id);
        let [start, end] = self.times;
        let windows = end.div_euclid(WINDOW_SECONDS) - start.div_euclid(WINDOW_SECONDS) + 1;
        // On a slow machine, a token may reach the server after the server has dropped it from its cache.
        let allowed = windows + (end - start) / WINDOW_SECONDS;
        println!("{self}: {calls} GetCallerIdentity, {allowed} allowed");
        let is_allowed = (1..=allowed).contains(&i64::try_from(calls).unwrap());
        assert!(
            is_allowed,
            "{calls} calls, {allowed} allowed in {:?}",
            self.times
        );
    }
}

impl std::fmt::Display for CommandRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [start, end] = self.times;
        write!(f, "{} commands in {} s", self.count, end - start)
    }
}

/// Runs `count` commands, some of them at the same time. Each command must log in as `username`.
fn run_commands(home: &Home<'_>, count: usize, username: &str) -> CommandRun {
    let start = dates::now().seconds();
    let started = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while started.fetch_add(1, Ordering::Relaxed) < count {
                    assert_eq!(home.who_am_i(&[]), Ok(username.to_owned()));
                }
            });
        }
    });
    let times = [start, dates::now().seconds()];
    CommandRun { count, times }
}
