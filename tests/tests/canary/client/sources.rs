//! Every source of a key, with a secret of its own in each place.

use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};

pub(crate) const KEY_SECRET: &str = "HAZt9xslXTTIQrh6bpy0VAq3GZuO2R";
pub(crate) const KEY_TOKEN: &str = "8UziJdi0Y4mj4TIJZ9RnvIh4TOetAf";
pub(crate) const URL_PASSWORD: &str = "G82EOMjRZA0G6vbBxKd5WVwd9ExLXa";
pub(crate) const URL_QUERY: &str = "3zphJn9pH9xdreYrmVM1JIJ5iqQt6w";
pub(crate) const COMMAND_ARGUMENT: &str = "ukvg6KLYrvadWwbDVrEOdUmtqeVT6F";
pub(crate) const PRINTED_SECRET: &str = "bNKHRizFU89L0zlmq9jRh6nd1ItZ46";
pub(crate) const PRINTED_TOKEN: &str = "uZudk7AfSXt1qQzEeIfIOpoI9qKkZs";
pub(crate) const PRINTED_ERROR: &str = "dU4FLz0FoJAHOCe9DWnoEu0mxMb9VK";
pub(crate) const METADATA_TOKEN: &str = "KHBd51v9Lk79JoNuxlWntBwCLfHgHa";
pub(crate) const OIDC_TOKEN: &str = "m8K5TJWlCDC2GiIJECasqla05DvWvn";
pub(crate) const ACCESS_TOKEN: &str = "drgHQSabhET5tNnXgX601bDI0W7o3P";
pub(crate) const REFRESH_TOKEN: &str = "b2zYhB9dVIdmIqrww8IL0Az6aHWvfW";
pub(crate) const NEW_ACCESS_TOKEN: &str = "V1YcOU3suuhviI1p7F0sChqpeRAtRm";
pub(crate) const NEW_REFRESH_TOKEN: &str = "ExinGYKjYsfBCH5yXHMW5jQJjkLI7u";
pub(crate) const ISSUED_SECRET: &str = "FZ34s97AeNpk5TjXpBJuIWCWGZis8p";
pub(crate) const ISSUED_TOKEN: &str = "FqGmxaOhvFeBf4Gypke7sesv6WDuj9";
pub(crate) const ROLE_SECRET: &str = "jVrty3u6KGOjBg80W4POX5YqpnnI3x";
pub(crate) const ROLE_TOKEN: &str = "1UByr8ftz6Pn4uac3KLdwRPFzBNqSt";
pub(crate) const PROXY_PASSWORD: &str = "C5X8kWAnmn2xV4T8moWO1yeDQmwUGY";
pub(crate) const KUBE_TOKEN: &str = "i8LEVC0Pfip4BXzoRzyFv23SYpu8y7";

/// All secrets.
pub(crate) const MARKS: [&str; 20] = [
    KEY_SECRET,
    KEY_TOKEN,
    URL_PASSWORD,
    URL_QUERY,
    COMMAND_ARGUMENT,
    PRINTED_SECRET,
    PRINTED_TOKEN,
    PRINTED_ERROR,
    METADATA_TOKEN,
    OIDC_TOKEN,
    ACCESS_TOKEN,
    REFRESH_TOKEN,
    NEW_ACCESS_TOKEN,
    NEW_REFRESH_TOKEN,
    ISSUED_SECRET,
    ISSUED_TOKEN,
    ROLE_SECRET,
    ROLE_TOKEN,
    PROXY_PASSWORD,
    KUBE_TOKEN,
];

/// The security tokens with which tokens are signed, so that the tokens hold them.
pub(crate) const TOKEN_MARKS: [&str; 4] = [KEY_TOKEN, PRINTED_TOKEN, ISSUED_TOKEN, ROLE_TOKEN];

const ROLE_ARN: &str = "acs:ram::1234567890123456:role/dev";
const PROVIDER_ARN: &str = "acs:ram::1234567890123456:oidc-provider/p";
const SIGN_IN_URL: &str = "https://signin-cn-hangzhou.alibabacloudsso.com/device/login";

/// A source of a key. `{home}` stands for the home folder, and `{plain}` for the `host:port` of the service without TLS.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    pub(crate) variables: Vec<(&'static str, String)>,
    /// Paths in the home folder, and contents.
    pub(crate) files: Vec<(&'static str, String)>,
}

impl Source {
    /// Returns whether a process prints the key.
    pub(crate) fn runs_process(&self) -> bool {
        let mut files = self.files.iter();
        files.any(|(_, text)| text.contains("process_command"))
    }
}

