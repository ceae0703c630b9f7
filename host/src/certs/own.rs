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
use crate::certs::pair::{Pair, Validity};
use crate::certs::pair_files::Advice;
use crate::config::{Host, TlsFiles};
use crate::files;
use crate::metrics::CertificateMetrics;

/// How long files may be unfit, as between two steps of replacing them, before anybody is told.
const MAY_BE_UNFIT: Duration = Duration::from_secs(5);

/// Room for every CA in the world.
const MAX_BYTES: u64 = 1 << 20;

const ADVICE: Advice = Advice {
    half: "write the other file, too",
    malformed: "put there what `server.tls` says that it is",
    mismatch: "write both files of one pair",
    exposed: "write a new pair",
};

/// What the operator's own files prove the server with.
pub(super) struct OwnPair {
    files: TlsFiles,
    hostname: Host,
    current: ArcSwap<Loaded>,
    watch: Mutex<Watch>,
    metrics: CertificateMetrics,
}

/// What is served, and what API servers are told to trust.
struct Loaded {
    pair: Pair,
    anchors: Option<Anchors>,
}

struct Watch {
    /// What is served, by the hash of the files.
    taken: State,
    /// What the last look saw.
    seen: Option<State>,
    /// What was last told to be unfit.
    told: Option<State>,
    unfit_since: Option<Instant>,
    /// Why what is there now is not served.
    trouble: Option<String>,
    /// The certificates that will prove what is there now, in PEM, and that API servers do not know yet.
    awaited: Option<String>,
}

/// Why a pair that is there is not served.
struct Unfit {
    why: String,
    awaited: Option<String>,
}

impl Unfit {
    fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            awaited: None,
        }
    }
}

/// The hash of what files hold, or why they cannot be read.
type State = Result<[u8; 32], String>;

/// What the files hold.
struct Contents {
    certificate: String,
    key: Secret,
    ca: Option<String>,
}

/// The certificates that a webhook kubeconfig pins where `files` are served, in PEM; empty when no file of them is named.
///
/// # Errors
/// When the server could not use the files either.
pub fn pinned_by(files: &TlsFiles) -> Result<String, CertificateError> {
    let loaded = Loaded::parse(files, &Contents::read(files)?)?;
    Ok(loaded
        .anchors
        .map_or_else(String::new, |anchors| anchors.pem().to_owned()))
}

