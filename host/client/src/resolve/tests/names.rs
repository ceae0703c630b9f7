//! Session names, external IDs and the names of profiles. Usernames can contain session names, so defaults never change.

use ack_ram_core::sts::{ExternalId, RoleArn, SessionName, SessionSeconds};

use super::*;
use crate::plan::RoleSessionName;

const ROLE: &str = "acs:ram::1:role/r";
const INI: &str = "[default]\ntype=ram_role_arn\naccess_key_id=LTAI5t1\naccess_key_secret=s\nrole_arn=acs:ram::1:role/r\n";

fn session_name(case: &Case) -> String {
    match case.run().0 {
        Ok(Plan::AssumeRole(plan)) => match plan.name {
            RoleSessionName::Given(name) => name.value.to_string(),
            RoleSessionName::Forwarded => "(forwarded)".to_owned(),
        },
        Ok(Plan::Oidc(plan)) => plan.name.value.to_string(),
        Ok(other) => panic!("no role: {other:?}"),
        Err(error) => error.to_string(),
    }
}

fn profile(mode: &str, members: &str) -> Case {
    Case::new().profiles(&format!(
        r#"{{"name": "default", "mode": "{mode}", "ram_role_arn": "{ROLE}", "access_key_id": "LTAI5t1",
            "access_key_secret": "s", "oidc_provider_arn": "acs:ram::1:oidc-provider/p", "oidc_token_file": "/t",
            "source_profile": "s" {members}}}, {{"name": "s", "mode": "EcsRamRole"}}"#
    ))
}

fn requested(case: Case) -> Case {
    case.settings(|settings| {
        settings.role = option("--role-arn", RoleArn::parse(ROLE).unwrap());
    })
}

#[test]
fn name_of_a_profile_wins_over_variables() {
    const NAME: &str = r#", "ram_session_name": "alice""#;
    for case in [
        profile("RamRoleArn", NAME),
        profile("RamRoleArnWithRoleName", NAME),
        profile("ChainableRamRoleArn", NAME),
        profile("OIDC", NAME),
        Case::new().file(INI_FILE, &format!("{INI}role_session_name=alice")),
    ] {
        let case = case.variables(&[("ALIBABA_CLOUD_ROLE_SESSION_NAME", "bob")]);
        assert_eq!(session_name(&case), "alice");
    }
    for mode in ["RamRoleArn", "ChainableRamRoleArn", "OIDC"] {
        let case = profile(mode, "").variables(&[("ALIBABA_CLOUD_ROLE_SESSION_NAME", "bob")]);
        assert_eq!(
            session_name(&case),
            "`ram_session_name` of the profile `default` in `/h/.aliyun/config.json` is missing; add it, or correct its name",
            "{mode}"
        );
    }
}

#[test]
fn default_name_is_that_of_ack_ram_tool() {
    let oidc = [
        ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
        (
            "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "acs:ram::1:oidc-provider/p",
        ),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/t"),
    ];
    for (case, default) in [
        (Case::new().key().variables(&oidc[..1]), "ack-ram-tool"),
        (Case::new().variables(&oidc), "ack-ram-tool"),
        (Case::new().file(INI_FILE, INI), "ack-ram-tool"),
        (
            Case::new().file("/i", INI).settings(|settings| {
                settings.profile_file = option("--profile-file", "/i".into());
            }),
            "ack-ram-tool",
        ),
        (
            Case::new()
                .file("/i", INI)
                .variables(&[("ALIBABA_CLOUD_CREDENTIALS_FILE", "/i")]),
            "default-session-name",
        ),
        (
            profile("RamRoleArnWithRoleName", ""),
            "default-session-name",
        ),
        (requested(Case::new().key()), "ack-ram-tool"),
        (
            requested(profile("RamRoleArnWithRoleName", "")),
            "ack-ram-tool",
        ),
        (
            requested(
                Case::new()
                    .file("/i", INI)
                    .variables(&[("ALIBABA_CLOUD_CREDENTIALS_FILE", "/i")]),
            ),
            "ack-ram-tool",
        ),
    ] {
        assert_eq!(session_name(&case), default);
        let case = case.variables(&[("ALICLOUD_ROLE_SESSION_NAME", "second")]);
        assert_eq!(session_name(&case), "second");
        let case = case.variables(&[("ALIBABA_CLOUD_ROLE_SESSION_NAME", "first")]);
        assert_eq!(session_name(&case), "first");
        let case = case.settings(|settings| settings.default_session_name = "link".to_owned());
        assert_eq!(session_name(&case), "first");
        let case = case.settings(|settings| {
            settings.session.name = option("--session-name", SessionName::parse("flag").unwrap());
        });
        assert_eq!(session_name(&case), "flag");
    }
}

