//! Keys in the environment.

use super::*;
use crate::finding::Level;
use crate::resolve::variables::{IDS, SECRETS, SECURITY_TOKENS};

fn warnings(case: &Case) -> Vec<String> {
    let findings = case.run().1.into_iter();
    findings
        .filter(|finding| finding.level == Level::Warning)
        .map(|finding| format!("{}; {}", finding.text, finding.remedy.unwrap_or_default()))
        .collect()
}

#[test]
fn each_part_of_a_key_comes_from_the_first_variable() {
    for families in [IDS, SECRETS, SECURITY_TOKENS] {
        let mut case = Case::new();
        for names in [IDS, SECRETS, SECURITY_TOKENS] {
            for name in names {
                case = case.variables(&[(name, &format!("Value-{name}"))]);
            }
        }
        for first in families {
            let Plan::Key(plan) = case.plan() else {
                panic!("a key")
            };
            let parts = [
                plan.key.id.to_string(),
                plan.key.secret.expose().to_owned(),
                plan.key.security_token.unwrap().expose().to_owned(),
            ];
            assert!(parts.contains(&format!("Value-{first}")), "{parts:?}");
            case = case.variables(&[(first, "")]);
        }
    }
}

#[test]
fn environment_has_the_order_of_ack_ram_tool() {
    let mut case = Case::new()
        .key()
        .variables(&[
            ("ALIBABA_CLOUD_SECURITY_TOKEN", "TokenEnv"),
            ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
            (
                "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
                "acs:ram::1:oidc-provider/p",
            ),
            ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "~/t"),
            (
                "ALIBABA_CLOUD_CREDENTIALS_URI",
                "https://user:CANARY@h/CANARY?CANARY",
            ),
            ("ALIBABA_CLOUD_ECS_METADATA", "r"),
            ("ALIBABA_CLOUD_CREDENTIALS_FILE", "~/ini"),
        ])
        .file("/h/ini", "[default]\ntype=ecs_ram_role\nrole_name=i")
        .profiles(r#"{"name": "default", "mode": "EcsRamRole", "ram_role_name": "c"}"#)
        .file(INI_FILE, "[default]\ntype=ecs_ram_role");
    for (expected, removed) in [
        (
            "the access key `LTAI5tEnv` from `ALIBABA_CLOUD_ACCESS_KEY_ID`",
            "ALIBABA_CLOUD_SECURITY_TOKEN",
        ),
        (
            "AssumeRoleWithOIDC at https://sts.aliyuncs.com for acs:ram::1:role/r from `ALIBABA_CLOUD_ROLE_ARN` with the session name `ack-ram-tool` and the token in `/h/t`",
            "ALIBABA_CLOUD_OIDC_TOKEN_FILE",
        ),
        (
            "the access key `LTAI5tEnv` from `ALIBABA_CLOUD_ACCESS_KEY_ID`, then AssumeRole at https://sts.aliyuncs.com for acs:ram::1:role/r from `ALIBABA_CLOUD_ROLE_ARN` with the session name `ack-ram-tool`",
            "ALIBABA_CLOUD_ROLE_ARN",
        ),
        (
            "the access key `LTAI5tEnv` from `ALIBABA_CLOUD_ACCESS_KEY_ID`",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        ),
        (
            "the key from https://h, selected by `ALIBABA_CLOUD_CREDENTIALS_URI`",
            "ALIBABA_CLOUD_CREDENTIALS_URI",
        ),
        (
            "the key of the role `r` of this ECS instance from http://100.100.100.200, selected by `ALIBABA_CLOUD_ECS_METADATA`",
            "ALIBABA_CLOUD_ECS_METADATA",
        ),
        (
            "the key of the role `i` of this ECS instance from http://100.100.100.200, selected by `type` in the section `default` of `/h/ini`",
            "ALIBABA_CLOUD_CREDENTIALS_FILE",
        ),
        (
            "the key of the role `c` of this ECS instance from http://100.100.100.200, selected by `mode` of the profile `default` in `/h/.aliyun/config.json`",
            "HOME",
        ),
        (
            "error: no access key is configured: `ALIBABA_CLOUD_ACCESS_KEY_ID` is set without a secret, `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` is set without `ALIBABA_CLOUD_ROLE_ARN` and `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, no home directory; set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, or run `aliyun configure`; `ack-ram-authenticator doctor` shows all sources",
            "",
        ),
    ] {
        assert_eq!(case.text(), expected);
        case.variables.remove(removed);
    }
    let mut case = case.variables(&[("HOME", "/h")]);
    case.files.remove(Path::new(CLI_FILE));
    assert_eq!(
        case.text(),
        "the key of the only role of this ECS instance from http://100.100.100.200, selected by `type` in the section `default` of `/h/.alibabacloud/credentials`"
    );
}

