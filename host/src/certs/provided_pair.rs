//! The pair of `server.tls`, whose files an administrator, cert-manager or the kubelet replaces.
//!
//! The server polls the files and serves a changed pair once the files have settled. A pair that API servers would
//! reject does not replace one that they accept. A pair of a new CA is served only after API servers got the new CA.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::sign::CertifiedKey;

use crate::certs::anchors::Anchors;
use crate::certs::error::CertificateError;
use crate::certs::pair::{CertificatePair, Validity};
use crate::certs::pair_files::Advice;
use crate::config::{Host, TlsFiles};
use crate::files;
use crate::metrics::CertificateMetrics;
use crate::polling::{BadSpell, Digest, LastObserved};

/// Time after which rejected files are logged. Files may be invalid for a moment while they are replaced.
const REJECTION_GRACE: Duration = Duration::from_secs(5);

/// Maximum size of a file. A bundle of all public CAs fits.
const MAX_BYTES: u64 = 1 << 20;

const ADVICE: Advice = Advice {
    missing_half: "write the other file, too",
    malformed: "write the file that `server.tls` expects there",
    mismatch: "write both files of one pair",
    exposed: "write a new pair",
};

/// The pair of `server.tls`.
pub(super) struct ProvidedPair {
    files: TlsFiles,
    hostname: Host,
    current: ArcSwap<ServedPair>,
    watch: Mutex<WatchState>,
    metrics: CertificateMetrics,
}

/// The served pair, and the certificates that API servers have to trust for it.
struct ServedPair {
    pair: CertificatePair,
    anchors: Option<Anchors>,
}

struct WatchState {
    /// The state of the files whose pair is served.
    served: FilesState,
    last_observed: LastObserved<FilesState>,
    /// The rejected state that was last logged.
    last_reported: Option<FilesState>,
    rejected: BadSpell,
    /// Why the current files are not served.
    trouble: Option<String>,
    /// The certificates of the current files, in PEM, that API servers do not trust yet.
    pending_anchors: Option<String>,
}

/// A pair that is not served, and why.
struct Rejected {
    reason: String,
    pending_anchors: Option<String>,
}

impl Rejected {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            pending_anchors: None,
        }
    }
}

/// The digest of the files, or why they cannot be read.
type FilesState = Result<Digest, String>;

/// The texts of the files.
struct PairTexts {
    certificate: String,
    key: Secret,
    ca: Option<String>,
}

/// Returns the certificates, in PEM, that a webhook kubeconfig pins if the server serves `files`. The text is empty if
/// `files` name no CA file.
///
/// # Errors
/// If the server could not use the files either.
pub fn pinned_by(files: &TlsFiles) -> Result<String, CertificateError> {
    let candidate = ServedPair::parse(files, &PairTexts::read_files(files)?)?;
    Ok(candidate
        .anchors
        .map_or_else(String::new, |anchors| anchors.pem().to_owned()))
}

impl ProvidedPair {
    /// Loads the pair in `files`. API servers connect to the server as `hostname`.
    pub(super) fn load(
        files: TlsFiles,
        hostname: Host,
        metrics: &CertificateMetrics,
    ) -> Result<Self, CertificateError> {
        let texts = PairTexts::read_files(&files)?;
        let candidate = ServedPair::parse(&files, &texts)?;
        metrics.set_expiry("own", candidate.pair.validity().not_after);
        metrics.set_own_trouble(false);
        Ok(Self {
            files,
            hostname,
            current: ArcSwap::from_pointee(candidate),
            watch: Mutex::new(WatchState {
                served: Ok(texts.digest()),
                last_observed: LastObserved::default(),
                last_reported: None,
                rejected: BadSpell::default(),
                trouble: None,
                pending_anchors: None,
            }),
            metrics: metrics.clone(),
        })
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(self.current.load().pair.certified())
    }

    /// Returns the certificates that the webhook kubeconfig pins, in PEM, or `None` if no CA file is configured. They
    /// verify the served pair and a pair that waits for its new CA.
    pub(super) fn pinned(&self) -> Option<String> {
        let candidate = self.current.load();
        let mut pinned = candidate.anchors.as_ref()?.pem().to_owned();
        let watch = self.watch.lock();
        pinned.push_str(watch.pending_anchors.as_deref().unwrap_or_default());
        Some(pinned)
    }

    /// Returns why API servers reject the served pair at the time `now`, or `None` if they accept it.
    pub(super) fn rejection_reason(&self, now: UnixTime) -> Option<String> {
        self.current.load().rejection_reason(&self.hostname, now)
    }

    /// Returns warnings for administrators at the time `now`, one sentence each.
    pub(super) fn warnings(&self, now: UnixTime) -> Vec<String> {
        let name = format!("`{}`", self.files.certificate.display());
        let candidate = self.current.load();
        let soon = candidate
            .pair
            .validity()
            .warning(&name, "write a new pair", now);
        let rejection_reason = candidate
            .rejection_reason(&self.hostname, now)
            .map(|reason| format!("{name}: {reason}"));
        let watch = self.watch.lock();
        let trouble = watch.trouble.clone();
        soon.or(rejection_reason)
            .into_iter()
            .chain(trouble)
            .collect()
    }

