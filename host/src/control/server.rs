//! The server's side: the socket, and the answers on it.

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::backends::live::LiveRules;
use crate::clock::{self, Clock};
use crate::control::body::ChunkedBody;
use crate::control::protocol::{MAPPINGS_PATH, SOCKET_NAME};
use crate::control::report;
use crate::files;

/// The target of the log of a server's parts, of which this is one.
const TARGET: &str = "ack_ram_authenticator::server::control";
/// Each has a thread while it is answered.
const MAX_CONNECTIONS: usize = 4;
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// A million rules take seconds.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(120);
/// When accepting fails (no descriptors left), the next try may fare better.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A control socket that listens. It is removed when this is dropped.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: another server's socket is not removed.
    own: (u64, u64),
}

/// Why there is no control socket. The server runs without one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// Another server answers on it.
    #[error(
        "no control socket: another server answers on {path}; give each its own `server.stateDir`",
        path = .0.display()
    )]
    InUse(PathBuf),
    /// It cannot be made.
    #[error(
        "no control socket, so `get mappings` cannot ask this server: {path}: {1}",
        path = .0.display()
    )]
    Unusable(PathBuf, io::Error),
}

impl ControlSocket {
    /// Listens in `state_dir`, in place of what an earlier server has left there. Must be called within a runtime.
    ///
    /// # Errors
    /// When another server answers there, or no socket can be made there.
    pub(crate) fn listen(state_dir: &Path) -> Result<Self, ControlError> {
        let path = state_dir.join(SOCKET_NAME);
        let unusable = |error| ControlError::Unusable(path.clone(), error);
        // Two servers that start at once look, and then listen, one after the other.
        let _lock = files::lock_folder(state_dir).map_err(unusable)?;
        match StdStream::connect(&path) {
            Ok(_) => return Err(ControlError::InUse(path)),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::NotFound | ErrorKind::ConnectionRefused
                ) => {}
            Err(error) => return Err(unusable(error)),
        }
        let listener = bind_private(state_dir, &path).map_err(unusable)?;
        let own = identity(&path).map_err(unusable)?;
        Ok(Self {
            listener,
            path,
            own,
        })
    }

    /// Answers for ever.
    pub(crate) async fn serve(&self, live: Arc<LiveRules>) {
        let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut open = JoinSet::new();
        loop {
            // The semaphore is never closed.
            let permit = Arc::clone(&permits).acquire_owned().await;
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = open.join_next() => continue,
            };
            match accepted {
                Ok((stream, _)) => {
                    let live = Arc::clone(&live);
                    open.spawn(async move {
                        serve_connection(stream, live, clock::now).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::debug!(target: TARGET, "cannot accept on the control socket: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.own) {
            // Left behind, it is taken for what it is at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path` with a socket that has never been anybody else's to open: it is made in a folder of its own.
fn bind_private(state_dir: &Path, path: &Path) -> io::Result<UnixListener> {
    // No longer than the last name: the path of a socket has room for about a hundred bytes.
    let folder = tempfile::Builder::new()
        .prefix(".")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(state_dir)?;
    let made = folder.path().join("s");
    let listener = StdListener::bind(&made)?;
    fs::set_permissions(&made, Permissions::from_mode(files::PRIVATE))?;
    fs::rename(&made, path)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

async fn serve_connection(stream: UnixStream, live: Arc<LiveRules>, clock: Clock) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&request, &live, clock);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(RESPONSE_DEADLINE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(target: TARGET, "a connection to the control socket ended: {error}")
        }
        Err(_) => {
            tracing::debug!(target: TARGET, "a connection to the control socket took too long")
        }
    }
}

type ResponseBody = Either<Full<Bytes>, ChunkedBody>;

fn respond<B>(request: &Request<B>, live: &Arc<LiveRules>, clock: Clock) -> Response<ResponseBody> {
    let refusal = match (request.method(), request.uri().path()) {
        (&Method::GET, MAPPINGS_PATH) => {
            let mut response = Response::new(Either::Right(mappings(Arc::clone(live), clock)));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            return response;
        }
        (_, MAPPINGS_PATH) => StatusCode::METHOD_NOT_ALLOWED,
        _ => StatusCode::NOT_FOUND,
    };
    let reason = refusal.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Either::Left(Full::from(reason)));
    *response.status_mut() = refusal;
    response
}

/// What is in effect, written while it is read: an answer has tens of megabytes at a hundred thousand rules.
fn mappings(live: Arc<LiveRules>, clock: Clock) -> ChunkedBody {
    ChunkedBody::written_by(move |chunks| report::write(&live, clock(), chunks))
}

#[cfg(test)]
mod tests;
