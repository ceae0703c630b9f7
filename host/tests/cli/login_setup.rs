//! What `token` and `credential-plugin get-token` say about setups that are wrong or half set, and the places of options.

use std::fs;
use std::os::unix::process::CommandExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::program::{CommandRun, TestFolder};

const KEY: [(&str, &str); 2] = [
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001"),
    (
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "FakeAccessKeySecret0000000001",
    ),
];
/// Nothing answers at this port of loopback.
const STS: (&str, &str) = ("ALIBABA_CLOUD_STS_ENDPOINT", "http://127.0.0.1:1");
const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";
const TOKEN: [&str; 3] = ["token", "-i", "c1"];

/// Returns the number of lines of `text` that contain `part`.
fn count(text: &str, part: &str) -> usize {
    text.lines().filter(|line| line.contains(part)).count()
}

/// Returns the request of kubectl for a cluster whose extension is `config`.
fn exec_info(config: &str) -> String {
    format!(
        r#"{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{{"cluster":{{"config":{config}}}}}}}"#
    )
}

/// Checks that a run failed with a line for the cause and a line for the remedy.
#[track_caller]
fn check_failure(run: &CommandRun, code: i32, cause: &str, remedy: &str) {
    assert_eq!((run.code, &*run.stdout), (Some(code), ""), "{run:?}");
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(
        lines,
        [format!("error: {cause}"), format!("  help: {remedy}")]
    );
}

#[test]
fn half_set_oidc_role_is_one_warning_and_one_line_of_doctor() {
    let folder = TestFolder::new(&[]);
    let env = [
        KEY[0],
        KEY[1],
        STS,
        (
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "acs:ram::1:oidc-provider/p",
        ),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/t"),
    ];
    let text = "`ALIBABA_CLOUD_OIDC_PROVIDER_ARN` and `ALIBABA_CLOUD_OIDC_TOKEN_FILE` are set without `ALIBABA_CLOUD_ROLE_ARN`";
    let run = folder.run(&TOKEN, &env);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(count(&run.stderr, "WARN"), 1, "{run:?}");
    assert_eq!(count(&run.stderr, text), 1, "{run:?}");
    let run = folder.run(&["doctor"], &env);
    assert_eq!(run.stderr, "");
    assert_eq!(count(&run.stdout, text), 1, "{run:?}");
    let all = count(&run.stdout, "ALIBABA_CLOUD_OIDC_TOKEN_FILE");
    // The finding, and its remedy.
    assert_eq!(all, 2, "{}", run.stdout);
    // Without any source, the error has the only mention.
    let role = ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r");
    let run = folder.run(&["doctor"], &[role, env[3]]);
    let lines = count(&run.stdout, "ALIBABA_CLOUD_OIDC_PROVIDER_ARN");
    assert_eq!(lines, 1, "{}", run.stdout);
}

#[test]
fn cluster_id_of_the_kubeconfig_is_blamed_on_the_kubeconfig() {
    const PLACE: &str =
        "`clusterId` in the kubeconfig's cluster extension `client.authentication.k8s.io/exec`";
    let folder = TestFolder::new(&[("config.yaml", "clusterID: in-file\n")]);
    for (config, cause, remedy) in [
        (
            r#"{"clusterId":"a b"}"#,
            "is not a valid cluster ID",
            "write 1 to 253 visible ASCII characters without spaces in the kubeconfig, or set `--cluster-id`",
        ),
        (
            r#"{"clusterId":7}"#,
            "is not text",
            "write it in quotes in the kubeconfig, or set `--cluster-id`",
        ),
    ] {
        let info = exec_info(config);
        let env = [KEY[0], KEY[1], (EXEC_INFO, &*info)];
        for args in [
            &["token"][..],
            &["token", "-c", "config.yaml"],
            &["credential-plugin", "get-token"],
        ] {
            let run = folder.run(args, &env);
            check_failure(&run, 1, &format!("{PLACE} {cause}"), remedy);
        }
        // The option takes precedence, so that the extension is not needed.
        for args in [
            &TOKEN[..],
            &["credential-plugin", "get-token", "-c", "c1"],
            &["-c", "c1", "credential-plugin", "get-token"],
        ] {
            let run = folder.run(args, &env);
            assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{run:?}");
        }
    }
}

