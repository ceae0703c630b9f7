//! Plans of several sources, and properties of all flows.

use proptest::prelude::*;

use super::script::{
    KEY_TEXT, LATER, any_outcomes, key_plan, moment, plan_of_profiles, response, role_plan, run,
    sts_key, time, upper_key,
};
use super::*;

fn role(source: Plan, name: &str) -> Plan {
    Plan::AssumeRole(Box::new(role_plan(source, Some(name))))
}

const URL: &str =
    r#"{"name":"dev","mode":"CredentialsURI","credentials_uri":"http://127.0.0.1/CANARY"}"#;
const PROCESS: &str = r#"{"name":"dev","mode":"External","process_command":"helper"}"#;
const METADATA: &str = r#"{"name":"dev","mode":"EcsRamRole"}"#;
const CLOUD_SSO: &str = r#"{"name":"dev","mode":"CloudSSO","cloud_sso_sign_in_url":"https://h","cloud_sso_account_id":"1","cloud_sso_access_config":"a","access_token":"CANARY","cloud_sso_access_token_expire":2000000000}"#;
const OAUTH: &str =
    r#"{"name":"dev","mode":"OAuth","oauth_site_type":"CN","oauth_refresh_token":"CANARY"}"#;
const OIDC: &str = r#"{"name":"dev","mode":"OIDC","oidc_provider_arn":"acs:ram::1:oidc-provider/p","oidc_token_file":"/token","ram_role_arn":"acs:ram::1:role/r","ram_session_name":"me"}"#;

/// A plan of each kind that needs an effect.
fn plans() -> Vec<Plan> {
    let profiles = [URL, PROCESS, METADATA, CLOUD_SSO, OAUTH, OIDC];
    let mut plans: Vec<Plan> = profiles.map(plan_of_profiles).into();
    plans.push(role(key_plan(), "me"));
    plans.push(Plan::AssumeRole(Box::new(role_plan(key_plan(), None))));
    plans
}

#[test]
fn key_that_is_known_needs_no_effect() {
    let expiring = |end: &str| match key_plan() {
        Plan::Key(mut key) => {
            key.expires = Some(time(end));
            Plan::Key(key)
        }
        other => other,
    };
    let key = "LTAI5tFakeAccessKeyId001 FakeAccessKeySecretCANARY1 FakeSecurityTokenCANARY+/==";
    for (plan, expected) in [
        (key_plan(), format!("{key} - -")),
        (expiring(LATER), format!("{key} {LATER} -")),
        (expiring("2026-01-02T03:04:06Z"), format!("{key} 2026-01-02T03:04:06Z -")),
        (expiring("2026-01-02T03:04:05Z"), "refused: the access key from `ALIBABA_CLOUD_ACCESS_KEY_ID` ended at 2026-01-02T03:04:05Z; get a new key, and check the clock of this machine".to_owned()),
    ] {
        let script = run(plan, []);
        assert_eq!(script.text(), expected);
        assert!(script.effects.is_empty());
    }
}

#[test]
fn roles_are_assumed_from_the_first_source_to_the_last() {
    let second = sts_key(LATER).replace("STS.FakeAccessKeyId002", "STS.FakeAccessKeyId004");
    for (source, replies, first_step) in [
        (key_plan(), vec![], None),
        (
            plan_of_profiles(URL),
            vec![response(200, upper_key())],
            Some("Url"),
        ),
        (
            plan_of_profiles(PROCESS),
            vec![script::ended(
                r#"{"mode":"AK","access_key_id":"a","access_key_secret":"CANARY"}"#,
                "",
            )],
            Some("Run"),
        ),
    ] {
        let plan = role(role(source, "inner"), "outer");
        let results = replies
            .into_iter()
            .chain([response(200, sts_key(LATER)), response(200, &second)]);
        let script = run(plan, results);
        let steps: Vec<&str> = first_step
            .into_iter()
            .chain(["AssumeRole", "AssumeRole"])
            .collect();
        assert_eq!(script.steps(), steps);
        let last = script.effects.len() - 1;
        assert!(script.request(last - 1).contains("RoleSessionName=inner\n"));
        assert!(script.request(last).contains("RoleSessionName=outer\n"));
        assert!(
            script
                .request(last)
                .contains("Credential=STS.FakeAccessKeyId002,")
        );
        let key = KEY_TEXT.replace("002", "004");
        assert_eq!(script.text(), format!("{key} outer"));
    }
}

