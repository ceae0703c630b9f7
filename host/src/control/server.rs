//! The server of the control socket.

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

/// The log target, which starts with that of the other parts of a server.
const TARGET: &str = "ack_ram_authenticator::server::control";
/// The limit for connections. Each one uses a thread for its response.
const MAX_CONNECTIONS: usize = 4;
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// The time limit for a response. A million rules take seconds.
const RESPONSE_DEADLINE: Duration = Duration::from_secs(120);
/// How long to wait after a failure to accept a connection, for example without free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A listening control socket. Dropping it removes the socket.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The device and inode of the socket, so that the socket of another server is not removed.
    own: (u64, u64),
}

/// Why there is no control socket. The server runs without one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// Another server uses the socket.
    #[error(
        "no control socket: another server uses {path}; give each server its own `server.stateDir`",
        path = .0.display()
    )]
    InUse(PathBuf),
    /// The socket cannot be created.
    #[error(
        "no control socket, so `get mappings` does not work: {path}: {1}",
        path = .0.display()
    )]
    Unusable(PathBuf, io::Error),
}

impl ControlSocket {
    /// Listens in `state_dir`, and replaces a socket that an earlier server left there. Must be called within a
    /// runtime.
    ///
    /// # Errors
    /// When another server uses the socket, or when the socket cannot be created.
    pub(crate) fn listen(state_dir: &Path) -> Result<Self, ControlError> {
        let path = state_dir.join(SOCKET_NAME);
        let unusable = |error| ControlError::Unusable(path.clone(), error);
        // Two servers that start at the same time must not both find the socket unused.
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

    /// Serves connections and never returns.
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
                    tracing::debug!(target: TARGET, "cannot accept a connection on the control socket: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.own) {
            // If this fails, the next start replaces the socket.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path` with a socket that other users can never open. The socket is created in a private folder first,
/// where its mode is set.
fn bind_private(state_dir: &Path, path: &Path) -> io::Result<UnixListener> {
    // The temporary path must not be longer than `path`, since the path of a socket has at most about a hundred bytes.
    let folder = tempfile::Builder::new()
        .prefix(".")
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(state_dir)?;
    let temporary = folder.path().join("s");
    let listener = StdListener::bind(&temporary)?;
    fs::set_permissions(&temporary, Permissions::from_mode(files::PRIVATE))?;
    fs::rename(&temporary, path)?;
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
            tracing::debug!(target: TARGET, "a connection to the control socket failed: {error}")
        }
        Err(_) => {
            tracing::debug!(target: TARGET, "a connection to the control socket timed out")
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

/// Returns the mappings in effect as a body that is sent while it is written, since a hundred thousand rules are tens
/// of megabytes.
fn mappings(live: Arc<LiveRules>, clock: Clock) -> ChunkedBody {
    ChunkedBody::written_by(move |chunks| report::write(&live, clock(), chunks))
}

#[cfg(test)]
mod tests;
