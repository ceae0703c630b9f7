//! Tests of the checks of kubeconfig users.

use std::{env, fs};

use super::plugin_args::{cluster_id, has_config_file};
use super::*;
use crate::driver::SystemFiles;
use crate::finding::Level;
use crate::resolve::resolve;
use crate::settings::Settings;

const HEAD: &str = "\
current-context: here
contexts:
- {name: here, context: {cluster: c, user: u}}
- {name: there, context: {cluster: d, user: v}}
clusters:
- name: c
  cluster: {extensions: [{name: client.authentication.k8s.io/exec, extension: {clusterId: c1}}]}
- {name: d, cluster: {}}
users:
";

/// The warning about a current context whose user does not run this program, although another user does.
const OTHER_USER: &str = "warning the current context `here` does not log in with this program";

/// A folder with a kubeconfig file `config`, and the program `bin/ack-ram-authenticator`.
struct Fixture {
    folder: tempfile::TempDir,
}

impl Fixture {
    fn new(users: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Self { folder };
        fs::create_dir(fixture.path("bin")).unwrap();
        fs::write(fixture.path("config"), format!("{HEAD}{users}")).unwrap();
        fixture.add_program("bin/ack-ram-authenticator");
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn add_program(&self, name: &str) {
        let path = self.path(name);
        fs::write(&path, "").unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// Returns the warnings and problems as `<level> <text>`, and the number of notes.
    fn mistakes(&self, kubeconfig: &str) -> (Vec<String>, usize) {
        self.mistakes_beside(kubeconfig, None)
    }

    /// Does the same as [`Self::mistakes`], for a command whose options name a cluster ID.
    fn mistakes_beside(&self, kubeconfig: &str, asked_id: Option<&str>) -> (Vec<String>, usize) {
        let value = |text: PathBuf| text.to_str().unwrap().to_owned();
        let environment = [
            ("KUBECONFIG".to_owned(), kubeconfig.to_owned()),
            ("PATH".to_owned(), value(self.path("bin"))),
            (
                "ALIBABA_CLOUD_ACCESS_KEY_ID".to_owned(),
                "LTAI5tFakeAccessKeyId001".to_owned(),
            ),
            (
                "ALIBABA_CLOUD_ACCESS_KEY_SECRET".to_owned(),
                "FakeAccessKeySecret0000000001".to_owned(),
            ),
        ];
        let program = self.path("bin/ack-ram-authenticator");
        let mut findings = Findings::default();
        let environment = environment.into_iter().collect();
        let kubeconfigs = Kubeconfigs::read(&environment, &mut findings);
        kubeconfigs.examine(
            &environment,
            Some(&program),
            &read_login,
            asked_id,
            &mut findings,
        );
        let mut texts = Vec::new();
        let mut notes = 0;
        for finding in findings.list() {
            assert_eq!(finding.topic, Topic::Kubeconfig);
            match finding.level {
                Level::Note => notes += 1,
                Level::Warning => texts.push(format!("warning {}", finding.text)),
                Level::Problem => texts.push(format!("problem {}", finding.text)),
            }
        }
        let folder = self.folder.path().display().to_string();
        let texts = texts.iter().map(|text| text.replace(&folder, "<folder>"));
        (texts.collect(), notes)
    }
}

/// Refuses the argument `--refused`. Options have no other effect.
fn read_login(
    _: &str,
    args: &[String],
    environment: &Environment,
) -> Result<StoredPlan, LoginRefusal> {
    if args.iter().any(|arg| arg == "--refused") {
        return Err(LoginRefusal {
            cause: "unknown option".to_owned(),
            remedy: "correct `args`; `ack-ram-authenticator doctor` shows more".to_owned(),
        });
    }
    let mut findings = Findings::default();
    let plan = resolve(
        &Settings::default(),
        environment,
        &SystemFiles,
        &mut findings,
    );
    match plan {
        Ok(plan) => Ok(StoredPlan {
            plan,
            has_cluster_id: cluster_id(args).is_some() || has_config_file(args),
        }),
        Err(error) => Err(LoginRefusal {
            cause: error.cause(),
            remedy: error.remedy(),
        }),
    }
}

#[test]
fn mistakes_of_a_user_are_found() {
    const GOOD: &str = "apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never";
    for (exec, expected) in [
        (
            format!("command: ack-ram-authenticator, {GOOD}, args: [token, -i, c1]"),
            vec![],
        ),
        (
            format!("command: bin/ack-ram-authenticator, {GOOD}, args: [token, -ic1]"),
            vec![],
        ),
        (
            format!("command: ack-ram-authenticator, {GOOD}, args: [token, --cluster-id=c1, -c, x]"),
            vec![],
        ),
        (
            format!("command: ack-ram-authenticator, {GOOD}, args: [token, -c, x.yaml]"),
            vec![],
        ),
        (
            format!("command: ack-ram-authenticator, {GOOD}, provideClusterInfo: true, args: [token]"),
            vec![],
        ),
        (
            format!("command: ack-ram-authenticator, {GOOD}, args: [token]"),
            vec!["user `u`: `args` has no cluster ID"],
        ),
        (
            format!("command: ack-ram-authenticator, {GOOD}, args: [credential-plugin, get-token, -i, c1]"),
            vec!["user `u`: `args` has no cluster ID"],
        ),
        (
            format!("command: ack-ram-authenticator, {GOOD}, args: [token, -i, 'a b']"),
            vec!["user `u`: `--cluster-id` is not a cluster ID"],
        ),
        (
            format!("command: ack-ram-tool, {GOOD}, args: [credential-plugin, get-token, -c, c1]"),
            vec!["user `u`: `ack-ram-tool` is not in `PATH`"],
        ),
        (
            format!("command: ./x, {GOOD}, args: [credential-plugin, get-token, -c, c1]"),
            vec!["user `u`: `./x` does not exist, or cannot be run"],
        ),
        (
            format!("command: ./config, {GOOD}, args: [credential-plugin, get-token, -c, c1]"),
            vec!["user `u`: `./config` does not exist, or cannot be run"],
        ),
        (
            "command: ack-ram-authenticator, apiVersion: client.authentication.k8s.io/v1, args: [token, -i, c1]".to_owned(),
            vec!["user `u`: `interactiveMode` is missing, which kubectl requires with this apiVersion"],
        ),
        (
            "command: ack-ram-authenticator, apiVersion: client.authentication.k8s.io/v1beta1, args: [token, -i, c1]".to_owned(),
            vec![],
        ),
        (
            "command: ack-ram-authenticator, apiVersion: client.authentication.k8s.io/v1alpha1, args: [token, -i, c1]".to_owned(),
            vec!["user `u`: kubectl refuses apiVersion `client.authentication.k8s.io/v1alpha1`"],
        ),
        (
            "command: ack-ram-authenticator, interactiveMode: Never, args: [token, -i, c1]".to_owned(),
            vec!["user `u`: kubectl refuses a user without apiVersion"],
        ),
        (
            "command: ack-ram-authenticator, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Maybe, args: [token, -i, c1]".to_owned(),
            vec!["user `u`: kubectl refuses interactiveMode `Maybe`"],
        ),
    ] {
        let fixture = Fixture::new(&format!("- name: u\n  user: {{exec: {{{exec}}}}}\n"));
        let (mistakes, _) = fixture.mistakes(fixture.path("config").to_str().unwrap());
        let expected: Vec<String> = expected.iter().map(|text| format!("problem {text}")).collect();
        assert_eq!(mistakes, expected, "{exec}");
    }
}

#[test]
fn mistake_of_a_user_outside_of_the_current_context_is_a_warning() {
    let fixture = Fixture::new(
        "- name: v\n  user: {exec: {command: ack-ram-authenticator, provideClusterInfo: true, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}}\n",
    );
    let (mistakes, _) = fixture.mistakes(fixture.path("config").to_str().unwrap());
    assert_eq!(
        mistakes,
        [
            "warning user `v`: neither `args` nor the entry of `d` has a valid cluster ID",
            OTHER_USER
        ]
    );
}

#[test]
fn invalid_cluster_id_in_the_entry_of_a_cluster_is_a_mistake() {
    for id in ["7", "'a b'", "''", "null"] {
        let fixture = Fixture::new(&user(
            "u",
            "command: ack-ram-authenticator, provideClusterInfo: true",
        ));
        let text = fs::read_to_string(fixture.path("config")).unwrap();
        let text = text.replace("clusterId: c1", &format!("clusterId: {id}"));
        fs::write(fixture.path("config"), text).unwrap();
        let (mistakes, _) = fixture.mistakes(fixture.path("config").to_str().unwrap());
        assert_eq!(
            mistakes,
            ["problem user `u`: neither `args` nor the entry of `c` has a valid cluster ID"],
            "{id}"
        );
    }
}

#[test]
fn value_that_kubectl_cannot_read_as_text_is_a_problem() {
    const ARGS: &str = "args: [token, -i, c1]";
    for (exec, member) in [
        (
            "command: ack-ram-authenticator, args: [token, -i, 17]",
            Some("args"),
        ),
        (
            "command: ack-ram-authenticator, args: [token, -i, yes]",
            Some("args"),
        ),
        (
            &format!("command: ack-ram-authenticator, {ARGS}, env: [{{name: A, value: true}}]"),
            Some("env"),
        ),
        (
            &format!("command: ack-ram-authenticator, {ARGS}, env: [{{name: 1, value: x}}]"),
            Some("env"),
        ),
        ("command: 7", Some("command")),
        (
            &format!("command: ack-ram-authenticator, {ARGS}, env: [{{name: A, value: null}}]"),
            None,
        ),
        (
            &format!("command: ack-ram-authenticator, {ARGS}, env: [{{name: A}}]"),
            None,
        ),
    ] {
        // kubectl refuses the whole file, even if the current context has another user.
        for name in ["u", "v"] {
            let fixture = Fixture::new(&user(name, exec));
            let (mistakes, _) = fixture.mistakes(fixture.path("config").to_str().unwrap());
            let expected = member.map(|member| {
                format!("problem kubectl refuses `<folder>/config`, since a value in `{member}` of user `{name}` is not text")
            });
            let refusals: Vec<_> = mistakes
                .iter()
                .filter(|text| text.contains("kubectl refuses"))
                .collect();
            assert_eq!(refusals, expected.iter().collect::<Vec<_>>(), "{exec}");
        }
    }
}

#[test]
fn first_user_of_a_name_counts_and_other_programs_are_ignored() {
    let fixture = Fixture::new("- {name: u, user: {exec: {command: other}}}\n");
    fs::write(
        fixture.path("second"),
        "users: [{name: u, user: {exec: {command: ack-ram-tool}}}]",
    )
    .unwrap();
    fs::write(fixture.path("broken"), "users: [").unwrap();
    let list = ["config", "second", "absent", "broken"].map(|name| fixture.path(name));
    let list = env::join_paths(list).unwrap();
    let (mistakes, notes) = fixture.mistakes(list.to_str().unwrap());
    // One file does not exist, and no user is checked.
    assert_eq!(notes, 2);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].starts_with("warning kubeconfig `<folder>/broken` "));
}