fn from_variables(name: &'static str, variables: &[(&'static str, &str)]) -> Source {
    let variables = variables.iter();
    Source {
        name,
        variables: variables
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect(),
        files: Vec::new(),
    }
}

/// Returns a source in the file of the CLI. The first profile is the current one.
fn from_profiles(name: &'static str, profiles: Value) -> Source {
    let current = profiles[0]["name"].clone();
    let file = json!({ "current": current, "profiles": profiles, "meta_path": "" });
    Source {
        name,
        variables: vec![("ALIBABA_CLOUD_IMDS_ENDPOINT", "http://{plain}".to_owned())],
        files: vec![
            (".aliyun/config.json", format!("{file:#}")),
            ("oidc-token", OIDC_TOKEN.to_owned()),
        ],
    }
}

fn from_profile(name: &'static str, members: Value) -> Source {
    let mut profile = members;
    profile["name"] = "default".into();
    profile["mode"] = name.into();
    from_profiles(name, json!([profile]))
}

fn from_section(name: &'static str, keys: &str) -> Source {
    Source {
        name,
        variables: Vec::new(),
        files: vec![(
            ".alibabacloud/credentials",
            format!("[default]\ntype = {name}\n{keys}\n"),
        )],
    }
}

/// Returns every source.
pub(crate) fn all_sources() -> Vec<Source> {
    let later = UnixTime::from_seconds(4_000_000_000).seconds();
    let url = format!("http://user:{URL_PASSWORD}@{{plain}}/key?code={URL_QUERY}");
    let command = format!("/bin/sh {{home}}/tool {COMMAND_ARGUMENT}");
    let id = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001");
    let secret = ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", KEY_SECRET);
    let token = ("ALIBABA_CLOUD_SECURITY_TOKEN", KEY_TOKEN);
    let role = ("ALIBABA_CLOUD_ROLE_ARN", ROLE_ARN);
    let key = json!({ "access_key_id": id.1, "access_key_secret": KEY_SECRET });
    let with = |more: Value| {
        let mut members = key.clone();
        for (name, value) in more.as_object().unwrap() {
            members[name] = value.clone();
        }
        members
    };
    let session =
        json!({ "ram_role_arn": ROLE_ARN, "ram_session_name": "work", "external_id": "partner" });
    let cloud_sso = json!({
        "cloud_sso_sign_in_url": SIGN_IN_URL,
        "cloud_sso_account_id": "1234567890123456",
        "cloud_sso_access_config": "ac-1",
        "access_token": ACCESS_TOKEN,
        "cloud_sso_access_token_expire": later,
    });
    let oauth = json!({
        "oauth_site_type": "CN",
        "oauth_access_token": ACCESS_TOKEN,
        "oauth_access_token_expire": 1,
        "oauth_refresh_token": REFRESH_TOKEN,
    });
    let oidc = json!({
        "oidc_provider_arn": PROVIDER_ARN,
        "oidc_token_file": "{home}/oidc-token",
        "ram_role_arn": ROLE_ARN,
        "ram_session_name": "work",
    });
    let ini_key = format!("access_key_id = {}\naccess_key_secret = {KEY_SECRET}", id.1);
    vec![
        from_variables("a key", &[id, secret]),
        from_variables("a temporary key", &[id, secret, token]),
        from_variables("a role", &[id, secret, role]),
        from_variables("a URL", &[("ALIBABA_CLOUD_CREDENTIALS_URI", &url)]),
        from_variables(
            "an instance",
            &[
                ("ALIBABA_CLOUD_ECS_METADATA", "ecs"),
                ("ALIBABA_CLOUD_IMDS_ENDPOINT", "http://{plain}"),
            ],
        ),
        from_profile("AK", key.clone()),
        from_profile("StsToken", with(json!({ "sts_token": KEY_TOKEN }))),
        from_profile("RamRoleArn", with(session.clone())),
        from_profile("EcsRamRole", json!({})),
        from_profile("RamRoleArnWithRoleName", session),
        from_profile("External", json!({ "process_command": command })),
        from_profile("CredentialsURI", json!({ "credentials_uri": url })),
        from_profile("CloudSSO", cloud_sso),
        from_profile("OAuth", oauth),
        from_profile("OIDC", oidc),
        from_section("access_key", &ini_key),
        from_section("sts", &format!("{ini_key}\nsecurity_token = '{KEY_TOKEN}'")),
        from_section("ram_role_arn", &format!("{ini_key}\nrole_arn = {ROLE_ARN}")),
        from_section("external", &format!("process_command = {command}")),
        from_section("credentials_uri", &format!("credentials_uri = {url}")),
    ]
}
