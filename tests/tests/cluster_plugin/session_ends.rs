//! Sessions of roles that end between two commands.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::dates;
use ack_ram_tests::eventually::block_until;

use crate::Test;
use crate::fixture::{PluginFixture, SHORT_ROLE, role_arn};
use crate::home::Home;
use crate::kubeconfig::{Kubeconfig, Program};

pub const TESTS: &[Test] = &[
    (
        "ended_session_in_cache_is_replaced_by_next_command",
        ended_session_in_cache_is_replaced_by_next_command,
    ),
    (
        "session_that_ends_while_commands_run_is_replaced",
        session_that_ends_while_commands_run_is_replaced,
    ),
    (
        "revoked_session_is_denied_until_cache_is_cleared",
        revoked_session_is_denied_until_cache_is_cleared,
    ),
];

/// Creates a home folder with a kubeconfig for `role`.
fn home<'a>(fixture: &'a PluginFixture, role: &str) -> Home<'a> {
    let home = Home::new(fixture);
    let kubeconfig = Kubeconfig::new(Program::Token).args(&["--cluster-id", CLUSTER]);
    home.write_kubeconfig(&kubeconfig.role(fixture, role));
    home
}

fn username(role: &str) -> Result<String, String> {
    Ok(format!("{role}:ack-ram-authenticator"))
}

/// Logs in, and returns the key that is in the cache then.
#[track_caller]
fn log_in_with_cached_key(home: &Home<'_>, role: &str) -> AccessKeyId {
    assert_eq!(home.who_am_i(&[]), username(role));
    home.cached_key().key.id
}

fn ended_session_in_cache_is_replaced_by_next_command(fixture: &PluginFixture) {
    const ROLE: &str = "cached";
    let home = home(fixture, ROLE);
    let mut id = log_in_with_cached_key(&home, ROLE);
    assert_eq!(log_in_with_cached_key(&home, ROLE), id);
    // In its last minute, after its end, and long after its end.
    for (count, seconds) in [(1, 60), (2, 0), (3, -86_400)] {
        assert_eq!(fixture.assume_role_calls(ROLE), count);
        home.end_cached_key(dates::now().plus_seconds(seconds));
        fixture.sts().revoke_sessions(&role_arn(ROLE));

        let next = log_in_with_cached_key(&home, ROLE);

        assert_ne!(next, id, "{seconds}");
        assert_eq!(fixture.assume_role_calls(ROLE), count + 1, "{seconds}");
        assert!(fixture.identity_calls(&next) > 0, "{seconds}");
        id = next;
    }
}

fn session_that_ends_while_commands_run_is_replaced(fixture: &PluginFixture) {
    let home = home(fixture, SHORT_ROLE);
    // On a slow machine, a session can end before the command that obtained it uses it.
    let log_in = || match home.who_am_i(&[]) {
        answer if answer == username(SHORT_ROLE) => Ok(home.cached_key().key.id),
        answer => Err(format!("{answer:?}")),
    };
    let first = block_until("a login with the first session", log_in);
    let next = block_until("a login with the next session", || match log_in() {
        Ok(id) if id == first => Err("the session has not ended".to_owned()),
        answer => answer,
    });
    for id in [first, next] {
        assert!(fixture.identity_calls(&id) > 0, "{id}");
    }
}

fn revoked_session_is_denied_until_cache_is_cleared(fixture: &PluginFixture) {
    const ROLE: &str = "revoked";
    let home = home(fixture, ROLE);
    // The server must not know the token, since it caches identities. So the first command calls no server.
    let arn = role_arn(ROLE);
    let endpoint = fixture.sts().endpoint();
    home.run_binary(&[
        "token",
        "--cluster-id",
        CLUSTER,
        "--role-arn",
        &arn,
        "--sts-endpoint",
        &endpoint,
        "--timeout",
        "2m",
    ]);
    assert_eq!(fixture.sts().revoke_sessions(&arn), 1);

    let error = home.who_am_i(&[]).unwrap_err();

    assert!(
        error.contains("You must be logged in to the server"),
        "{error}"
    );
    assert_eq!(fixture.assume_role_calls(ROLE), 1);
    home.run_binary(&["cache", "clear"]);
    assert_eq!(home.who_am_i(&[]), username(ROLE));
    assert_eq!(fixture.assume_role_calls(ROLE), 2);
}
