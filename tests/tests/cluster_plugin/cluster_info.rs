//! The cluster ID in the extension of a cluster, with which one user entry serves many clusters.

use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::eventually::block_until;
use serde_json::{Value, json};

use crate::Test;
use crate::fixture::PluginFixture;
use crate::home::Home;
use crate::kubeconfig::{Kubeconfig, Program};

pub const TESTS: &[Test] = &[
    (
        "one_user_entry_takes_cluster_id_from_each_cluster",
        one_user_entry_takes_cluster_id_from_each_cluster,
    ),
    (
        "cluster_id_option_wins_over_extension",
        cluster_id_option_wins_over_extension,
    ),
    (
        "missing_or_malformed_cluster_id_fails_with_remedy",
        missing_or_malformed_cluster_id_fails_with_remedy,
    ),
];

fn username(role: &str, program: Program) -> String {
    format!("{role}:{}", program.session_name())
}

fn one_user_entry_takes_cluster_id_from_each_cluster(fixture: &PluginFixture) {
    const ROLE: &str = "clusters";
    for program in Program::BOTH {
        let home = Home::new(fixture);
        let other = format!("c-of-another-cluster-{program:?}");
        let clusters = [
            ("here", json!({ "clusterId": CLUSTER })),
            ("there", json!({ "clusterId": other, "more": [1] })),
        ];
        let kubeconfig = Kubeconfig::new(program)
            .role(fixture, ROLE)
            .provides_cluster_info(&clusters);
        home.write_kubeconfig(&kubeconfig);
        let calls = fixture.assume_role_calls(ROLE);
        for version in ["v1", "v1beta1"] {
            home.write_kubeconfig(&kubeconfig.clone().api_version(version));
            let answer = home.who_am_i(&["--context=here"]);
            assert_eq!(answer, Ok(username(ROLE, program)), "{program:?} {version}");
        }
        let error = home.who_am_i(&["--context=there"]).unwrap_err();
        check_denied_for(fixture, &error, &other);
        // The server is the same one, so only the cluster ID in the token decided.
        assert_eq!(
            home.who_am_i(&["--context=here"]),
            Ok(username(ROLE, program))
        );
        let calls = fixture.assume_role_calls(ROLE) - calls;
        assert_eq!(calls, 1, "{program:?}: one session serves all clusters");
    }
}

fn cluster_id_option_wins_over_extension(fixture: &PluginFixture) {
    const ROLE: &str = "options";
    let home = Home::new(fixture);
    for program in Program::BOTH {
        let other = format!("c-of-an-option-{program:?}");
        for (option, extension) in [(CLUSTER, &*other), (&other, CLUSTER)] {
            let extension = [("test", json!({ "clusterId": extension }))];
            let kubeconfig = Kubeconfig::new(program)
                .role(fixture, ROLE)
                .provides_cluster_info(&extension)
                .args(&["--cluster-id", option]);
            match home.log_in(&kubeconfig) {
                Ok(answer) => assert_eq!((&*answer, option), (&*username(ROLE, program), CLUSTER)),
                Err(error) => {
                    assert_eq!(option, other, "{error}");
                    check_denied_for(fixture, &error, &other);
                }
            }
        }
    }
}

fn missing_or_malformed_cluster_id_fails_with_remedy(fixture: &PluginFixture) {
    const ROLE: &str = "options";
    let home = Home::new(fixture);
    for program in Program::BOTH {
        for (extension, texts) in [
            (
                Value::Null,
                ["a cluster ID is required", "set `--cluster-id`"],
            ),
            (
                json!({ "clusterID": CLUSTER }),
                ["a cluster ID is required", "set `--cluster-id`"],
            ),
            (
                json!({ "clusterId": 7 }),
                ["is not text", "write it in quotes"],
            ),
        ] {
            let clusters = [("test", extension)];
            let kubeconfig = Kubeconfig::new(program)
                .role(fixture, ROLE)
                .provides_cluster_info(&clusters);
            let error = home.log_in(&kubeconfig).unwrap_err();
            for text in texts {
                assert!(error.contains(text), "{program:?}: no `{text}` in {error}");
            }
        }
    }
}

/// Checks that the server denied a token because it is for the cluster `id`.
#[track_caller]
fn check_denied_for(fixture: &PluginFixture, error: &str, id: &str) {
    assert!(
        error.contains("You must be logged in to the server"),
        "{error}"
    );
    let reason = format!("the token is for cluster `{id}`");
    block_until("the denial", || match fixture.server.log() {
        log if log.contains(&reason) => Ok(()),
        log => Err(log),
    });
}