    /// Polls the files once, at the instant `at` and the time `now`, and serves a changed pair.
    pub(super) fn poll(&self, at: Instant, now: UnixTime) {
        let texts = PairTexts::read_files(&self.files).map_err(|error| error.to_string());
        let state = texts.as_ref().map(PairTexts::digest).map_err(String::clone);
        let mut watch = self.watch.lock();
        let watch = &mut *watch;
        let has_settled = watch.last_observed.observe(state.clone());
        if watch.served == state {
            if watch.trouble.is_some() {
                tracing::info!("`server.tls`: the files hold the served pair again");
            }
            self.clear_trouble(watch);
        } else if has_settled {
            let accept = texts
                .map_err(Rejected::new)
                .and_then(|texts| self.accept(&texts, now));
            match accept {
                Ok(candidate) => {
                    self.serve(candidate);
                    watch.served = state;
                    self.clear_trouble(watch);
                }
                Err(rejected) => self.refuse(watch, state, rejected, at),
            }
        }
    }

    /// Returns the pair in `texts` if it is valid, and API servers accept it unless they reject the served pair, too.
    fn accept(&self, texts: &PairTexts, now: UnixTime) -> Result<ServedPair, Rejected> {
        let candidate = ServedPair::parse(&self.files, texts);
        let candidate = candidate.map_err(|error| Rejected::new(error.to_string()))?;
        if self.rejection_reason(now).is_some() {
            return Ok(candidate);
        }
        let certificate = self.files.certificate.display();
        if let Some(reason) = candidate.rejection_reason(&self.hostname, now) {
            let reason = format!("API servers would reject `{certificate}`: {reason}");
            return Err(Rejected::new(reason));
        }
        let current = self.current.load();
        let (Some(known), Some(new)) = (&current.anchors, &candidate.anchors) else {
            return Ok(candidate);
        };
        let chain = &candidate.pair.certified().cert;
        if known.rejection_reason(chain, &self.hostname, now).is_none() {
            return Ok(candidate);
        }
        Err(Rejected {
            reason: format!(
                "`{certificate}` is signed by a new CA, which running API servers do not trust yet: restart them with the new webhook kubeconfig, and then restart this server"
            ),
            pending_anchors: Some(new.pem().to_owned()),
        })
    }

    fn serve(&self, candidate: ServedPair) {
        let until = candidate.pair.validity().not_after;
        tracing::info!(
            "`{}` changed and is served now; it is valid until {until}",
            self.files.certificate.display()
        );
        self.metrics.set_expiry("own", until);
        self.metrics.count_rotation("own", true);
        self.current.store(Arc::new(candidate));
    }

    /// Clears the trouble, because the files hold the served pair.
    fn clear_trouble(&self, watch: &mut WatchState) {
        watch.last_reported = None;
        watch.rejected.end();
        watch.trouble = None;
        watch.pending_anchors = None;
        self.metrics.set_own_trouble(false);
    }

    /// Records that the current files cannot be served. The log reports this once, if it lasts.
    fn refuse(&self, watch: &mut WatchState, state: FilesState, rejected: Rejected, at: Instant) {
        let duration = watch.rejected.duration_at(at);
        let is_reported = watch.last_reported.as_ref() == Some(&state);
        if is_reported || duration < REJECTION_GRACE {
            return;
        }
        let trouble = format!("{}; the previous pair is still served", rejected.reason);
        tracing::error!("{trouble}");
        self.metrics.count_rotation("own", false);
        self.metrics.set_own_trouble(true);
        watch.trouble = Some(trouble);
        watch.last_reported = Some(state);
        watch.pending_anchors = rejected.pending_anchors;
    }
}

impl PairTexts {
    fn read_files(files: &TlsFiles) -> Result<Self, CertificateError> {
        Ok(Self {
            certificate: read_file(&files.certificate)?,
            key: Secret::new(read_file(&files.key)?),
            ca: files.ca.as_deref().map(read_file).transpose()?,
        })
    }

    fn digest(&self) -> Digest {
        let ca = self.ca.as_deref().unwrap_or_default();
        let texts = [&*self.certificate, self.key.expose(), ca];
        Digest::from_parts(texts.map(str::as_bytes))
    }
}

fn read_file(path: &Path) -> Result<String, CertificateError> {
    files::read_up_to(path, MAX_BYTES).map_err(|source| CertificateError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

impl ServedPair {
    fn parse(files: &TlsFiles, texts: &PairTexts) -> Result<Self, CertificateError> {
        let pair = CertificatePair::parse(&texts.certificate, &texts.key)
            .map_err(|error| error.at(&files.certificate, &files.key, ADVICE))?;
        let anchors = match (&files.ca, &texts.ca) {
            (Some(path), Some(pem)) => {
                let malformed = |reason: &str| CertificateError::Malformed {
                    path: path.clone(),
                    reason: reason.to_owned(),
                    remedy: ADVICE.malformed,
                };
                Some(Anchors::parse(pem).map_err(malformed)?)
            }
            _ => None,
        };
        Ok(Self { pair, anchors })
    }

    /// Returns why API servers that connect to `hostname` reject the pair, or `None` if they accept it. Without a CA
    /// file, only its dates are checked.
    fn rejection_reason(&self, hostname: &Host, now: UnixTime) -> Option<String> {
        let Validity {
            not_before,
            not_after,
        } = self.pair.validity();
        if now < not_before {
            return Some(format!("it is not valid until {not_before}"));
        }
        if now >= not_after {
            return Some(format!("it expired at {not_after}"));
        }
        let chain = &self.pair.certified().cert;
        self.anchors
            .as_ref()?
            .rejection_reason(chain, hostname, now)
    }
}
