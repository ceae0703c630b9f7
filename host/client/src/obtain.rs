//! Obtains a key: from the plan itself, from the cache, or by running the plan once for all processes that wait for it.

mod session;

use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;

use crate::cache::{CacheFolder, CacheKey, LockAttempt, Lookup, PlanCache, RememberedRefusal};
use crate::driver::{Driver, SystemFiles};
use crate::environment::Environment;
use crate::error::{ClientError, SetupError};
use crate::files::Files as _;
use crate::finding::{Findings, Topic};
use crate::flow::Obtained;
use crate::plan::Plan;
use crate::resolve::resolve;
use crate::settings::Settings;

/// How long a key of a process or a URL is used before the process or the URL is asked again, in seconds.
const MAX_UNVERIFIED_SECONDS: i64 = 15 * 60;

/// What a key is obtained with.
pub struct Client<'a> {
    /// What the command line asks for, with the variables of ack-ram-tool.
    pub settings: &'a Settings,
    /// The environment.
    pub environment: &'a Environment,
    /// The cache; `None` if it is not used.
    pub cache: Option<&'a CacheFolder>,
    /// Does what plans ask for.
    pub driver: &'a mut Driver,
    /// What was found out.
    pub findings: &'a mut Findings,
}

impl<'a> Client<'a> {
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

    /// Obtains the key of a plan.
    ///
    /// # Errors
    /// Returns the reason why there is no key.
    pub fn obtain_by(&mut self, plan: Plan) -> Result<Obtained, ClientError> {
        let oidc_token = plan.read_oidc_token()?;
        let cache = self.plan_cache(&plan, oidc_token.as_ref());
        if let (Some(cache), true) = (&cache, plan.is_cacheable()) {
            match cache.look_up(self.driver.now()) {
                Lookup::Fresh(key) => {
                    self.findings
                        .note(Topic::Cache, "the key is from the cache");
                    return Ok(key);
                }
                Lookup::Due(old) => return Ok(self.renew(plan, oidc_token, old, cache)),
                Lookup::Refused(refusal) => return Err(self.repeat(refusal)),
                Lookup::Missing => {}
            }
        }
        if plan.session_to_renew(self.driver.now()).is_some() {
            // The renewed session is a part of the new plan, and of the key of its entry.
            let plan = self.renew_session(plan)?;
            return self.obtain_by(plan);
        }
        match cache {
            None => self.driver.run(plan, oidc_token, self.findings),
            Some(cache) if plan.is_cacheable() => self.obtain_once(plan, oidc_token, &cache),
            Some(cache) => self.obtain_uncached(plan, &cache),
        }
    }

