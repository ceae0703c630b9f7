//! Two files that are one pair, written so that there is never half of one for good.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ack_ram_core::secret::Secret;

use crate::certs::error::CertificateError;
use crate::certs::pair::{PairError, PairPem};
use crate::files;
use crate::files::ownership::Ownership;

/// A certificate and the chain below it are a few kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// Two files that are one pair.
pub(super) struct PairFiles {
    folder: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Where a new certificate waits until its key is there.
    staged: PathBuf,
    advice: Advice,
}

/// What to do about a pair that cannot be used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advice {
    /// One half is missing.
    pub(super) missing_half: &'static str,
    /// One half is something else.
    pub(super) malformed: &'static str,
    /// The halves do not belong together.
    pub(super) mismatch: &'static str,
    /// Others may have read or written the key.
    pub(super) exposed: &'static str,
}

/// The contents of the files.
pub(super) struct PairContents {
    pub(super) certificate: Option<String>,
    pub(super) key: Option<Secret>,
}

impl PairFiles {
    pub(super) fn new(folder: &Path, certificate: &str, key: &str, advice: Advice) -> Self {
        Self {
            certificate: folder.join(certificate),
            key: folder.join(key),
            staged: folder.join(format!(".{certificate}.new")),
            folder: folder.to_owned(),
            advice,
        }
    }

    pub(super) fn read_contents(&self) -> Result<PairContents, CertificateError> {
        Ok(PairContents {
            certificate: read_file(&self.certificate)?,
            key: self.read_key()?,
        })
    }

    /// Reads the key, if there is one that no other user has written or may read. The open file is checked, so that it
    /// cannot be another one than what is read. Links are followed, as volumes of Kubernetes are made of them.
    fn read_key(&self) -> Result<Option<Secret>, CertificateError> {
        let unreadable = |source: io::Error| {
            let path = self.key.clone();
            if source.kind() == io::ErrorKind::PermissionDenied {
                let owner = fs::metadata(&path).ok().map(|found| found.uid());
                CertificateError::UnreadableKey {
                    path,
                    owner,
                    source,
                }
            } else {
                CertificateError::Unreadable { path, source }
            }
        };
        let Some(file) = files::open_if_present(&self.key).map_err(unreadable)? else {
            return Ok(None);
        };
        let ownership = Ownership::from_metadata(&file.metadata().map_err(unreadable)?);
        let folder = fs::metadata(&self.folder).map_err(unreadable)?;
        if ownership.is_open_to_others() || !ownership.is_trusted(folder.uid()) {
            return Err(CertificateError::ExposedKey {
                path: self.key.clone(),
                owner: ownership.owner,
                mode: ownership.mode,
                is_link: self.key.is_symlink(),
                remedy: self.advice.exposed,
            });
        }
        let text = files::read_text(&file, MAX_BYTES).map_err(unreadable)?;
        Ok(Some(Secret::new(text)))
    }

    /// What `parse` makes of the pair, or of the one that `generate` makes where there is none. A pair that is there is
    /// never changed. Of all who do this at once, one makes a pair, and the others take it.
    pub(super) fn load_or_create<T>(
        &self,
        parse: impl Fn(&str, &Secret) -> Result<T, PairError>,
        generate: impl FnOnce() -> Result<PairPem, CertificateError>,
    ) -> Result<T, CertificateError> {
        // A complete pair needs no lock, so that the folder may be read-only. No other process mends an exposed key.
        match self.load(&parse) {
            Ok(Some(pair)) => return Ok(pair),
            Err(error @ CertificateError::ExposedKey { .. }) => return Err(error),
            Ok(None) | Err(_) => {}
        }
        let unwritable = |source| CertificateError::Unwritable {
            path: self.folder.clone(),
            source,
        };
        make_state_dir(&self.folder).map_err(unwritable)?;
        let _lock = files::lock_folder(&self.folder).map_err(unwritable)?;
        self.complete_staged_pair(&parse)?;
        if let Some(pair) = self.load(&parse)? {
            return Ok(pair);
        }
        let PairPem { certificate, key } = generate()?;
        let pair = self.parse(&parse, &certificate, &key)?;
        self.write(&certificate, &key)?;
        Ok(pair)
    }

