//! Runs flows on made-up replies, for tests.
//!
//! Each secret in a plan or reply contains `CANARY`. No text of a flow may contain it.

mod results;

use std::path::Path;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::sts::RoleArn;

use super::*;
use crate::environment::Environment;
use crate::files::Files;
use crate::finding::Findings;
use crate::origin::{Origin, Setting};
use crate::plan::{KeyPlan, RoleSettings};
use crate::settings::Settings;
pub(super) use results::{
    KEY_TEXT, any_outcomes, ended, failed, response, response_at, sts_key, too_large, untrusted,
    upper_key,
};
use results::{half_keys, unusable_results};

/// The names of the parts of a key of STS, of the metadata service, of URLs and of CloudSSO.
pub(super) const UPPER_NAMES: [&str; 4] = [
    "AccessKeyId",
    "AccessKeySecret",
    "SecurityToken",
    "Expiration",
];

/// The time of all flows.
pub(super) const NOW: &str = "2026-01-02T03:04:05Z";
/// An hour later.
pub(super) const LATER: &str = "2026-01-02T04:04:05Z";
/// The first nonce.
pub(super) const NONCE: &str = "0123456789abcdef0123456789abcdef";

pub(super) fn time(text: &str) -> UnixTime {
    UnixTime::parse(text).unwrap()
}

pub(super) fn moment() -> Moment {
    Moment {
        now: time(NOW),
        nonce: NONCE.to_owned(),
        pause: Duration::from_millis(700),
    }
}

/// What a flow asked for, and how it ended.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) effects: Vec<Effect>,
    /// `None` if the flow needs more results than there are.
    pub(super) result: Option<Result<Obtained, ClientError>>,
}

/// Runs a plan on results, and checks that no text contains a secret.
pub(super) fn run(plan: Plan, outcomes: impl IntoIterator<Item = Outcome>) -> Script {
    run_with_token(plan, None, outcomes)
}

pub(super) fn run_with_token(
    plan: Plan,
    oidc_token: Option<&str>,
    outcomes: impl IntoIterator<Item = Outcome>,
) -> Script {
    let mut outcomes = outcomes.into_iter();
    let mut effects = Vec::new();
    let mut step = Flow::start(plan, oidc_token.map(Secret::new), &moment());
    loop {
        assert_hides_secrets(&format!("{step:?}"));
        let (flow, effect) = match step {
            Step::Continue(flow, effect) => (flow, effect),
            Step::Done(result) => {
                if let Err(error) = &result {
                    assert_hides_secrets(&error.to_string());
                }
                let result = Some(result);
                return Script { effects, result };
            }
        };
        effects.push(effect);
        let Some(outcome) = outcomes.next() else {
            let result = None;
            return Script { effects, result };
        };
        assert_hides_secrets(&format!("{outcome:?}"));
        step = flow.resume(outcome, &moment());
    }
}

/// Checks that no unusable result leads to a key: each is the result of all effects after those whose results are `before`.
pub(super) fn assert_unusable_results_give_no_key(
    plan: impl Fn() -> Plan,
    before: impl Fn() -> Vec<Outcome>,
) {
    let next = run(plan(), before()).effects.pop();
    let is_saved = matches!(next, Some(Effect::Save(_)));
    for index in 0..unusable_results().len() {
        let result = || unusable_results().swap_remove(index);
        if is_saved && matches!(result(), Outcome::Done) {
            continue;
        }
        let results = before().into_iter().chain(std::iter::repeat_with(result));
        let script = run(plan(), results.take(20));
        assert!(matches!(script.result, Some(Err(_))), "{}", script.text());
    }
}

/// What is expected of a reply with a part of a key.
#[derive(Clone, Copy)]
pub(super) enum HalfKeys<'a> {
    /// An error that names the part.
    Named,
    /// An error that names the part, unless one of these parts is missing.
    NamedUnless(&'a [&'a str]),
    /// An error of the parser of `core`.
    OfSts,
}

/// Checks that a reply with a part of a key is an error, and that the part is not stored. `run` runs a plan on a reply with
/// this key, whose parts have `names`.
pub(super) fn assert_half_keys_are_refused(
    names: [&str; 4],
    expected: HalfKeys<'_>,
    run: impl Fn(&str) -> Script,
) {
    let optional = match expected {
        HalfKeys::NamedUnless(optional) => optional,
        HalfKeys::Named | HalfKeys::OfSts => &[],
    };
    for (key, reason) in half_keys(names) {
        let script = run(&key);
        let text = script.text();
        let is_optional = |name: &&str| reason == format!("`{name}` is missing");
        if optional.iter().any(is_optional) {
            assert!(script.is_key(), "{key}: {text}");
            continue;
        }
        assert!(matches!(script.result, Some(Err(_))), "{key}: {text}");
        let is_named = matches!(expected, HalfKeys::OfSts) || text.contains(&reason);
        assert!(is_named, "{key}: {text}");
        let is_saved = script.steps().iter().any(|step| step.starts_with("Save"));
        assert!(!is_saved, "{key}: {text}");
    }
}

fn assert_hides_secrets(text: &str) {
    assert!(!text.contains("CANARY"), "{text}");
}

