//! The STS endpoint: one order for every source, and `http` to this machine only.

use super::*;

const ROLE: &str = "acs:ram::1:role/r";

fn endpoint(case: &Case) -> String {
    match case.run().0 {
        Ok(Plan::AssumeRole(plan)) => plan.session.endpoint.value.to_string(),
        Ok(Plan::Oidc(plan)) => plan.session.endpoint.value.to_string(),
        Ok(other) => panic!("no role: {other:?}"),
        Err(error) => error.to_string(),
    }
}

/// The sources of a role. Each has a profile with `members`, if the source has a profile.
fn sources(members: &str) -> Vec<Case> {
    let role = |case: Case| {
        case.settings(|settings| {
            settings.role = option(
                "--role-arn",
                ack_ram_core::sts::RoleArn::parse(ROLE).unwrap(),
            );
        })
    };
    let profile = |mode: &str| {
        Case::new().profiles(&format!(
            r#"{{"name": "default", "mode": "{mode}", "access_key_id": "LTAI5t1", "access_key_secret": "s",
                "ram_role_arn": "{ROLE}", "ram_session_name": "name", "oidc_provider_arn": "acs:ram::1:oidc-provider/p",
                "oidc_token_file": "/t" {members}}}"#
        ))
    };
    let mut sources = vec![
        profile("RamRoleArn"),
        profile("RamRoleArnWithRoleName"),
        profile("OIDC"),
        role(profile("AK")),
    ];
    if members.is_empty() {
        let oidc = [
            ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
            (
                "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
                "acs:ram::1:oidc-provider/p",
            ),
            ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/t"),
        ];
        let ini = format!(
            "[default]\ntype=ram_role_arn\naccess_key_id=LTAI5t1\naccess_key_secret=s\nrole_arn={ROLE}"
        );
        sources.extend([
            Case::new().key().variables(&oidc[..1]),
            Case::new().variables(&oidc),
            role(Case::new().key()),
            Case::new()
                .variables(&[("ALIBABA_CLOUD_CREDENTIALS_FILE", "/ini")])
                .file("/ini", &ini),
            Case::new().file(INI_FILE, &ini),
        ]);
    }
    sources
}

#[test]
fn endpoint_has_one_order_for_every_source() {
    // Each variable is removed after it has decided.
    let order = [
        (
            "ACK_RAM_TOOL_STS_ENDPOINT",
            "twin.example",
            "https://twin.example",
        ),
        (
            "ALIBABA_CLOUD_STS_ENDPOINT",
            "variable.example:8443",
            "https://variable.example:8443",
        ),
        (
            "ACK_RAM_TOOL_REGION_ID",
            "twin-region",
            "https://sts.twin-region.aliyuncs.com",
        ),
        (
            "ALIBABA_CLOUD_STS_REGION",
            "sdk-region",
            "https://sts.sdk-region.aliyuncs.com",
        ),
    ];
    for mut case in sources("") {
        case = case.settings(|settings| {
            settings.sts_endpoint = option("--sts-endpoint", "option.example".to_owned());
            settings.region = option("--region-id", "option-region".to_owned());
        });
        case = case.variables(&order.map(|(name, value, _)| (name, value)));
        assert_eq!(endpoint(&case), "https://option.example");
        case.settings.sts_endpoint = None;
        for (name, _, expected) in order {
            if name == "ACK_RAM_TOOL_REGION_ID" {
                assert_eq!(endpoint(&case), "https://sts.option-region.aliyuncs.com");
                case.settings.region = None;
            }
            assert_eq!(endpoint(&case), expected);
            case.variables.remove(name);
        }
        assert_eq!(endpoint(&case), "https://sts.aliyuncs.com");
    }
}

#[test]
fn profile_decides_after_the_option_and_before_the_variables() {
    for (members, expected) in [
        (
            r#", "sts_endpoint": "p.example", "sts_region": "p-region""#,
            "https://p.example",
        ),
        (
            r#", "sts_region": "p-region""#,
            "https://sts.p-region.aliyuncs.com",
        ),
        (
            r#", "sts_region": "p-region", "enable_vpc": true"#,
            "https://sts-vpc.p-region.aliyuncs.com",
        ),
        // The region of other services, and a switch without a region, do not count.
        (
            r#", "region_id": "p-region", "enable_vpc": true"#,
            "https://v.example",
        ),
    ] {
        for case in sources(members) {
            let mut case = case.variables(&[
                ("ALIBABA_CLOUD_STS_ENDPOINT", "v.example"),
                ("ALIBABA_CLOUD_STS_REGION", "v-region"),
                ("ACK_RAM_TOOL_REGION_ID", "t-region"),
            ]);
            assert_eq!(endpoint(&case), expected, "{members}");
            case = case.variables(&[("ACK_RAM_TOOL_STS_ENDPOINT", "twin.example")]);
            assert_eq!(endpoint(&case), "https://twin.example", "{members}");
        }
    }
}