#[test]
fn error_of_a_source_ends_the_flow() {
    let script = run(role(plan_of_profiles(URL), "me"), [response(404, "")]);
    assert_eq!(script.steps(), ["Url"]);
    assert!(script.text().starts_with("refused: "), "{}", script.text());
}

#[test]
fn unexpected_results_end_every_flow() {
    for first in 0..any_outcomes().len() {
        for second in 0..any_outcomes().len() {
            for plan in plans() {
                let pick = |index: usize| any_outcomes().swap_remove(index);
                let results = (0..20).map(|turn| pick(if turn % 2 == 0 { first } else { second }));
                let script = run(plan, results);
                assert!(matches!(script.result, Some(Err(_))), "{}", script.text());
            }
        }
    }
}

/// Plans, and the results before the call whose reply the properties vary.
fn calls() -> Vec<(Plan, Vec<Outcome>)> {
    let tokens = r#"{"access_token":"CANARY","refresh_token":"CANARY","expires_in":3600}"#;
    let oidc_token = || Outcome::File(FileContent::from_bytes(b"CANARY".to_vec(), None));
    vec![
        (plan_of_profiles(URL), vec![]),
        (plan_of_profiles(METADATA), vec![]),
        (plan_of_profiles(METADATA), vec![response(404, "")]),
        (
            plan_of_profiles(METADATA),
            vec![response(404, ""), response(200, "r")],
        ),
        (plan_of_profiles(CLOUD_SSO), vec![]),
        (plan_of_profiles(OAUTH), vec![]),
        (
            plan_of_profiles(OAUTH),
            vec![response(200, tokens), Outcome::Done],
        ),
        (plan_of_profiles(OIDC), vec![oidc_token()]),
        (role(key_plan(), "me"), vec![]),
        (
            Plan::AssumeRole(Box::new(role_plan(key_plan(), None))),
            vec![],
        ),
    ]
}

/// A member of a reply, which may have the wrong type. Texts that messages show hold no canary.
fn member() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "AccessKeyId",
        "AccessKeySecret",
        "SecurityToken",
        "Expiration",
        "accessKeyId",
        "accessKeySecret",
        "securityToken",
        "expiration",
        "access_token",
        "refresh_token",
        "expires_in",
        "access_key_id",
        "access_key_secret",
        "sts_token",
        "sts_expiration",
        "Arn",
    ]);
    let text = prop_oneof![
        Just("CANARY".to_owned()),
        Just(LATER.to_owned()),
        any::<String>().prop_map(|text| format!("CANARY{text}")),
    ];
    let value = prop_oneof![
        4 => text.prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => Just("null".to_owned()),
        1 => Just("3600".to_owned()),
        1 => Just("{\"AccessKeyId\":\"a\"}".to_owned()),
        1 => any::<i64>().prop_map(|number| number.to_string()),
    ];
    let shown_name = prop::sample::select(vec!["Code", "error", "ErrorCode", "mode"]);
    let shown = prop::sample::select(vec![
        "\"Success\"",
        "\"Other.Code\"",
        "\"AK\"",
        "\"StsToken\"",
        "null",
        "1",
    ]);
    prop_oneof![
        6 => (name, value).prop_map(|(name, value)| {
            // An ID is not a secret.
            let is_id = matches!(name, "AccessKeyId" | "accessKeyId" | "access_key_id");
            let value = if is_id { value.replace("CANARY", "FakeId") } else { value };
            format!("\"{name}\":{value}")
        }),
        1 => (shown_name, shown).prop_map(|(name, value)| format!("\"{name}\":{value}")),
    ]
}

