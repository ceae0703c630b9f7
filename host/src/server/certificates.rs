//! The certificates of a running server and of its clients.

mod admission;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_rustls::TlsAcceptor;

pub(super) use admission::{ClientAdmission, Tls};

use crate::certs::{
    self, CertificateError, ClientAuthority, ClientCertificate, ClientVerifier, ServingCertificate,
    Validity,
};
use crate::clock::Clock;
use crate::config::{Config, Host};
use crate::kubeconfig::{self, WebhookKubeconfig};
use crate::metrics::CertificateMetrics;
use crate::polling;
use crate::server::ServerError;

/// Interval of polling the files of `server.tls`.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Interval of renewing certificates that no connection requests.
const RENEW_INTERVAL: Duration = Duration::from_secs(60);
/// Interval of logging expiry warnings.
const WARNING_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// The certificates of a running server and of its clients.
pub(super) struct Certificates {
    serving: Arc<ServingCertificate>,
    clients: Option<ClientCertificates>,
    kubeconfig: Option<KubeconfigTarget>,
    names: Vec<Host>,
    clock: Clock,
    metrics: CertificateMetrics,
    /// The warnings that were last logged.
    logged_warnings: Mutex<Vec<String>>,
}

/// The client CA, which exists if clients need a certificate.
struct ClientCertificates {
    folder: PathBuf,
    authority: ClientAuthority,
    verifier: Arc<ClientVerifier>,
    /// Whether the server refuses to start without the CA.
    is_required: bool,
}

/// The webhook kubeconfig that this server writes.
struct KubeconfigTarget {
    path: PathBuf,
    url: String,
    written: Mutex<WrittenKubeconfig>,
}

struct WrittenKubeconfig {
    contents: WebhookKubeconfig,
    /// Validity of the client certificate in the kubeconfig.
    client: Option<Validity>,
}

impl Certificates {
    /// Loads the certificates that `config` names, or creates a CA in the state directory if there is none.
    ///
    /// # Errors
    /// If there is no usable serving certificate, or the client CA is unusable or required but missing.
    pub(super) fn load(
        config: &Config,
        clock: Clock,
        metrics: &CertificateMetrics,
    ) -> Result<Self, CertificateError> {
        let names = config.listen.names();
        let folder = &config.state_dir;
        let is_required = config.require_client_certificate;
        if is_required {
            // If the required client CA is missing, nothing is created: the folder is probably the wrong one.
            certs::load_clients(folder, is_required)?;
        }
        let serving = match &config.tls {
            Some(files) => {
                // The pair is not in the state directory. If the directory cannot be created, the first write to it
                // reports the error.
                let _made = certs::make_state_dir(folder);
                let hostname = config.listen.hostname.clone();
                ServingCertificate::provided(files.clone(), hostname, clock, metrics)?
            }
            None => {
                let authority = certs::load_or_create(folder, &names, clock())?;
                ServingCertificate::issued(authority, &names, clock, metrics)?
            }
        };
        let clients =
            certs::load_clients(folder, is_required)?.map(|authority| ClientCertificates {
                folder: folder.clone(),
                is_required,
                verifier: Arc::new(ClientVerifier::new(&authority, clock, metrics)),
                authority,
            });
        if clients.is_some() {
            tracing::info!(
                "`/authenticate` and `/ext-authz` require a client certificate signed by {}",
                folder.join("client-ca.pem").display()
            );
        }
        Ok(Self {
            serving: Arc::new(serving),
            clients,
            kubeconfig: None,
            names,
            clock,
            metrics: metrics.clone(),
            logged_warnings: Mutex::default(),
        })
    }

