//! A pair of the operator's own, in files that somebody replaces: a person, cert-manager, the kubelet.
//!
//! The files are looked at again and again, since no notification survives every way of replacing them. What has been
//! seen to be the same twice is read as one: a pair that is being written has settled by then. What API servers would
//! refuse takes the place of nothing that they accept; a pair of a new CA waits until they have been told of that.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use arc_swap::ArcSwap;
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};

use crate::certs::anchors::Anchors;
use crate::certs::error::CertificateError;
use crate::certs::pair::{CertificatePair, Validity};
use crate::certs::pair_files::Advice;
use crate::config::{Host, TlsFiles};
use crate::files;
use crate::metrics::CertificateMetrics;

/// How long files may be rejected, as between two steps of replacing them, before the rejection is logged.
const REJECTION_GRACE: Duration = Duration::from_secs(5);

/// Room for every CA in the world.
const MAX_BYTES: u64 = 1 << 20;

const ADVICE: Advice = Advice {
    missing_half: "write the other file, too",
    malformed: "put there what `server.tls` says that it is",
    mismatch: "write both files of one pair",
    exposed: "write a new pair",
};

/// The pair in the operator's files.
pub(super) struct ProvidedPair {
    files: TlsFiles,
    hostname: Host,
    current: ArcSwap<ServedPair>,
    watch: Mutex<WatchState>,
    metrics: CertificateMetrics,
}

/// The served pair, and the certificates that API servers are to trust.
struct ServedPair {
    pair: CertificatePair,
    anchors: Option<Anchors>,
}

struct WatchState {
    /// The state of the files whose pair is served.
    served: FilesState,
    /// The state at the last poll.
    last_observed: Option<FilesState>,
    /// The rejected state that was last logged.
    last_reported: Option<FilesState>,
    rejected_since: Option<Instant>,
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

/// The hash of the files, or why they cannot be read.
type FilesState = Result<[u8; 32], String>;

/// The texts of the files.
struct PairTexts {
    certificate: String,
    key: Secret,
    ca: Option<String>,
}

/// The certificates that a webhook kubeconfig pins where `files` are served, in PEM; empty when no file of them is named.
///
/// # Errors
/// When the server could not use the files either.
pub fn pinned_by(files: &TlsFiles) -> Result<String, CertificateError> {
    let candidate = ServedPair::parse(files, &PairTexts::read_files(files)?)?;
    Ok(candidate
        .anchors
        .map_or_else(String::new, |anchors| anchors.pem().to_owned()))
}

impl ProvidedPair {
    /// Reads `files`. API servers reach the server as `hostname`.
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
                served: Ok(texts.hash()),
                last_observed: None,
                last_reported: None,
                rejected_since: None,
                trouble: None,
                pending_anchors: None,
            }),
            metrics: metrics.clone(),
        })
    }

    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(self.current.load().pair.certified())
    }

    /// The certificates that the webhook kubeconfig pins, in PEM; nothing when no file of them is named. They prove what
    /// is served, and what waits.
    pub(super) fn pinned(&self) -> Option<String> {
        let candidate = self.current.load();
        let mut pinned = candidate.anchors.as_ref()?.pem().to_owned();
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        pinned.push_str(watch.pending_anchors.as_deref().unwrap_or_default());
        Some(pinned)
    }

    /// Returns why API servers reject the served pair at the time `now`, if they do.
    pub(super) fn rejection_reason(&self, now: UnixTime) -> Option<String> {
        self.current.load().rejection_reason(&self.hostname, now)
    }

    /// What an operator should know at the time `now`, a sentence each.
    pub(super) fn warnings(&self, now: UnixTime) -> Vec<String> {
        let name = format!("`{}`", self.files.certificate.display());
        let candidate = self.current.load();
        let soon = candidate
            .pair
            .validity()
            .warning(&name, "put a new pair there", now);
        let rejection_reason = candidate
            .rejection_reason(&self.hostname, now)
            .map(|reason| format!("{name}: {reason}"));
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = watch.trouble.clone();
        soon.or(rejection_reason)
            .into_iter()
            .chain(trouble)
            .collect()
    }

    /// Polls the files once, at the instant `at` and the time `now`, and serves a changed pair.
    pub(super) fn poll(&self, at: Instant, now: UnixTime) {
        let texts = PairTexts::read_files(&self.files).map_err(|error| error.to_string());
        let state = texts.as_ref().map(PairTexts::hash).map_err(String::clone);
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = &mut *watch;
        let before = watch.last_observed.replace(state.clone());
        if watch.served == state {
            if watch.trouble.is_some() {
                tracing::info!("`server.tls`: the files hold again what is served");
            }
            self.clear_trouble(watch);
        } else if before.as_ref() == Some(&state) {
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

    /// Returns the pair in `texts`, if it is valid, and not worse than the served pair.
    fn accept(&self, texts: &PairTexts, now: UnixTime) -> Result<ServedPair, Rejected> {
        let candidate = ServedPair::parse(&self.files, texts);
        let candidate = candidate.map_err(|error| Rejected::new(error.to_string()))?;
        if self.rejection_reason(now).is_some() {
            return Ok(candidate);
        }
        let certificate = self.files.certificate.display();
        if let Some(reason) = candidate.rejection_reason(&self.hostname, now) {
            let reason = format!("API servers would refuse `{certificate}`: {reason}");
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
                "`{certificate}` is of a new CA, which API servers that run do not know yet: start them again with the new webhook kubeconfig, and then this server"
            ),
            pending_anchors: Some(new.pem().to_owned()),
        })
    }

    fn serve(&self, candidate: ServedPair) {
        let until = candidate.pair.validity().not_after;
        tracing::info!(
            "`{}` has changed and is served now; it is good until {until}",
            self.files.certificate.display()
        );
        self.metrics.set_expiry("own", until);
        self.metrics.count_rotation("own", true);
        self.current.store(Arc::new(candidate));
    }

    /// Clears the trouble: the files hold the served pair.
    fn clear_trouble(&self, watch: &mut WatchState) {
        watch.last_reported = None;
        watch.rejected_since = None;
        watch.trouble = None;
        watch.pending_anchors = None;
        self.metrics.set_own_trouble(false);
    }

    /// Records that the current files cannot be served. The log has this once, unless the state ends soon.
    fn refuse(&self, watch: &mut WatchState, state: FilesState, rejected: Rejected, at: Instant) {
        let since = *watch.rejected_since.get_or_insert(at);
        let is_reported = watch.last_reported.as_ref() == Some(&state);
        if is_reported || at.saturating_duration_since(since) < REJECTION_GRACE {
            return;
        }
        let trouble = format!(
            "{}; the pair that was there before is served",
            rejected.reason
        );
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

    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let ca = self.ca.as_deref().unwrap_or_default();
        for text in [&*self.certificate, self.key.expose(), ca] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
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

    /// Returns why API servers that reach the server as `hostname` reject the pair, as far as that is known.
    fn rejection_reason(&self, hostname: &Host, now: UnixTime) -> Option<String> {
        let Validity {
            not_before,
            not_after,
        } = self.pair.validity();
        if now < not_before {
            return Some(format!("it is good only from {not_before}"));
        }
        if now >= not_after {
            return Some(format!("it has expired at {not_after}"));
        }
        let chain = &self.pair.certified().cert;
        self.anchors
            .as_ref()?
            .rejection_reason(chain, hostname, now)
    }
}