    /// Selects the entry of a plan; `None` if there is no cache, or if the plan makes no call.
    fn plan_cache(&self, plan: &Plan, oidc_token: Option<&Secret>) -> Option<PlanCache<'a>> {
        let folder = self.cache?;
        let key = CacheKey::of(plan, self.environment, oidc_token)?;
        Some(PlanCache::new(folder, key))
    }

    /// Makes one of the processes that need a key run the plan. The others wait for the key.
    fn obtain_once(
        &mut self,
        plan: Plan,
        oidc_token: Option<Secret>,
        cache: &PlanCache<'_>,
    ) -> Result<Obtained, ClientError> {
        let lock = match cache.lock(self.lock_deadline()) {
            LockAttempt::Held(lock) => Some(lock),
            // Without the lock, several processes may make the same call.
            LockAttempt::Busy | LockAttempt::Unavailable => {
                self.findings
                    .note(Topic::Cache, "the lock of the entry could not be taken");
                None
            }
        };
        match cache.look_up(self.driver.now()) {
            Lookup::Fresh(key) | Lookup::Due(key) => {
                self.findings
                    .note(Topic::Cache, "another process has obtained the key");
                Ok(key)
            }
            Lookup::Refused(refusal) => Err(self.repeat(refusal)),
            Lookup::Missing => {
                let result = self.run_and_store(plan, oidc_token, cache);
                match (&result, &lock) {
                    // The holder of the lock may have been slow only.
                    (Err(_), None) => self.stored_key(cache).map_or(result, Ok),
                    _ => result,
                }
            }
        }
    }

    fn stored_key(&self, cache: &PlanCache<'_>) -> Option<Obtained> {
        match cache.look_up(self.driver.now()) {
            Lookup::Fresh(key) | Lookup::Due(key) => Some(key),
            Lookup::Refused(_) | Lookup::Missing => None,
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
        let mut lock = match cache.try_lock() {
            LockAttempt::Held(lock) => Some(lock),
            LockAttempt::Busy => {
                self.findings
                    .note(Topic::Cache, "another process renews the key");
                return old;
            }
            LockAttempt::Unavailable => None,
        };
        let now = self.driver.now();
        if let Lookup::Fresh(key) = cache.look_up(now) {
            return key;
        }
        if let Some(lock) = &mut lock
            && cache.has_failed_renewal(lock, now)
        {
            self.findings
                .note(Topic::Cache, "a renewal of the key failed a moment ago");
            return old;
        }
        // The command waits for the renewal, but can do without it. The renewal of a session has the whole time, because
        // the service uses up a refresh token even if its reply comes too late.
        let time = match plan.session_to_renew(now) {
            None => self.time_left() / 3,
            Some(_) => self.time_left(),
        };
        let deadline = self.driver.limit_time(time);
        let result = match plan.session_to_renew(now) {
            None => self.run_and_store(plan, oidc_token, cache),
            Some(_) => self
                .renew_session(plan)
                .and_then(|plan| self.obtain_by(plan)),
        };
        self.driver.set_deadline(deadline);
        if let Some(lock) = &mut lock {
            cache.note_renewal(lock, result.is_ok(), self.driver.now());
        }
        result.unwrap_or_else(|error| {
            self.findings.note(
                Topic::Cache,
                format!("the key could not be renewed, so the old one is used: {error}"),
            );
            old
        })
    }

    /// Runs a plan whose key is not stored here: the file of the CLI stores the key of a session, and the key of an
    /// instance costs little.
    fn obtain_uncached(
        &mut self,
        plan: Plan,
        cache: &PlanCache<'_>,
    ) -> Result<Obtained, ClientError> {
        if let Some(refusal) = cache.refusal(self.driver.now()) {
            return Err(self.repeat(refusal));
        }
        let result = self.driver.run(plan, None, self.findings);
        self.remember(&result, cache);
        result
    }

    fn run_and_store(
        &mut self,
        plan: Plan,
        oidc_token: Option<Secret>,
        cache: &PlanCache<'_>,
    ) -> Result<Obtained, ClientError> {
        let (summary, max_age) = (plan.summary().text(), plan.max_cached_seconds());
        let result = self.driver.run(plan, oidc_token, self.findings);
        if let Ok(key) = &result {
            match cache.store(key, &summary, max_age, self.driver.now()) {
                Ok(true) => self
                    .findings
                    .note(Topic::Cache, "the key is stored in the cache"),
                Ok(false) => self
                    .findings
                    .note(Topic::Cache, "the key has no end, so it is not stored"),
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

    /// Returns how long to wait for another process: a quarter of the time is left for a call of this process, because
    /// the other process may have been stopped.
    fn lock_deadline(&self) -> Instant {
        let deadline = self.driver.deadline();
        let reserve = self.time_left() / 4;
        deadline.checked_sub(reserve).unwrap_or(deadline)
    }

    fn time_left(&self) -> Duration {
        let deadline = self.driver.deadline();
        deadline.saturating_duration_since(Instant::now())
    }

    /// Returns whether the cache has a key of the plan that the next login would use.
    pub(crate) fn has_cached_key(&self, plan: &Plan) -> bool {
        let Ok(oidc_token) = plan.read_oidc_token() else {
            return false;
        };
        let cache = self.plan_cache(plan, oidc_token.as_ref());
        cache
            .filter(|_| plan.is_cacheable())
            .is_some_and(|cache| self.stored_key(&cache).is_some())
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

    /// Returns how many seconds a key of the plan is used at most; `None` until its end.
    ///
    /// A process or a URL can answer for another person, who has signed in there in the meantime. Nothing in the plan
    /// says so, and a role is then assumed by that person.
    fn max_cached_seconds(&self) -> Option<i64> {
        match self {
            Self::Url(_) | Self::Process(_) => Some(MAX_UNVERIFIED_SECONDS),
            Self::AssumeRole(plan) => plan.source.max_cached_seconds(),
            Self::Key(_)
            | Self::Metadata(_)
            | Self::CloudSso(_)
            | Self::OAuth(_)
            | Self::Oidc(_) => None,
        }
    }

    /// Returns the source of the plan if it is an OIDC token.
    pub(crate) fn oidc(&self) -> Option<&crate::plan::OidcPlan> {
        match self {
            Self::Oidc(plan) => Some(plan),
            Self::AssumeRole(plan) => plan.source.oidc(),
            _ => None,
        }
    }

    /// Reads the OIDC token of the plan, which is a part of the key of its cache entry. Returns `None` if the plan needs
    /// no OIDC token.
    pub(crate) fn read_oidc_token(&self) -> Result<Option<Secret>, ClientError> {
        let Some(oidc) = self.oidc() else {
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
