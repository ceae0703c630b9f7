//! The key of a cache entry: a hash of everything that decides whose key a plan gives.

use std::fmt;

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use sha2::{Digest, Sha256};

use crate::environment::Environment;
use crate::plan::{Expiring, Plan, RoleSessionName, RoleSettings};

/// The first part of each hash. A change of the format of entries or of the hash changes the number.
const VERSION: &str = "ack-ram-authenticator cache 1";

/// The name of an entry: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey(String);

impl CacheKey {
    /// Returns the key of the entry of `plan`; `None` if the plan makes no call.
    ///
    /// A process may look at variables of Alibaba Cloud, so the key of its entry contains all of them. `oidc_token` is
    /// the content of the token file.
    #[must_use]
    pub fn of(plan: &Plan, environment: &Environment, oidc_token: Option<&Secret>) -> Option<Self> {
        if matches!(plan, Plan::Key(_)) {
            return None;
        }
        let mut hash = PlanHash(Sha256::new());
        hash.text(VERSION);
        hash.plan(plan, environment);
        hash.optional(oidc_token.map(Secret::expose));
        let digest = hash.0.finalize();
        Some(Self(
            digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    /// Parses the name of an entry file. Returns `None` for any other file.
    #[must_use]
    pub fn parse_entry_name(name: &str) -> Option<Self> {
        let key = name.strip_suffix(".json")?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (key.len() == 64 && key.bytes().all(is_digit)).then(|| Self(key.to_owned()))
    }

    /// Returns the name of the file with the entry.
    #[must_use]
    pub fn entry_name(&self) -> String {
        format!("{}.json", self.0)
    }

    pub(super) fn refusal_name(&self) -> String {
        format!("{}.refused", self.0)
    }

    pub(super) fn lock_name(&self) -> String {
        format!("{}.lock", self.0)
    }
}

impl fmt::Display for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A hash of parts. Each part has its length before it, so that no two lists of parts have the same bytes.
struct PlanHash(Sha256);

impl PlanHash {
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        self.text(if text.is_some() { "some" } else { "none" });
        self.text(text.unwrap_or_default());
    }

    fn key(&mut self, key: &AccessKey) {
        self.text(key.id.as_str());
        self.text(key.secret.expose());
        self.optional(key.security_token.as_ref().map(Secret::expose));
    }

    fn expiring(&mut self, token: Option<&Expiring<Secret>>) {
        self.optional(token.map(|token| token.value.expose()));
    }

    fn session(&mut self, session: Option<&Expiring<AccessKey>>) {
        self.optional(session.map(|session| session.value.id.as_str()));
    }

    fn role(&mut self, session: &RoleSettings) {
        self.text(&session.role.value.to_string());
        let seconds = session.seconds.as_ref();
        let seconds = seconds.map(|seconds| seconds.value.get().to_string());
        self.optional(seconds.as_deref());
        let policy = session.policy.as_ref();
        self.optional(policy.map(|policy| policy.value.as_str()));
        self.text(&session.endpoint.value.to_string());
    }

    fn plan(&mut self, plan: &Plan, environment: &Environment) {
        match plan {
            Plan::Key(plan) => {
                self.text("key");
                self.key(&plan.key);
            }
            Plan::Metadata(plan) => {
                self.text("metadata");
                self.text(plan.endpoint.expose());
                self.optional(plan.role.as_ref().map(|role| role.value.as_str()));
            }
            Plan::Url(plan) => {
                self.text("url");
                self.text(plan.url.expose());
            }
            Plan::Process(plan) => {
                self.text("process");
                self.text(&plan.words.len().to_string());
                for word in &plan.words {
                    self.text(word.expose());
                }
                for (name, value) in environment.iter().filter(|(name, _)| decides(name)) {
                    self.text(name);
                    self.text(value);
                }
            }
            // A person can sign in again as somebody else in the same profile, so the tokens are a part of the key.
            Plan::CloudSso(plan) => {
                self.text("CloudSSO");
                self.text(&plan.profile.to_string());
                self.text(plan.sign_in_url.expose());
                self.text(&plan.account_id);
                self.text(&plan.access_config);
                self.expiring(plan.access_token.as_ref());
                self.session(plan.session.as_ref());
            }
            Plan::OAuth(plan) => {
                self.text("OAuth");
                self.text(&plan.profile.to_string());
                self.text(plan.site.name());
                self.expiring(plan.access_token.as_ref());
                self.optional(plan.refresh_token.as_ref().map(Secret::expose));
                self.session(plan.session.as_ref());
            }
            Plan::Oidc(plan) => {
                self.text("OIDC");
                self.role(&plan.session);
                self.text(plan.name.value.as_str());
                self.text(plan.provider.value.as_str());
            }
            Plan::AssumeRole(plan) => {
                self.text("AssumeRole");
                self.role(&plan.session);
                match &plan.name {
                    RoleSessionName::Given(name) => self.optional(Some(name.value.as_str())),
                    RoleSessionName::Forwarded => self.optional(None),
                }
                let external_id = plan.external_id.as_ref();
                self.optional(external_id.map(|id| id.value.as_str()));
                self.plan(&plan.source, environment);
            }
        }
    }
}

/// Returns whether a process that obtains keys may look at this variable.
fn decides(name: &str) -> bool {
    let prefixes = [
        "ALIBABA",
        "ALICLOUD",
        "ALIYUN",
        "ACCESS_KEY",
        "SECURITY_TOKEN",
    ];
    name == "HOME" || name == "USER" || prefixes.iter().any(|prefix| name.starts_with(prefix))
}
