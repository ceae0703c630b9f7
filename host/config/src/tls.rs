//! A pair of the operator's own, to be served instead of what the CA in the state directory issues.

use std::path::PathBuf;

use crate::diagnostic::Diagnostic;
use crate::keys;
use crate::layers::{Layers, parse_bool};
use crate::located::Located;
use crate::yaml::Value;

/// `server.tls`: a pair of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// `certFile`: the certificate in PEM, then those that lead from it to its CA.
    pub certificate: PathBuf,
    /// `keyFile`: its private key in PEM.
    pub key: PathBuf,
    /// `caFile`: what API servers are told to trust. There is one when a webhook kubeconfig is written.
    pub ca: Option<PathBuf>,
}

/// `server.requireClientCertificate`. It protects, so a key without a value is no default.
pub(super) fn read_require_client_certificate(layers: &mut Layers<'_>) -> Result<bool, Diagnostic> {
    match layers.server.take_with_null("requireClientCertificate") {
        None => Ok(false),
        Some(given) if matches!(given.value, Value::Null) => {
            Err(given.diagnostic("has no value; write `true` or `false`, or remove the key"))
        }
        Some(given) => parse_bool(&given),
    }
}

/// `is_pinned`: whether a webhook kubeconfig is written, which has to say whom to trust.
pub(super) fn read_tls(
    layers: &mut Layers<'_>,
    is_pinned: bool,
) -> Result<Option<TlsFiles>, Diagnostic> {
    let mut table = layers
        .server
        .table("tls", keys::TLS, &mut layers.diagnostics.warnings)?;
    let mut path = |key| {
        let given = table.text(key)?;
        Ok::<_, Diagnostic>(given.filter(|given| !given.value.is_empty()))
    };
    let (certificate, key, ca) = (path("certFile")?, path("keyFile")?, path("caFile")?);
    let needs = |given: &Located<String>, other| {
        given.diagnostic(format_args!(
            "does nothing without `server.tls.{other}`; name that, too"
        ))
    };
    match (certificate, key, ca) {
        (None, None, None) => Ok(None),
        (None, None, Some(given)) | (None, Some(given), _) => Err(needs(&given, "certFile")),
        (Some(given), None, _) => Err(needs(&given, "keyFile")),
        (Some(given), Some(_), None) if is_pinned => Err(given.diagnostic(
            "needs `server.tls.caFile`, the CA that the webhook kubeconfig tells API servers to trust; name that, or set `server.kubeconfigPregenerated: true` and write the kubeconfig yourself",
        )),
        (Some(certificate), Some(key), ca) => Ok(Some(TlsFiles {
            certificate: certificate.value.into(),
            key: key.value.into(),
            ca: ca.map(|given| given.value.into()),
        })),
    }
}
