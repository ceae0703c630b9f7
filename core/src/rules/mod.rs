//! Rules: which identity becomes which Kubernetes user.

mod mapping;
pub mod template;

pub use mapping::{Backend, Mapping, NameError, Rule, RuleError, Source};

use std::collections::{BTreeMap, BTreeSet};

use crate::arn::{AccountId, ArnKey};
use crate::decision::{Decision, Denial, KubernetesUser, Matched};
use crate::identity::Identity;
use crate::login::VerifiedIdentity;

/// All rules of a server, in the order in which its backends answer. Requests read it without a lock.
#[derive(Debug, Default)]
pub struct RuleSet {
    backends: Vec<BackendRules>,
    scrubbed: BTreeSet<AccountId>,
}

/// The rules of one backend.
#[derive(Debug)]
pub struct BackendRules {
    backend: Backend,
    by_arn: BTreeMap<ArnKey, Rule>,
    accounts: BTreeSet<AccountId>,
}

impl BackendRules {
    /// No rules yet.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            by_arn: BTreeMap::new(),
            accounts: BTreeSet::new(),
        }
    }

    /// Adds `rule`, unless an earlier one names the same ARN: that one stays.
    ///
    /// # Errors
    /// Gives back where the earlier rule stands.
    pub fn add(&mut self, rule: Rule) -> Result<(), Source> {
        let key = rule.arn().key();
        if let Some(earlier) = self.by_arn.get(&key) {
            return Err(earlier.source().clone());
        }
        self.by_arn.insert(key, rule);
        Ok(())
    }

    /// Lets every identity of `account` in under its own canonical ARN, without groups (`mapAccounts`).
    pub fn add_account(&mut self, account: AccountId) {
        self.accounts.insert(account);
    }

    /// How many ARNs and accounts are mapped.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_arn.len() + self.accounts.len()
    }

    /// Whether nobody is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl RuleSet {
    /// The rules of `backends`, the first of which answers first. Identities of `scrubbed` accounts are granted
    /// without a trace of who they are.
    #[must_use]
    pub fn new(backends: Vec<BackendRules>, scrubbed: BTreeSet<AccountId>) -> Self {
        Self { backends, scrubbed }
    }

    /// Decides what `who` is granted. This is the only way to a grant.
    pub fn decide(&self, who: &VerifiedIdentity) -> Decision {
        let identity = who.identity();
        let is_scrubbed = self.scrubbed.contains(identity.account_id());
        let decision = match self.matching(identity) {
            None => Decision::denied(who.fingerprint(), Denial::NotMapped),
            Some((matched, names)) => match names {
                Ok((username, groups)) => Decision::granted(
                    who.fingerprint(),
                    KubernetesUser::new(identity, username, groups, is_scrubbed),
                ),
                Err(denial) => Decision::denied(who.fingerprint(), denial),
            }
            .by(matched),
        };
        decision.of(identity, is_scrubbed)
    }

    /// The first rule that speaks for `identity`, and the username and groups that it gives.
    fn matching(&self, identity: &Identity) -> Option<(Matched, Result<Names, Denial>)> {
        let key = identity.arn.key();
        self.backends.iter().find_map(|rules| {
            if let Some(rule) = rules.by_arn.get(&key) {
                let names = rule.names(identity).map_err(Denial::Name);
                return Some((Matched::Rule(rule.source().clone()), names));
            }
            rules.accounts.get(identity.account_id()).map(|account| {
                let matched = Matched::Account {
                    backend: rules.backend,
                    account: account.clone(),
                };
                (
                    matched,
                    Ok((identity.arn.canonical().to_string(), Vec::new())),
                )
            })
        })
    }
}

/// A username and groups.
pub(crate) type Names = (String, Vec<String>);