/// An object that resembles a reply: members are missing, repeated, or of the wrong type.
fn object() -> impl Strategy<Value = String> {
    let members = prop::collection::vec(member(), 0..8);
    members.prop_map(|members| format!("{{{}}}", members.join(",")))
}

fn reply_body() -> impl Strategy<Value = Vec<u8>> {
    let outer = prop::sample::select(vec!["Credentials", "CloudCredential"]);
    let wrapped = (object(), outer).prop_map(|(inner, name)| format!("{{\"{name}\":{inner}}}"));
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        object().prop_map(String::into_bytes),
        wrapped.prop_map(String::into_bytes),
    ]
}

/// A body with a whole key, of which a part may be changed.
fn changed_key() -> impl Strategy<Value = Vec<u8>> {
    let key = upper_key();
    let lower = key
        .replace("\"A", "\"a")
        .replace("\"S", "\"s")
        .replace("\"E", "\"e");
    let profile = r#"{"mode":"StsToken","access_key_id":"a","access_key_secret":"FakeSecretCANARY2","sts_token":"CANARY"}"#;
    let bodies = vec![
        sts_key(LATER),
        format!("{{\"CloudCredential\":{key}}}"),
        lower,
        key,
        profile.to_owned(),
    ];
    let change = (any::<prop::sample::Index>(), any::<u8>());
    (prop::sample::select(bodies), prop::option::of(change)).prop_map(|(body, change)| {
        let mut body = body.into_bytes();
        if let Some((index, byte)) = change {
            let index = index.index(body.len());
            body[index] = byte;
        }
        body
    })
}

/// Returns whether a body is JSON with this text in it, possibly amid other text.
fn holds(body: &[u8], text: &str) -> bool {
    fn has(value: &serde_json::Value, text: &str) -> bool {
        match value {
            serde_json::Value::String(found) => found == text,
            serde_json::Value::Array(values) => values.iter().any(|value| has(value, text)),
            serde_json::Value::Object(members) => members.values().any(|value| has(value, text)),
            _ => false,
        }
    }
    let starts = body.iter().enumerate().filter(|(_, byte)| **byte == b'{');
    starts.into_iter().any(|(start, _)| {
        let values = serde_json::Deserializer::from_slice(&body[start..]).into_iter();
        values.map_while(Result::ok).any(|value| has(&value, text))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A key comes out only if the reply holds its ID and its secret. No text holds a secret.
    #[test]
    fn any_reply_gives_only_the_key_that_it_holds(
        body in prop_oneof![reply_body(), changed_key()],
        status in prop_oneof![8 => Just(200_u16), 1 => any::<u16>()],
    ) {
        for (plan, before) in calls() {
            let results = before.into_iter().chain([response(status, &body), Outcome::Done]);
            let script = run(plan, results);
            if let Some(Ok(obtained)) = &script.result {
                prop_assert!(status == 200);
                prop_assert!(holds(&body, obtained.key.id.as_str()));
                prop_assert!(holds(&body, obtained.key.secret.expose()));
                prop_assert!(obtained.expires.is_none_or(|end| end > moment().now));
            }
        }
    }

    /// The output of a process gives only the key that it holds, or a plan that needs an effect.
    #[test]
    fn any_output_of_a_process_gives_only_the_key_that_it_holds(
        stdout in prop_oneof![reply_body(), changed_key()],
        stderr in prop::collection::vec(any::<u8>(), 0..200),
        is_success in any::<bool>(),
    ) {
        let output = ProcessOutput::Ended {
            is_success,
            status: "exit status: 1".to_owned(),
            stdout: stdout.clone().into(),
            stderr: stderr.into(),
        };
        let script = run(plan_of_profiles(PROCESS), [Outcome::Process(output)]);
        if let Some(Ok(obtained)) = &script.result {
            prop_assert!(is_success && holds(&stdout, obtained.key.secret.expose()));
        }
    }
}
