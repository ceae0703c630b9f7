//! Random files of the CLI: profiles of every mode, with members that are missing, empty, repeated, or of another type.

use crate::choices::Choices;
use crate::generate::{
    ENDPOINTS, EXTERNAL_IDS, KEY_IDS, NAMES, PROVIDERS, REGIONS, ROLES, SECRETS, SESSION_NAMES,
    TOKENS, URLS,
};

const POLICIES: &[&str] = &["{}", "{\"Version\":\"1\"}"];
const COMMANDS: &[&str] = &[
    "tool arg",
    "'a tool' \"b c\" d\\ e",
    "tool \"open",
    "   ",
    "tool 'it''s' \"q\\\"q\" \\\\",
    "tool #arg x#y",
    "'' x",
];
const MODES: &[(&str, &[&str])] = &[
    ("AK", &["access_key_id", "access_key_secret"]),
    (
        "StsToken",
        &["access_key_id", "access_key_secret", "sts_token"],
    ),
    (
        "RamRoleArn",
        &[
            "access_key_id",
            "access_key_secret",
            "ram_role_arn",
            "ram_session_name",
        ],
    ),
    ("EcsRamRole", &["ram_role_name"]),
    (
        "RamRoleArnWithRoleName",
        &["ram_role_name", "ram_role_arn", "ram_session_name"],
    ),
    (
        "ChainableRamRoleArn",
        &["source_profile", "ram_role_arn", "ram_session_name"],
    ),
    ("External", &["process_command"]),
    ("CredentialsURI", &["credentials_uri"]),
    (
        "OIDC",
        &[
            "oidc_provider_arn",
            "oidc_token_file",
            "ram_role_arn",
            "ram_session_name",
        ],
    ),
    (
        "CloudSSO",
        &[
            "cloud_sso_sign_in_url",
            "cloud_sso_account_id",
            "cloud_sso_access_config",
            "access_token",
            "cloud_sso_access_token_expire",
            "access_key_id",
            "access_key_secret",
            "sts_token",
            "sts_expiration",
        ],
    ),
    (
        "OAuth",
        &[
            "oauth_site_type",
            "oauth_access_token",
            "oauth_access_token_expire",
            "oauth_refresh_token",
            "access_key_id",
            "access_key_secret",
            "sts_token",
            "sts_expiration",
        ],
    ),
    ("RsaKeyPair", &[]),
    ("BearerToken", &[]),
    ("Anonymous", &[]),
    ("ak", &["access_key_id", "access_key_secret"]),
    ("", &[]),
];
const EXTRA_MEMBERS: &[&str] = &[
    "sts_token",
    "external_id",
    "expired_seconds",
    "policy",
    "region_id",
    "sts_region",
    "sts_endpoint",
    "enable_vpc",
    "ram_session_name",
    "sts_expiration",
    "meta",
];

/// Returns the values of a member or key. The list starts with good values.
pub(crate) fn texts(member: &str) -> &'static [&'static str] {
    match member {
        "access_key_id" => KEY_IDS,
        "access_key_secret" => SECRETS,
        "ram_role_arn" | "role_arn" => ROLES,
        "ram_session_name" | "role_session_name" => SESSION_NAMES,
        "external_id" => EXTERNAL_IDS,
        "ram_role_name" | "role_name" => &["ecs-role", "other-role"],
        "source_profile" => &["a", "b", "c", "default", "absent"],
        "process_command" => COMMANDS,
        "credentials_uri" => URLS,
        "cloud_sso_sign_in_url" => &["https://s.example/start", "http://s.example/", "s.example"],
        "oidc_provider_arn" => PROVIDERS,
        "oidc_token_file" => &["/t/token", "~/token"],
        "cloud_sso_account_id" => &["1", "2"],
        "cloud_sso_access_config" => &["ac-1", "ac-2"],
        "oauth_site_type" => &["CN", "INTL", "cn"],
        "policy" => POLICIES,
        "sts_region" | "region_id" => REGIONS,
        "sts_endpoint" => ENDPOINTS,
        "enable_vpc" => &["true", "false", "True"],
        "role_session_expiration" => &["900", "3600", "0", "899", "1h", "-1"],
        _ => TOKENS,
    }
}

