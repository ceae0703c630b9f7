//! The administrator's own serving certificate and key, which replace the certificate from the CA in the state
//! directory.

use std::path::PathBuf;

use crate::diagnostic::Diagnostic;
use crate::keys;
use crate::layers::{Layers, parse_bool};
use crate::located::Located;
use crate::yaml::Value;

/// `server.tls`: the administrator's own serving certificate and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// `certFile`: the certificate in PEM, followed by its intermediate certificates.
    pub certificate: PathBuf,
    /// `keyFile`: the private key in PEM.
    pub key: PathBuf,
    /// `caFile`: the CA that API servers trust. It is required if the server writes a webhook kubeconfig.
    pub ca: Option<PathBuf>,
}

/// Reads `server.requireClientCertificate`. A key without a value is an error, because the setting is a protection.
pub(super) fn read_require_client_certificate(layers: &mut Layers<'_>) -> Result<bool, Diagnostic> {
    match layers.server.take_with_null("requireClientCertificate") {
        None => Ok(false),
        Some(given) if matches!(given.value, Value::Null) => {
            Err(given.diagnostic("has no value; add `true` or `false`, or remove the key"))
        }
        Some(given) => parse_bool(&given),
    }
}

/// Reads `server.tls`. `is_pinned` is whether the server writes a webhook kubeconfig, which must contain the CA.
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
            "has no effect without `server.tls.{other}`; set both"
        ))
    };
    match (certificate, key, ca) {
        (None, None, None) => Ok(None),
        (None, None, Some(given)) | (None, Some(given), _) => Err(needs(&given, "certFile")),
        (Some(given), None, _) => Err(needs(&given, "keyFile")),
        (Some(given), Some(_), None) if is_pinned => Err(given.diagnostic(
            "needs `server.tls.caFile`, the CA that API servers trust through the webhook kubeconfig; set `server.tls.caFile`, or set `server.kubeconfigPregenerated: true` and write the kubeconfig yourself",
        )),
        (Some(certificate), Some(key), ca) => Ok(Some(TlsFiles {
            certificate: certificate.value.into(),
            key: key.value.into(),
            ca: ca.map(|given| given.value.into()),
        })),
    }
}