#[test]
fn each_role_of_a_chain_has_the_endpoint_of_its_profile() {
    let case = Case::new().profiles(
        r#"{"name": "default", "mode": "ChainableRamRoleArn", "source_profile": "s", "ram_role_arn": "acs:ram::1:role/b",
            "ram_session_name": "b2", "sts_region": "r-b"},
           {"name": "s", "mode": "RamRoleArn", "access_key_id": "LTAI5t1", "access_key_secret": "s",
            "ram_role_arn": "acs:ram::1:role/a", "ram_session_name": "a1", "sts_endpoint": "a.example"}"#,
    );
    assert_eq!(
        case.text(),
        "the access key `LTAI5t1` from `access_key_id` of the profile `s` in `/h/.aliyun/config.json`, then AssumeRole at https://a.example for acs:ram::1:role/a from `ram_role_arn` of the profile `s` in `/h/.aliyun/config.json` with the session name `a1`, then AssumeRole at https://sts.r-b.aliyuncs.com for acs:ram::1:role/b from `ram_role_arn` of the profile `default` in `/h/.aliyun/config.json` with the session name `b2`"
    );
}

#[test]
fn vpc_variable_concerns_the_region_of_the_sdk() {
    for (variables, expected) in [
        (
            vec![("ALIBABA_CLOUD_STS_REGION", "r-1")],
            "https://sts-vpc.r-1.aliyuncs.com",
        ),
        (
            vec![("ACK_RAM_TOOL_REGION_ID", "r-1")],
            "https://sts.r-1.aliyuncs.com",
        ),
        (vec![], "https://sts.aliyuncs.com"),
    ] {
        for case in sources("") {
            let case = case
                .variables(&[("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", "true")])
                .variables(&variables);
            assert_eq!(endpoint(&case), expected);
        }
    }
}

#[test]
fn http_is_for_this_machine_only() {
    const NOT_ENCRYPTED: &str = "`ALIBABA_CLOUD_STS_ENDPOINT` is not an STS endpoint; write `https://`, because `http://` is only for this machine";
    const NOT_AN_ENDPOINT: &str = "`ALIBABA_CLOUD_STS_ENDPOINT` is not an STS endpoint; write a host, `host:port` or an `https://` URL, such as `sts.cn-hangzhou.aliyuncs.com`";
    for (text, scheme, expected) in [
        ("h.example", "", "https://h.example"),
        ("h.example", "https", "https://h.example"),
        ("h.example", "ftp", "https://h.example"),
        ("h.example", "http", NOT_ENCRYPTED),
        ("h.example", "HTTP", NOT_ENCRYPTED),
        ("http://h.example", "", NOT_ENCRYPTED),
        ("https://h.example", "http", "https://h.example"),
        ("127.0.0.1:8", "", "https://127.0.0.1:8"),
        ("127.0.0.1:8", "http", "http://127.0.0.1:8"),
        ("[::1]:8", "http", "http://[::1]:8"),
        ("localhost", "http", "http://localhost"),
        ("http://127.0.0.1:8/", "", "http://127.0.0.1:8"),
        ("http://127.0.0.1.example", "", NOT_ENCRYPTED),
        ("http://localhost.example", "", NOT_ENCRYPTED),
        ("http://localhost@h.example", "", NOT_AN_ENDPOINT),
        ("ftp://h.example", "", NOT_AN_ENDPOINT),
        (
            "https://h.example/p",
            "",
            "`ALIBABA_CLOUD_STS_ENDPOINT` is not an STS endpoint; write only the host, without a path",
        ),
        ("a b", "", NOT_AN_ENDPOINT),
    ] {
        let case = Case::new().key().variables(&[
            ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
            ("ALIBABA_CLOUD_STS_ENDPOINT", text),
            ("ALIBABA_CLOUD_STS_HTTP_SCHEME", scheme),
        ]);
        assert_eq!(endpoint(&case), expected, "{text} {scheme}");
    }
    // The variable concerns endpoints that a person wrote.
    let case = Case::new().key().variables(&[
        ("ALIBABA_CLOUD_ROLE_ARN", ROLE),
        ("ALIBABA_CLOUD_STS_HTTP_SCHEME", "http"),
    ]);
    assert_eq!(endpoint(&case), "https://sts.aliyuncs.com");
}

#[test]
fn endpoint_of_a_key_without_a_role_is_not_read() {
    let case = Case::new().key().variables(&[
        ("ALIBABA_CLOUD_STS_ENDPOINT", "not an endpoint"),
        ("ALIBABA_CLOUD_STS_REGION", "not a region"),
    ]);
    assert_eq!(
        case.text(),
        "the access key `LTAI5tEnv` from `ALIBABA_CLOUD_ACCESS_KEY_ID`"
    );
}
