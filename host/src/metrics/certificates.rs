//! Metrics of certificates: expiry, rotation and refused clients.

use ack_ram_core::time::UnixTime;
use prometheus::{Error, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use crate::certs::ClientRefusal;
use crate::metrics::{metric_opts, register};

/// Metrics of certificates: expiry, rotation and refused clients. Clones share their counters.
#[derive(Clone)]
pub struct CertificateMetrics {
    expiry: IntGaugeVec,
    rotations: IntCounterVec,
    own_trouble: IntGauge,
    refused: IntCounterVec,
}

impl CertificateMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let expiry = metric_opts(
            "certificate_expiry_timestamp_seconds",
            "Expiry of the certificate, as a Unix time: the CA in the state directory (ca), the serving certificate that it issues (serving), the pair of server.tls (own), the client CA (client_ca), the certificate in the kubeconfig that this server writes (client), and that of the client that connected last (client_seen).",
        );
        let rotations = metric_opts(
            "certificate_rotations_total",
            "Certificates that were replaced while the server ran (success), or could not be replaced (failure).",
        );
        let own_trouble = metric_opts(
            "certificate_files_trouble",
            "Whether the files of server.tls are unusable now (1) or not (0). While they are, the server keeps the certificate that it loaded last.",
        );
        let refused = metric_opts(
            "client_refusals_total",
            "Requests to /authenticate and /ext-authz from clients without an accepted certificate, by reason.",
        );
        let refused = register(registry, IntCounterVec::new(refused, &["reason"]))?;
        for refusal in ClientRefusal::ALL {
            refused.with_label_values(&[refusal.label()]);
        }
        Ok(Self {
            expiry: register(registry, IntGaugeVec::new(expiry, &["certificate"]))?,
            rotations: register(
                registry,
                IntCounterVec::new(rotations, &["certificate", "result"]),
            )?,
            own_trouble: register(registry, IntGauge::with_opts(own_trouble))?,
            refused,
        })
    }

    /// Builds metrics that are never scraped, for commands.
    ///
    /// # Errors
    /// Same as [`crate::metrics::Metrics::new`], which does not fail in practice.
    pub fn disabled() -> Result<Self, Error> {
        Self::new(&Registry::new())
    }

    /// Sets the expiry of `certificate`, a value of the label of that name.
    pub fn set_expiry(&self, certificate: &str, at: UnixTime) {
        self.expiry
            .with_label_values(&[certificate])
            .set(at.seconds());
    }

    /// Counts a rotation of `certificate`, successful or not.
    pub fn count_rotation(&self, certificate: &str, is_replaced: bool) {
        let result = if is_replaced { "success" } else { "failure" };
        self.rotations
            .with_label_values(&[certificate, result])
            .inc();
    }

    /// Sets whether the files of `server.tls` are unusable.
    pub fn set_own_trouble(&self, is_so: bool) {
        self.own_trouble.set(is_so.into());
    }

    /// Counts a request that was refused because of its client certificate.
    pub fn count_refusal(&self, why: ClientRefusal) {
        self.refused.with_label_values(&[why.label()]).inc();
    }
}
