//! The plan of each mode and type, and the values that each of them needs.

use super::*;

const KEY: &str = r#""access_key_id": "LTAI5t1", "access_key_secret": "s""#;
const ROLE: &str = r#""ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice""#;
const PROFILE: &str = "the profile `default` in `/h/.aliyun/config.json`";

/// Returns the modes with the members that they need, and the steps of their plans.
fn modes() -> Vec<(&'static str, String, String)> {
    let key = format!("the access key `LTAI5t1` from `access_key_id` of {PROFILE}");
    let metadata = format!(
        "of this ECS instance from http://100.100.100.200, selected by `mode` of {PROFILE}"
    );
    let assume = format!(
        "AssumeRole at https://sts.aliyuncs.com for acs:ram::1:role/r from `ram_role_arn` of {PROFILE} with the session name"
    );
    vec![
        ("AK", KEY.to_owned(), key.clone()),
        ("StsToken", format!(r#"{KEY}, "sts_token": "t""#), key.clone()),
        ("RamRoleArn", format!("{KEY}, {ROLE}"), format!("{key}, then {assume} `alice`")),
        ("EcsRamRole", String::new(), format!("the key of the only role {metadata}")),
        (
            "RamRoleArnWithRoleName",
            r#""ram_role_arn": "acs:ram::1:role/r""#.to_owned(),
            format!("the key of the only role {metadata}, then {assume} `default-session-name`"),
        ),
        (
            "External",
            r#""process_command": "/bin/tool --secret CANARY""#.to_owned(),
            format!("the key that `/bin/tool` prints, selected by `process_command` of {PROFILE}"),
        ),
        (
            "CredentialsURI",
            r#""credentials_uri": "https://u:CANARY@h/CANARY""#.to_owned(),
            format!("the key from https://h, selected by `credentials_uri` of {PROFILE}"),
        ),
        (
            "OIDC",
            format!(r#""oidc_provider_arn": "acs:ram::1:oidc-provider/p", "oidc_token_file": "/t", {ROLE}"#),
            format!(
                "AssumeRoleWithOIDC at https://sts.aliyuncs.com for acs:ram::1:role/r from `ram_role_arn` of {PROFILE} with the session name `alice` and the token in `/t`"
            ),
        ),
        (
            "CloudSSO",
            r#""cloud_sso_sign_in_url": "https://s.example/start", "cloud_sso_account_id": "1", "cloud_sso_access_config": "c""#
                .to_owned(),
            format!("the CloudSSO session of {PROFILE}"),
        ),
        (
            "OAuth",
            r#""oauth_site_type": "INTL""#.to_owned(),
            format!("the OAuth session of {PROFILE}"),
        ),
    ]
}

#[test]
fn each_mode_has_its_plan_and_refuses_a_missing_member() {
    for (mode, members, expected) in modes() {
        let case = |members: &str| {
            let comma = if members.is_empty() { "" } else { "," };
            Case::new().profiles(&format!(
                r#"{{"name": "default", "mode": "{mode}"{comma} {members}}}"#
            ))
        };
        assert_eq!(case(&members).text(), expected, "{mode}");
        let members: Vec<&str> = members
            .split(", ")
            .filter(|member| !member.is_empty())
            .collect();
        for (index, member) in members.iter().enumerate() {
            let mut rest = members.clone();
            rest.remove(index);
            let (name, _) = member.split_once(": ").unwrap();
            let expected = format!(
                "error: `{}` of {PROFILE} is missing; add it, or correct its name",
                name.trim_matches('"')
            );
            assert_eq!(case(&rest.join(", ")).text(), expected, "{mode}");
        }
    }
}

#[test]
fn optional_members_of_a_role_are_followed() {
    for mode in ["RamRoleArn", "RamRoleArnWithRoleName", "OIDC"] {
        let case = Case::new().profiles(&format!(
            r#"{{"name": "default", "mode": "{mode}", {KEY}, {ROLE}, "oidc_provider_arn": "acs:ram::1:oidc-provider/p",
                "oidc_token_file": "/t", "expired_seconds": 43200, "policy": "{{}}", "ram_role_name": "ecs"}}"#
        ));
        let session = match case.plan() {
            Plan::AssumeRole(plan) => {
                if let Plan::Metadata(source) = &plan.source {
                    assert_eq!(source.role.as_ref().unwrap().value, "ecs");
                }
                plan.session
            }
            Plan::Oidc(plan) => plan.session,
            other => panic!("{other:?}"),
        };
        assert_eq!(session.seconds.unwrap().value.get(), 43_200, "{mode}");
        assert_eq!(session.policy.unwrap().value.as_str(), "{}", "{mode}");
    }
}

#[test]
fn sections_have_the_keys_of_both_tools() {
    let section = "in the section `default` of `/h/.alibabacloud/credentials`";
    let key = format!("the access key `LTAI5t1` from `access_key_id` {section}");
    let missing =
        |name: &str| format!("error: `{name}` {section} is missing; add it, or correct its name");
    let pair = "access_key_id=LTAI5t1\naccess_key_secret=s\n";
    for (kind, keys, expected) in [
        ("access_key", pair.to_owned(), key.clone()),
        (
            "access_key",
            "access_key_id=LTAI5t1".to_owned(),
            missing("access_key_secret"),
        ),
        ("sts", format!("{pair}sts_token=t"), key.clone()),
        ("sts", format!("{pair}security_token=t"), key.clone()),
        ("sts", pair.to_owned(), missing("sts_token")),
        ("ram_role_arn", pair.to_owned(), missing("role_arn")),
        (
            "ram_role_arn",
            format!("{pair}role_arn=acs:ram::1:role/r\nsts_region=r-1"),
            format!(
                "{key}, then AssumeRole at https://sts.r-1.aliyuncs.com for acs:ram::1:role/r from `role_arn` {section} with the session name `ack-ram-tool`"
            ),
        ),
        (
            "ecs_ram_role",
            "role_name=ecs".to_owned(),
            format!(
                "the key of the role `ecs` of this ECS instance from http://100.100.100.200, selected by `type` {section}"
            ),
        ),
        ("external", String::new(), missing("process_command")),
        ("credentials_uri", String::new(), missing("credentials_uri")),
    ] {
        let text = format!("[default]\ntype={kind}\n{keys}\n");
        assert_eq!(Case::new().file(INI_FILE, &text).text(), expected, "{text}");
    }
    let text = format!(
        "[default]\ntype=ram_role_arn\n{pair}role_arn=acs:ram::1:role/r\nrole_session_expiration=900\npolicy={{\"a\":[1]}}"
    );
    let Plan::AssumeRole(plan) = Case::new().file(INI_FILE, &text).plan() else {
        panic!("a role")
    };
    assert_eq!(plan.session.seconds.unwrap().value.get(), 900);
    assert_eq!(plan.session.policy.unwrap().value.as_str(), "{\"a\":[1]}");
}
