//! Renews sessions in the file of the CLI, one process at a time.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use ack_ram_core::time::UnixTime;

use crate::cache::{LockAttempt, LockGuard, PlanCache};
use crate::error::{ClientError, Unavailable};
use crate::file_lock::Locked;
use crate::finding::Topic;
use crate::flow::Obtained;
use crate::obtain::Client;
use crate::origin::{Origin, Profile};
use crate::plan::{KeyPlan, Plan, is_live};
use crate::platform::DelayedSignals;
use crate::session_file;

/// The lock of a renewal.
enum RenewalLock {
    Folder(#[allow(dead_code, reason = "the open folder holds the lock")] File),
    Entry(#[allow(dead_code, reason = "the guard holds the lock")] LockGuard),
    /// Another process holds the lock.
    Busy,
    /// There are no locks here.
    Unavailable,
}

impl Client<'_> {
    /// Renews the session of a plan, and returns the plan with the renewed session.
    ///
    /// A refresh token is good for one use, so one process renews the session, and the others read it again. The lock
    /// holds for all cache folders, and without a cache. While another process holds the lock, no refresh token is sent.
    ///
    /// A process that is killed between the answer of the service and the end of the writing loses the new refresh token,
    /// and the person has to sign in again: only the service could avoid that. The signals that end a command wait for the
    /// writing.
    pub(super) fn renew_session(&mut self, plan: Plan) -> Result<Plan, ClientError> {
        let now = self.driver.now();
        let Some((session, profile)) = plan.session_to_renew(now) else {
            return Ok(plan);
        };
        let cache = self.plan_cache(session, None);
        self.check_refusal(cache.as_ref())?;
        let lock = self.lock_session(profile, cache.as_ref());

        // Another process may have renewed the session while this one waited.
        let plan = self.plan()?;
        let Some((session, profile)) = plan.session_to_renew(self.driver.now()) else {
            return Ok(plan);
        };
        let profile = Arc::clone(profile);
        let cache = self.plan_cache(session, None);
        self.check_refusal(cache.as_ref())?;
        let result = self.run_session(session, &profile, &lock);
        if let Some(cache) = &cache {
            self.remember(&result, cache);
        }
        // The CLI takes no lock, so it may have renewed the session in the meantime, whatever the result is.
        let renewed = self.plan();
        drop(lock);
        match (result, renewed) {
            (_, Ok(renewed)) if renewed.session_to_renew(self.driver.now()).is_none() => {
                Ok(renewed)
            }
            // The session could not be written, but its key can be used now.
            (Ok(key), _) => Ok(plan.with_session_key(&key, &profile)),
            (Err(error), _) => Err(error),
        }
    }

    /// Runs the plan of a session. If its refresh token must not be used up, a stored access token that lives is used
    /// without it.
    fn run_session(
        &mut self,
        session: &Plan,
        profile: &Profile,
        lock: &RenewalLock,
    ) -> Result<Obtained, ClientError> {
        let mut session = session.clone();
        let mut obstacle = None;
        if let Plan::OAuth(plan) = &mut session
            && plan.refresh_token.is_some()
            && let Err(error) = self.check_refresh(profile, lock)
        {
            let access_token = plan.access_token.as_ref();
            if !access_token.is_some_and(|token| is_live(token.expires, self.driver.now())) {
                return Err(error);
            }
            plan.refresh_token = None;
            obstacle = Some(error);
        }
        let signals = DelayedSignals::start();
        let result = self.driver.run(session, None, self.findings);
        drop(signals);
        match (result, obstacle) {
            // The refresh token might have helped.
            (Err(ClientError::SignIn(_)), Some(obstacle)) => Err(obstacle),
            (result, _) => result,
        }
    }

    /// Checks that no other process may be using the refresh token, that new tokens can be written, and that enough time is
    /// left. Otherwise the next command would have no token, and neither would the owner of a file that is shared.
    ///
    /// Where there are no locks, two processes can use the same token only if they start in the same moment. Without a
    /// renewal, nobody there could log in.
    fn check_refresh(&self, profile: &Profile, lock: &RenewalLock) -> Result<(), ClientError> {
        let deadline = self.lock_deadline();
        // The SDK locks the file while it writes, and could replace new tokens by its own.
        let is_locked = || matches!(session_file::lock_file(profile, deadline), Locked::Busy);
        if matches!(lock, RenewalLock::Busy) || is_locked() {
            return Err(ClientError::Unavailable(Unavailable {
                cause: format!(
                    "the OAuth session of {profile} cannot be renewed, because another process has locked its file for too long"
                ),
                remedy: "try again; if the error stays, end the process that holds the lock: a renewal uses up the refresh token, so only one process may renew the session".to_owned(),
            }));
        }
        session_file::check_writable(profile).map_err(|error| {
            ClientError::Unavailable(Unavailable {
                cause: format!(
                    "the OAuth session of {profile} cannot be renewed, because its file cannot be written: {error}"
                ),
                remedy: match error.kind() {
                    ErrorKind::StorageFull => "free space on the disk: a renewal uses up the refresh token in the file",
                    _ => "make the file writable for yourself: a renewal uses up the refresh token in it",
                }
                .to_owned(),
            })
        })?;
        if !self.driver.has_time_for_refresh() {
            return Err(ClientError::Unavailable(Unavailable {
                cause: format!(
                    "the OAuth session of {profile} cannot be renewed, because too little time is left for the command"
                ),
                remedy: "try again, or set a longer `--timeout`: a renewal uses up the refresh token, so it must not be cut off".to_owned(),
            }));
        }
        Ok(())
    }

    fn check_refusal(&mut self, cache: Option<&PlanCache<'_>>) -> Result<(), ClientError> {
        let refusal = cache.and_then(|cache| cache.refusal(self.driver.now()));
        refusal.map_or(Ok(()), |refusal| Err(self.repeat(refusal)))
    }

    /// Waits for the lock of a session, at most until a part of the time of the command is over: the holder of the lock may
    /// have been stopped.
    fn lock_session(&mut self, profile: &Profile, cache: Option<&PlanCache<'_>>) -> RenewalLock {
        let deadline = self.lock_deadline();
        let lock = match session_file::lock_folder(profile, deadline) {
            Locked::Held(file) => RenewalLock::Folder(file),
            Locked::Busy => RenewalLock::Busy,
            Locked::Unavailable => match cache.map(|cache| cache.lock(deadline)) {
                Some(LockAttempt::Held(guard)) => RenewalLock::Entry(guard),
                Some(LockAttempt::Busy) => RenewalLock::Busy,
                Some(LockAttempt::Unavailable) | None => RenewalLock::Unavailable,
            },
        };
        if matches!(lock, RenewalLock::Busy | RenewalLock::Unavailable) {
            self.findings
                .note(Topic::Cache, "the lock of the session could not be taken");
        }
        lock
    }
}

impl Plan {
    /// Returns the session in the file of the CLI from which the plan starts, with its profile; `None` if there is no
    /// session, or if its key can be used.
    pub(super) fn session_to_renew(&self, now: UnixTime) -> Option<(&Self, &Arc<Profile>)> {
        let (profile, key) = match self {
            Self::CloudSso(plan) => (&plan.profile, &plan.session),
            Self::OAuth(plan) => (&plan.profile, &plan.session),
            Self::AssumeRole(plan) => return plan.source.session_to_renew(now),
            _ => return None,
        };
        let has_key = key.as_ref().is_some_and(|key| is_live(key.expires, now));
        (!has_key).then_some((self, profile))
    }

    /// Returns the plan with `key` in place of the session of `profile`.
    fn with_session_key(self, key: &Obtained, profile: &Arc<Profile>) -> Self {
        match self {
            Self::CloudSso(_) | Self::OAuth(_) => Self::Key(KeyPlan {
                key: key.key.clone(),
                expires: key.expires,
                id_origin: Origin::Member(Arc::clone(profile), "access_key_id"),
                secret_origin: Origin::Member(Arc::clone(profile), "access_key_secret"),
            }),
            Self::AssumeRole(mut plan) => {
                plan.source = plan.source.with_session_key(key, profile);
                Self::AssumeRole(plan)
            }
            other => other,
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