/// Returns a user `name` with this `exec` and what a user of this program needs.
fn user(name: &str, exec: &str) -> String {
    format!(
        "- name: {name}\n  user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, {exec}}}}}\n"
    )
}

#[test]
fn arguments_that_this_program_refuses_are_a_mistake() {
    const REFUSED: &str = "kubectl cannot log in: unknown option";
    for (name, exec, expected) in [
        (
            "u",
            "command: ack-ram-authenticator, args: [token, -i, c1, --refused]",
            format!("problem user `u`: {REFUSED}"),
        ),
        (
            "v",
            "command: ack-ram-authenticator, args: [token, -i, c1, --refused]",
            format!("warning user `v`: {REFUSED}"),
        ),
        (
            "u",
            "command: ./link, args: [token, -i, c1, --refused]",
            format!("problem user `u`: {REFUSED}"),
        ),
        (
            "u",
            "command: ack-ram-tool, args: [credential-plugin, get-token, -c, c1, --refused]",
            format!("problem user `u`: {REFUSED}"),
        ),
        (
            "u",
            "command: other/ack-ram-authenticator, args: [token, -i, c1, --refused]",
            format!("warning user `u`: as this program reads it, {REFUSED}"),
        ),
        (
            "u",
            "command: bin/ack-ram-authenticator, args: [token, -i, c1], env: [{name: ALIBABA_CLOUD_ACCESS_KEY_SECRET, value: ''}]",
            "problem user `u`: kubectl cannot log in: no access key is configured: `ALIBABA_CLOUD_ACCESS_KEY_ID` is set without a secret, no home directory".to_owned(),
        ),
    ] {
        let fixture = Fixture::new(&user(name, exec));
        fs::create_dir(fixture.path("other")).unwrap();
        fixture.add_program("other/ack-ram-authenticator");
        #[cfg(unix)]
        for link in ["link", "bin/ack-ram-tool"] {
            let program = fixture.path("bin/ack-ram-authenticator");
            std::os::unix::fs::symlink(program, fixture.path(link)).unwrap();
        }
        let (mistakes, _) = fixture.mistakes(fixture.path("config").to_str().unwrap());
        let mut expected = vec![expected];
        expected.extend((name != "u").then(|| OTHER_USER.to_owned()));
        assert_eq!(mistakes, expected, "{exec}");
    }
}

