use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::files::{FileContent, FileError, Files};
use crate::finding::Findings;
use crate::origin::{Origin, Setting};
use crate::resolve::resolve;
use crate::settings::Settings;

const ROLE: &str = r#"{"name": "p", "mode": "RamRoleArn", "access_key_id": "LTAI5tFakeAccessKeyId001",
    "access_key_secret": "FakeSecret1", "sts_token": "FakeToken1", "ram_role_arn": "acs:ram::1234567890123456:role/dev",
    "ram_session_name": "alice", "external_id": "external1", "expired_seconds": 900, "policy": "policy1",
    "sts_endpoint": "sts.cn-hangzhou.aliyuncs.com"}"#;
const INSTANCE: &str = r#"{"name": "p", "mode": "RamRoleArnWithRoleName", "ram_role_name": "instance",
    "ram_role_arn": "acs:ram::1234567890123456:role/dev", "ram_session_name": "alice"}"#;
const URL: &str = r#"{"name": "p", "mode": "CredentialsURI", "credentials_uri": "http://user:word@localhost/a?b"}"#;
const PROCESS: &str =
    r#"{"name": "p", "mode": "External", "process_command": "get-key --for alice"}"#;
const OAUTH: &str = r#"{"name": "p", "mode": "OAuth", "oauth_site_type": "CN", "oauth_access_token": "FakeAccess1",
    "oauth_access_token_expire": 1780000000, "oauth_refresh_token": "FakeRefresh1",
    "access_key_id": "STS.FakeAccessKeyId001", "access_key_secret": "FakeSecret1", "sts_token": "FakeToken1",
    "sts_expiration": 1780000000}"#;
const CLOUD_SSO: &str = r#"{"name": "p", "mode": "CloudSSO",
    "cloud_sso_sign_in_url": "https://signin-cn-shanghai.alibabacloudsso.com/a/login", "cloud_sso_account_id": "1234",
    "cloud_sso_access_config": "ac-1", "access_token": "FakeAccess1", "cloud_sso_access_token_expire": 1780000000,
    "access_key_id": "STS.FakeAccessKeyId001", "access_key_secret": "FakeSecret1", "sts_token": "FakeToken1",
    "sts_expiration": 1780000000}"#;
const OIDC: &str = r#"{"name": "p", "mode": "OIDC", "oidc_provider_arn": "acs:ram::1234567890123456:oidc-provider/a",
    "oidc_token_file": "/token", "ram_role_arn": "acs:ram::1234567890123456:role/dev", "ram_session_name": "alice"}"#;

struct OneFile(String);

impl Files for OneFile {
    fn read(&self, _: &Path) -> Result<FileContent, FileError> {
        FileContent::from_bytes(self.0.clone().into_bytes(), None)
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        self.read(path)
    }
}

/// What decides about a plan.
#[derive(Clone)]
struct Setup {
    profile: String,
    variables: BTreeMap<&'static str, &'static str>,
    settings: Settings,
    oidc_token: Option<&'static str>,
}

impl Setup {
    fn new(profile: &str) -> Self {
        Self {
            profile: profile.to_owned(),
            variables: BTreeMap::from([("HOME", "/home/alice")]),
            settings: Settings {
                default_session_name: "ack-ram-authenticator".to_owned(),
                ..Settings::default()
            },
            oidc_token: None,
        }
    }

    fn replaced(&self, from: &str, to: &str) -> Self {
        assert!(self.profile.contains(from), "{from}");
        let mut setup = self.clone();
        setup.profile = self.profile.replacen(from, to, 1);
        setup
    }

    fn with_variable(&self, name: &'static str, value: &'static str) -> Self {
        let mut setup = self.clone();
        setup.variables.insert(name, value);
        setup
    }

    fn with_settings(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut setup = self.clone();
        change(&mut setup.settings);
        setup
    }

    fn key(&self) -> Option<CacheKey> {
        let file = OneFile(format!(
            r#"{{"current": "p", "profiles": [{}]}}"#,
            self.profile
        ));
        let variables = self.variables.iter();
        let environment: Environment = variables
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut findings = Findings::default();
        let plan = resolve(&self.settings, &environment, &file, &mut findings).unwrap();
        let oidc_token = self.oidc_token.map(Secret::new);
        CacheKey::of(&plan, &environment, oidc_token.as_ref())
    }
}

fn option<T>(value: T) -> Option<Setting<T>> {
    Some(Setting::new(value, Origin::Option("--option")))
}

fn requested_role(settings: &mut Settings) {
    use ack_ram_core::sts::{RoleArn, SessionName};

    settings.role = option(RoleArn::parse("acs:ram::1234567890123456:role/last").unwrap());
    settings.session.name = option(SessionName::parse("alice").unwrap());
}

