//! The versions of `ExecCredential`, `interactiveMode`, and the ways in which a kubeconfig names the binary.

use std::env;
use std::os::unix::fs::symlink;

use ack_ram_tests::authenticator;
use ack_ram_tests::callers::CLUSTER;

use crate::Test;
use crate::fixture::PluginFixture;
use crate::home::Home;
use crate::kubeconfig::{Kubeconfig, Program};

pub const TESTS: &[Test] = &[
    (
        "version_of_kubeconfig_wins_over_option",
        version_of_kubeconfig_wins_over_option,
    ),
    (
        "unsupported_version_is_refused_by_kubectl",
        unsupported_version_is_refused_by_kubectl,
    ),
    (
        "interactive_mode_is_required_only_in_v1",
        interactive_mode_is_required_only_in_v1,
    ),
    (
        "link_in_path_or_beside_kubeconfig_logs_in",
        link_in_path_or_beside_kubeconfig_logs_in,
    ),
];

const ROLE: &str = "versions";

fn kubeconfig(fixture: &PluginFixture, program: Program) -> Kubeconfig {
    let kubeconfig = Kubeconfig::new(program).args(&["--cluster-id", CLUSTER]);
    kubeconfig.role(fixture, ROLE)
}

/// Returns the username of a session with the default name of `program`.
fn username(program: Program) -> String {
    format!("{ROLE}:{}", program.session_name())
}

fn version_of_kubeconfig_wins_over_option(fixture: &PluginFixture) {
    let home = Home::new(fixture);
    for program in Program::BOTH {
        for (version, option) in [("v1", "v1beta1"), ("v1beta1", "v1"), ("v1", "v1")] {
            let kubeconfig = kubeconfig(fixture, program).args(&["--api-version", option]);
            let answer = home.log_in(&kubeconfig.api_version(version));
            assert_eq!(
                answer,
                Ok(username(program)),
                "{program:?} {version} {option}"
            );
        }
    }
}

fn unsupported_version_is_refused_by_kubectl(fixture: &PluginFixture) {
    let home = Home::new(fixture);
    for version in ["v1alpha1", "v2"] {
        let kubeconfig = kubeconfig(fixture, Program::Token).api_version(version);
        let error = home.log_in(&kubeconfig.recorded()).unwrap_err();
        assert!(error.contains("invalid apiVersion"), "{version}: {error}");
        assert!(error.contains(version), "{version}: {error}");
    }
    assert_eq!(home.recorded_times(), [], "kubectl ran the plugin");
}

fn interactive_mode_is_required_only_in_v1(fixture: &PluginFixture) {
    let home = Home::new(fixture);
    for program in Program::BOTH {
        for (version, mode) in [
            ("v1beta1", None),
            ("v1beta1", Some("IfAvailable")),
            ("v1", Some("IfAvailable")),
        ] {
            let kubeconfig = kubeconfig(fixture, program).api_version(version);
            let answer = home.log_in(&kubeconfig.interactive_mode(mode));
            assert_eq!(
                answer,
                Ok(username(program)),
                "{program:?} {version} {mode:?}"
            );
        }
        let kubeconfig = kubeconfig(fixture, program).interactive_mode(None);
        let error = home.log_in(&kubeconfig.recorded()).unwrap_err();
        assert!(
            error.contains("interactiveMode must be specified"),
            "{error}"
        );
    }
    assert_eq!(home.recorded_times(), [], "kubectl ran the plugin");
}

fn link_in_path_or_beside_kubeconfig_logs_in(fixture: &PluginFixture) {
    let home = Home::new(fixture);
    // kubectl resolves a command with a slash relative to the folder of the kubeconfig.
    home.write(".kube/bin/README", "links to the binary");
    let links = home.path(".kube/bin");
    for name in ["ack-ram-tool", "kube-login"] {
        symlink(authenticator::binary(), links.join(name)).unwrap();
    }
    let inherited = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(
        [links.clone()]
            .into_iter()
            .chain(env::split_paths(&inherited)),
    );
    let home = home.variable("PATH", path.unwrap().to_str().unwrap());
    let absolute = links.join("ack-ram-tool");
    for (command, program, session_name) in [
        (
            absolute.to_str().unwrap(),
            Program::GetToken,
            "ack-ram-tool",
        ),
        ("./bin/ack-ram-tool", Program::GetToken, "ack-ram-tool"),
        ("ack-ram-tool", Program::GetToken, "ack-ram-tool"),
        ("kube-login", Program::GetToken, "kube-login"),
        ("kube-login", Program::Token, "ack-ram-authenticator"),
    ] {
        let kubeconfig = kubeconfig(fixture, program).command(command);
        let answer = home.log_in(&kubeconfig.api_version("v1beta1"));
        let expected = format!("{ROLE}:{session_name}");
        assert_eq!(answer, Ok(expected), "{command} {program:?}");
    }
}
