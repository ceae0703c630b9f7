//! Tokens, and why credentials are refused.

use super::Transcript;
use crate::program::TestFolder;

const KEY: [(&str, &str); 2] = [
    ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001"),
    (
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        "FakeAccessKeySecret0000000001",
    ),
];
const SECURITY_TOKEN: (&str, &str) = ("ALIBABA_CLOUD_SECURITY_TOKEN", "CAISFakeSecurityToken/+==");
const EXEC_INFO: &str = "KUBERNETES_EXEC_INFO";
/// Nothing answers at this port of loopback.
const STS: (&str, &str) = ("ALIBABA_CLOUD_STS_ENDPOINT", "http://127.0.0.1:1");
const METADATA: (&str, &str) = ("ALIBABA_CLOUD_IMDS_ENDPOINT", "http://127.0.0.1:1");

#[test]
fn token_commands_print_tokens() {
    let folder = TestFolder::new(&[
        ("config.yaml", "clusterID: in-file\n"),
        (
            "role.yaml",
            "clusterID: c1\ndefaultRole: acs:ram::1:role/r\n",
        ),
    ]);
    let before = folder.tree();
    let mut transcript = Transcript::new();
    transcript.hide("k8s-ack-v2[.][A-Za-z0-9+/=]{100,}", "<token>");
    let v1 = r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}"#;
    let old = v1.replace("/v1", "/v1alpha1");
    let with_token = [KEY[0], KEY[1], SECURITY_TOKEN];
    for (args, env) in [
        (&["token", "-i", "c1"][..], &KEY[..]),
        (&["token", "-c", "config.yaml"], &with_token),
        (&["token", "-i", "c1", "--token-only"], &KEY),
        (&["token", "-i", "c1", "--api-version", "v1beta1"], &KEY),
        (&["token", "-i", "c1"], &[KEY[0], KEY[1], (EXEC_INFO, v1)]),
        (&["token", "-i", "c1"], &[KEY[0], KEY[1], (EXEC_INFO, &old)]),
        (&["token", "-i", "c1"], &[KEY[0], KEY[1], (EXEC_INFO, "v1")]),
        (&["token", "-i", "c1", "--feature-gates", "A=true"], &KEY),
        (
            &[
                "-l",
                "json",
                "token",
                "-i",
                "c1",
                "--feature-gates",
                "A=true",
            ],
            &KEY,
        ),
        (
            &["token", "-i", "c1", "-l", "json"],
            &[KEY[0], KEY[1], ("ACK_RAM_AUTHENTICATOR_LOG", "no level")],
        ),
        (
            &["credential-plugin", "get-token", "--cluster-id", "c1"],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "get-token",
                "--cluster-id",
                "c1",
                "--api-version",
                "v1",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "get-token",
                "--cluster-id",
                "c1",
                "--api-version",
                "v9",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "get-token",
                "--cluster-id",
                "c1",
                "--role-arn",
                "acs:ram::1:role/r",
            ],
            &[KEY[0], KEY[1], STS],
        ),
        (
            &[
                "credential-plugin",
                "--credential-type",
                "imds",
                "get-token",
                "--cluster-id",
                "c1",
            ],
            &[KEY[0], KEY[1], METADATA],
        ),
        (
            &[
                "credential-plugin",
                "--profile-file",
                "x",
                "get-token",
                "--cluster-id",
                "c1",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "--profile-name",
                "x",
                "get-token",
                "--cluster-id",
                "c1",
            ],
            &KEY,
        ),
        (
            &[
                "credential-plugin",
                "--ignore-env-credentials",
                "get-token",
                "--cluster-id",
                "c1",
            ],
            &KEY,
        ),
        (
            &["credential-plugin", "get-token", "--cluster-id", "c1"],
            &[KEY[0], KEY[1], ("ACK_RAM_TOOL_PROFILE_NAME", "x")],
        ),
        (&["--profile-name", "x", "token", "-i", "c1"], &KEY),
        (&["token", "-c", "role.yaml"], &[KEY[0], KEY[1], STS]),
        (&["token"], &KEY),
        (&["token", "-i", "c1"], &[]),
        (&["token", "-i", "c1"], &[KEY[0]]),
        (&["token", "-i", "c1"], &[KEY[1]]),
        (
            &["token", "-i", "c1"],
            &[("ALIBABA_CLOUD_ACCESS_KEY_ID", ""), KEY[1]],
        ),
        (
            &["token", "-i", "c1"],
            &[KEY[0], ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")],
        ),
        (
            &["token", "-i", "c1"],
            &[("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI/x"), KEY[1]],
        ),
        (
            &["credential-plugin", "get-token", "--cluster-id", "c1"],
            &[],
        ),
    ] {
        transcript.run(&folder, args, env);
    }
    const TOOL: &[&str] = &["credential-plugin", "get-token", "-c", "c1"];
    for more in [
        "--role-arn=r",
        "--profile-file=f",
        "--profile-name=n",
        "--credential-type=imds",
        "--ignore-env-credentials",
    ] {
        transcript.run(
            &folder,
            &[TOOL, &[more]].concat(),
            &[KEY[0], KEY[1], METADATA],
        );
    }
    for before in [
        &["-c", "role.yaml"][..],
        &["--config", "role.yaml"],
        &["--profile-name=n"],
    ] {
        transcript.run(&folder, &[before, TOOL].concat(), &[KEY[0], KEY[1], STS]);
    }
    for variable in [
        ("ACK_RAM_TOOL_PROFILE_NAME", "other"),
        ("ACK_RAM_TOOL_PROFILE_FILE", "c.json"),
        ("ACK_RAM_TOOL_CREDENTIAL_TYPE", "imds"),
        ("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS", "True"),
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
    ] {
        let env = [KEY[0], KEY[1], STS, METADATA, variable];
        transcript.run(&folder, TOOL, &env);
    }
    transcript.run(&folder, TOOL, &KEY[..1]);
    for variable in [
        "ALIBABA_CLOUD_ROLE_ARN",
        "ALIBABA_CLOUD_CREDENTIALS_URI",
        "ALIBABA_CLOUD_ECS_METADATA",
        "ALIBABA_CLOUD_CREDENTIALS_FILE",
        "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        "ALICLOUD_ACCESS_KEY",
    ] {
        for key in [&[][..], &KEY] {
            let env = [key, &[METADATA, (variable, "x")]].concat();
            transcript.run(&folder, &["token", "-i", "c1"], &env);
        }
    }
    let oidc = [
        ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
        (
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "acs:ram::1:oidc-provider/p",
        ),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "token"),
    ];
    transcript.run(&folder, &["token", "-i", "c1"], &oidc);
    let mut after = folder.tree();
    // The cache has a lock for each role.
    after.retain(|path, _| !path.starts_with(folder.path().join(".kube")));
    assert_eq!(after, before, "something was written");
    transcript.check("token");
}

#[test]
fn invalid_credentials_are_refused() {
    let folder = TestFolder::new(&[]);
    let mut transcript = Transcript::new();
    let good = [KEY[0], KEY[1], SECURITY_TOKEN];
    for (variable, value) in good {
        for bad in [
            format!("\"{value}\""),
            format!("'{value}"),
            format!("{value}\n"),
            format!(" {value}"),
            format!("{value} "),
            format!("{value}\r\nx: y"),
            format!("{value}\u{7f}"),
            format!("{value}é"),
            format!("{value}\t{value}"),
        ] {
            let env = good.map(|(name, good)| (name, if name == variable { &*bad } else { good }));
            transcript.run(&folder, &["token", "-i", "c1"], &env);
        }
    }
    transcript.check("token_credentials");
}