#[test]
fn missing_cluster_id_names_the_option_and_the_kubeconfig() {
    const REMEDY: &str = "set `--cluster-id`; or, in the kubeconfig, `provideClusterInfo: true` of the user and `clusterId` in the cluster's extension `client.authentication.k8s.io/exec`; or ";
    let folder = TestFolder::new(&[("config.yaml", "server: {}\n")]);
    let null = r#"{"apiVersion":"client.authentication.k8s.io/v1","spec":null}"#;
    let empty = exec_info(r#"{"clusterId":""}"#);
    for info in ["", null, &empty] {
        let env = [KEY[0], KEY[1], (EXEC_INFO, info)];
        for args in [&["token"][..], &["credential-plugin", "get-token"]] {
            let remedy = format!("{REMEDY}`--config` with a file that has `clusterID: <id>`");
            let run = folder.run(args, &env);
            check_failure(&run, 2, "a cluster ID is required", &remedy);
            let run = folder.run(&[&["--config", "config.yaml"], args].concat(), &env);
            let cause = "a cluster ID is required, and `config.yaml` has none";
            check_failure(
                &run,
                1,
                cause,
                &format!("{REMEDY}`clusterID: <id>` in the file"),
            );
        }
    }
}

#[test]
fn prefix_of_extra_keys_that_selects_a_secret_is_refused() {
    let folder = TestFolder::new(&[]);
    for prefix in ["ALIBABA_CLOUD_", "ALIBABA_CLOUD_ACCESS_KEY_"] {
        let env = [
            KEY[0],
            KEY[1],
            ("ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX", prefix),
        ];
        let run = folder.run(&TOKEN, &env);
        check_failure(
            &run,
            1,
            "`ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX` selects `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, whose secret value would be readable in the token",
            "change `ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX` so that `ALIBABA_CLOUD_ACCESS_KEY_SECRET` does not start with it",
        );
    }
}

#[test]
fn only_a_file_that_every_user_can_change_is_a_warning_at_each_login() {
    let folder = TestFolder::new(&[]);
    fs::create_dir(folder.path().join(".aliyun")).unwrap();
    fs::create_dir(folder.path().join(".alibabacloud")).unwrap();
    let profile = r#"{"profiles": [{"name": "default", "mode": "AK", "access_key_id": "LTAI5t1", "access_key_secret": "s"}]}"#;
    let section = "[default]\ntype = access_key\naccess_key_id = LTAI5t1\naccess_key_secret = s\n";
    for (file, text) in [
        (".alibabacloud/credentials", section),
        (".aliyun/config.json", profile),
    ] {
        fs::write(folder.path().join(file), text).unwrap();
        for (mode, log, report) in [
            (0o600, 0, "is read (mode 0600"),
            (0o640, 0, "other users can read"),
            (0o660, 0, "other users can change"),
            (0o664, 0, "other users can change"),
            (0o666, 1, "every user can change"),
            (0o602, 1, "every user can change"),
        ] {
            folder.set_mode(file, mode);
            let run = folder.run(&TOKEN, &[]);
            assert_eq!(run.code, Some(0), "{run:?}");
            assert_eq!(run.stderr.lines().count(), log, "{mode:o}: {run:?}");
            assert_eq!(count(&run.stderr, "every user can change"), log, "{run:?}");
            let run = folder.run(&["doctor"], &[STS]);
            assert_eq!(count(&run.stdout, report), 1, "{mode:o}: {run:?}");
        }
    }
}

#[test]
fn options_of_a_role_without_a_role_are_a_wrong_command_line() {
    let folder = TestFolder::new(&[
        ("policy.json", r#"{"Version":"1","Statement":[]}"#),
        (
            "role.yaml",
            "clusterID: c1\ndefaultRole: acs:ram::1:role/r\n",
        ),
    ]);
    let env = [KEY[0], KEY[1], STS];
    for option in [
        &["--session-name", "alice"][..],
        &["--forward-session-name"],
        &["--external-id", "external"],
        &["--duration", "1h"],
        &["--session-policy", "policy.json"],
    ] {
        let name = option[0];
        for command in ["token", "whoami"] {
            let run = folder.run(&[&[command, "-i", "c1"], option].concat(), &env);
            assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{run:?}");
            let text = format!(
                "`{name}` is given, but no role is assumed; add `--role-arn`, or leave out `{name}`"
            );
            assert_eq!(count(&run.stderr, &text), 1, "{run:?}");
        }
        // With a role from any place, the option has an effect, so that the role is asked for.
        let role = ["--role-arn", "acs:ram::1:role/r"];
        for (place, env) in [
            (&role[..], &env[..]),
            (&["-c", "role.yaml"], &env),
            (
                &[],
                &[KEY[0], KEY[1], STS, ("ALIBABA_CLOUD_ROLE_ARN", role[1])],
            ),
        ] {
            let run = folder.run(&[&TOKEN, place, option].concat(), env);
            assert_eq!(run.code, Some(1), "{run:?}");
            assert_eq!(count(&run.stderr, "127.0.0.1:1"), 1, "{run:?}");
        }
    }
}

#[test]
fn each_option_of_ack_ram_tool_has_its_effect_in_each_place() {
    /// What an option does: a part of the output, or of a message.
    type Effect = &'static str;
    type Variables = &'static [(&'static str, &'static str)];
    type ValueOption = (&'static [&'static str], &'static str, Variables, Effect);
    type Switch = (&'static [&'static str], Variables, Effect);
    const WITH_ROLE: Variables = &[("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r")];
    const NO_METADATA: Variables = &[("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")];
    const NO_ENVIRONMENT: Variables = &[("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS", "1")];
    const DEBUG: Effect = "DEBUG";
    const TOKEN: Effect = "k8s-ack-v2.";
    let options: &[ValueOption] = &[
        (&["--cluster-id", "-c", "-i"], "c7", &[], "cluster c7"),
        (&["--api-version"], "v1", &[], "k8s.io/v1\""),
        (&["--role-arn"], "x", &[], "`--role-arn` is not the ARN"),
        (
            &["--credential-type"],
            "imds",
            NO_METADATA,
            "`--credential-type` selects the metadata service",
        ),
        (
            &["--profile-file"],
            "-f",
            &[],
            "`-f`, which `--profile-file` names",
        ),
        (
            &["--profile-name"],
            "p",
            &[],
            "`--profile-name` has no effect",
        ),
        (
            &["--sts-endpoint"],
            "http://sts.example",
            WITH_ROLE,
            "`--sts-endpoint` is not an STS endpoint",
        ),
        (
            &["--region-id"],
            "CN",
            WITH_ROLE,
            "`--region-id` is not an STS endpoint",
        ),
        (&["--log-level"], "debug", &[], DEBUG),
        (&["--cs-endpoint", "--ram-endpoint"], "x", &[], TOKEN),
    ];
    let switches: &[Switch] = &[
        (&["--verbose", "-v"], &[], DEBUG),
        (&["--assume-yes", "-y"], &[], TOKEN),
        (
            &["--ignore-env-credentials"],
            &[],
            "ignored by `--ignore-env-credentials`",
        ),
        (
            &["--ignore-aliyun-cli-credentials"],
            NO_ENVIRONMENT,
            "ignored by `--ignore-aliyun-cli-credentials`",
        ),
    ];
    let mut cases = Vec::new();
    for (names, value, env, effect) in options {
        for name in *names {
            let mut forms = vec![vec![(*name).to_owned(), (*value).to_owned()]];
            forms.push(vec![format!("{name}={value}")]);
            if !name.starts_with("--") {
                forms.push(vec![format!("{name}{value}")]);
            }
            cases.extend(forms.into_iter().map(|form| (form, *env, *effect)));
        }
    }
    for (names, env, effect) in switches {
        for name in *names {
            let forms = ["", "=true", "=1"].map(|value| vec![format!("{name}{value}")]);
            cases.extend(forms.into_iter().map(|form| (form, *env, *effect)));
        }
    }
    let folder = TestFolder::new(&[]);
    for (form, env, effect) in cases {
        // `-i` is an option of this program, which stands before the command.
        let places = if form[0].starts_with("-i") { 1 } else { 3 };
        for place in 0..places {
            let mut args = vec!["credential-plugin", "get-token"];
            args.splice(place..place, form.iter().map(String::as_str));
            if !form[0].starts_with("-c") && !form[0].starts_with("--cluster-id") && places > 1 {
                args.extend(["--cluster-id", "c1"]);
            }
            for program in ["ack-ram-tool", "ack-ram-authenticator"] {
                let mut command = folder.command(&args, &[&KEY[..], env].concat());
                let output = command.arg0(program).output().unwrap();
                let [out, err] =
                    [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
                let found = match cluster_of(&out) {
                    Some(id) => format!("cluster {id} {out} {err}"),
                    None => format!("{out} {err}"),
                };
                assert!(found.contains(effect), "{program} {args:?}: {found}");
            }
        }
    }
}

/// Returns the cluster of the token in an ExecCredential; `None` if there is no token.
fn cluster_of(printed: &str) -> Option<String> {
    let credential: Value = serde_json::from_str(printed).ok()?;
    let token = credential["status"]["token"].as_str()?;
    let payload = STANDARD.decode(token.strip_prefix("k8s-ack-v2.")?).unwrap();
    let fields: Value = serde_json::from_slice(&payload).unwrap();
    Some(fields["clusterId"].as_str()?.to_owned())
}

#[test]
fn config_before_credential_plugin_needs_the_long_name() {
    let folder = TestFolder::new(&[("config.yaml", "clusterID: in-file\n")]);
    let cluster = |args: &[&str]| {
        let run = folder.run(args, &KEY);
        assert_eq!(run.code, Some(0), "{run:?}");
        cluster_of(&run.stdout).unwrap()
    };
    let words = ["credential-plugin", "get-token"];
    let with = |before: &[&str]| cluster(&[before, &words].concat());
    assert_eq!(with(&["--config", "config.yaml"]), "in-file");
    assert_eq!(with(&["-c", "config.yaml"]), "config.yaml");
    assert_eq!(with(&["--config=config.yaml", "-cc1"]), "c1");
    // The last of several options counts, whatever its name.
    assert_eq!(with(&["-c", "c1", "-i", "c2"]), "c2");
    assert_eq!(with(&["-i", "c2", "--cluster-id=c3", "-c", "c1"]), "c1");
    // The file could name a role, so that another identity would log in.
    for after in [&[][..], &["-c", "c1"]] {
        let run = folder.run(&[&["-c", "config.yaml"], &words[..], after].concat(), &KEY);
        let text = "`config.yaml` before `credential-plugin` is read as a cluster ID, although a file has this name; write `--config`";
        assert_eq!(count(&run.stderr, text), 1, "{run:?}");
    }
    assert_eq!(
        folder.run(&["-c", "c1", words[0], words[1]], &KEY).stderr,
        ""
    );
    // For other commands, `-c` is the configuration file.
    assert_eq!(cluster(&["-c", "config.yaml", "token"]), "in-file");
}

#[test]
fn empty_cluster_id_in_any_place_counts_as_not_given() {
    let folder = TestFolder::new(&[("config.yaml", "clusterID: in-file\n")]);
    let words = ["credential-plugin", "get-token"];
    for empty in [&["-c", ""][..], &["--cluster-id="], &["-i", ""]] {
        let cluster = |args: &[&[&str]]| {
            let run = folder.run(&args.concat(), &KEY);
            assert_eq!(run.code, Some(0), "{run:?}");
            cluster_of(&run.stdout).unwrap()
        };
        let config = ["--config", "config.yaml"];
        assert_eq!(cluster(&[empty, &config, &words]), "in-file");
        assert_eq!(cluster(&[empty, &words, &["-c", "c1"]]), "c1");
        assert_eq!(cluster(&[empty, &["-c", "c1"], &words]), "c1");
        // The last of several options counts, even if it is empty.
        let before = ["-c", "c1"];
        let last = ["--cluster-id="];
        assert_eq!(cluster(&[&config, &before, &words, &last]), "in-file");
        let run = folder.run(&[empty, &words].concat(), &KEY);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert_eq!(count(&run.stderr, "a cluster ID is required"), 1, "{run:?}");
        let run = folder.run(&[&before, &words[..], &last].concat(), &KEY);
        assert_eq!(run.code, Some(2), "{run:?}");
    }
    // For other commands, an empty path of a configuration file is a mistake.
    let run = folder.run(&["-c", "", "token", "-i", "c1"], &KEY);
    assert_eq!(run.code, Some(2), "{run:?}");
}

#[test]
fn words_after_get_token_have_no_effect_as_in_ack_ram_tool() {
    let folder = TestFolder::new(&[]);
    for words in [
        &["--ignore-aliyun-cli-credentials", "false", "-c", "c1"][..],
        &["-c", "c1", "secret-Tok3n", "token"],
        &["-c", "c1", "--", "-c", "c2", "--help"],
    ] {
        let args = [&["credential-plugin", "get-token"], words].concat();
        let run = folder.run(&args, &KEY);
        assert_eq!(cluster_of(&run.stdout).as_deref(), Some("c1"), "{run:?}");
        assert_eq!(count(&run.stderr, "words after `get-token`"), 1, "{run:?}");
        assert!(!run.stderr.contains("Tok3n"), "{run:?}");
    }
    for args in [
        &["credential-plugin", "extra", "get-token", "-c", "c1"][..],
        &["credential-plugin", "get-token", "-c", "c1", "--secret"],
    ] {
        let run = folder.run(args, &KEY);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{run:?}");
    }
}

#[test]
fn kubeconfig_keeps_a_profile_file_in_the_home_directory() {
    let folder = TestFolder::new(&[]);
    for (file, expected) in [
        ("~/keys.json", "~/keys.json".to_owned()),
        (
            "keys.json",
            format!("{}/keys.json", folder.path().display()),
        ),
    ] {
        let option = format!("--profile-file={file}");
        let printed = folder
            .run(&["kubeconfig", "-i", "c1", &option], &[])
            .printed();
        assert_eq!(count(&printed, &expected), 1, "{printed}");
        assert_eq!(count(&printed, "/~"), 0, "{printed}");
    }
}
