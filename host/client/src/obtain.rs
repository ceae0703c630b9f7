//! Obtains a key: from the plan itself, from the cache, or by running the plan once for all processes that wait for it.

use std::path::Path;

use ack_ram_core::secret::Secret;

use crate::cache::{CacheFolder, CacheKey, LockAttempt, Lookup, PlanCache, RememberedRefusal};
use crate::driver::{Driver, SystemFiles};
use crate::environment::Environment;
use crate::error::{ClientError, SetupError};
use crate::files::Files as _;
use crate::finding::{Findings, Topic};
use crate::flow::Obtained;
use crate::plan::{Plan, is_live};
use crate::resolve::resolve;
use crate::settings::Settings;

/// What a key is obtained with.
pub struct Client<'a> {
    /// What the command line asks for, with the variables of ack-ram-tool.
    pub settings: &'a Settings,
    /// The environment.
    pub environment: &'a Environment,
    /// The folder of the cache; `None` if the cache is not used. A plan that has nothing to store does not create it.
    pub cache: Option<&'a Path>,
    /// Does what plans ask for.
    pub driver: &'a mut Driver,
    /// What was found out.
    pub findings: &'a mut Findings,
}

impl Client<'_> {
    /// Decides on a plan.
    ///
    /// # Errors
    /// Returns an error if no source is configured, or if the configured source is wrong.
    pub fn plan(&mut self) -> Result<Plan, ClientError> {
        resolve(self.settings, self.environment, &SystemFiles, self.findings)
    }

    /// Obtains a key.
    ///
    /// # Errors
    /// Returns the reason why there is no key.
    pub fn obtain(&mut self) -> Result<Obtained, ClientError> {
        let plan = self.plan()?;
        self.obtain_by(plan)
    }

    fn obtain_by(&mut self, plan: Plan) -> Result<Obtained, ClientError> {
        let oidc_token = self.read_oidc_token(&plan)?;
        let key = CacheKey::of(&plan, self.environment, oidc_token.as_ref());
        let folder = key.is_some().then(|| self.open_cache()).flatten();
        let (Some(folder), Some(key)) = (folder, key) else {
            return self.driver.run(plan, oidc_token, self.findings);
        };
        let cache = PlanCache::new(&folder, key);
        if !plan.is_cacheable() {
            return self.obtain_uncached(plan, &cache);
        }
        match cache.look_up(self.driver.now()) {
            Lookup::Fresh(key) => {
                self.findings
                    .note(Topic::Cache, "the key is from the cache");
                Ok(key)
            }
            Lookup::Due(old) => Ok(self.renew(plan, oidc_token, old, &cache)),
            Lookup::Refused(refusal) => Err(self.repeat(refusal)),
            Lookup::Missing => {
                let _lock = self.lock(&cache);
                match cache.look_up(self.driver.now()) {
                    Lookup::Fresh(key) | Lookup::Due(key) => {
                        self.findings
                            .note(Topic::Cache, "another process has obtained the key");
                        Ok(key)
                    }
                    Lookup::Refused(refusal) => Err(self.repeat(refusal)),
                    Lookup::Missing => self.run_and_store(plan, oidc_token, &cache),
                }
            }
        }
    }

    /// Opens the cache. Without a usable folder, the client works without a cache.
    fn open_cache(&mut self) -> Option<CacheFolder> {
        let path = self.cache?;
        match CacheFolder::open(path) {
            Ok(folder) => Some(folder),
            Err(error) => {
                self.findings.note(
                    Topic::Cache,
                    format!("the cache `{}` is not used: {error}", path.display()),
                );
                None
            }
        }
    }

    /// Renews a key that ends soon, unless another process does. A failure harms nobody while the old key lives.
    fn renew(
        &mut self,
        plan: Plan,
        oidc_token: Option<Secret>,
        old: Obtained,
        cache: &PlanCache<'_>,
    ) -> Obtained {
        if cache.refusal(self.driver.now()).is_some() {
            return old;
        }
        let _lock = match cache.try_lock() {
            LockAttempt::Held(lock) => Some(lock),
            LockAttempt::Busy => return old,
            LockAttempt::Unavailable => None,
        };
        if let Lookup::Fresh(key) = cache.look_up(self.driver.now()) {
            return key;
        }
        match self.run_and_store(plan, oidc_token, cache) {
            Ok(key) => key,
            Err(error) => {
                self.findings.note(
                    Topic::Cache,
                    format!("the key could not be renewed, so the old one is used: {error}"),
                );
                old
            }
        }
    }

    /// Runs a plan whose key is not stored here: a key of a session is stored in the file of the CLI, and the key of an
    /// instance costs little.
    fn obtain_uncached(
        &mut self,
        plan: Plan,
        cache: &PlanCache<'_>,
    ) -> Result<Obtained, ClientError> {
        if let Some(refusal) = cache.refusal(self.driver.now()) {
            return Err(self.repeat(refusal));
        }
        let mut plan = plan;
        let mut lock = None;
        if plan.renews_a_session(self.driver.now()) {
            // A refresh token is good for one use, so one process renews the session, and the others read it again.
            lock = self.lock(cache);
            plan = self.plan()?;
        }
        let result = self.driver.run(plan, None, self.findings);
        drop(lock);
        self.remember(&result, cache);
        result
    }

    fn run_and_store(
        &mut self,
        plan: Plan,
        oidc_token: Option<Secret>,
        cache: &PlanCache<'_>,
    ) -> Result<Obtained, ClientError> {
        let summary = plan.summary().text();
        let result = self.driver.run(plan, oidc_token, self.findings);
        if let Ok(key) = &result {
            match cache.store(key, &summary, self.driver.now()) {
                Ok(()) => self
                    .findings
                    .note(Topic::Cache, "the key is stored in the cache"),
                Err(error) => self.findings.note(
                    Topic::Cache,
                    format!("the key could not be stored: {error}"),
                ),
            }
        }
        self.remember(&result, cache);
        result
    }

    fn remember(&mut self, result: &Result<Obtained, ClientError>, cache: &PlanCache<'_>) {
        let Err(error) = result else { return };
        let Some(refusal) = RememberedRefusal::of(error, self.driver.now()) else {
            return;
        };
        // Without it, the next command asks again.
        let _ = cache.store_refusal(&refusal);
    }

    fn repeat(&mut self, refusal: RememberedRefusal) -> ClientError {
        self.findings
            .note(Topic::Cache, "the same request was refused a moment ago");
        refusal.into_error()
    }

    /// Waits for the lock. Without a lock, several processes may make the same call.
    fn lock(&mut self, cache: &PlanCache<'_>) -> Option<crate::cache::LockGuard> {
        match cache.lock(self.driver.deadline()) {
            LockAttempt::Held(lock) => Some(lock),
            LockAttempt::Busy | LockAttempt::Unavailable => {
                self.findings
                    .note(Topic::Cache, "the lock of the entry could not be taken");
                None
            }
        }
    }

    /// Reads the OIDC token of a plan, which is a part of the key of its cache entry.
    fn read_oidc_token(&mut self, plan: &Plan) -> Result<Option<Secret>, ClientError> {
        let Some(oidc) = plan.oidc() else {
            return Ok(None);
        };
        let file = &oidc.token_file;
        let content = SystemFiles.read(&file.value);
        let content = content.map_err(|error| SetupError::File {
            path: file.value.clone(),
            selected_by: file.origin.clone(),
            error,
        })?;
        oidc.token(&content).map(Some)
    }
}

impl Plan {
    /// Returns whether the key of the plan is stored in the cache: it expires, and costs a call.
    fn is_cacheable(&self) -> bool {
        match self {
            Self::AssumeRole(_) | Self::Oidc(_) | Self::Url(_) | Self::Process(_) => true,
            Self::Key(_) | Self::Metadata(_) | Self::CloudSso(_) | Self::OAuth(_) => false,
        }
    }

    /// Returns whether the plan renews a session in the file of the CLI.
    fn renews_a_session(&self, now: ack_ram_core::time::UnixTime) -> bool {
        let session = match self {
            Self::CloudSso(plan) => &plan.session,
            Self::OAuth(plan) => &plan.session,
            _ => return false,
        };
        !session
            .as_ref()
            .is_some_and(|session| is_live(session.expires, now))
    }

    /// Returns the source of the plan if it is an OIDC token.
    fn oidc(&self) -> Option<&crate::plan::OidcPlan> {
        match self {
            Self::Oidc(plan) => Some(plan),
            Self::AssumeRole(plan) => plan.source.oidc(),
            _ => None,
        }
    }
}
