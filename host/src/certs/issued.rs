//! A certificate that the CA in the state directory issues in memory, again and again.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use ack_ram_core::time::UnixTime;
use rustls::sign::CertifiedKey;

use crate::certs::authority::Authority;
use crate::certs::error::CertificateError;
use crate::certs::pair::Validity;
use crate::config::Host;
use crate::metrics::CertificateMetrics;

/// How long a certificate is good. A new one is issued when half of that has passed.
const LIFETIME_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Clocks of API servers may be behind this one's by half as much, even if it was set back by the other half.
const BACKDATED_SECONDS: i64 = 24 * 60 * 60;

/// When issuing failed, the old certificate is served at least as much longer before the next try.
const RETRY_SECONDS: i64 = 60;

/// What the CA in the state directory proves the server with.
pub(super) struct IssuedCertificate {
    authority: Arc<Authority>,
    names: Vec<Host>,
    current: RwLock<ServedCertificate>,
    issuing: Mutex<()>,
    metrics: CertificateMetrics,
}

#[derive(Clone)]
struct ServedCertificate {
    certified: Arc<CertifiedKey>,
    /// From when until when there is no need of another.
    fresh: Option<(UnixTime, UnixTime)>,
}

impl IssuedCertificate {
    pub(super) fn new(
        authority: Arc<Authority>,
        names: &[Host],
        now: UnixTime,
        metrics: &CertificateMetrics,
    ) -> Result<Self, CertificateError> {
        let mut all = authority.names().to_vec();
        for name in names {
            if !all.contains(name) {
                all.push(name.clone());
            }
        }
        if authority.is_ca() {
            metrics.set_expiry("ca", authority.validity().not_after);
        }
        Ok(Self {
            current: RwLock::new(issue(&authority, &all, now, metrics)?),
            authority,
            names: all,
            issuing: Mutex::new(()),
            metrics: metrics.clone(),
        })
    }

    pub(super) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The certificate for a connection that starts at the time `now`.
    pub(super) fn at(&self, now: UnixTime) -> Arc<CertifiedKey> {
        let served = self.served();
        if served.is_fresh(now) {
            return served.certified;
        }
        let _one_at_a_time = self.issuing.lock().unwrap_or_else(PoisonError::into_inner);
        let served = self.served();
        if served.is_fresh(now) {
            return served.certified;
        }
        let issued = issue(&self.authority, &self.names, now, &self.metrics);
        self.metrics.count_rotation("serving", issued.is_ok());
        let next = issued.unwrap_or_else(|error| {
            tracing::error!("{error}; the old certificate stays for now");
            ServedCertificate {
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

    fn served(&self) -> ServedCertificate {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ServedCertificate {
    /// A clock that was set back makes a certificate stale, too: it may lie in the future now.
    fn is_fresh(&self, now: UnixTime) -> bool {
        self.fresh
            .is_none_or(|(from, until)| (from..until).contains(&now))
    }
}

fn issue(
    authority: &Authority,
    names: &[Host],
    now: UnixTime,
    metrics: &CertificateMetrics,
) -> Result<ServedCertificate, CertificateError> {
    let validity = Validity {
        not_before: now.plus_seconds(-BACKDATED_SECONDS),
        not_after: now.plus_seconds(LIFETIME_SECONDS),
    };
    Ok(match authority.issue(names, validity)? {
        Some(certified) => {
            metrics.set_expiry("serving", validity.not_after);
            ServedCertificate {
                certified: Arc::new(certified),
                fresh: Some((
                    now.plus_seconds(-BACKDATED_SECONDS / 2),
                    now.plus_seconds(LIFETIME_SECONDS / 2),
                )),
            }
        }
        None => {
            metrics.set_expiry("serving", authority.validity().not_after);
            ServedCertificate {
                certified: Arc::clone(authority.certified()),
                fresh: None,
            }
        }
    })
}