#[test]
fn mixed_or_incomplete_key_is_a_warning() {
    let mixed = |set: &str| {
        vec![format!(
            "the access key is put together from {set}, which are variables of different tools; set the variables of one tool, and unset the others"
        )]
    };
    let incomplete = |set: &str| {
        let (be, variables) = match set.contains(" and ") {
            false => ("is", "variable"),
            true => ("are", "variables"),
        };
        vec![format!(
            "{set} {be} set, but the access key is incomplete, so it is not used; set the ID and the secret, or unset the {variables}"
        )]
    };
    for (names, expected) in [
        (vec![], vec![]),
        (vec!["ACCESS_KEY_ID", "ACCESS_KEY_SECRET"], vec![]),
        (
            vec![
                "ALICLOUD_ACCESS_KEY",
                "ALICLOUD_SECRET_KEY",
                "ALICLOUD_ACCESS_KEY_STS_TOKEN",
            ],
            vec![],
        ),
        (
            vec!["ALICLOUD_ACCESS_KEY", "ACCESS_KEY_SECRET"],
            mixed("`ALICLOUD_ACCESS_KEY`, `ACCESS_KEY_SECRET`"),
        ),
        (
            vec![
                "ACCESS_KEY_ID",
                "ACCESS_KEY_SECRET",
                "ALIBABA_CLOUD_SECURITY_TOKEN",
            ],
            mixed("`ACCESS_KEY_ID`, `ACCESS_KEY_SECRET`, `ALIBABA_CLOUD_SECURITY_TOKEN`"),
        ),
        (vec!["ACCESS_KEY_ID"], incomplete("`ACCESS_KEY_ID`")),
        (
            vec!["ALICLOUD_SECRET_KEY"],
            incomplete("`ALICLOUD_SECRET_KEY`"),
        ),
        (
            vec!["ACCESS_KEY_ID", "SECURITY_TOKEN"],
            incomplete("`ACCESS_KEY_ID` and `SECURITY_TOKEN`"),
        ),
        (vec!["SECURITY_TOKEN"], incomplete("`SECURITY_TOKEN`")),
    ] {
        let mut case = Case::new().profiles(
            r#"{"name": "default", "mode": "AK", "access_key_id": "LTAI5tFile", "access_key_secret": "S"}"#,
        );
        for name in names {
            case = case.variables(&[(name, "Value")]);
        }
        assert_eq!(warnings(&case), expected);
    }
    // An OIDC token comes before the key.
    let unused = Case::new()
        .variables(&[ROLE, PROVIDER, TOKEN_FILE])
        .variables(&[("ALICLOUD_ACCESS_KEY", "V"), ("ACCESS_KEY_SECRET", "V")]);
    assert!(matches!(unused.plan(), Plan::Oidc(_)));
    assert_eq!(warnings(&unused), [""; 0]);
    // The error of a search without a result names the part that is set.
    let alone = Case::new().variables(&[("ACCESS_KEY_ID", "Value")]);
    assert_eq!(warnings(&alone), [""; 0]);
    assert!(
        alone
            .text()
            .contains("`ACCESS_KEY_ID` is set without a secret")
    );
}

const ROLE: (&str, &str) = ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r");
const PROVIDER: (&str, &str) = (
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
    "acs:ram::1:oidc-provider/p",
);
const TOKEN_FILE: (&str, &str) = ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/t");