    /// Returns the TLS settings of a listener.
    pub(super) fn tls(&self) -> Result<Tls, CertificateError> {
        let verifier = self.clients.as_ref().map(|clients| &clients.verifier);
        let config = self.serving.server_config(verifier.map(AsRef::as_ref))?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Tls::new(acceptor, verifier.map(Arc::clone)))
    }

    /// Writes the webhook kubeconfig to `path`, and keeps it current from now on. `url` is the address of the webhook
    /// for API servers. A client certificate in an existing kubeconfig stays while it is valid and not due for renewal.
    pub(super) fn write_kubeconfig(&mut self, path: &Path, url: String) -> Result<(), ServerError> {
        let previous = kubeconfig::read_client_certificate(path);
        let Some(written) = self
            .contents(&url, previous)
            .map_err(ServerError::Certificate)?
        else {
            return Ok(());
        };
        let is_new = written
            .contents
            .write(path)
            .map_err(ServerError::Kubeconfig)?;
        if is_new {
            tracing::info!(path = %path.display(), "wrote the webhook kubeconfig");
        } else {
            tracing::info!(path = %path.display(), "the webhook kubeconfig is current and stays unchanged");
        }
        self.kubeconfig = Some(KubeconfigTarget {
            path: path.to_owned(),
            url,
            written: Mutex::new(written),
        });
        Ok(())
    }

    /// Returns the contents of the kubeconfig, whose client certificate was `previous`, or `None` if `server.tls` names
    /// no CA file for API servers to trust.
    fn contents(
        &self,
        url: &str,
        previous: Option<ClientCertificate>,
    ) -> Result<Option<WrittenKubeconfig>, CertificateError> {
        let Some(authority) = self.serving.pinned() else {
            return Ok(None);
        };
        let client = match &self.clients {
            Some(ClientCertificates {
                folder, authority, ..
            }) => {
                let now = (self.clock)();
                let client = certs::client_certificate(folder, authority, previous, now)?;
                self.metrics.set_expiry("client", client.1.not_after);
                Some(client)
            }
            None => None,
        };
        let (client, validity) = client.unzip();
        Ok(Some(WrittenKubeconfig {
            contents: WebhookKubeconfig {
                url: url.to_owned(),
                authority,
                client,
            },
            client: validity,
        }))
    }

    /// Polls files, renews certificates and logs warnings, forever.
    pub(super) async fn run_maintenance(self: &Arc<Self>) {
        tokio::join!(
            self.run_every(POLL_INTERVAL, |this| this.serving.poll(Instant::now())),
            self.run_every(RENEW_INTERVAL, Self::renew),
            self.run_every(WARNING_INTERVAL, Self::log_warnings),
        );
    }

    /// Loads the files of `server.tls` now, on request of an administrator, and logs every warning again. Blocks.
    pub(super) fn reload(&self) {
        // A change takes effect when two polls observe the same files.
        for _ in 0..2 {
            self.serving.poll(Instant::now());
        }
        self.logged_warnings.lock().clear();
        self.log_warnings();
    }

    /// Runs `what`, which may block, at each `interval`.
    async fn run_every(
        self: &Arc<Self>,
        interval: Duration,
        what: impl Fn(&Self) + Send + Sync + 'static,
    ) {
        let this = Arc::clone(self);
        let log_panic = |error: &_| tracing::error!("certificate maintenance failed: {error}");
        polling::poll_forever(interval, move || what(&this), log_panic).await;
    }

    /// Renews the certificates that are due, and updates the kubeconfig.
    fn renew(&self) {
        let _current = self.serving.current();
        let Some(file) = &self.kubeconfig else {
            return;
        };
        let mut written = file.written.lock();
        let previous = written.contents.client.clone();
        let next = match self.contents(&file.url, previous) {
            Ok(Some(next)) if next.contents != written.contents => next,
            Ok(_) => return,
            Err(error) => {
                self.metrics.count_rotation("client", false);
                tracing::error!(
                    "cannot renew the client certificate in the webhook kubeconfig: {error}"
                );
                return;
            }
        };
        let is_renewed = next.contents.client != written.contents.client;
        let outcome = next.contents.write(&file.path);
        if is_renewed {
            self.metrics.count_rotation("client", outcome.is_ok());
        }
        match outcome {
            Ok(_) => {
                tracing::warn!(
                    path = %file.path.display(),
                    "the webhook kubeconfig changed; the API server uses it after a restart"
                );
                *written = next;
            }
            Err(error) => tracing::error!("{error}"),
        }
    }

    /// Logs each new warning once.
    pub(super) fn log_warnings(&self) {
        let now = (self.clock)();
        let mut warnings = self.serving.warnings(now, &self.names);
        warnings.extend(self.client_warnings().into_iter().flatten());
        let mut logged_warnings = self.logged_warnings.lock();
        for warning in warnings
            .iter()
            .filter(|warning| !logged_warnings.contains(warning))
        {
            tracing::warn!("{warning}");
        }
        *logged_warnings = warnings;
    }

    /// Returns whether API servers accept the served certificate.
    pub(super) fn are_valid(&self) -> bool {
        self.serving.is_valid_at((self.clock)())
    }

    /// Returns what keeps API servers from trusting the server, or soon will.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.serving.warnings((self.clock)(), &[])
    }

    /// Returns what makes the server refuse clients, or soon will, or `None` if clients need no certificate.
    pub(super) fn client_warnings(&self) -> Option<Vec<String>> {
        let clients = self.clients.as_ref()?;
        let now = (self.clock)();
        let in_kubeconfig = self.kubeconfig.as_ref().and_then(|file| {
            let written = file.written.lock();
            let certificate = format!("the client certificate in `{}`", file.path.display());
            written
                .client?
                .warning(certificate, "restore the key of `client-ca.pem`", now)
        });
        let warnings = [
            clients.missing_ca(),
            clients.authority.warning(now),
            in_kubeconfig,
            clients.verifier.warning(now),
        ];
        Some(warnings.into_iter().flatten().collect())
    }
}

impl ClientCertificates {
    /// Returns a warning if the certificate of the CA no longer exists. This server still has it in memory; the warning
    /// says what changes after a restart.
    fn missing_ca(&self) -> Option<String> {
        let path = certs::client_ca_file(&self.folder);
        let outcome = match path.try_exists() {
            Ok(true) | Err(_) => return None,
            Ok(false) if self.is_required => "does not start",
            Ok(false) => "accepts clients without a certificate",
        };
        Some(format!(
            "`{}` no longer exists: this server still requires client certificates, but after a restart it {outcome}; restore the file",
            path.display()
        ))
    }
}

#[cfg(test)]
mod tests;
