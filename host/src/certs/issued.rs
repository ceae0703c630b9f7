//! The certificate that the CA in the state directory issues in memory and renews.

use std::sync::Arc;

use ack_ram_core::time::UnixTime;
use parking_lot::{Mutex, RwLock};
use rustls::sign::CertifiedKey;

use crate::certs::authority::Authority;
use crate::certs::error::CertificateError;
use crate::certs::pair::Validity;
use crate::config::Host;
use crate::metrics::CertificateMetrics;

/// Lifetime of a certificate. A new one is issued after half of it.
const LIFETIME_SECONDS: i64 = 7 * 24 * 60 * 60;

/// How far certificates are backdated. Half of it is for API servers whose clocks are behind, the other half for a
/// clock of this server that is set back.
const BACKDATED_SECONDS: i64 = 24 * 60 * 60;

/// Minimum pause before the next try after issuing failed. The previous certificate is served meanwhile.
const RETRY_SECONDS: i64 = 60;

/// The serving certificate of the CA in the state directory.
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
    /// When the certificate need not be replaced; `None` means always.
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

    /// Returns the certificate for a connection that starts at the time `now`, after renewing it if necessary.
    pub(super) fn at(&self, now: UnixTime) -> Arc<CertifiedKey> {
        let served = self.served();
        if served.is_fresh(now) {
            return served.certified;
        }
        let _one_at_a_time = self.issuing.lock();
        let served = self.served();
        if served.is_fresh(now) {
            return served.certified;
        }
        let issued = issue(&self.authority, &self.names, now, &self.metrics);
        self.metrics.count_rotation("serving", issued.is_ok());
        let next = issued.unwrap_or_else(|error| {
            tracing::error!("{error}; the previous certificate is still served");
            ServedCertificate {
                fresh: Some((now, now.plus_seconds(RETRY_SECONDS))),
                ..served
            }
        });
        self.current.write().clone_from(&next);
        next.certified
    }

    fn served(&self) -> ServedCertificate {
        self.current.read().clone()
    }
}

impl ServedCertificate {
    /// Returns whether the certificate need not be replaced. After the clock was set back, it may be valid only in the
    /// future.
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
