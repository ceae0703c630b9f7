//! `kubeconfig`: users that run this program.

use std::fs::File;

use ack_ram_core::sign::AccessKey;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};

use crate::program::TestFolder;

const CLUSTERS: &str = "\
clusters:
- name: prod # the only one
  cluster: {server: 'https://prod.example'}
users: []
";

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn printed_user_has_the_given_options() {
    let folder = TestFolder::new(&[("policy.json", "{}")]);
    let policy = folder.path().join("policy.json");
    let args = [
        "kubeconfig",
        "-i",
        "c1",
        "--profile-name=dev",
        "--role-arn=acs:ram::1234567890123456:role/admin",
        "--session-name=bob",
        "--external-id=ext",
        "--duration=1h",
        "--session-policy=policy.json",
    ];
    let user = &yaml(&folder.run(&args, &[]).printed())["users"][0];
    assert_eq!(user["name"], "c1-dev-admin-bob");
    let exec = &user["user"]["exec"];
    let expected = json!([
        "token",
        "--cluster-id",
        "c1",
        "--profile-name",
        "dev",
        "--role-arn",
        "acs:ram::1234567890123456:role/admin",
        "--session-name",
        "bob",
        "--external-id",
        "ext",
        "--duration",
        "1h",
        "--session-policy",
        policy,
    ]);
    assert_eq!(exec["args"], expected);
    assert_eq!(exec["command"], "ack-ram-authenticator");
    // `token` accepts these arguments, and names the access key that is missing.
    let given: Vec<&str> = exec["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    let run = folder.run(&given, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");

    let json = folder
        .run(&[&args[..], &["-o", "json"]].concat(), &[])
        .printed();
    assert_eq!(
        serde_json::from_str::<Value>(&json).unwrap()["users"][0],
        *user
    );

    let args = ["kubeconfig", "--absolute-path", "--user=all"];
    let printed = folder.run(&args, &[]).printed();
    assert!(
        printed.starts_with("# The user has no cluster ID"),
        "{printed}"
    );
    let user = &yaml(&printed)["users"][0];
    assert_eq!(user["name"], "all");
    let exec = &user["user"]["exec"];
    assert_eq!(exec["provideClusterInfo"], true);
    assert_eq!(exec["command"], env!("CARGO_BIN_EXE_ack-ram-authenticator"));
    assert_eq!(folder.tree().len(), 1);
}

#[test]
fn written_user_can_be_repeated_and_shown_first() {
    let folder = TestFolder::new(&[("config", CLUSTERS)]);
    let args = ["kubeconfig", "-i=c1", "--write", "--context=dev"];
    let env = [("KUBECONFIG", "config")];
    let diff = folder
        .run(&[&args[..], &["--dry-run"]].concat(), &env)
        .printed();
    assert!(diff.contains("\n+- name: dev\n"), "{diff}");
    assert_eq!(folder.read_file("config"), CLUSTERS);
    let printed = folder.run(&args, &env).printed();
    assert_eq!(printed, "wrote config\n");
    let text = folder.read_file("config");
    assert!(
        text.starts_with("clusters:\n- name: prod # the only one\n"),
        "{text}"
    );
    assert_eq!(
        yaml(&text)["contexts"][0]["context"],
        json!({"cluster": "prod", "user": "c1"})
    );
    assert_eq!(folder.run(&args, &env).printed(), "nothing to change\n");

    let args = [
        "kubeconfig",
        "-i=c1",
        "--write",
        "--context=all",
        "--cluster-info",
        "-o=json",
    ];
    let report: Value = serde_json::from_str(&folder.run(&args, &env).printed()).unwrap();
    assert_eq!(
        (&report["notes"], &report["dryRun"]),
        (&json!([]), &json!(false))
    );
    let text = folder.read_file("config");
    let cluster = "  cluster: {server: 'https://prod.example', extensions: [{name: client.authentication.k8s.io/exec, extension: {clusterId: c1}}]}\n";
    assert!(text.contains(cluster), "{text}");
}

