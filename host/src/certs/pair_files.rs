//! The two files of a pair, written so that a crash never loses half of a pair.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use ack_ram_core::secret::Secret;

use crate::certs::error::CertificateError;
use crate::certs::pair::{PairError, PairPem};
use crate::files;
use crate::files::ownership::Ownership;

/// Maximum size of a file. A certificate with its chain has a few kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// The two files of a pair.
pub(super) struct PairFiles {
    folder: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Path of a new certificate until its key is written.
    staged: PathBuf,
    advice: Advice,
}

/// What to do about a pair that cannot be used, by problem.
#[derive(Clone, Copy, Debug)]
pub(super) struct Advice {
    /// One file is missing.
    pub(super) missing_half: &'static str,
    /// One file has invalid contents.
    pub(super) malformed: &'static str,
    /// The key does not belong to the certificate.
    pub(super) mismatch: &'static str,
    /// Other users may have read or written the key.
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

    /// Reads the key, if it exists. Fails if another user may read it or may have written it. The check uses the open
    /// file, so the checked file is the one that is read. Symbolic links are followed, because volumes of Kubernetes
    /// use them.
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

    /// Loads the pair with `parse`, after creating it with `generate` if it does not exist. An existing pair is never
    /// changed. Of several concurrent callers, one creates the pair, and the others load it.
    pub(super) fn load_or_create<T>(
        &self,
        parse: impl Fn(&str, &Secret) -> Result<T, PairError>,
        generate: impl FnOnce() -> Result<PairPem, CertificateError>,
    ) -> Result<T, CertificateError> {
        // A complete pair needs no lock, so the folder may be read-only. Another process would not fix an exposed key.
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

    /// Loads the pair with `parse`, or returns `None` if there is none.
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

    /// Writes the certificate to its staged path, then the key, and then moves the certificate to its final path. After
    /// a crash in between, [`Self::complete_staged_pair`] finishes the job.
    fn write(&self, certificate: &str, key: &Secret) -> Result<(), CertificateError> {
        let (certificate, key) = (certificate.as_bytes(), key.expose().as_bytes());
        files::replace(&self.staged, certificate, files::PUBLIC)
            .map_err(unwritable(&self.staged))?;
        files::create(&self.key, key, files::PRIVATE).map_err(unwritable(&self.key))?;
        files::rename(&self.staged, &self.certificate).map_err(unwritable(&self.certificate))
    }

    /// Completes a pair after a crash: moves the staged certificate to its final path if its key exists. A key without
    /// a staged certificate is left as it is, because API servers may pin its lost certificate.
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
    /// Converts the error to one that names the files and what to do.
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

/// Creates the state directory, accessible only to its owner, if it does not exist.
///
/// # Errors
/// If the directory cannot be created.
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
