//! `kubeconfig`: users that run this program.

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
        (&["--session-name=a b"], 2, "--session-name"),
    ] {
        let run = folder.run(&[&["kubeconfig"], args].concat(), &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), ""), "{run:?}");
        assert!(run.stderr.contains(message), "{args:?}: {run:?}");
        assert!(!run.stderr.contains("Tok3n"), "{run:?}");
        assert_eq!(folder.tree(), before, "{args:?}");
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
