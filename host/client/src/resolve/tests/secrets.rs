//! No error, finding, summary or debug text shows a secret.

use proptest::prelude::*;

use super::*;

/// A part of every secret.
const CANARY: &str = "CaNaRy0";

/// Texts around the canary. All but the first are no access key IDs, which are public.
const FORMS: &[&str] = &[
    "CaNaRy0",
    "\"CaNaRy0",
    "CaNaRy0\n",
    "a CaNaRy0",
    "'CaNaRy0",
    "CaNaRy0\u{0}",
    "ÿCaNaRy0",
    "[CaNaRy0",
    "CaNaRy0;",
];

const URLS: &[&str] = &[
    "https://user:CaNaRy0@h.example/CaNaRy0?CaNaRy0#CaNaRy0",
    "https://h.example/CaNaRy0",
    "http://h.example?CaNaRy0",
    "ftp://CaNaRy0",
    "CaNaRy0",
    "https://CaNaRy0@",
];

const COMMANDS: &[&str] = &[
    "tool CaNaRy0",
    "tool 'CaNaRy0",
    "tool --secret=CaNaRy0 \"x\"",
    "tool \\",
];

/// Places of secrets.
const VARIABLES: &[&str] = &[
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    "ALICLOUD_SECRET_KEY",
    "ALIBABA_CLOUD_SECURITY_TOKEN",
    "SECURITY_TOKEN",
];
const MODES: &[&str] = &[
    "AK",
    "StsToken",
    "RamRoleArn",
    "External",
    "CredentialsURI",
    "CloudSSO",
    "OAuth",
    "Anonymous",
    "ChainableRamRoleArn",
    CANARY,
];
const TYPES: &[&str] = &[
    "access_key",
    "sts",
    "ram_role_arn",
    "external",
    "credentials_uri",
    "bearer",
    CANARY,
];

fn one(items: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    proptest::sample::select(items)
}

prop_compose! {
    fn case()(
        variables in proptest::collection::vec((one(VARIABLES), one(FORMS)), 0..4),
        id in proptest::option::of(prop_oneof![Just("LTAI5t1"), one(&FORMS[1..])]),
        uri in proptest::option::weighted(0.2, one(URLS)),
        mode in one(MODES),
        kind in one(TYPES),
        secret in one(FORMS),
        token in one(FORMS),
        url in one(URLS),
        command in one(COMMANDS),
        wrong_type in any::<bool>(),
        has_cli_file in any::<bool>(),
        cut in 0.0..1.5f64,
    ) -> Case {
        let mut case = Case::new().variables(&variables);
        if let Some(id) = id {
            case = case.variables(&[("ALIBABA_CLOUD_ACCESS_KEY_ID", id)]);
        }
        if let Some(uri) = uri {
            case = case.variables(&[("ALIBABA_CLOUD_CREDENTIALS_URI", uri)]);
        }
        let token_value = if wrong_type { serde_json::json!([token]) } else { token.into() };
        let profile = serde_json::json!({
            "name": "default", "mode": mode, "access_key_id": "LTAI5t1", "access_key_secret": secret,
            "sts_token": token_value, "sts_expiration": 1_800_000_000, "credentials_uri": url,
            "process_command": command, "cloud_sso_sign_in_url": url, "cloud_sso_account_id": "1",
            "cloud_sso_access_config": "c", "access_token": secret, "cloud_sso_access_token_expire": 1_800_000_000,
            "oauth_site_type": "CN", "oauth_access_token": token, "oauth_access_token_expire": 1_800_000_000,
            "oauth_refresh_token": secret, "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice",
            "source_profile": "key", "private_key": secret, "bearer_token": secret,
        });
        let file = serde_json::json!({ "profiles": [profile] }).to_string();
        let ini = format!(
            "[default]\ntype={kind}\naccess_key_id=LTAI5t1\naccess_key_secret={secret}\nsts_token = {token}\n\
             credentials_uri = {url}\nprocess_command = {command}\nrole_arn=acs:ram::1:role/r\n"
        );
        let part = |text: &str| {
            let end = (text.len() as f64 * cut) as usize;
            content(&text.as_bytes()[..end.min(text.len())])
        };
        if has_cli_file {
            case = case.versions(CLI_FILE, [part(&file), part(&file)]);
        }
        case.versions(INI_FILE, [part(&ini), part(&ini)])
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_show_no_secret(case in case()) {
        let environment: Environment = case.variables.clone().into_iter().collect();
        let (plan, findings) = case.run();
        let mut texts = vec![format!("{findings:?} {environment:?} {:?}", case.files)];
        match &plan {
            Ok(plan) => texts.push(format!("{plan:?} {plan:#?} {:?}", plan.summary())),
            Err(error) => texts.push(format!("{error} {error:?}")),
        }
        for text in texts {
            prop_assert!(!text.contains(CANARY), "{}", text);
        }
    }
}