#[test]
fn each_part_of_a_plan_changes_the_key() {
    let mut setups = Vec::new();
    for (profile, changes) in [
        (
            ROLE,
            vec![
                ("KeyId001", "KeyId002"),
                ("FakeSecret1", "FakeSecret2"),
                ("FakeToken1", "FakeToken2"),
                (r#""sts_token": "FakeToken1","#, ""),
                ("role/dev", "role/dev2"),
                ("1234567890123456", "1234567890123457"),
                ("alice", "alice2"),
                ("external1", "external2"),
                (r#""external_id": "external1","#, ""),
                ("900", "901"),
                (r#""expired_seconds": 900,"#, ""),
                ("policy1", "policy2"),
                (r#""policy": "policy1","#, ""),
                ("cn-hangzhou", "cn-beijing"),
                (
                    r#""external_id": "external1", "expired_seconds": 900, "policy": "policy1""#,
                    r#""external_id": "policy1", "expired_seconds": 900, "policy": "external1""#,
                ),
            ],
        ),
        (
            INSTANCE,
            vec![
                (r#""instance""#, r#""other""#),
                (r#""ram_role_name": "instance","#, ""),
                ("role/dev", "role/dev2"),
                ("alice", "alice2"),
            ],
        ),
        (
            URL,
            vec![
                ("http:", "https:"),
                ("user", "user2"),
                ("word", "word2"),
                ("localhost", "localhost:81"),
                ("/a", "/b"),
                ("?b", "?c"),
            ],
        ),
        (
            PROCESS,
            vec![
                ("get-key", "get-key2"),
                ("alice", "bob"),
                ("--for alice", "'--for alice'"),
                ("--for alice", "--foralice ''"),
                (r#""mode""#, r#""ram_session_name": "other", "mode""#),
            ],
        ),
        (
            OAUTH,
            vec![
                (r#""CN""#, r#""INTL""#),
                ("FakeAccess1", "FakeAccess2"),
                ("FakeRefresh1", "FakeRefresh2"),
                ("KeyId001", "KeyId002"),
                ("FakeSecret1", "FakeSecret2"),
                ("FakeToken1", "FakeToken2"),
            ],
        ),
        (
            CLOUD_SSO,
            vec![
                ("cn-shanghai", "us-west"),
                (r#""1234""#, r#""1235""#),
                ("ac-1", "ac-2"),
                ("FakeAccess1", "FakeAccess2"),
                ("KeyId001", "KeyId002"),
            ],
        ),
        (
            OIDC,
            vec![
                ("oidc-provider/a", "oidc-provider/b"),
                ("role/dev", "role/dev2"),
                ("alice", "alice2"),
            ],
        ),
    ] {
        let base = Setup::new(profile);
        setups.push(base.with_settings(requested_role));
        for (from, to) in changes {
            setups.push(base.replaced(from, to));
        }
        setups.push(base);
    }

    let process = Setup::new(PROCESS);
    for (name, value) in [
        ("HOME", "/home/bob"),
        ("USER", "bob"),
        ("ALIBABA_CLOUD_ROLE_SESSION_NAME", "bob"),
        ("VAULT_TOKEN", "FakeToken2"),
        ("PATH", "/other"),
        ("PWD", "/other"),
        ("KUBECONFIG", "/other"),
        ("KUBERNETES_EXEC_INFO", "{}"),
        ("A", "1B2"),
    ] {
        setups.push(process.with_variable(name, value));
    }
    setups.push(process.with_variable("A", "1").with_variable("B", "2"));
    setups.push(
        process.with_settings(|settings| settings.sts_endpoint = option("sts.example".to_owned())),
    );
    setups
        .push(process.with_settings(|settings| settings.region = option("cn-beijing".to_owned())));

    let mut oidc = Setup::new(OIDC);
    for token in ["FakeToken1", "FakeToken2"] {
        oidc.oidc_token = Some(token);
        setups.push(oidc.clone());
    }
    let forwarded = Setup::new(ROLE).with_settings(|settings| {
        requested_role(settings);
        settings.session.name = None;
        settings.session.forward_name = true;
    });
    setups.push(forwarded);

    let mut seen: BTreeMap<CacheKey, String> = BTreeMap::new();
    for setup in setups {
        let shown = format!("{} {:?}", setup.profile, setup.variables);
        let key = setup.key().unwrap();
        if let Some(other) = seen.insert(key, shown.clone()) {
            panic!("equal keys of\n{shown}\nand\n{other}");
        }
    }
}

#[test]
fn what_does_not_decide_keeps_the_key() {
    let role = Setup::new(ROLE);
    let process = Setup::new(PROCESS);
    for (one, other) in [
        (&role, role.with_variable("VAULT_TOKEN", "x")),
        (&role, role.replaced(r#""mode""#, r#""unknown": 1, "mode""#)),
        (
            &role,
            role.with_settings(|settings| settings.default_session_name = "x".to_owned()),
        ),
        (&process, process.with_variable("TERM", "dumb")),
        (&process, process.with_variable("XDG_SESSION_ID", "2")),
        (&process, process.with_variable("A", "")),
    ] {
        assert_eq!(
            one.key(),
            other.key(),
            "{} {:?}",
            other.profile,
            other.variables
        );
    }
}

#[test]
fn permanent_key_has_no_entry() {
    let profile = r#"{"name": "p", "mode": "AK", "access_key_id": "LTAI5tFakeAccessKeyId001", "access_key_secret": "x"}"#;
    assert_eq!(Setup::new(profile).key(), None);
}

#[test]
fn entry_name_is_parsed_only_if_it_is_a_hash() {
    let key = Setup::new(ROLE).key().unwrap();
    assert_eq!(
        CacheKey::parse_entry_name(&key.entry_name()),
        Some(key.clone())
    );
    let upper = key.entry_name().to_uppercase().replace("JSON", "json");
    for name in [
        key.refusal_name(),
        key.lock_name(),
        upper,
        "x.json".to_owned(),
        ".json".to_owned(),
    ] {
        assert_eq!(CacheKey::parse_entry_name(&name), None, "{name}");
    }
}