fn json_value(choices: &mut Choices<'_>, member: &str) -> String {
    if choices.happens(1, 40) {
        return choices
            .one(&["null", "\"\"", "7", "true", "[]", "{}", "\"seven\""])
            .to_owned();
    }
    match member {
        "expired_seconds" => choices
            .mostly_first(&[
                "900",
                "43200",
                "0",
                "899",
                "43201",
                "-1",
                "900.5",
                "1e30",
                "99999999999",
            ])
            .to_owned(),
        "sts_expiration" | "cloud_sso_access_token_expire" | "oauth_access_token_expire" => choices
            .mostly_first(&["1800000000", "1", "0", "-5", "1.5"])
            .to_owned(),
        "enable_vpc" => choices.one(&["true", "false"]).to_owned(),
        _ => {
            let texts = texts(member);
            let text = choices.mostly_good(texts);
            serde_json::to_string(text).expect("texts are JSON strings")
        }
    }
}

/// Makes the text of a file of the CLI.
pub(crate) fn cli_file(choices: &mut Choices<'_>) -> String {
    let count = choices.one(&[1, 2, 3, 4, 5, 0]);
    let mut profiles = Vec::new();
    if choices.happens(1, 16) {
        profiles.extend(chain(choices));
    }
    for index in 0..count {
        let name = match choices.happens(1, 4) {
            true => choices.one(NAMES),
            false => NAMES[index % NAMES.len()],
        };
        profiles.push(profile(choices, name));
    }
    let mut members = Vec::new();
    if !choices.happens(1, 3) {
        let current = choices.mostly_first(&[
            "\"default\"",
            "\"a\"",
            "\"b\"",
            "\"absent\"",
            "\"\"",
            "1",
            "null",
        ]);
        members.push(format!("\"current\": {current}"));
    }
    if choices.happens(1, 60) {
        members.push("\"Current\": \"a\"".to_owned());
    }
    match choices.below(40) {
        36 => members.push("\"profiles\": {}".to_owned()),
        37 => members.push("\"profiles\": null".to_owned()),
        38 => members.push("\"other\": []".to_owned()),
        39 => members.extend(["\"profiles\": []".to_owned(), "\"profiles\": []".to_owned()]),
        _ => members.push(format!("\"profiles\": [{}]", profiles.join(", "))),
    }
    members.push("\"meta_path\": \"\"".to_owned());
    let line_end = choices.one(&["\n", "\r\n", "\t"]);
    let text = format!("{{{}}}", members.join(&format!(",{line_end}")));
    match choices.below(20) {
        18 => format!("\u{feff}{text}"),
        19 => format!("{text}{line_end}"),
        _ => text,
    }
}

/// Makes a chain of profiles that starts at `default`, and ends in a key, in a loop, or nowhere.
fn chain(choices: &mut Choices<'_>) -> Vec<String> {
    let length = choices.one(&[2, 8, 9, 10, 19]);
    let mut profiles = Vec::new();
    for index in 0..length {
        let name = if index == 0 {
            "default".to_owned()
        } else {
            format!("p{index}")
        };
        let source = match (index + 1 == length, choices.happens(1, 40)) {
            (true, _) => choices
                .one(&["last", "last", "absent", "default", "p3"])
                .to_owned(),
            (false, true) => "p1".to_owned(),
            (false, false) => format!("p{}", index + 1),
        };
        profiles.push(format!(
            r#"{{"name": "{name}", "mode": "ChainableRamRoleArn", "source_profile": "{source}",
                "ram_role_arn": "acs:ram::1:role/r{index}", "ram_session_name": "s-{index}"}}"#
        ));
    }
    profiles.push(
        r#"{"name": "last", "mode": "AK", "access_key_id": "LTAI5tA", "access_key_secret": "SecretA"}"#
            .to_owned(),
    );
    profiles
}

fn profile(choices: &mut Choices<'_>, name: &str) -> String {
    let (mode, names) = choices.one(MODES);
    let mut members = vec![format!("\"name\": \"{name}\"")];
    match choices.below(40) {
        37 => {}
        38 => members.push("\"mode\": 7".to_owned()),
        39 => members.push("\"mode\": null".to_owned()),
        _ => members.push(format!("\"mode\": \"{mode}\"")),
    }
    for member in names {
        if !choices.happens(1, 20) {
            members.push(format!("\"{member}\": {}", json_value(choices, member)));
        }
    }
    for member in EXTRA_MEMBERS {
        if choices.happens(1, 8) && !names.contains(member) {
            members.push(format!("\"{member}\": {}", json_value(choices, member)));
        }
    }
    if choices.happens(1, 60) {
        let member = choices.one(&[
            "mode",
            "name",
            "access_key_id",
            "Name",
            "MODE",
            "Policy",
            "ACCESS_KEY_ID",
            "sts_region",
        ]);
        members.push(format!("\"{member}\": \"AK\""));
    }
    match choices.happens(1, 60) {
        true => choices.one(&["null", "7", "\"AK\"", "[]"]).to_owned(),
        false => format!("{{{}}}", members.join(", ")),
    }
}
