//! `token` and `credential-plugin get-token`: the tokens that kubectl receives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::program::TestFolder;

const KEY: &[(&str, &str)] = &[
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001"),
    (
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "FakeAccessKeySecret0000000001",
    ),
];
const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";
const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";

/// Runs the program in a folder with a configuration for the cluster `in-file`.
#[track_caller]
fn run(args: &[&str], env: &[(&str, &str)]) -> String {
    let folder = TestFolder::new(&[("config.yaml", "clusterID: in-file\n")]);
    let printed = folder.run(args, &[KEY, env].concat()).printed();
    assert_eq!(folder.tree().len(), 1, "{args:?} left files");
    printed
}

fn parse(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap()
}

fn cluster_of(token: &str) -> String {
    let payload = token.trim().strip_prefix("k8s-ack-v2.").unwrap();
    let fields: Value = serde_json::from_slice(&STANDARD.decode(payload).unwrap()).unwrap();
    assert_eq!(fields["clusterId"], fields["query"]["ACKClusterId"]);
    fields["clusterId"].as_str().unwrap().to_owned()
}

#[test]
fn get_token_output_equals_ack_ram_tool() {
    let tool = &["credential-plugin", "get-token", "--cluster-id", "c1"];
    for (version, sample) in [
        (
            &[] as &[&str],
            include_str!("../../../tests/vectors/exec-credential-v1beta1.json"),
        ),
        (
            &["--api-version", "v1"],
            include_str!("../../../tests/vectors/exec-credential-v1.json"),
        ),
        (
            &["--api-version", "v2"],
            include_str!("../../../tests/vectors/exec-credential-v1beta1.json"),
        ),
    ] {
        let printed = run(&[tool, version].concat(), &[(EXEC_INFO, "ignored")]);
        let [mut expected, status] = [sample, &printed].map(parse);
        let status = &status["status"];
        let sampled = std::mem::take(&mut expected["status"]);
        let mut text = sample.to_owned();
        for member in ["expirationTimestamp", "token"] {
            text = text.replace(
                sampled[member].as_str().unwrap(),
                status[member].as_str().unwrap(),
            );
        }
        assert_eq!(printed, text, "{version:?}");
    }
}

#[test]
fn options_are_accepted_before_and_after_the_command() {
    for (args, cluster) in [
        (&["token", "-i", "c1"] as &[&str], "c1"),
        (&["-i", "c1", "token"], "c1"),
        (&["--cluster-id=c1", "token"], "c1"),
        (&["-i", "c1", "token", "-i", "c2"], "c2"),
        (&["token", "-c", "config.yaml"], "in-file"),
        (&["-c", "config.yaml", "token"], "in-file"),
        (&["--config=config.yaml", "token", "--cluster-id=c1"], "c1"),
        (&["-i", "c1", "token", "--config=config.yaml"], "c1"),
        (&["-l", "json", "token", "-i", "c1"], "c1"),
        (&["token", "--log-format=text", "-i", "c1"], "c1"),
        (&["--feature-gates=", "token", "-i", "c1"], "c1"),
    ] {
        let printed = run(&[args, &["--token-only"]].concat(), &[]);
        assert_eq!(cluster_of(&printed), cluster, "{args:?}");
    }
}

#[test]
fn ack_ram_tool_options_are_accepted_anywhere() {
    const OPTIONS: &[&str] = &[
        "--assume-yes",
        "--api-version=v1beta1",
        "--credential-type=any",
        "--cs-endpoint=cs.example",
        "--ignore-aliyun-cli-credentials=true",
        "--ignore-env-credentials=false",
        "--log-level=any",
        "--profile-file=",
        "--profile-name=",
        "--ram-endpoint=ram.example",
        "--region-id=cn-hangzhou",
        "--role-arn=",
        "--sts-endpoint=sts.example",
    ];
    const NONE: &[&str] = &[];
    const COMMAND: [&str; 4] = ["credential-plugin", "get-token", "-c", "c1"];
    for place in [0, 1, 2, 4] {
        let (before, after) = COMMAND.split_at(place);
        let printed = run(&[before, OPTIONS, after, NONE].concat(), &[]);
        let token = &parse(&printed)["status"]["token"];
        assert_eq!(cluster_of(token.as_str().unwrap()), "c1", "{place}");
    }
    // An option after the command takes precedence over the option before it.
    let args = ["--config", "config.yaml", "-i", "c2"];
    let printed = run(&[&args[..], &COMMAND].concat(), &[]);
    let token = &parse(&printed)["status"]["token"];
    assert_eq!(cluster_of(token.as_str().unwrap()), "c1");
}

