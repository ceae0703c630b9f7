//! The text and the remedy of each mistake in a setup.

use std::collections::BTreeSet;

use super::*;
use crate::error::SetupError;

/// Returns the name of a variant. A new variant does not compile here without a name, and fails the test without a case.
fn variant(error: &SetupError) -> &'static str {
    match error {
        SetupError::NotConfigured { .. } => "NotConfigured",
        SetupError::Missing { .. } => "Missing",
        SetupError::Malformed { .. } => "Malformed",
        SetupError::AccessKeyId { .. } => "AccessKeyId",
        SetupError::Form { .. } => "Form",
        SetupError::RoleArn { .. } => "RoleArn",
        SetupError::Endpoint { .. } => "Endpoint",
        SetupError::Url { .. } => "Url",
        SetupError::Type { .. } => "Type",
        SetupError::NameCase { .. } => "NameCase",
        SetupError::Command { .. } => "Command",
        SetupError::File { .. } => "File",
        SetupError::Json { .. } => "Json",
        SetupError::Ini { .. } => "Ini",
        SetupError::NoProfiles { .. } => "NoProfiles",
        SetupError::NoProfile { .. } => "NoProfile",
        SetupError::NoMode { .. } => "NoMode",
        SetupError::UnknownMode { .. } => "UnknownMode",
        SetupError::UnusableMode { .. } => "UnusableMode",
        SetupError::Loop { .. } => "Loop",
        SetupError::ChainTooLong { .. } => "ChainTooLong",
        SetupError::SwitchedOff { .. } => "SwitchedOff",
        SetupError::Conflict(..) => "Conflict",
        SetupError::NoRole(_) => "NoRole",
        SetupError::NotForOidc(_) => "NotForOidc",
        SetupError::NoHome(_) => "NoHome",
        // The output of a process and the token have their own tests.
        SetupError::NestedProcess(_)
        | SetupError::NoSourceFile { .. }
        | SetupError::ReservedQueryKey(_)
        | SetupError::SecretInQuery(_) => "elsewhere",
    }
}

const VARIANTS: usize = 26;

/// A remedy that the cause has already said is a sentence that the reader reads twice.
#[test]
fn no_cause_repeats_its_remedy() {
    for (case, _) in cases() {
        let Err(error) = case.run().0 else {
            panic!("{}", case.text())
        };
        let (cause, remedy) = (error.cause(), error.remedy());
        assert!(!cause.contains("; "), "a remedy in the cause: {cause}");
        let value = remedy.strip_prefix("set it to ").unwrap_or(&remedy);
        assert!(!cause.contains(value), "{cause}; {remedy}");
    }
}

#[test]
fn each_mistake_names_cause_place_and_remedy() {
    let mut seen = BTreeSet::new();
    for (case, expected) in cases() {
        let Err(ClientError::Setup(error)) = case.run().0 else {
            panic!("{}", case.text())
        };
        assert_eq!(format!("{error}; {}", error.remedy()), expected);
        seen.insert(variant(&error));
    }
    // These have their own tests with every detail.
    seen.extend(["NameCase", "Loop", "ChainTooLong", "NotForOidc"]);
    assert_eq!(seen.len(), VARIANTS, "{seen:?}");
}

