//! The interface of the emulator: start, faults, records, stop.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};

use super::clock::StsClock;
use super::demo;
use super::directory::Directory;
use super::fault::{Fault, FaultScope};
use super::key_issuer::KeyIssuer;
use super::principal::Principal;
use super::recorded_request::RecordedRequest;
use super::role::Role;
use super::server::{self, Shared};
use super::tls::Acceptors;
use crate::service_thread::ServiceThread;
use crate::test_authority::{TestAuthority, TestAuthorityError};

/// A running emulator on its own thread. Dropping it closes its connections and its port, and ends the thread.
#[derive(Debug)]
pub struct Emulator {
    ca_pem: Option<String>,
    shared: Arc<Shared>,
    thread: ServiceThread,
}

impl Emulator {
    /// Returns the settings of an emulator without accounts.
    pub fn builder() -> Builder {
        Builder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            plain_http: false,
            now: None,
            authority: None,
            directory: Directory::default(),
        }
    }

    /// Returns the `server.sts` settings of a server that calls this emulator.
    ///
    /// `ca_file` must contain [`Self::ca_pem`]. The timeouts are so long that no call times out on a slow machine.
    #[must_use]
    pub fn settings(&self, ca_file: &Path) -> Value {
        json!({
            "endpoint": self.url(),
            "caFile": ca_file,
            "connectTimeout": "30s",
            "timeout": "30s",
        })
    }

    /// Returns the host and the port, in the form of `server.sts.endpoint` and `ALIBABA_CLOUD_STS_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address().to_string()
    }

    /// Returns the address that the emulator listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.thread.address()
    }

    /// Returns the URL without a slash at the end: scheme, host and port.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address())
    }

    /// Returns the certificate authority that clients have to trust, in PEM; empty for plain HTTP.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.ca_pem.as_deref().unwrap_or_default()
    }

    /// Sets the fault of all requests from now on; `None` ends the faults.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.shared.faults().always(fault, FaultScope::All);
    }

    /// Sets the fault of signed requests from now on. Unsigned probes of the endpoint still get a correct reply.
    pub fn set_fault_of_calls(&self, fault: Fault) {
        let scope = FaultScope::Signed;
        self.shared.faults().always(Some(fault), scope);
    }

    /// Sets the fault of requests that claim the key `id` from now on.
    pub fn set_fault_of_key(&self, id: &AccessKeyId, fault: Fault) {
        let scope = FaultScope::Key(id.clone());
        self.shared.faults().always(Some(fault), scope);
    }

    /// Sets the fault of the next `count` requests, or of the next `count` connections for a fault on accept. Replaces
    /// the current fault.
    pub fn fault_next(&self, count: usize, fault: Fault) {
        self.shared.faults().next(count, fault, FaultScope::All);
    }

    /// Sets the fault of the next `count` requests for `action`. Replaces the current fault.
    pub fn fault_next_of_action(&self, action: &str, count: usize, fault: Fault) {
        let scope = FaultScope::Action(action.to_owned());
        self.shared.faults().next(count, fault, scope);
    }

    /// Closes all open connections, because faults on accept and in the handshake affect only new connections.
    pub fn cut_connections(&self) {
        self.shared.cut.send_replace(());
    }

    /// Removes a key. Returns whether it existed. From now on, its requests fail with `InvalidAccessKeyId.NotFound`.
    pub fn delete_key(&self, id: &AccessKeyId) -> bool {
        self.shared.service().directory.delete_key(id)
    }

    /// Disables a key. Returns whether it exists. From now on, its requests fail with `InvalidAccessKeyId.Inactive`.
    pub fn disable_key(&self, id: &AccessKeyId) -> bool {
        self.shared.service().directory.set_active(id, false)
    }

    /// Enables a key again. Returns whether it exists.
    pub fn enable_key(&self, id: &AccessKeyId) -> bool {
        self.shared.service().directory.set_active(id, true)
    }

    /// Ends the temporary keys of the session `arn`, or of all sessions of the role `arn`, and returns their number. From
    /// now on, their requests fail with `InvalidSecurityToken.Expired`.
    pub fn revoke_sessions(&self, arn: &str) -> usize {
        let now = self.now();
        self.shared.service().directory.revoke_sessions(arn, now)
    }

    /// Returns an issuer of temporary keys of `owner`, for the emulator of another service.
    #[must_use]
    pub fn key_issuer(&self, owner: Principal) -> KeyIssuer {
        KeyIssuer::new(Arc::clone(&self.shared), owner)
    }

    /// Returns the clock of the emulator, for the emulator of another service.
    #[must_use]
    pub fn clock(&self) -> StsClock {
        StsClock(Arc::clone(&self.shared))
    }

    /// Returns the time of the emulator, which equals the system time until a test changes it.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.shared.clock.now()
    }

    /// Sets the clock of the emulator, which keeps running.
    pub fn set_now(&self, now: UnixTime) {
        self.shared.clock.set(now);
    }

    /// Moves the clock of the emulator forward by `seconds`, or back if negative.
    pub fn advance(&self, seconds: i64) {
        self.shared.clock.advance(seconds);
    }

    /// Returns the last 10,000 requests, oldest first, without the unsigned [probes](Self::probes).
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.request_log().calls()
    }

    /// Returns the number of [requests](Self::requests) for `action`, including refused ones.
    #[must_use]
    pub fn count(&self, action: &str) -> usize {
        self.requests_for(action).len()
    }

    /// Returns the [requests](Self::requests) for `action`.
    #[must_use]
    pub fn requests_for(&self, action: &str) -> Vec<RecordedRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.action.as_deref() == Some(action));
        requests
    }

    /// Returns the last 10,000 probes, oldest first. A probe is an unsigned request that tests whether STS is
    /// available.
    #[must_use]
    pub fn probes(&self) -> Vec<RecordedRequest> {
        self.shared.request_log().probes()
    }

    /// Clears the recorded requests.
    pub fn clear_requests(&self) {
        self.shared.request_log().clear();
    }

    /// Returns the number of accepted connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

