//! A TLS Secret with a certificate, its key and its CA, mounted as the kubelet does it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A mounted TLS Secret with a CA of its own.
pub struct TlsSecret {
    folder: TempDir,
    ca: String,
    ca_key: String,
    versions: u32,
}

impl TlsSecret {
    /// Mounts a Secret with a certificate for `host`. Every method panics if it fails.
    ///
    /// # Panics
    /// If files or certificates cannot be created.
    pub fn mount(host: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let mut secret = Self {
            folder: tempfile::tempdir().expect("a folder"),
            ca: params.self_signed(&key).expect("a CA").pem(),
            ca_key: key.serialize_pem(),
            versions: 0,
        };
        secret.publish(host);
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(name), secret.path(name)).expect("a link");
        }
        secret
    }

    /// Returns the path of the file `name`: `tls.crt`, `tls.key` or `ca.crt`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the certificate of the CA, in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca
    }

    /// Returns the `server.tls` settings of a server that uses the Secret.
    pub fn settings(&self) -> Value {
        json!({
            "certFile": self.path("tls.crt"),
            "keyFile": self.path("tls.key"),
            "caFile": self.path("ca.crt"),
        })
    }

    /// Replaces the certificate and the key with new ones for `host`, atomically: the files are links into a linked
    /// folder, and the link to the folder is replaced.
    pub fn publish(&mut self, host: &str) {
        let ca_key = KeyPair::from_pem(&self.ca_key).expect("the CA's key");
        let issuer = Issuer::from_ca_cert_pem(&self.ca, ca_key).expect("the CA");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([host.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        self.versions += 1;
        let version = format!("..{}", self.versions);
        fs::create_dir(self.path(&version)).expect("a folder");
        for (name, text) in [
            ("tls.crt", &certificate.pem()),
            ("tls.key", &key.serialize_pem()),
            ("ca.crt", &self.ca),
        ] {
            fs::write(self.path(&version).join(name), text).expect("a file");
        }
        symlink(&version, self.path("..data_tmp")).expect("a link");
        fs::rename(self.path("..data_tmp"), self.path("..data")).expect("another link");
    }
}