    /// What `parse` makes of the pair; nothing where there is none.
    pub(super) fn load<T>(
        &self,
        parse: impl Fn(&str, &Secret) -> Result<T, PairError>,
    ) -> Result<Option<T>, CertificateError> {
        match self.read_contents()? {
            PairContents {
                certificate: None,
                key: None,
            } => Ok(None),
            PairContents {
                certificate: Some(certificate),
                key: Some(key),
            } => self.parse(parse, &certificate, &key).map(Some),
            PairContents { key: None, .. } => Err(self.missing_half(&self.certificate, &self.key)),
            PairContents { .. } => Err(self.missing_half(&self.key, &self.certificate)),
        }
    }

    /// The certificate waits beside its place until its key is in place. Whoever finds the key alone moves it there.
    fn write(&self, certificate: &str, key: &Secret) -> Result<(), CertificateError> {
        let (certificate, key) = (certificate.as_bytes(), key.expose().as_bytes());
        files::replace(&self.staged, certificate, files::PUBLIC)
            .map_err(unwritable(&self.staged))?;
        files::create(&self.key, key, files::PRIVATE).map_err(unwritable(&self.key))?;
        files::rename(&self.staged, &self.certificate).map_err(unwritable(&self.certificate))
    }

    /// Completes a pair after a crash: moves the staged certificate to its place beside its key. Any other key alone has
    /// lost its certificate, which API servers know: that is no case for a new one.
    fn complete_staged_pair<T>(
        &self,
        parse: impl Fn(&str, &Secret) -> Result<T, PairError>,
    ) -> Result<(), CertificateError> {
        let PairContents {
            certificate: None,
            key: Some(key),
        } = self.read_contents()?
        else {
            return Ok(());
        };
        match read_file(&self.staged)? {
            Some(staged) if parse(&staged, &key).is_ok() => {
                files::rename(&self.staged, &self.certificate)
                    .map_err(unwritable(&self.certificate))
            }
            _ => Ok(()),
        }
    }

    /// Returns the error for a pair with one half missing.
    pub(super) fn missing_half(&self, present: &Path, missing: &Path) -> CertificateError {
        CertificateError::Half {
            present: present.to_owned(),
            missing: missing.to_owned(),
            remedy: self.advice.missing_half,
        }
    }

    fn parse<T>(
        &self,
        parse: impl Fn(&str, &Secret) -> Result<T, PairError>,
        certificate: &str,
        key: &Secret,
    ) -> Result<T, CertificateError> {
        parse(certificate, key).map_err(|error| self.describe_error(error))
    }

    /// Adds the files and the advice to `error`.
    pub(super) fn describe_error(&self, error: PairError) -> CertificateError {
        error.at(&self.certificate, &self.key, self.advice)
    }
}

impl PairError {
    /// The same of the pair in these files, for whoever has to do something about it.
    pub(super) fn at(self, certificate: &Path, key: &Path, advice: Advice) -> CertificateError {
        let malformed = |path: &Path, reason: &str| CertificateError::Malformed {
            path: path.to_owned(),
            reason: reason.to_owned(),
            remedy: advice.malformed,
        };
        match self {
            Self::Certificate(reason) => malformed(certificate, reason),
            Self::Key(reason) => malformed(key, reason),
            Self::Mismatch => CertificateError::Mismatch {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                remedy: advice.mismatch,
            },
        }
    }
}

/// Makes the state directory, for its owner alone, where there is none.
///
/// # Errors
/// When it cannot be made.
pub fn make_state_dir(folder: &Path) -> io::Result<()> {
    files::create_folder(folder, files::PRIVATE_FOLDER)
}

fn read_file(path: &Path) -> Result<Option<String>, CertificateError> {
    files::read_if_present(path, MAX_BYTES).map_err(|source| CertificateError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> CertificateError {
    let path = path.to_owned();
    move |source| CertificateError::Unwritable {
        path: path.clone(),
        source,
    }
}
