//! Starting, steering and stopping.

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

/// A running emulator, on a thread of its own. Dropping it closes its connections, its port and its thread.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    ca_pem: Option<String>,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// An emulator that knows nobody yet.
    pub fn builder() -> Builder {
        Builder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            names: vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            plain_http: false,
            now: None,
            directory: Directory::default(),
        }
    }

    /// What a server's `server.sts` says to ask it: `ca_file` holds [`Self::ca_pem`], and however slow the machine is, no
    /// call runs out of its time.
    #[must_use]
    pub fn settings(&self, ca_file: &Path) -> Value {
        json!({
            "endpoint": self.url(),
            "caFile": ca_file,
            "connectTimeout": "30s",
            "timeout": "30s",
        })
    }

    /// Host and port, the form of `server.sts.endpoint` and `ALIBABA_CLOUD_STS_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// The address that it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Scheme, host and port, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.ca_pem.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate authority that clients have to trust; empty for plain HTTP.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.ca_pem.as_deref().unwrap_or_default()
    }

    /// Misbehaves from now on, or, with `None`, no more.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.shared.faults().always(fault, FaultScope::All);
    }

    /// Misbehaves from now on for requests that somebody signed: a probe of whether STS is alive gets its answer.
    pub fn set_fault_of_calls(&self, fault: Fault) {
        let scope = FaultScope::Signed;
        self.shared.faults().always(Some(fault), scope);
    }

    /// Misbehaves from now on for requests that say to be signed with the key `id`.
    pub fn set_fault_of_key(&self, id: &AccessKeyId, fault: Fault) {
        let scope = FaultScope::Key(id.clone());
        self.shared.faults().always(Some(fault), scope);
    }

    /// Misbehaves for the next `count` requests (connections, for faults on accept). Replaces the fault that is set.
    pub fn fault_next(&self, count: usize, fault: Fault) {
        self.shared.faults().next(count, fault);
    }

    /// Ends every connection that is open, as a fault on accept or in the handshake acts on new ones alone.
    pub fn cut_connections(&self) {
        self.shared.cut.send_replace(());
    }

    /// Removes a key; whether it was there. Requests that it signs are `InvalidAccessKeyId.NotFound` from now on.
    pub fn delete_key(&self, id: &AccessKeyId) -> bool {
        self.shared.service().directory.delete_key(id)
    }

    /// Switches a key off; whether it was there. Requests that it signs are `InvalidAccessKeyId.Inactive` from now on.
    pub fn disable_key(&self, id: &AccessKeyId) -> bool {
        self.shared.service().directory.set_active(id, false)
    }

    /// Switches a key on again; whether it was there.
    pub fn enable_key(&self, id: &AccessKeyId) -> bool {
        self.shared.service().directory.set_active(id, true)
    }

    /// Its own time, which is the system's until it is changed.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.shared.clock.now()
    }

    /// Sets its clock, which then goes on.
    pub fn set_now(&self, now: UnixTime) {
        self.shared.clock.set(now);
    }

    /// Moves its clock by `seconds`, back if negative.
    pub fn advance(&self, seconds: i64) {
        self.shared.clock.advance(seconds);
    }

    /// The requests that arrived, oldest first; the last 10,000. Requests that nobody signed and that ask for nothing are
    /// [probes](Self::probes), and not among them.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.request_log().calls()
    }

    /// The probes of whether STS is alive that arrived, oldest first; the last 10,000.
    #[must_use]
    pub fn probes(&self) -> Vec<RecordedRequest> {
        self.shared.request_log().probes()
    }

    /// Forgets the requests that arrived so far.
    pub fn clear_requests(&self) {
        self.shared.request_log().clear();
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // Either way the thread ends: on the message, or because the sender is gone.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there has been printed already.
            let _ = thread.join();
        }
    }
}

/// Whom the emulator knows, and where it listens.
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
    /// Listens there; a free port on 127.0.0.1 unless set.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Adds a name or address to the certificate, beside `localhost` and `127.0.0.1`.
    pub fn name(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    /// Speaks HTTP without TLS.
    pub fn plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Starts with its clock at `now`.
    pub fn now(mut self, now: UnixTime) -> Self {
        self.now = Some(now);
        self
    }

    /// Knows the users, roles and keys of `directory`, in place of those added before.
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

    /// Adds a key of the user `name` with the immutable `id`. A user may have several keys.
    pub fn user(mut self, account: &str, name: &str, id: &str, key: AccessKey) -> Self {
        let owner = Principal::User {
            account: account.to_owned(),
            name: name.to_owned(),
            id: id.to_owned(),
        };
        self.directory.add_key(owner, key);
        self
    }

    /// Adds the role `name` with the immutable `id`, which every user may assume.
    pub fn role(mut self, account: &str, name: &str, id: &str) -> Self {
        self.directory.add_role(account, name, id);
        self
    }

    /// Adds a temporary key that ends at `expires`, as if `owner` had got it before the emulator started.
    pub fn temporary_key(mut self, owner: Principal, key: AccessKey, expires: UnixTime) -> Self {
        self.directory.add_temporary_key(owner, key, expires);
        self
    }

    /// Adds a token that `AssumeRoleWithOIDC` accepts for the provider.
    pub fn oidc_token(mut self, provider_arn: &str, token: &str) -> Self {
        self.directory.add_oidc_token(provider_arn, token);
        self
    }

    /// Listens, and answers from then on. It needs no runtime around it and may be started within one.
    ///
    /// # Errors
    /// The address is taken, a name cannot stand in a certificate, or there is no thread to be had.
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
                // The runtime ends here, and with it every connection.
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

/// Why the emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate could not be made; a name may be none.
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the certificate or its key.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The system gives no thread or no event queue.
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
}