#[test]
fn duplicate_name_in_a_file_is_a_problem() {
    let users = "- {name: x, user: {token: x}}\n- {name: x, user: {token: y}}\n";
    let fixture = Fixture::new(users);
    let (mistakes, _) = fixture.mistakes(fixture.path("config").to_str().unwrap());
    let expected = "problem kubectl refuses `<folder>/config`, which has two entries for user `x`";
    assert_eq!(mistakes, [expected]);
}

#[test]
fn user_without_a_command_is_named() {
    let users = user(
        "u",
        "command: null, args: [credential-plugin, get-token, -c, c1]",
    );
    let fixture = Fixture::new(&users);
    let (mistakes, _) = fixture.mistakes(fixture.path("config").to_str().unwrap());
    assert_eq!(mistakes, ["problem user `u`: `command` is missing"]);
}

#[test]
fn other_cluster_id_than_that_of_the_options_is_a_warning() {
    let own = user("u", "command: ack-ram-authenticator, args: [token, -i, c7]");
    let of_cluster = user(
        "u",
        "command: ack-ram-authenticator, provideClusterInfo: true, args: [token]",
    );
    let of_other_user = user("v", "command: ack-ram-authenticator, args: [token, -i, c7]");
    let warning = |id: &str| {
        format!(
            "warning user `u`: kubectl logs in to the cluster `{id}`, but the options of this command name the cluster `c8`"
        )
    };
    for (user, asked, expected) in [
        (&own, None, None),
        (&own, Some("c7"), None),
        (&own, Some("c8"), Some(warning("c7"))),
        (&of_cluster, Some("c1"), None),
        (&of_cluster, Some("c8"), Some(warning("c1"))),
        (&of_other_user, Some("c8"), Some(OTHER_USER.to_owned())),
    ] {
        let fixture = Fixture::new(user);
        let file = fixture.path("config");
        let (mistakes, _) = fixture.mistakes_beside(file.to_str().unwrap(), asked);
        assert_eq!(mistakes, Vec::from_iter(expected), "{user} {asked:?}");
    }
}