#[test]
fn forwarded_name_excludes_a_given_name_and_needs_a_source() {
    let forward = |case: Case| case.settings(|settings| settings.session.forward_name = true);
    assert_eq!(
        session_name(&forward(requested(Case::new().key()))),
        "(forwarded)"
    );
    let both = forward(requested(Case::new().key())).settings(|settings| {
        settings.session.name = option("--session-name", SessionName::parse("flag").unwrap());
    });
    assert_eq!(
        session_name(&both),
        "`--session-name` and `--forward-session-name` exclude each other; use only one of them"
    );
    let oidc = forward(profile("OIDC", r#", "ram_session_name": "alice""#));
    assert_eq!(
        session_name(&oidc),
        "`--forward-session-name` is given, but a role for an OIDC token does not take it; leave out `--forward-session-name`"
    );
}

#[test]
fn session_options_belong_to_the_last_role() {
    let with_options = |case: Case| {
        case.settings(|settings| {
            settings.session.seconds = option("--duration", SessionSeconds::new(900).unwrap());
            settings.session.external_id =
                option("--external-id", ExternalId::parse("from-option").unwrap());
        })
    };
    let profile = profile(
        "RamRoleArn",
        r#", "ram_session_name": "alice", "expired_seconds": 1800, "external_id": "from-profile""#,
    );
    let case = with_options(profile);
    let Plan::AssumeRole(plan) = case.plan() else {
        panic!("a role")
    };
    assert_eq!(plan.session.seconds.unwrap().value.get(), 900);
    assert_eq!(plan.external_id.unwrap().value.as_str(), "from-option");

    let Plan::AssumeRole(plan) = requested(case).plan() else {
        panic!("a role")
    };
    assert_eq!(plan.external_id.unwrap().value.as_str(), "from-option");
    let Plan::AssumeRole(inner) = plan.source else {
        panic!("the role of the profile")
    };
    assert_eq!(inner.session.seconds.unwrap().value.get(), 1800);
    assert_eq!(inner.external_id.unwrap().value.as_str(), "from-profile");

    for source in [
        Case::new().key(),
        Case::new().variables(&[("ALIBABA_CLOUD_ECS_METADATA", "r")]),
        Case::new().profiles(r#"{"name": "default", "mode": "External", "process_command": "p"}"#),
    ] {
        assert_eq!(
            with_options(source).text(),
            "error: `--external-id` is given, but no role is assumed; add `--role-arn`, or leave out `--external-id`"
        );
    }
}

#[test]
fn external_id_variable_is_for_roles_without_an_external_id() {
    let name = r#", "ram_session_name": "alice""#;
    let own = r#", "ram_session_name": "alice", "external_id": "own""#;
    for (case, expected) in [
        (
            Case::new()
                .key()
                .variables(&[("ALIBABA_CLOUD_ROLE_ARN", ROLE)]),
            "variable",
        ),
        (requested(Case::new().key()), "variable"),
        (profile("RamRoleArn", name), "variable"),
        (profile("RamRoleArn", own), "own"),
        (profile("RamRoleArnWithRoleName", own), "own"),
        (profile("ChainableRamRoleArn", name), "variable"),
        (Case::new().file(INI_FILE, INI), "variable"),
    ] {
        let Plan::AssumeRole(plan) = case
            .variables(&[("ALIBABA_CLOUD_EXTERNAL_ID", "variable")])
            .plan()
        else {
            panic!("a role")
        };
        assert_eq!(plan.external_id.unwrap().value.as_str(), expected);
    }
}

#[test]
fn profile_name_has_one_order_for_both_files() {
    let profiles: Vec<String> = ["flag", "twin", "twin2", "v1", "v2", "v3", "current", "default"]
        .iter()
        .map(|name| {
            format!(r#"{{"name": "{name}", "mode": "AK", "access_key_id": "LTAI5t-{name}", "access_key_secret": "s"}}"#)
        })
        .collect();
    let ini: String = ["flag", "twin", "twin2", "v1", "v2", "v3", "default"]
        .iter()
        .map(|name| {
            format!("[{name}]\ntype = access_key\naccess_key_id = LTAI5t-{name}\naccess_key_secret = s\n")
        })
        .collect();
    let json = format!(
        r#"{{"current": "current", "profiles": [{}]}}"#,
        profiles.join(",")
    );
    for (path, text, last) in [
        (CLI_FILE, json.as_str(), "current"),
        (INI_FILE, &ini, "default"),
    ] {
        let mut case = Case::new()
            .file(path, text)
            .settings(|settings| {
                settings.profile_name = option("--profile-name", "flag".to_owned());
            })
            .variables(&[
                ("ACK_RAM_TOOL_PROFILE_NAME", "twin"),
                ("ACK_RAM_TOOL_PROFIL_ENAME", "twin2"),
                ("ALIBABA_CLOUD_PROFILE", "v1"),
                ("ALIBABACLOUD_PROFILE", "v2"),
                ("ALICLOUD_PROFILE", "v3"),
            ]);
        let id = |case: &Case| match case.plan() {
            Plan::Key(plan) => plan.key.id.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(id(&case), "LTAI5t-flag");
        case.settings.profile_name = None;
        for (variable, name) in [
            ("ACK_RAM_TOOL_PROFILE_NAME", "twin"),
            ("ACK_RAM_TOOL_PROFIL_ENAME", "twin2"),
            ("ALIBABA_CLOUD_PROFILE", "v1"),
            ("ALIBABACLOUD_PROFILE", "v2"),
            ("ALICLOUD_PROFILE", "v3"),
        ] {
            assert_eq!(id(&case), format!("LTAI5t-{name}"));
            case = case.variables(&[(variable, "")]);
        }
        assert_eq!(id(&case), format!("LTAI5t-{last}"));
    }
}
