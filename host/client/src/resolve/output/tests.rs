use super::*;
use crate::origin::Origin;
use crate::resolve::Inputs;
use crate::settings::Settings;

/// The process of the profile `default` of a file with another profile `other`, and of a profile `process`.
const FILE: &str = r#"{"profiles": [
    {"name": "other", "mode": "AK", "access_key_id": "LTAI5tOther", "access_key_secret": "s"},
    {"name": "process", "mode": "External", "process_command": "p"},
    {"name": "via", "mode": "ChainableRamRoleArn", "source_profile": "process", "ram_role_arn": "acs:ram::1:role/r",
     "ram_session_name": "via"}]}"#;

const KEY: &str = r#""access_key_id": "LTAI5t1", "access_key_secret": "s""#;

fn plan_of(output: &str, with_file: bool) -> String {
    let settings = Settings::default();
    let environment = Environment::default();
    let inputs = Inputs {
        settings: &settings,
        environment: &environment,
        files: &crate::driver::SystemFiles,
    };
    let file = with_file.then(|| Arc::new(CliText::of("/c.json", FILE)));
    let plan = ProcessPlan {
        words: Vec::new(),
        origin: Origin::Output("process_command"),
        context: Arc::new(OutputContext::collect(&inputs, file)),
    };
    match plan.plan_of_output(output) {
        Ok(Plan::Key(key)) => {
            let end = key
                .expires
                .map_or("without an end".to_owned(), |end| format!("until {end}"));
            format!("{} {end}", key.key.id)
        }
        Ok(plan) => plan.summary().text(),
        Err(OutputError::NoProfile) => "no profile".to_owned(),
        Err(OutputError::Setup(error)) => format!("error: {error}; {}", error.remedy()),
    }
}

#[test]
fn first_object_with_a_mode_is_the_profile() {
    let ak = format!(r#"{{"mode": "AK", {KEY}}}"#);
    let found = "LTAI5t1 without an end";
    let other = r#"{"mode": "AK", "access_key_id": "LTAI5tB", "access_key_secret": "s"}"#;
    for (output, expected) in [
        (ak.clone(), found),
        (format!("\u{feff}\r\n {ak}\n"), found),
        (format!("log {{ not JSON }} {ak} {other}"), found),
        (format!("{{\"level\": \"info\"}}\n{ak}"), found),
        // An object inside another object is not a profile.
        (
            format!(r#"{{"level": "info", "inner": {other}}} {ak}"#),
            found,
        ),
        (format!(r#"{{"mode": 1}} {ak}"#), found),
        // The first object is refused, so that no other object may be taken.
        (
            format!(r#"{{"mode": "AK", "Mode": "AK", {KEY}}} {other}"#),
            "no profile",
        ),
        (
            format!(r#"{{"access_key_id": "a", "access_key_id": "b"}} {other}"#),
            "no profile",
        ),
        (String::new(), "no profile"),
        ("{".repeat(100_000), "no profile"),
        (format!("{} {ak}", "{".repeat(200)), "no profile"),
        (ak.trim_end_matches('}').to_owned(), "no profile"),
        (format!("[{ak}]"), found),
    ] {
        assert_eq!(plan_of(&output, true), expected, "{output:.80}");
    }
}

#[test]
fn printed_profile_of_each_mode_is_followed() {
    let session = r#""sts_token": "t", "sts_expiration": 1800000000"#;
    let role = r#""ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice""#;
    for (profile, with_file, expected) in [
        (
            format!(r#""mode": "AK", {KEY}"#),
            false,
            "LTAI5t1 without an end",
        ),
        (
            format!(r#""mode": "StsToken", {KEY}, "sts_token": "t""#),
            false,
            "LTAI5t1 without an end",
        ),
        (
            format!(
                r#""mode": "StsToken", {KEY}, "sts_token": "t", "expiration": "2027-01-15T08:00:00Z""#
            ),
            false,
            "LTAI5t1 until 2027-01-15T08:00:00Z",
        ),
        (
            format!(r#""mode": "StsToken", {KEY}, {session}"#),
            false,
            "LTAI5t1 until 2027-01-15T08:00:00Z",
        ),
        (
            format!(r#""mode": "CloudSSO", {KEY}, {session}"#),
            false,
            "LTAI5t1 until 2027-01-15T08:00:00Z",
        ),
        (
            format!(r#""mode": "OAuth", {KEY}, {session}"#),
            true,
            "LTAI5t1 until 2027-01-15T08:00:00Z",
        ),
        (
            r#""mode": "OAuth", "oauth_site_type": "CN", "oauth_refresh_token": "t""#.to_owned(),
            true,
            "error: `sts_expiration` in the output of the process is missing; add it, or correct its name",
        ),
        (
            format!(r#""mode": "RamRoleArn", {KEY}, {role}"#),
            false,
            "the access key `LTAI5t1` from `access_key_id` in the output of the process, then AssumeRole at https://sts.aliyuncs.com for acs:ram::1:role/r from `ram_role_arn` in the output of the process with the session name `alice`",
        ),
        (
            r#""mode": "EcsRamRole", "ram_role_name": "r""#.to_owned(),
            false,
            "the key of the role `r` of this ECS instance from http://100.100.100.200, selected by `mode` in the output of the process",
        ),
        (
            r#""mode": "CredentialsURI", "credentials_uri": "http://h/CANARY""#.to_owned(),
            false,
            "the key from http://h, selected by `credentials_uri` in the output of the process",
        ),
        (
            format!(r#""mode": "ChainableRamRoleArn", "source_profile": "other", {role}"#),
            true,
            "the access key `LTAI5tOther` from `access_key_id` of the profile `other` in `/c.json`, then AssumeRole at https://sts.aliyuncs.com for acs:ram::1:role/r from `ram_role_arn` in the output of the process with the session name `alice`",
        ),
        (
            format!(r#""mode": "ChainableRamRoleArn", "source_profile": "other", {role}"#),
            false,
            "error: `source_profile` in the output of the process needs a file of the Alibaba Cloud CLI, but the process is not from one; let the process print a key",
        ),
        (
            r#""mode": "Anonymous""#.to_owned(),
            false,
            "error: `mode` in the output of the process has the value `Anonymous`, which cannot sign a token; let the process print a profile with the mode `AK` or `StsToken`",
        ),
        (
            r#""mode": """#.to_owned(),
            false,
            "error: `mode` in the output of the process is missing, so that nothing says how the key is obtained; let the process print a profile with the mode `AK` or `StsToken`",
        ),
    ] {
        assert_eq!(
            plan_of(&format!("{{{profile}}}"), with_file),
            expected,
            "{profile}"
        );
    }
}

#[test]
fn printed_profile_runs_no_other_process() {
    for profile in [
        r#"{"mode": "External", "process_command": "p"}"#,
        r#"{"mode": "ChainableRamRoleArn", "source_profile": "process", "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice"}"#,
        r#"{"mode": "ChainableRamRoleArn", "source_profile": "via", "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice"}"#,
    ] {
        assert_eq!(
            plan_of(profile, true),
            "error: the process of `process_command` in the output of the process printed a profile with the mode `External`, which would run another process; let the process print a key"
        );
    }
}