#[test]
fn refusals_name_the_way_out_and_change_nothing() {
    let folder = TestFolder::new(&[
        ("config", "users: &u []\nothers: *u\n"),
        (
            "taken",
            "users: [{name: c1, user: {token: secret-Tok3n}}]\n",
        ),
        ("keys.json", KEYS),
    ]);
    let before = folder.tree();
    for (args, code, message) in [
        (
            &["--write", "-i=c1", "--kubeconfig=config"][..],
            1,
            "users:\n- name: c1\n",
        ),
        (
            &["--write", "-i=c1", "--kubeconfig=taken"],
            1,
            "use --user with another name",
        ),
        (
            &["--write", "-i=c1", "--kubeconfig=taken", "--context=x"],
            1,
            "user `c1` has a token",
        ),
        (
            &["--convert", "--user=c1", "--kubeconfig=taken"],
            1,
            "cannot be converted",
        ),
        (
            &["--convert", "--user=c2", "--kubeconfig=taken"],
            1,
            "does not exist",
        ),
        (&["--write", "-i=a b"], 2, "not a cluster ID"),
        (
            &["--write", "--context=x", "--cluster-info"],
            2,
            "set --cluster-id",
        ),
        (&["--write", "--convert"], 2, "cannot be used with"),
        (&["--context=x"], 2, "--write"),
        (&["--user="], 2, "--user"),
        (&["--dry-run"], 2, "needs --write or --convert"),
        (
            &["--convert", "--profile-name=x", "--kubeconfig=taken"],
            2,
            "keeps the options",
        ),
        (&["--role-arn=x"], 2, "--role-arn"),
        (
            &["--session-name=bob"],
            2,
            "`--session-name` is given, but no role is assumed; add `--role-arn`",
        ),
        (
            &["--write", "-i=c1", "--duration=1h"],
            2,
            "`--duration` is given",
        ),
        (
            &[
                "--external-id=ext",
                "--profile-file=keys.json",
                "--profile-name=key",
            ],
            2,
            "`--external-id` is given",
        ),
        (&["--session-name=a b"], 2, "--session-name"),
    ] {
        let run = folder.run(&[&["kubeconfig"], args].concat(), &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{run:?}");
        assert!(run.stderr.contains(message), "{args:?}: {run:?}");
        assert!(!run.stderr.contains("Tok3n"), "{run:?}");
        assert_eq!(folder.tree(), before, "{args:?}");
    }
}

/// Profiles without and with a role.
const KEYS: &str = r#"{"profiles": [
  {"name": "key", "mode": "AK", "access_key_id": "LTAI5tFakeAccessKeyId001", "access_key_secret": "secret-Tok3n"},
  {"name": "role", "mode": "RamRoleArn", "access_key_id": "LTAI5tFakeAccessKeyId001", "access_key_secret": "secret-Tok3n",
   "ram_role_arn": "acs:ram::1234567890123456:role/dev", "ram_session_name": "alice"}]}"#;

#[test]
fn session_option_needs_a_role_from_anywhere() {
    let config = "defaultRole: acs:ram::1234567890123456:role/dev\n";
    let folder = TestFolder::new(&[("keys.json", KEYS), ("config.yaml", config)]);
    folder.set_mode("keys.json", 0o600);
    let role = "--role-arn=acs:ram::1234567890123456:role/dev";
    for options in [
        &[role][..],
        &["--profile-file=keys.json", "--profile-name=role"],
        &["-c=config.yaml"],
        // This profile may exist where kubectl runs.
        &["--profile-file=keys.json", "--profile-name=other"],
    ] {
        let args = ["kubeconfig", "-i=c1", "--session-name=bob"];
        let printed = folder.run(&[&args, options].concat(), &[]).printed();
        assert!(
            printed.contains("- --session-name\n      - bob\n"),
            "{printed}"
        );
    }
}

#[test]
fn report_about_a_written_file_is_not_lost() {
    for (options, is_written) in [
        (&["--write"][..], true),
        (&["--write", "-o=json"], true),
        (&["--write", "--dry-run"], false),
        (&[], false),
    ] {
        let folder = TestFolder::new(&[("config", CLUSTERS)]);
        let args = [&["kubeconfig", "-i=c1", "--kubeconfig=config"], options].concat();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = folder.command(&args, &[]).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.contains("cannot write to standard output: "),
            "{stderr}"
        );
        assert_eq!(stderr.contains("wrote config\n"), is_written, "{stderr}");
        assert_eq!(
            stderr.contains("the change is made"),
            is_written,
            "{stderr}"
        );
        assert_eq!(folder.read_file("config") != CLUSTERS, is_written);
    }
}

#[test]
fn user_whose_arguments_the_program_refuses_is_not_converted() {
    let user = |name: &str, args: &str| {
        format!(
            "- name: {name}\n  user: {{exec: {{apiVersion: client.authentication.k8s.io/v1beta1, command: ack-ram-tool, args: [credential-plugin, get-token, -c, c1{args}], installHint: x, interactiveMode: Never}}}}\n"
        )
    };
    let refused = [
        (
            ", --role-arn, secret-Tok3n",
            "`--role-arn` is not the ARN of a role",
        ),
        (", --verbose=maybe", "the value of `--verbose"),
        (
            ", --profile-file, keys.json, --ignore-aliyun-cli-credentials",
            "exclude each other",
        ),
        (
            ", --profile-file, keys.json, --profile-name, nobody",
            "the profile `nobody`",
        ),
    ];
    for (args, reason) in refused {
        let before = format!("users:\n{}{}", user("a", args), user("b", ""));
        // A login would warn about the mode of the file with keys.
        let folder = TestFolder::new(&[("config", &before), ("keys.json", KEYS)]);
        let env = [("KUBECONFIG", "config")];
        let run = folder.run(&["kubeconfig", "--convert", "--user=a"], &env);
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
        assert!(
            run.stderr.contains("user `a` cannot be converted: "),
            "{run:?}"
        );
        assert!(run.stderr.contains(reason), "{run:?}");
        assert_eq!(folder.read_file("config"), before);
        let printed = folder.run(&["kubeconfig", "--convert"], &env).printed();
        assert!(printed.contains("skipped user `a`: "), "{printed}");
        assert!(printed.contains(reason), "{printed}");
        assert!(!printed.contains("Tok3n"), "{printed}");
        let text = folder.read_file("config");
        let converted = user("b", "").replace("ack-ram-tool", "ack-ram-authenticator");
        assert_eq!(text, format!("users:\n{}{converted}", user("a", args)));
    }
}

