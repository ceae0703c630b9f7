use super::*;
use crate::flow::script::{
    LATER, assert_unusable_results_give_no_key, ended, plan_of_profiles, response, run, sts_key,
    upper_key,
};
use crate::flow::{Outcome, Plan};

fn plan() -> Plan {
    plan_of_profiles(
        r#"{"name":"dev","mode":"External","process_command":"/opt/helper --user me 'CANARY CANARY' --pin=CANARY1"}"#,
    )
}

fn not_ended(output: ProcessOutput) -> Outcome {
    Outcome::Process(output)
}

#[test]
fn command_is_run_with_its_words() {
    let script = run(plan(), []);
    let Effect::Run(words) = &script.effects[0] else {
        panic!("{script:?}");
    };
    let words: Vec<_> = words.iter().map(|word| word.expose()).collect();
    assert_eq!(
        words,
        [
            "/opt/helper",
            "--user",
            "me",
            "CANARY CANARY",
            "--pin=CANARY1"
        ]
    );
}

#[test]
fn value_of_a_variable_in_place_of_the_program_is_hidden() {
    let plan = plan_of_profiles(
        r#"{"name":"dev","mode":"External","process_command":"TOKEN=CANARY /opt/helper"}"#,
    );
    assert!(plan.summary().text().contains("`TOKEN=(hidden)`"));
    let output = ProcessOutput::NotStarted {
        reason: "No such file or directory (os error 2)".to_owned(),
    };
    let text = run(plan, [not_ended(output)]).text();
    assert!(
        text.contains("`TOKEN=(hidden)`") && !text.contains("CANARY"),
        "{text}"
    );
}

#[test]
fn printed_profile_does_not_renew_an_oauth_session() {
    let output = r#"{"mode":"ChainableRamRoleArn","source_profile":"me too","ram_role_arn":"acs:ram::1:role/r","ram_session_name":"alice"}"#;
    let plan = |session: &str| {
        plan_of_profiles(&format!(
            r#"{{"name":"dev","mode":"External","process_command":"/opt/helper"}},
            {{"name":"me too","mode":"OAuth","oauth_site_type":"CN","oauth_refresh_token":"CANARY","oauth_access_token":"CANARY","oauth_access_token_expire":2000000000{session}}}"#
        ))
    };
    let script = run(plan(""), [ended(output, "")]);
    assert_eq!(
        script.text(),
        "refused: the process `/opt/helper` printed a profile that needs the OAuth session of the profile `me too` in `/home/me/.aliyun/config.json`, which has ended; renew the session: run `ack-ram-authenticator whoami --profile-name 'me too'`"
    );
    assert_eq!(script.steps(), ["Run"]);
    let session = r#","access_key_id":"STS.FakeAccessKeyId003","access_key_secret":"CANARY","sts_token":"CANARY","sts_expiration":2000000000"#;
    let results = [ended(output, ""), response(200, sts_key(LATER))];
    let script = run(plan(session), results);
    assert_eq!(script.steps(), ["Run", "AssumeRole"]);
    assert!(script.is_key(), "{}", script.text());
}

