//! Each switch takes a source away, and never selects another identity.

use super::*;
use crate::finding::Level;

const METADATA: &[(&str, &str)] = &[("ALIBABA_CLOUD_ECS_METADATA", "r")];
const URL: &[(&str, &str)] = &[("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1/k")];
const ON: &[&str] = &["true", "TRUE", "True"];

#[test]
fn metadata_switch_refuses_the_service() {
    let refused = "error: `ALIBABA_CLOUD_ECS_METADATA` selects the metadata service, which `ALIBABA_CLOUD_ECS_METADATA_DISABLED` switches off; unset `ALIBABA_CLOUD_ECS_METADATA_DISABLED`, or select another source";
    let granted = "the key of the role `r` of this ECS instance from http://100.100.100.200, selected by `ALIBABA_CLOUD_ECS_METADATA`";
    for (value, expected) in ON
        .iter()
        .map(|on| (*on, refused))
        .chain(["", "false", "1", "on"].map(|off| (off, granted)))
    {
        // A key of the CLI must not be taken instead.
        let case = Case::new()
            .variables(METADATA)
            .variables(&[("ALIBABA_CLOUD_ECS_METADATA_DISABLED", value)])
            .profiles(r#"{"name": "default", "mode": "AK", "access_key_id": "LTAI5tOther", "access_key_secret": "s"}"#);
        assert_eq!(case.text(), expected, "{value}");
    }
    let disabled = Case::new().variables(&[("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")]);
    for profile in [
        r#"{"name": "default", "mode": "EcsRamRole"}"#,
        r#"{"name": "default", "mode": "RamRoleArnWithRoleName", "ram_role_arn": "acs:ram::1:role/r"}"#,
    ] {
        let case = Case {
            files: Case::new().profiles(profile).files,
            ..Case::new().variables(&[("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")])
        };
        assert!(
            case.text()
                .starts_with("error: `mode` of the profile `default`"),
            "{}",
            case.text()
        );
    }
    let imds =
        disabled.settings(|settings| settings.only_metadata = option("--credential-type", true));
    assert!(
        imds.text()
            .starts_with("error: `--credential-type` selects")
    );
}

#[test]
fn metadata_alone_ignores_every_other_setting_of_a_source() {
    let case = Case::new()
        .key()
        .variables(METADATA)
        .variables(&[("ACK_RAM_TOOL_CREDENTIAL_TYPE", "ecs-role")]);
    let expected = "the key of the only role of this ECS instance from http://100.100.100.200, selected by `ACK_RAM_TOOL_CREDENTIAL_TYPE`";
    assert_eq!(case.text(), expected);
    let case =
        case.settings(|settings| settings.only_metadata = option("--credential-type", false));
    assert!(
        case.text().starts_with("the access key `LTAI5tEnv`"),
        "the option takes precedence"
    );
}

#[test]
fn metadata_alone_warns_about_options_that_select_a_profile() {
    let case = Case::new()
        .variables(&[
            ("ACK_RAM_TOOL_CREDENTIAL_TYPE", "imds"),
            ("ACK_RAM_TOOL_PROFILE_NAME", "p"),
        ])
        .settings(|settings| settings.profile_file = option("--profile-file", "/f".into()));
    let (plan, findings) = case.run();
    assert!(matches!(plan, Ok(Plan::Metadata(_))), "{plan:?}");
    let about = |level| {
        let findings = findings
            .iter()
            .filter(move |finding| finding.level == level);
        findings.map(|finding| &*finding.text).collect::<Vec<_>>()
    };
    assert_eq!(
        about(Level::Warning),
        [
            "`--profile-file` has no effect, because `ACK_RAM_TOOL_CREDENTIAL_TYPE` selects the role of the ECS instance"
        ]
    );
    let note = "`ACK_RAM_TOOL_PROFILE_NAME` has no effect, because `ACK_RAM_TOOL_CREDENTIAL_TYPE` selects the role of the ECS instance";
    assert!(about(Level::Note).contains(&note), "{findings:?}");
}

#[test]
fn metadata_token_switches_exclude_each_other() {
    use crate::plan::MetadataTokens;
    for (v1, v2, expected) in [
        ("false", "", Some(MetadataTokens::Preferred)),
        ("true", "", Some(MetadataTokens::Required)),
        ("", "TRUE", Some(MetadataTokens::Disabled)),
        ("true", "true", None),
    ] {
        let case = Case::new().variables(METADATA).variables(&[
            ("ALIBABA_CLOUD_IMDSV1_DISABLED", v1),
            ("ALIBABA_CLOUD_IMDSV2_DISABLED", v2),
        ]);
        match (case.run().0, expected) {
            (Ok(Plan::Metadata(plan)), expected) => assert_eq!(Some(plan.tokens), expected),
            (Err(error), None) => assert_eq!(
                error.to_string(),
                "`ALIBABA_CLOUD_IMDSV1_DISABLED` and `ALIBABA_CLOUD_IMDSV2_DISABLED` exclude each other; use only one of them"
            ),
            (other, expected) => panic!("{other:?} {expected:?}"),
        }
    }
}

#[test]
fn external_switch_refuses_processes_and_urls() {
    let sources = [
        Case::new().variables(URL),
        Case::new().profiles(r#"{"name": "default", "mode": "External", "process_command": "p"}"#),
        Case::new().profiles(
            r#"{"name": "default", "mode": "CredentialsURI", "credentials_uri": "http://h/"}"#,
        ),
        Case::new().file(INI_FILE, "[default]\ntype=external\nprocess_command=p"),
        Case::new().file(
            INI_FILE,
            "[default]\ntype=credentials_uri\ncredentials_uri=http://h/",
        ),
    ];
    for mut case in sources {
        for (value, is_off) in [
            ("1", true),
            ("true", true),
            ("TRUE", true),
            ("0", false),
            ("false", false),
            ("", false),
        ] {
            case = case.variables(&[("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", value)]);
            let text = case.text();
            let is_refused = text.ends_with(
                "which `ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS` switches off; unset `ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS`, or select another source",
            );
            assert_eq!(is_refused, is_off, "{value}: {text}");
            assert_eq!(text.starts_with("error"), is_off, "{value}: {text}");
        }
    }
}

#[test]
fn cli_file_switch_ignores_the_file() {
    for (name, value, is_ignored) in [
        ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true", true),
        ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "TRUE", true),
        ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "1", false),
        ("ALIBABA_CLOUD_IGNORE_PROFILE", "TRUE", true),
        // The CLI uses its file for any other value.
        ("ALIBABA_CLOUD_IGNORE_PROFILE", "true", false),
        ("ALIBABACLOUD_IGNORE_PROFILE", "TRUE", true),
        ("ALIBABACLOUD_IGNORE_PROFILE", "1", false),
        ("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS", "t", true),
        ("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS", "True", true),
        ("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS", "tRUE", false),
        ("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS", "0", false),
    ] {
        let ini = "[default]\ntype=access_key\naccess_key_id=LTAI5tIni\naccess_key_secret=s";
        let case = Case::new()
            .profiles(r#"{"name": "default", "mode": "AK", "access_key_id": "LTAI5tCli", "access_key_secret": "s"}"#)
            .file(INI_FILE, ini)
            .variables(&[(name, value)]);
        let Plan::Key(plan) = case.plan() else {
            panic!("a key")
        };
        let expected = if is_ignored { "LTAI5tIni" } else { "LTAI5tCli" };
        assert_eq!(plan.key.id.as_str(), expected, "{name}={value}");

        let case = case
            .file(
                "/f.json",
                r#"{"profiles": [{"name": "default", "mode": "AK", "access_key_id": "LTAI5tFile", "access_key_secret": "s"}]}"#,
            )
            .settings(|settings| settings.profile_file = option("--profile-file", "/f.json".into()));
        let is_refused = matches!(case.run().0, Err(ClientError::Setup(_)));
        assert_eq!(is_refused, is_ignored, "{name}={value}: {}", case.text());
    }
}

#[test]
fn ignored_environment_still_selects_profile_and_files() {
    let case = Case::new()
        .key()
        .variables(&[
            ("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS", "1"),
            ("ALIBABA_CLOUD_PROFILE", "p"),
            ("ALIBABA_CLOUD_CONFIG_FILE", "~/c.json"),
        ])
        .file(
            "/h/c.json",
            r#"{"profiles": [{"name": "p", "mode": "AK", "access_key_id": "LTAI5tP", "access_key_secret": "s"}]}"#,
        );
    assert_eq!(
        case.text(),
        "the access key `LTAI5tP` from `access_key_id` of the profile `p` in `/h/c.json`"
    );
}