#[test]
fn user_of_ack_ram_tool_is_converted() {
    let before = "users:\n- name: a\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: ack-ram-tool\n      args: [credential-plugin, get-token, --cluster-id, c1, --sts-endpoint, sts.aliyuncs.com, --log-level, error]\n      installHint: x\n      interactiveMode: Never\n";
    let folder = TestFolder::new(&[("config", before)]);
    let env = [("KUBECONFIG", "config")];
    let printed = folder.run(&["kubeconfig", "--convert"], &env).printed();
    assert_eq!(printed, "user `a` keeps its options\nwrote config\n");
    let expected = before.replace("command: ack-ram-tool", "command: ack-ram-authenticator");
    assert_eq!(folder.read_file("config"), expected);
    let printed = folder.run(&["kubeconfig", "--convert"], &env).printed();
    assert_eq!(printed, "nothing to change\n");
}

#[test]
fn path_of_ack_ram_tool_becomes_the_path_of_this_program() {
    let before = "users:\n- name: a\n  user: {exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: /usr/local/bin/ack-ram-tool, args: [credential-plugin, get-token, -c, c1]}}\n";
    let folder = TestFolder::new(&[("config", before)]);
    let env = [("KUBECONFIG", "config")];
    folder.run(&["kubeconfig", "--convert"], &env).printed();
    let user = &yaml(&folder.read_file("config"))["users"][0]["user"];
    let program = env!("CARGO_BIN_EXE_ack-ram-authenticator");
    assert_eq!(user["exec"]["command"], program);
}

const CERTIFICATE: &str = "\
users:
- name: admin
  user:
    client-certificate-data: secret-Tok3n
    client-key-data: secret-Tok3n
";

/// Converts a user with a certificate, with an access key of the demonstration account.
fn convert_certificate(key: &AccessKey) -> (TestFolder, crate::program::CommandRun) {
    let sts = Emulator::builder().demo().start().unwrap();
    let config = "clusterID: c1\nserver: {sts: {caFile: sts-ca.pem}}\n";
    let folder = TestFolder::new(&[
        ("config.yaml", config),
        ("sts-ca.pem", sts.ca_pem()),
        ("kubeconfig", CERTIFICATE),
    ]);
    let args = [
        "kubeconfig",
        "--convert",
        "--user=admin",
        "--kubeconfig=kubeconfig",
        "-c=config.yaml",
    ];
    let env = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.as_str()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret.expose()),
        ("ALIBABA_CLOUD_STS_ENDPOINT", &sts.url().to_string()),
    ];
    let run = folder.run(&args, &env);
    (folder, run)
}

#[test]
fn certificate_is_replaced_when_sts_accepts_the_access_key() {
    let (folder, run) = convert_certificate(&demo::user_key());
    let printed = run.printed();
    assert!(
        printed.starts_with(&format!("user `admin` logs in as {}\n", demo::USER_ARN)),
        "{printed}"
    );
    assert_eq!(
        folder.read_file("kubeconfig.before-ack-ram-authenticator"),
        CERTIFICATE
    );
    let user = &yaml(&folder.read_file("kubeconfig"))["users"][0]["user"];
    let config = folder.path().join("config.yaml");
    assert_eq!(
        user["exec"]["args"],
        json!(["token", "--cluster-id", "c1", "--config", config])
    );
    assert_eq!(user.as_object().unwrap().len(), 1);
}

#[test]
fn certificate_stays_when_sts_refuses_the_access_key() {
    let mut key = demo::user_key();
    key.secret = ack_ram_core::secret::Secret::new("AnotherFakeSecret0000000001");
    let (folder, run) = convert_certificate(&key);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:?}");
    assert!(run.stderr.contains("SignatureDoesNotMatch"), "{run:?}");
    assert_eq!(folder.read_file("kubeconfig"), CERTIFICATE);
    assert_eq!(folder.tree().len(), 3);
}
