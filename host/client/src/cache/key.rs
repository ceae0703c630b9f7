//! The key of a cache entry: a hash of everything that decides whose key a plan gives.

use std::fmt;

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;

use crate::cache::hash::PartHash;
use crate::environment::Environment;
use crate::plan::{Expiring, Plan, ProcessPlan, RoleSessionName, RoleSettings};
use crate::platform;
use crate::resolve::CliText;

/// The first part of each hash. A change of the format of entries or of the hash changes the number.
const VERSION: &str = "ack-ram-authenticator cache 2";

/// The name of an entry: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey(String);

impl CacheKey {
    /// Returns the key of the entry of `plan`; `None` if the plan makes no call.
    ///
    /// `oidc_token` is the content of the token file.
    #[must_use]
    pub fn of(plan: &Plan, environment: &Environment, oidc_token: Option<&Secret>) -> Option<Self> {
        if matches!(plan, Plan::Key(_)) {
            return None;
        }
        let mut hash = PlanHash {
            hash: PartHash::new(VERSION),
            environment,
        };
        hash.plan(plan);
        hash.hash.optional(oidc_token.map(Secret::expose));
        Some(Self(hash.hash.finish()))
    }

    /// Parses the name of an entry file. Returns `None` for any other file.
    #[must_use]
    pub fn parse_entry_name(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(".json")?)
    }

    /// Parses the name of a file with a refusal. Returns `None` for any other file.
    pub(super) fn parse_refusal_name(name: &str) -> Option<Self> {
        Self::parse(name.strip_suffix(".refused")?)
    }

    fn parse(key: &str) -> Option<Self> {
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

/// Adds plans to a hash.
struct PlanHash<'a> {
    hash: PartHash,
    environment: &'a Environment,
}

impl PlanHash<'_> {
    fn expiring(&mut self, token: Option<&Expiring<Secret>>) {
        self.hash.optional(token.map(|token| token.value.expose()));
    }

    fn session(&mut self, session: Option<&Expiring<AccessKey>>) {
        match session {
            Some(session) => {
                self.hash.text("session");
                self.hash.key(&session.value);
            }
            None => self.hash.text("no session"),
        }
    }

    fn role(&mut self, session: &RoleSettings) {
        let hash = &mut self.hash;
        hash.text(&session.role.value.to_string());
        let seconds = session.seconds.as_ref();
        let seconds = seconds.map(|seconds| seconds.value.get().to_string());
        hash.optional(seconds.as_deref());
        let policy = session.policy.as_ref();
        hash.optional(policy.map(|policy| policy.value.as_str()));
        hash.text(&session.endpoint.value.to_string());
    }

    /// Adds everything that decides about the output of a process, and about the plan that follows from the output.
    fn process(&mut self, plan: &ProcessPlan) {
        let hash = &mut self.hash;
        hash.text("process");
        hash.text(&platform::machine());
        // The process finds files there, and its program if the path is relative. `PWD` can name another folder.
        let folder = std::env::current_dir().unwrap_or_default();
        hash.text(&folder.to_string_lossy());
        hash.text(&plan.words.len().to_string());
        for word in &plan.words {
            hash.text(word.expose());
        }
        hash.text("environment");
        for (name, value) in self.environment.iter() {
            if !is_of_terminal(name) {
                hash.text(name);
                hash.text(value);
            }
        }
        hash.text("endpoint");
        hash.text(&format!("{:?}", plan.context.endpoints));
        // The output can name another profile of the file as its source.
        let file = plan.context.file.as_deref();
        hash.optional(file.map(CliText::text));
    }

    fn plan(&mut self, plan: &Plan) {
        match plan {
            Plan::Key(plan) => {
                self.hash.text("key");
                self.hash.key(&plan.key);
            }
            // The service of each machine has the same address and issues other keys. Machines can share a home directory.
            Plan::Metadata(plan) => {
                let hash = &mut self.hash;
                hash.text("metadata");
                hash.text(&platform::machine());
                hash.text(plan.endpoint.expose());
                hash.optional(plan.role.as_ref().map(|role| role.value.as_str()));
            }
            Plan::Url(plan) => {
                let hash = &mut self.hash;
                hash.text("url");
                hash.text(&platform::machine());
                hash.text(plan.url.expose());
            }
            Plan::Process(plan) => self.process(plan),
            // A person can sign in again as somebody else in the same profile, so the tokens are a part of the key.
            Plan::CloudSso(plan) => {
                let hash = &mut self.hash;
                hash.text("CloudSSO");
                hash.text(&plan.profile.to_string());
                hash.text(plan.sign_in_url.expose());
                hash.text(&plan.account_id);
                hash.text(&plan.access_config);
                self.expiring(plan.access_token.as_ref());
                self.session(plan.session.as_ref());
            }
            Plan::OAuth(plan) => {
                let hash = &mut self.hash;
                hash.text("OAuth");
                hash.text(&plan.profile.to_string());
                hash.text(plan.site.name());
                hash.optional(plan.refresh_token.as_ref().map(Secret::expose));
                self.expiring(plan.access_token.as_ref());
                self.session(plan.session.as_ref());
            }
            Plan::Oidc(plan) => {
                self.hash.text("OIDC");
                self.role(&plan.session);
                self.hash.text(plan.name.value.as_str());
                self.hash.text(plan.provider.value.as_str());
            }
            Plan::AssumeRole(plan) => {
                self.hash.text("AssumeRole");
                self.role(&plan.session);
                match &plan.name {
                    RoleSessionName::Given(name) => {
                        self.hash.optional(Some(name.value.as_str()));
                    }
                    RoleSessionName::Forwarded => self.hash.optional(None),
                }
                let external_id = plan.external_id.as_ref();
                let external_id = external_id.map(|id| id.value.as_str());
                self.hash.optional(external_id);
                self.plan(&plan.source);
            }
        }
    }
}

/// Returns whether a variable says in which terminal a program runs, so that it does not decide about the output of a
/// process. Any other variable may decide: `PATH` names the folders in which a process finds its program, and
/// `KUBECONFIG` and `KUBERNETES_EXEC_INFO` say for which cluster the process prints a key.
fn is_of_terminal(name: &str) -> bool {
    const NAMES: [&str; 15] = [
        "COLORTERM",
        "COLUMNS",
        "DISPLAY",
        "GPG_TTY",
        "LANG",
        "LINES",
        "OLDPWD",
        "SHLVL",
        "SSH_CLIENT",
        "SSH_CONNECTION",
        "SSH_TTY",
        "STY",
        "TERM",
        "WINDOWID",
        "_",
    ];
    const PREFIXES: [&str; 5] = ["LC_", "TERM_", "TMUX", "VTE_", "XDG_SESSION_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests;
