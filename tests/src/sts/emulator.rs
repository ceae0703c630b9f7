//! The interface of the emulator: start, faults, records, stop.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::demo;
use super::directory::Directory;
use super::fault::{Fault, FaultScope};
use super::principal::Principal;
use super::recorded_request::RecordedRequest;
use super::server::{self, Shared};
use super::tls::Identity;

/// A running emulator on its own thread. Dropping it closes its connections and its port, and ends the thread.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    ca_pem: Option<String>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Returns the settings of an emulator without accounts.
    pub fn builder() -> Builder {
        Builder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            plain_http: false,
            now: None,
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
        self.address.to_string()
    }

    /// Returns the address that the emulator listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL without a slash at the end: scheme, host and port.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
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
        self.shared.faults().next(count, fault);
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

impl Drop for Emulator {
    fn drop(&mut self) {
        // The thread ends when the sender is dropped.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already printed.
            let _ = thread.join();
        }
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

    /// Adds a key of the user `name` with the immutable ID `id`. A user may have several keys.
    pub fn user(mut self, account: &str, name: &str, id: &str, key: AccessKey) -> Self {
        let owner = Principal::User {
            account: account.to_owned(),
            name: name.to_owned(),
            id: id.to_owned(),
        };
        self.directory.add_key(owner, key);
        self
    }

    /// Adds the role `name` with the immutable ID `id`. Every user may assume it.
    pub fn role(mut self, account: &str, name: &str, id: &str) -> Self {
        self.directory.add_role(account, name, id);
        self
    }

    /// Adds a temporary key of `owner` that expires at `expires`.
    pub fn temporary_key(mut self, owner: Principal, key: AccessKey, expires: UnixTime) -> Self {
        self.directory.add_temporary_key(owner, key, expires);
        self
    }

    /// Adds a token that `AssumeRoleWithOIDC` accepts for the provider.
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
        listener.set_nonblocking(true).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;

        let (acceptors, ca_pem) = if self.plain_http {
            (None, None)
        } else {
            let identity = Identity::generate(&self.names)?;
            (Some(identity.acceptors), Some(identity.ca_pem))
        };
        let shared = Arc::new(Shared::default());
        shared.service().directory = self.directory;
        if let Some(now) = self.now {
            shared.clock.set(now);
        }

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(StartError::Thread)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(StartError::Thread)?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = server::serve(listener, acceptors, shared.clone());
        let thread = std::thread::Builder::new()
            .name(format!("sts-{}", address.port()))
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serving => {}
                        _ = stopped => {}
                    }
                });
                // Dropping the runtime closes every connection.
            })
            .map_err(StartError::Thread)?;
        Ok(Emulator {
            address,
            ca_pem,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        })
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
    /// The certificate could not be generated. A name may be invalid.
    #[error("cannot generate a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the certificate or its key.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The system provides no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}
