//! The state directory: the pair on disk.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ack_ram_core::time::UnixTime;

use crate::certs::authority::{self, Authority, PairError};
use crate::certs::error::CertificateError;
use crate::config::Host;
use crate::files;

/// Making a pair takes milliseconds.
const LOCK_DEADLINE: Duration = Duration::from_secs(10);

/// Reads the pair in `folder`, or makes one for `names` where there is none. A pair that is there is never changed.
///
/// Two processes that start on an empty folder end with the same pair.
///
/// # Errors
/// When the folder cannot be used, or holds half a pair or something that is no pair.
pub fn load_or_create(
    folder: &Path,
    names: &[Host],
    now: UnixTime,
) -> Result<Arc<Authority>, CertificateError> {
    let paths = Paths::new(folder);
    // A complete pair needs no lock, so that the folder may be read-only.
    if let Ok(Some(authority)) = paths.load() {
        return Ok(Arc::new(authority));
    }
    let unwritable = |source| CertificateError::Unwritable {
        path: folder.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(unwritable)?;
    let lock = File::open(folder).map_err(unwritable)?;
    lock_within(&lock, LOCK_DEADLINE).map_err(unwritable)?;
    let authority = match paths.load()? {
        Some(authority) => authority,
        None => paths.create(names, now)?,
    };
    Ok(Arc::new(authority))
}

/// Waits for another process that makes a pair here, but not for one that is stuck.
fn lock_within(folder: &File, deadline: Duration) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() >= deadline => {
                let text = "another process has locked it for 10 s";
                return Err(io::Error::new(ErrorKind::TimedOut, text));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

struct Paths {
    certificate: PathBuf,
    key: PathBuf,
}

impl Paths {
    fn new(folder: &Path) -> Self {
        Self {
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        }
    }

    fn load(&self) -> Result<Option<Authority>, CertificateError> {
        let read = |path: &Path| {
            files::read_if_present(path).map_err(|source| CertificateError::Unreadable {
                path: path.to_owned(),
                source,
            })
        };
        let half = |present: &Path, missing: &Path| CertificateError::Half {
            present: present.to_owned(),
            missing: missing.to_owned(),
        };
        match (read(&self.certificate)?, read(&self.key)?) {
            (None, None) => Ok(None),
            (Some(_), None) => Err(half(&self.certificate, &self.key)),
            (None, Some(_)) => Err(half(&self.key, &self.certificate)),
            (Some(certificate), Some(key)) => self.parse(certificate, &key).map(Some),
        }
    }

    fn create(&self, names: &[Host], now: UnixTime) -> Result<Authority, CertificateError> {
        let pair = authority::generate(names, now)?;
        let authority = self.parse(pair.certificate, &pair.key)?;
        let certificate = authority.certificate_pem().as_bytes();
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            |source| CertificateError::Unwritable { path, source }
        };
        files::create(&self.key, pair.key.as_bytes(), files::PRIVATE)
            .map_err(unwritable(&self.key))?;
        files::create(&self.certificate, certificate, files::PUBLIC).map_err(|source| {
            // A key alone would stop the next start; if it cannot be removed either, that start says so.
            let _ = fs::remove_file(&self.key);
            unwritable(&self.certificate)(source)
        })?;
        Ok(authority)
    }

    fn parse(&self, certificate_pem: String, key_pem: &str) -> Result<Authority, CertificateError> {
        let malformed = |path: &Path, reason: &str| CertificateError::Malformed {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        Authority::parse(certificate_pem, key_pem).map_err(|error| match error {
            PairError::Certificate(reason) => malformed(&self.certificate, reason),
            PairError::Key(reason) => malformed(&self.key, reason),
            PairError::Mismatch => CertificateError::Mismatch {
                certificate: self.certificate.clone(),
                key: self.key.clone(),
            },
        })
    }
}