fn profile(members: &str) -> Case {
    Case::new().profiles(&format!(r#"{{"name": "default", {members}}}"#))
}

fn role(members: &str) -> Case {
    profile(&format!(
        r#""mode": "RamRoleArn", "access_key_id": "LTAI5t1", "access_key_secret": "CANARY", {members}"#
    ))
}

#[rustfmt::skip]
fn cases() -> Vec<(Case, &'static str)> {
    let modes = "choose a mode with a key, a role or a session, such as `AK`, `StsToken`, `RamRoleArn` or `CloudSSO`: run `aliyun configure`";
    let types = "set it to `access_key`, `sts`, `ram_role_arn`, `ecs_ram_role`, `external` or `credentials_uri`";
    let mut cases = vec![
        (
            Case::new(),
            "no access key is configured: no key in the environment, no file `/h/.aliyun/config.json`, no file `/h/.alibabacloud/credentials`; set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, or run `aliyun configure`; `ack-ram-authenticator doctor` shows all sources",
        ),
        (
            Case::new().variables(&[
                ("HOME", ""),
                ("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS", "1"),
                ("ALIBABA_CLOUD_IGNORE_PROFILE", "TRUE"),
            ]),
            "no access key is configured: the environment (ignored by `ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS`), the file of the CLI (ignored by `ALIBABA_CLOUD_IGNORE_PROFILE`), no home directory; set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, or run `aliyun configure`; `ack-ram-authenticator doctor` shows all sources",
        ),
        (
            profile(r#""mode": "AK", "access_key_id": "LTAI5t1", "access_key_secret": """#),
            "`access_key_secret` of the profile `default` in `/h/.aliyun/config.json` is missing; add it, or correct its name",
        ),
        (
            profile(r#""mode": "AK", "access_key_id": "LTAI5t1", "access_key_secret": "CAN\u0000ARY""#),
            "`access_key_secret` of the profile `default` in `/h/.aliyun/config.json` contains a control character; set it to only the value, in visible ASCII characters",
        ),
        (
            profile(r#""mode": "AK", "access_key_id": "CANARY+/=", "access_key_secret": "LTAI5t1""#),
            "`access_key_id` of the profile `default` in `/h/.aliyun/config.json` is not an access key ID; set it to an ID such as `LTAI5t...`",
        ),
        (
            profile(r#""mode": "AK", "access_key_id": 1, "access_key_secret": "CANARY""#),
            "`access_key_id` of the profile `default` in `/h/.aliyun/config.json` has a value of the wrong type; set it to a text",
        ),
        (
            role(r#""ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "a b""#),
            "`ram_session_name` of the profile `default` in `/h/.aliyun/config.json` is not a valid session name; set it to 2 to 64 characters of `A-Z a-z 0-9 . @ - _`",
        ),
        (
            role(r#""ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice", "expired_seconds": 899"#),
            "`expired_seconds` of the profile `default` in `/h/.aliyun/config.json` is not a valid lifetime of a session; set it to 900 to 43,200 seconds",
        ),
        (
            role(r#""ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice", "expired_seconds": -1"#),
            "`expired_seconds` of the profile `default` in `/h/.aliyun/config.json` has a value of the wrong type; set it to a whole number that is not negative",
        ),
        (
            role(r#""ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice", "external_id": "x""#),
            "`external_id` of the profile `default` in `/h/.aliyun/config.json` is not a valid external ID; set it to 2 to 1,224 characters of `A-Z a-z 0-9 _ + = , . @ : / -`",
        ),
        (
            role(r#""ram_role_arn": "acs:ram::1:user/u", "ram_session_name": "alice""#),
            "`ram_role_arn` of the profile `default` in `/h/.aliyun/config.json` is not the ARN of a role: it is the ARN of a user, which cannot be assumed; set it to an ARN such as `acs:ram::1234567890123456:role/dev`",
        ),
        (
            role(r#""ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice", "sts_region": "CN""#),
            "`sts_region` of the profile `default` in `/h/.aliyun/config.json` is not an STS endpoint; write a region ID, such as `cn-hangzhou`",
        ),
        (
            profile(r#""mode": "CredentialsURI", "credentials_uri": "ftp://CANARY@h/""#),
            "`credentials_uri` of the profile `default` in `/h/.aliyun/config.json` has a scheme other than `http` and `https`; write `https://<host>/<path>`",
        ),
        (
            profile(r#""mode": "CloudSSO", "cloud_sso_sign_in_url": "http://s.example/CANARY", "cloud_sso_account_id": "1", "cloud_sso_access_config": "ac""#),
            "`cloud_sso_sign_in_url` of the profile `default` in `/h/.aliyun/config.json` starts with `http://`, which would send the access token unencrypted; write `https://`",
        ),
        (
            profile(r#""mode": "OAuth", "oauth_site_type": "cn""#),
            "`oauth_site_type` of the profile `default` in `/h/.aliyun/config.json` is not a valid OAuth site; set it to `CN` or `INTL`",
        ),
        (
            profile(r#""mode": "External", "process_command": "tool 'CANARY""#),
            "`process_command` of the profile `default` in `/h/.aliyun/config.json` has a quote that is not closed, or ends with a backslash; correct the command",
        ),
        (
            Case::new().variables(&[("ALIBABA_CLOUD_CREDENTIALS_FILE", "/absent")]),
            "`/absent`, which `ALIBABA_CLOUD_CREDENTIALS_FILE` names, does not exist; create the file, or correct its path",
        ),
        (
            Case::new().file(CLI_FILE, "{\"profiles\": [\nCANARY"),
            "`/h/.aliyun/config.json` is not valid: not valid JSON at line 2, column 1; correct the file, or run `aliyun configure`",
        ),
        (
            Case::new().file(CLI_FILE, "[]"),
            "`/h/.aliyun/config.json` is not valid: not a JSON object; correct the file, or run `aliyun configure`",
        ),
        (
            Case::new().file(CLI_FILE, r#"{"profiles": {"mode": "CANARY"}}"#),
            "`/h/.aliyun/config.json` has no list `profiles`; correct the file, or run `aliyun configure`",
        ),
        (
            Case::new().file(INI_FILE, "[default]\nCANARY"),
            "`/h/.alibabacloud/credentials` is not valid: line 2 has no `=`; correct the file",
        ),
        (
            Case::new().profiles("").variables(&[("ALIBABA_CLOUD_PROFILE", "p")]),
            "the profile `p` in `/h/.aliyun/config.json`, which `ALIBABA_CLOUD_PROFILE` names, does not exist; add it; the file has no profiles",
        ),
        (
            Case::new().file(INI_FILE, "[a]\n[b]\n[a]"),
            "the profile `default` in `/h/.alibabacloud/credentials` does not exist; choose one of `a`, `b`",
        ),
        (
            Case::new().variables(&[("ACK_RAM_TOOL_PROFILE_FILE", "~/i"), ("HOME", "")]),
            "`~/i` starts with `~`, but the home directory is unknown; set `HOME`, or write an absolute path",
        ),
        (
            Case::new()
                .variables(&[("ACK_RAM_TOOL_PROFILE_FILE", "/c.json")])
                .settings(|settings| settings.ignore_cli_file = Some(Origin::Option("--ignore-aliyun-cli-credentials"))),
            "`ACK_RAM_TOOL_PROFILE_FILE` and `--ignore-aliyun-cli-credentials` exclude each other; use only one of them",
        ),
        (
            Case::new()
                .variables(&[("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS", "1")])
                .settings(|settings| settings.profile_file = option("--profile-file", "/c.json".into())),
            "`--profile-file` and `ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS` exclude each other; use only one of them",
        ),
        (
            Case::new()
                .variables(&[("ACK_RAM_TOOL_PROFILE_FILE", "/c.json"), ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", "true")]),
            "`ACK_RAM_TOOL_PROFILE_FILE` selects a file of the Alibaba Cloud CLI, which `ALIBABA_CLOUD_CLI_PROFILE_DISABLED` switches off; unset `ALIBABA_CLOUD_CLI_PROFILE_DISABLED`, or select another source",
        ),
        (
            Case::new().key().settings(|settings| settings.session.forward_name = true),
            "`--forward-session-name` is given, but no role is assumed; add `--role-arn`, or leave out `--forward-session-name`",
        ),
    ];
    let file = "of the profile `default` in `/h/.aliyun/config.json`";
    for (members, expected) in [
        ("\"a\": 1", format!("`mode` {file} is missing, so that nothing says how the key is obtained; {modes}")),
        (r#""mode": """#, format!("`mode` {file} is missing, so that nothing says how the key is obtained; {modes}")),
        (r#""mode": "ak""#, format!("`mode` {file} has an unknown value: `ak`; {modes}")),
        // A secret in the wrong place is not shown.
        (r#""mode": "CANARY0secret""#, format!("`mode` {file} has an unknown value; {modes}")),
        (r#""mode": "RsaKeyPair""#, format!("`mode` {file} has the value `RsaKeyPair`, which cannot sign a token; {modes}")),
        (r#""mode": "BearerToken""#, format!("`mode` {file} has the value `BearerToken`, which cannot sign a token; {modes}")),
        (r#""mode": "Anonymous""#, format!("`mode` {file} has the value `Anonymous`, which cannot sign a token; {modes}")),
    ] {
        cases.push((profile(members), expected.leak()));
    }
    let file = "in the section `default` of `/h/.alibabacloud/credentials`";
    for (line, expected) in [
        ("a=1", format!("`type` {file} is missing, so that nothing says how the key is obtained; {types}")),
        ("type=AK", format!("`type` {file} has an unknown value: `AK`; {types}")),
        ("type=rsa_key_pair", format!("`type` {file} has the value `rsa_key_pair`, which cannot sign a token; {types}")),
        ("type=bearer", format!("`type` {file} has the value `bearer`, which cannot sign a token; {types}")),
    ] {
        cases.push((Case::new().file(INI_FILE, &format!("[default]\n{line}")), expected.leak()));
    }
    cases
}