/// The settings of an [`Emulator`]: its accounts and its address.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    listen: SocketAddr,
    names: Vec<String>,
    plain_http: bool,
    now: Option<UnixTime>,
    authority: Option<TestAuthority>,
    directory: Directory,
}

impl Builder {
    /// Sets the address to listen on. Defaults to a free port of 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Adds a name or an address to the certificate, which already contains `localhost` and `127.0.0.1`.
    pub fn name(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    /// Serves plain HTTP, without TLS.
    pub fn plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Sets the clock to `now` at the start.
    pub fn now(mut self, now: UnixTime) -> Self {
        self.now = Some(now);
        self
    }

    /// Uses the accounts of `directory`, and discards those that were added before.
    pub fn directory(mut self, directory: Directory) -> Self {
        self.directory = directory;
        self
    }

    /// Adds the demonstration account of [`demo`].
    pub fn demo(self) -> Self {
        demo::add_to(self)
    }

    /// Adds a key of the account itself.
    pub fn root(mut self, account: &str, key: AccessKey) -> Self {
        let owner = Principal::Root {
            account: account.to_owned(),
        };
        self.directory.add_key(owner, key);
        self
    }

    /// Adds a key of the user `name` with the immutable ID `id`, who may assume the roles that trust the user. A user may
    /// have several keys.
    pub fn user(mut self, account: &str, name: &str, id: &str, key: AccessKey) -> Self {
        self.directory.add_key(user(account, name, id), key);
        self
    }

    /// Adds a user as [`Self::user`] does, without the policy `AliyunSTSAssumeRoleAccess`. The user may assume no role,
    /// whatever roles trust the user.
    pub fn user_without_policy(
        mut self,
        account: &str,
        name: &str,
        id: &str,
        key: AccessKey,
    ) -> Self {
        self.directory.detach_policy(&user(account, name, id));
        self.user(account, name, id, key)
    }

    /// Adds the role `name` with the immutable ID `id`, which trusts every caller.
    pub fn role(self, account: &str, name: &str, id: &str) -> Self {
        self.role_with(Role::new(account, name, id))
    }

    /// Adds a role with a trust policy.
    pub fn role_with(mut self, role: Role) -> Self {
        self.directory.add_role(role);
        self
    }

    /// Adds a temporary key of `owner` that expires at `expires`.
    pub fn temporary_key(mut self, owner: Principal, key: AccessKey, expires: UnixTime) -> Self {
        self.directory.add_temporary_key(owner, key, expires);
        self
    }

    /// Adds an OIDC provider. `AssumeRoleWithOIDC` accepts the tokens that [`super::oidc_token`] returns for `issuer`
    /// and one of `audiences`.
    pub fn oidc_provider(mut self, arn: &str, issuer: &str, audiences: &[&str]) -> Self {
        self.directory.add_oidc_provider(arn, issuer, audiences);
        self
    }

    /// Uses a certificate of `authority` rather than of an authority of its own.
    pub fn authority(mut self, authority: &TestAuthority) -> Self {
        self.authority = Some(authority.clone());
        self
    }

    /// Adds a token that `AssumeRoleWithOIDC` accepts for the provider, whatever the token contains.
    pub fn oidc_token(mut self, provider_arn: &str, token: &str) -> Self {
        self.directory.add_oidc_token(provider_arn, token);
        self
    }

    /// Starts the emulator. The caller may, but need not, be inside an async runtime.
    ///
    /// # Errors
    /// If the address is not available, a name is not valid in a certificate, or the system provides no thread.
    pub fn start(self) -> Result<Emulator, StartError> {
        let listen_error = |source| StartError::Listen {
            address: self.listen,
            source,
        };
        let listener = TcpListener::bind(self.listen).map_err(listen_error)?;

        let (acceptors, ca_pem) = if self.plain_http {
            (None, None)
        } else {
            let authority = match self.authority {
                Some(authority) => authority,
                None => TestAuthority::generate()?,
            };
            let acceptors = Acceptors::issue(&authority, &self.names)?;
            (Some(acceptors), Some(authority.pem()))
        };
        let shared = Arc::new(Shared::default());
        shared.service().directory = self.directory;
        if let Some(now) = self.now {
            shared.clock.set(now);
        }

        let thread = ServiceThread::start("sts", listener, |listener| {
            server::serve(listener, acceptors, Arc::clone(&shared))
        });
        Ok(Emulator {
            ca_pem,
            shared,
            thread: thread.map_err(StartError::Thread)?,
        })
    }
}

fn user(account: &str, name: &str, id: &str) -> Principal {
    Principal::User {
        account: account.to_owned(),
        name: name.to_owned(),
        id: id.to_owned(),
    }
}

/// The reason why the emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The emulator cannot listen on the address.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The error of the system.
        source: io::Error,
    },
    /// There is no certificate. A name may be invalid.
    #[error(transparent)]
    Certificate(#[from] TestAuthorityError),
    /// The system provides no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}