#[test]
fn last_value_of_a_repeated_option_counts() {
    const TOOL: &[&str] = &["credential-plugin", "get-token"];
    for (args, cluster) in [
        (
            &["token", "-i", "c1", "-i", "c2", "--token-only"] as &[&str],
            "c2",
        ),
        (&["-i", "c1", "-i", "c2", "token", "--token-only"], "c2"),
        (
            &[
                "token",
                "-i",
                "c1",
                "--timeout=1s",
                "--timeout=2s",
                "--token-only",
            ],
            "c1",
        ),
    ] {
        assert_eq!(cluster_of(&run(args, &[])), cluster, "{args:?}");
    }
    for (args, cluster) in [
        (&["-c", "c1", "-c", "c2"] as &[&str], "c2"),
        (&["--cluster-id=c1", "-cc2"], "c2"),
        // An empty value counts as not given, so no role is assumed, and no file is read.
        (&["-c", "c1", "--role-arn=r", "--role-arn="], "c1"),
        (
            &["-c", "c1", "--profile-file=f", "--profile-file", ""],
            "c1",
        ),
        (
            &[
                "-c",
                "c1",
                "--credential-type=imds",
                "--credential-type=auto",
            ],
            "c1",
        ),
        (
            &[
                "-c",
                "c1",
                "--ignore-env-credentials",
                "--ignore-env-credentials=false",
            ],
            "c1",
        ),
        (
            &[
                "-c",
                "c1",
                "--ignore-env-credentials=T",
                "--ignore-env-credentials=0",
            ],
            "c1",
        ),
        // Go takes the next word as the value.
        (&["-c", "c1", "--credential-type", "-x"], "c1"),
    ] {
        let printed = run(&[TOOL, args].concat(), &[]);
        let token = &parse(&printed)["status"]["token"];
        assert_eq!(cluster_of(token.as_str().unwrap()), cluster, "{args:?}");
    }
}

#[test]
fn token_output_has_the_api_version_that_kubectl_requests() {
    let request = |version| format!(r#"{{"kind":"ExecCredential","apiVersion":"{version}"}}"#);
    const TOKEN: &[&str] = &["token", "-i", "c1"];
    const TOOL: &[&str] = &["credential-plugin", "get-token", "-c", "c1"];
    for (command, more, exec_info, expected) in [
        (TOKEN, &[] as &[&str], None, V1),
        (TOKEN, &[], Some(V1), V1),
        (TOKEN, &[], Some(V1BETA1), V1BETA1),
        (TOKEN, &["--api-version", "v1"], Some(V1BETA1), V1BETA1),
        (TOKEN, &["--api-version", "v1beta1"], Some(V1), V1),
        (TOKEN, &["--api-version", "v1beta1"], None, V1BETA1),
        (TOOL, &[], None, V1BETA1),
        (TOOL, &[], Some(V1), V1),
        (TOOL, &["--api-version", "v1"], Some(V1BETA1), V1BETA1),
        (TOOL, &["--api-version", "v1beta1"], Some(V1), V1),
    ] {
        let exec_info = exec_info.map(request);
        let env: Vec<_> = exec_info.iter().map(|info| (EXEC_INFO, &**info)).collect();
        let printed = run(&[command, more].concat(), &env);
        let version = &parse(&printed)["apiVersion"];
        assert_eq!(version, expected, "{command:?} {more:?} {env:?}");
    }
}

#[test]
fn cluster_id_comes_from_the_kubeconfig_if_no_option_gives_it() {
    let request = format!(
        r#"{{"kind":"ExecCredential","apiVersion":"{V1}","spec":{{"interactive":false,"cluster":{{"server":"https://a","config":{{"clusterId":"from-kubeconfig"}}}}}}}}"#
    );
    let env = &[(EXEC_INFO, request.as_str())];
    for (args, cluster) in [
        (&["token"] as &[&str], "from-kubeconfig"),
        (&["token", "-c", "config.yaml"], "from-kubeconfig"),
        (&["token", "-i", "c1"], "c1"),
        (&["credential-plugin", "get-token"], "from-kubeconfig"),
        (
            &["credential-plugin", "get-token", "-c", ""],
            "from-kubeconfig",
        ),
        (&["credential-plugin", "get-token", "-c", "c1"], "c1"),
        (&["credential-plugin", "-c", "c1", "get-token"], "c1"),
        (&["-i", "c1", "credential-plugin", "get-token"], "c1"),
    ] {
        let token = &parse(&run(args, env))["status"]["token"];
        assert_eq!(cluster_of(token.as_str().unwrap()), cluster, "{args:?}");
    }
}

#[test]
fn feature_gates_are_ignored_with_a_warning() {
    let folder = TestFolder::new(&[]);
    let args = ["token", "-i", "c1", "--feature-gates", "A=true"];
    let run = folder.run(&args, KEY);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stderr.contains("WARN --feature-gates is ignored"),
        "{run:?}"
    );
}

#[test]
fn other_commands_of_ack_ram_tool_have_a_line_that_says_so() {
    let folder = TestFolder::new(&[]);
    for args in [
        &["credential-plugin", "get-credential", "-c", "c1"] as &[&str],
        &["credential-plugin", "get-kubeconfig", "-c", "c1"],
        &["rbac", "scan-user-permissions", "-c", "c1"],
        &["rrsa", "status"],
        &["export-credentials"],
    ] {
        let run = folder.run(args, &[]);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{args:?}");
        let command = args
            .iter()
            .rfind(|word| run.stderr.contains(&format!("no `{word}` of")));
        assert!(command.is_some(), "{}", run.stderr);
        assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    }
}