impl Script {
    /// Returns the result as a text: a key, or the kind, cause and remedy of an error.
    pub(super) fn text(&self) -> String {
        match &self.result {
            None => format!("waits for {:?}", self.effects.last()),
            Some(Ok(key)) => {
                let secret = key.key.secret.expose();
                let token = key.key.security_token.as_ref().map_or("-", Secret::expose);
                let end = key.expires.map_or("-".to_owned(), |end| end.to_string());
                let name = key.session_name.as_ref().map_or("-", SessionName::as_str);
                format!("{} {secret} {token} {end} {name}", key.key.id)
            }
            Some(Err(error)) => {
                let kind = match error {
                    ClientError::Setup(_) => "setup",
                    ClientError::SignIn(_) => "sign in",
                    ClientError::Refused(_) => "refused",
                    ClientError::Unavailable(_) => "unavailable",
                };
                format!("{kind}: {error}")
            }
        }
    }

    pub(super) fn is_key(&self) -> bool {
        matches!(self.result, Some(Ok(_)))
    }

    /// Returns the effects as texts: the calls by name, the names of all others.
    pub(super) fn steps(&self) -> Vec<String> {
        let text = |effect: &Effect| match effect {
            Effect::Send(request) => format!("{:?}", request.call),
            Effect::Run(_) => "Run".to_owned(),
            Effect::Read(path) => format!("Read {}", path.display()),
            Effect::Save(update) => {
                let names: Vec<_> = update.members.iter().map(|(name, _)| *name).collect();
                format!("Save {}", names.join(" "))
            }
            Effect::Wait(time) => format!("Wait {time:?}"),
        };
        self.effects.iter().map(text).collect()
    }

    /// Returns the bytes of the request at `index`: method, URL, headers, and body, one a line.
    pub(super) fn request(&self, index: usize) -> String {
        let Effect::Send(request) = &self.effects[index] else {
            panic!("{:?}", self.effects[index]);
        };
        let mut text = format!(
            "{} {}{}\n",
            request.method.name(),
            request.base,
            request.path_and_query.expose()
        );
        for (name, value) in &request.headers {
            text.push_str(&format!("{name}: {}\n", value.expose()));
        }
        text.push_str(request.body.expose());
        text
    }

    /// Returns the members that the effect at `index` writes, and the member and token that must be there.
    pub(super) fn saved(&self, index: usize) -> String {
        let Effect::Save(update) = &self.effects[index] else {
            panic!("{:?}", self.effects[index]);
        };
        let mut text = format!("{}={}", update.expected.0, update.expected.1.expose());
        for (name, value) in &update.members {
            match value {
                MemberValue::Text(value) => text.push_str(&format!(" {name}={}", value.expose())),
                MemberValue::Number(value) => text.push_str(&format!(" {name}={value}")),
            }
        }
        text
    }
}

/// The plan of a key in the environment, with a security token.
pub(super) fn key_plan() -> Plan {
    Plan::Key(KeyPlan {
        key: AccessKey {
            id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
            secret: Secret::new("FakeAccessKeySecretCANARY1"),
            security_token: Some(Secret::new("FakeSecurityTokenCANARY+/==")),
        },
        expires: None,
        id_origin: Origin::Variable("ALIBABA_CLOUD_ACCESS_KEY_ID"),
        secret_origin: Origin::Variable("ALICLOUD_SECRET_KEY"),
    })
}

/// The settings of a role.
pub(super) fn role_settings() -> RoleSettings {
    RoleSettings {
        role: Setting::new(
            RoleArn::parse("acs:ram::1234567890123456:role/dev").unwrap(),
            Origin::Option("--role-arn"),
        ),
        seconds: None,
        policy: None,
        endpoint: Setting::new(
            ack_ram_config::StsEndpoint::parse("sts.aliyuncs.com").unwrap(),
            Origin::Default,
        ),
    }
}

/// A plan that assumes a role with the key of `source`.
pub(super) fn role_plan(source: Plan, name: Option<&str>) -> AssumeRolePlan {
    AssumeRolePlan {
        source,
        session: role_settings(),
        name: match name {
            Some(name) => RoleSessionName::Given(Setting::new(
                SessionName::parse(name).unwrap(),
                Origin::Option("--session-name"),
            )),
            None => RoleSessionName::Forwarded,
        },
        external_id: None,
    }
}

/// A profile of the CLI.
pub(super) fn profile() -> Arc<Profile> {
    Arc::new(Profile {
        file: "/home/me/.aliyun/config.json".into(),
        name: "dev".to_owned(),
    })
}

/// Makes a plan as the client does: of a file of the CLI with these profiles, the first of which is current.
pub(super) fn plan_of_profiles(profiles: &str) -> Plan {
    struct OneFile(String);

    impl Files for OneFile {
        fn read(&self, path: &Path) -> Result<FileContent, FileError> {
            match path == Path::new("/home/me/.aliyun/config.json") {
                true => FileContent::from_bytes(self.0.clone().into_bytes(), None),
                false => Err(FileError::NotFound),
            }
        }

        fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
            self.read(path)
        }
    }

    let file = OneFile(format!(r#"{{"current":"dev","profiles":[{profiles}]}}"#));
    let environment: Environment = [("HOME".to_owned(), "/home/me".to_owned())]
        .into_iter()
        .collect();
    let settings = Settings {
        default_session_name: "ack-ram-authenticator".to_owned(),
        ..Settings::default()
    };
    crate::resolve::resolve(&settings, &environment, &file, &mut Findings::default()).unwrap()
}