#[test]
fn printed_profile_is_followed() {
    let key =
        r#""access_key_id":"LTAI5tFakeAccessKeyId001","access_key_secret":"FakeSecretCANARY2""#;
    let sts = format!(r#"{{"mode":"StsToken",{key},"sts_token":"FakeTokenCANARY2""#);
    let expected = "LTAI5tFakeAccessKeyId001 FakeSecretCANARY2 FakeTokenCANARY2";
    for (output, replies, expected, steps) in [
        (
            format!(r#"{{"mode":"AK",{key}}}"#),
            vec![],
            "LTAI5tFakeAccessKeyId001 FakeSecretCANARY2 - - -".to_owned(),
            vec!["Run"],
        ),
        (
            format!("\u{feff}hello {{}} {sts}}} bye"),
            vec![],
            format!("{expected} - -"),
            vec!["Run"],
        ),
        (
            format!("{sts},\"sts_expiration\":1767330245}}"),
            vec![],
            format!("{expected} 2026-01-02T05:04:05Z -"),
            vec!["Run"],
        ),
        (
            format!("{sts},\"expiration\":\"2026-01-02T05:04:05+01:00\"}}"),
            vec![],
            format!("{expected} {LATER} -"),
            vec!["Run"],
        ),
        (
            format!("{sts},\"expiration\":\"2026-01-02T03:04:05Z\"}}"),
            vec![],
            "refused: the access key from `access_key_id` in the output of the process ended at 2026-01-02T03:04:05Z;".to_owned(),
            vec!["Run"],
        ),
        (
            r#"{"mode":"CredentialsURI","credentials_uri":"http://127.0.0.1/CANARY"}"#.to_owned(),
            vec![response(200, upper_key())],
            "STS.FakeAccessKeyId002 FakeSecretCANARY2".to_owned(),
            vec!["Run", "Url"],
        ),
        (
            format!(r#"{{"mode":"RamRoleArn",{key},"ram_role_arn":"acs:ram::1:role/r","ram_session_name":"me"}}"#),
            vec![response(200, sts_key(LATER))],
            format!("STS.FakeAccessKeyId002 FakeSecretCANARY2 FakeTokenCANARY2 {LATER} me"),
            vec!["Run", "AssumeRole"],
        ),
        (
            r#"{"mode":"External","process_command":"CANARY"}"#.to_owned(),
            vec![],
            "setup: ".to_owned(),
            vec!["Run"],
        ),
        (
            r#"{"mode":"ChainableRamRoleArn","source_profile":"dev","ram_role_arn":"acs:ram::1:role/r","ram_session_name":"me"}"#.to_owned(),
            vec![],
            "setup: ".to_owned(),
            vec!["Run"],
        ),
    ] {
        let script = run(plan(), std::iter::once(ended(&output, "CANARY")).chain(replies));
        assert!(script.text().contains(&expected), "{output}: {}", script.text());
        assert_eq!(script.steps(), steps, "{output}");
    }
}

#[test]
fn failure_names_program_cause_and_place() {
    let place = "`process_command` of the profile `dev` in `/home/me/.aliyun/config.json`";
    let failing = |stderr: &str| {
        not_ended(ProcessOutput::Ended {
            is_success: false,
            status: "exit status: 1".to_owned(),
            stdout: b"CANARY".to_vec().into(),
            stderr: stderr.as_bytes().to_vec().into(),
        })
    };
    for (output, expected) in [
        (
            failing(""),
            format!("refused: the process `/opt/helper` failed (exit status: 1); run the command of {place} by hand"),
        ),
        (
            failing("cannot log in as me\nusing CANARY CANARY, CANARY1\nsecret: CANARY2 AccessKeySecretCANARY2\nCANARY3"),
            "failed (exit status: 1): cannot log in as me / using (hidden), (hidden) / secret: (hidden) ".to_owned(),
        ),
        (
            not_ended(ProcessOutput::NotStarted { reason: "No such file or directory (os error 2)".to_owned() }),
            format!("refused: the process `/opt/helper` could not be started: No such file or directory (os error 2); correct the path of the program in {place}"),
        ),
        (
            not_ended(ProcessOutput::TimedOut),
            format!("unavailable: the process `/opt/helper` did not end in time, and was killed; run the command of {place} by hand; it must not ask questions"),
        ),
        (
            not_ended(ProcessOutput::TooLarge),
            "refused: the process `/opt/helper` printed more than 64 KiB; let the command of".to_owned(),
        ),
        (
            ended("", "only here"),
            "refused: the process `/opt/helper` printed nothing to its standard output: only here; let the command of".to_owned(),
        ),
        (
            ended(" \n", ""),
            format!("printed nothing to its standard output; let the command of {place} print a profile such as `{{\"mode\": \"StsToken\", ...}}`"),
        ),
        (
            ended("CANARY {} [] {\"mode\":1}", ""),
            "printed no JSON object with a `mode`;".to_owned(),
        ),
        (
            not_ended(ProcessOutput::Ended {
                is_success: true,
                status: String::new(),
                stdout: b"{\"mode\":\"AK\"}\xff".to_vec().into(),
                stderr: Vec::new().into(),
            }),
            "printed text that is not UTF-8;".to_owned(),
        ),
        (
            ended(r#"{"mode":"StsToken","access_key_id":"a","access_key_secret":"CANARY"}"#, ""),
            "setup: `sts_token` in the output of the process is missing;".to_owned(),
        ),
        (
            ended(r#"{"mode":"AK","access_key_id":"CANARY CANARY","access_key_secret":"CANARY"}"#, ""),
            "setup: `access_key_id` in the output of the process contains white space;".to_owned(),
        ),
    ] {
        let script = run(plan(), [output]);
        assert!(script.text().contains(&expected), "{}", script.text());
    }
}

#[test]
fn unusable_result_is_no_key() {
    assert_unusable_results_give_no_key(plan, Vec::new);
}