#[test]
fn half_set_oidc_role_is_one_warning() {
    let security_token = [("ALIBABA_CLOUD_SECURITY_TOKEN", "TokenEnv")];
    for (variables, expected) in [
        (vec![], None),
        (vec![ROLE, PROVIDER, TOKEN_FILE], None),
        // The role alone may be for a key.
        (vec![ROLE], None),
        (
            vec![ROLE, PROVIDER],
            Some(
                "`ALIBABA_CLOUD_ROLE_ARN` and `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` are set without `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, so no OIDC token is used; set `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, or unset `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`",
            ),
        ),
        (
            vec![ROLE, TOKEN_FILE],
            Some(
                "`ALIBABA_CLOUD_ROLE_ARN` and `ALIBABA_CLOUD_OIDC_TOKEN_FILE` are set without `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, so no OIDC token is used; set `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, or unset `ALIBABA_CLOUD_OIDC_TOKEN_FILE`",
            ),
        ),
        (
            vec![PROVIDER, TOKEN_FILE],
            Some(
                "`ALIBABA_CLOUD_OIDC_PROVIDER_ARN` and `ALIBABA_CLOUD_OIDC_TOKEN_FILE` are set without `ALIBABA_CLOUD_ROLE_ARN`, so no OIDC token is used; set `ALIBABA_CLOUD_ROLE_ARN`, or unset `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` and `ALIBABA_CLOUD_OIDC_TOKEN_FILE`",
            ),
        ),
        (
            vec![TOKEN_FILE],
            Some(
                "`ALIBABA_CLOUD_OIDC_TOKEN_FILE` is set without `ALIBABA_CLOUD_ROLE_ARN` and `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, so no OIDC token is used; set `ALIBABA_CLOUD_ROLE_ARN` and `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`, or unset `ALIBABA_CLOUD_OIDC_TOKEN_FILE`",
            ),
        ),
    ] {
        let file = Case::new().profiles(
            r#"{"name": "default", "mode": "AK", "access_key_id": "LTAI5tFile", "access_key_secret": "S"}"#,
        );
        let expected: Vec<_> = expected.into_iter().collect();
        for case in [file.clone(), file.clone().key()] {
            assert_eq!(
                warnings(&case.variables(&variables)),
                expected,
                "{variables:?}"
            );
        }
        // A search that does not come to these variables has no warning about them.
        let temporary = file.clone().key().variables(&security_token);
        assert_eq!(warnings(&temporary.variables(&variables)), [""; 0]);
        let ignored = file.variables(&[("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS", "1")]);
        assert_eq!(warnings(&ignored.variables(&variables)), [""; 0]);
    }
}

#[test]
fn half_set_parts_are_named_if_the_search_fails() {
    let half = Case::new().variables(&[ROLE, PROVIDER, ("ACCESS_KEY_ID", "Value")]);
    assert_eq!(warnings(&half), [""; 0]);
    let expected = "error: no access key is configured: `ACCESS_KEY_ID` is set without a secret, `ALIBABA_CLOUD_ROLE_ARN` and `ALIBABA_CLOUD_OIDC_PROVIDER_ARN` are set without `ALIBABA_CLOUD_OIDC_TOKEN_FILE`, no file ";
    assert!(half.text().starts_with(expected), "{}", half.text());
    let token = Case::new().variables(&[("SECURITY_TOKEN", "Value")]);
    let expected = "error: no access key is configured: `SECURITY_TOKEN` is set without an ID and a secret, no file ";
    assert!(token.text().starts_with(expected), "{}", token.text());
    // Another error does not name them.
    assert_eq!(warnings(&half.profiles("")).len(), 2);
}

#[test]
fn profile_that_the_environment_shadows_is_a_warning() {
    let shadowed = Case::new().key().settings(|settings| {
        settings.profile_name = Some(Setting::new(
            "dev".to_owned(),
            Origin::Option("--profile-name"),
        ));
    });
    assert_eq!(
        warnings(&shadowed),
        [
            "`--profile-name` has no effect, because the environment gives the access key; unset the variables of the access key, or name the file of the profile with `--profile-file`"
        ]
    );
}

#[test]
fn malformed_part_of_a_key_ends_the_search() {
    for (value, fault) in [
        ("\"quoted\"", "begins with a quote"),
        ("'x", "begins with a quote"),
        ("x\n", "ends with a line break"),
        ("x\r\n", "ends with a line break"),
        (" x", "begins with white space"),
        ("x y", "contains white space"),
        ("x\u{a0}y", "contains white space"),
        ("x\u{7}y", "contains a control character"),
        ("\u{feff}x", "begins with a character that is not ASCII"),
        ("xÿy", "contains a character that is not ASCII"),
    ] {
        for name in [
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALIBABA_CLOUD_SECURITY_TOKEN",
        ] {
            let case = Case::new().key().variables(&[(name, value)]);
            assert_eq!(
                case.text(),
                format!(
                    "error: `{name}` {fault}; set it to only the value, in visible ASCII characters"
                ),
            );
        }
    }
    assert_eq!(
        Case::new()
            .key()
            .variables(&[("ALIBABA_CLOUD_ACCESS_KEY_ID", "Secret/+=")])
            .text(),
        "error: `ALIBABA_CLOUD_ACCESS_KEY_ID` is not an access key ID; set it to an ID such as `LTAI5t...`"
    );
}
