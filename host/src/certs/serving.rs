//! The certificate that is served: issued in memory, replaced while the server runs.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ack_ram_core::time::UnixTime;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certs::authority::{Authority, BACKDATED_SECONDS};
use crate::certs::error::CertificateError;
use crate::config::Host;
use crate::env::Clock;

/// How long a certificate is good. A new one is issued when half of that has passed.
const LIFETIME_SECONDS: i64 = 7 * 24 * 60 * 60;

/// When issuing failed, the old certificate is served at least as much longer before the next try.
const RETRY_SECONDS: i64 = 60;

/// What the server proves itself with, looked at when each connection starts.
pub struct ServingCertificate {
    authority: Arc<Authority>,
    names: Vec<Host>,
    clock: Clock,
    current: RwLock<Served>,
    issuing: Mutex<()>,
}

#[derive(Clone)]
struct Served {
    certified: Arc<CertifiedKey>,
    /// From when until when there is no need of another.
    fresh: Option<(UnixTime, UnixTime)>,
}

impl ServingCertificate {
    /// Issues the first certificate, for `names` and those of the CA's own certificate. A pair that is no CA is
    /// served as it is.
    ///
    /// # Errors
    /// When no certificate can be issued.
    pub fn new(
        authority: Arc<Authority>,
        names: &[Host],
        clock: Clock,
    ) -> Result<Self, CertificateError> {
        let mut all = authority.names().to_vec();
        for name in names {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        let first = issue(&authority, &all, clock())?;
        Ok(Self {
            authority,
            names: all,
            clock,
            current: RwLock::new(first),
            issuing: Mutex::new(()),
        })
    }

    /// TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, with this certificate.
    ///
    /// # Errors
    /// When the cryptography that is built in cannot do that.
    pub fn server_config(self) -> Result<ServerConfig, CertificateError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| CertificateError::Issue(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    /// The certificate for a connection that starts now.
    #[must_use]
    pub fn current(&self) -> Arc<CertifiedKey> {
        let now = (self.clock)();
        let served = self.served();
        if served.is_fresh(now) {
            return served.certified;
        }
        let _one_at_a_time = self.issuing.lock().unwrap_or_else(PoisonError::into_inner);
        let served = self.served();
        if served.is_fresh(now) {
            return served.certified;
        }
        let next = issue(&self.authority, &self.names, now).unwrap_or_else(|error| {
            tracing::error!("{error}; the old certificate stays for now");
            Served {
                fresh: Some((now, now.plus_seconds(RETRY_SECONDS))),
                ..served
            }
        });
        self.current
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&next);
        next.certified
    }

    fn served(&self) -> Served {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Served {
    /// A clock that was set back makes a certificate stale, too: it may lie in the future now.
    fn is_fresh(&self, now: UnixTime) -> bool {
        self.fresh
            .is_none_or(|(from, until)| (from..until).contains(&now))
    }
}

fn issue(authority: &Authority, names: &[Host], now: UnixTime) -> Result<Served, CertificateError> {
    Ok(match authority.issue(names, now, LIFETIME_SECONDS)? {
        Some(certified) => Served {
            certified: Arc::new(certified),
            fresh: Some((
                now.plus_seconds(-BACKDATED_SECONDS),
                now.plus_seconds(LIFETIME_SECONDS / 2),
            )),
        },
        None => Served {
            certified: Arc::clone(authority.certified()),
            fresh: None,
        },
    })
}

impl ResolvesServerCert for ServingCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl fmt::Debug for ServingCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServingCertificate")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}