impl OwnPair {
    /// Reads `files`. API servers reach the server as `hostname`.
    pub(super) fn load(
        files: TlsFiles,
        hostname: Host,
        metrics: &CertificateMetrics,
    ) -> Result<Self, CertificateError> {
        let contents = Contents::read(&files)?;
        let loaded = Loaded::parse(&files, &contents)?;
        metrics.expires("own", loaded.pair.validity().not_after);
        metrics.own_trouble(false);
        Ok(Self {
            files,
            hostname,
            current: ArcSwap::from_pointee(loaded),
            watch: Mutex::new(Watch {
                taken: Ok(contents.hash()),
                seen: None,
                told: None,
                unfit_since: None,
                trouble: None,
                awaited: None,
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
        let loaded = self.current.load();
        let mut pinned = loaded.anchors.as_ref()?.pem().to_owned();
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        pinned.push_str(watch.awaited.as_deref().unwrap_or_default());
        Some(pinned)
    }

    /// Why API servers refuse what is served, at the time `now`.
    pub(super) fn objection(&self, now: UnixTime) -> Option<String> {
        self.current.load().objection(&self.hostname, now)
    }

    /// What an operator should know at the time `now`, a sentence each.
    pub(super) fn warnings(&self, now: UnixTime) -> Vec<String> {
        let name = format!("`{}`", self.files.certificate.display());
        let loaded = self.current.load();
        let soon = loaded
            .pair
            .validity()
            .warning(&name, "put a new pair there", now);
        let objection = loaded
            .objection(&self.hostname, now)
            .map(|why| format!("{name}: {why}"));
        let watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = watch.trouble.clone();
        soon.or(objection).into_iter().chain(trouble).collect()
    }

    /// Looks at the files once, at `at`, when the clock says `now`; puts in effect what has changed in them.
    pub(super) fn look(&self, at: Instant, now: UnixTime) {
        let contents = Contents::read(&self.files).map_err(|error| error.to_string());
        let state = contents.as_ref().map(Contents::hash).map_err(String::clone);
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = &mut *watch;
        let before = watch.seen.replace(state.clone());
        if watch.taken == state {
            if watch.trouble.is_some() {
                tracing::info!("`server.tls`: the files hold again what is served");
            }
            self.settle(watch);
        } else if before.as_ref() == Some(&state) {
            let fit = contents
                .map_err(Unfit::new)
                .and_then(|contents| self.fit(&contents, now));
            match fit {
                Ok(loaded) => {
                    self.put(loaded);
                    watch.taken = state;
                    self.settle(watch);
                }
                Err(unfit) => self.refuse(watch, state, unfit, at),
            }
        }
    }

    /// The pair in `contents`, if it is one, and not worse than what is served.
    fn fit(&self, contents: &Contents, now: UnixTime) -> Result<Loaded, Unfit> {
        let loaded = Loaded::parse(&self.files, contents);
        let loaded = loaded.map_err(|error| Unfit::new(error.to_string()))?;
        if self.objection(now).is_some() {
            return Ok(loaded);
        }
        let certificate = self.files.certificate.display();
        if let Some(why) = loaded.objection(&self.hostname, now) {
            let why = format!("API servers would refuse `{certificate}`: {why}");
            return Err(Unfit::new(why));
        }
        let current = self.current.load();
        let (Some(known), Some(new)) = (&current.anchors, &loaded.anchors) else {
            return Ok(loaded);
        };
        let chain = &loaded.pair.certified().cert;
        if known.objection(chain, &self.hostname, now).is_none() {
            return Ok(loaded);
        }
        Err(Unfit {
            why: format!(
                "`{certificate}` is of a new CA, which API servers that run do not know yet: start them again with the new webhook kubeconfig, and then this server"
            ),
            awaited: Some(new.pem().to_owned()),
        })
    }

    fn put(&self, loaded: Loaded) {
        let until = loaded.pair.validity().not_after;
        tracing::info!(
            "`{}` has changed and is served now; it is good until {until}",
            self.files.certificate.display()
        );
        self.metrics.expires("own", until);
        self.metrics.rotated("own", true);
        self.current.store(Arc::new(loaded));
    }

    /// What is there is what is served.
    fn settle(&self, watch: &mut Watch) {
        watch.told = None;
        watch.unfit_since = None;
        watch.trouble = None;
        watch.awaited = None;
        self.metrics.own_trouble(false);
    }

    /// What is there cannot be served, for this reason. Whoever can do something about it is told once, unless it is over
    /// soon.
    fn refuse(&self, watch: &mut Watch, state: State, unfit: Unfit, at: Instant) {
        let since = *watch.unfit_since.get_or_insert(at);
        let is_told = watch.told.as_ref() == Some(&state);
        if is_told || at.saturating_duration_since(since) < MAY_BE_UNFIT {
            return;
        }
        let trouble = format!("{}; the pair that was there before is served", unfit.why);
        tracing::error!("{trouble}");
        self.metrics.rotated("own", false);
        self.metrics.own_trouble(true);
        watch.trouble = Some(trouble);
        watch.told = Some(state);
        watch.awaited = unfit.awaited;
    }
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, CertificateError> {
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: Secret::new(read(&files.key)?),
            ca: files.ca.as_deref().map(read).transpose()?,
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

fn read(path: &Path) -> Result<String, CertificateError> {
    files::read_up_to(path, MAX_BYTES).map_err(|source| CertificateError::Unreadable {
        path: path.to_owned(),
        source,
    })
}

impl Loaded {
    fn parse(files: &TlsFiles, contents: &Contents) -> Result<Self, CertificateError> {
        let pair = Pair::parse(&contents.certificate, &contents.key)
            .map_err(|error| error.at(&files.certificate, &files.key, ADVICE))?;
        let anchors = match (&files.ca, &contents.ca) {
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

    /// Why API servers refuse it that reach the server as `hostname`, as far as that can be told.
    fn objection(&self, hostname: &Host, now: UnixTime) -> Option<String> {
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
        self.anchors.as_ref()?.objection(chain, hostname, now)
    }
}
