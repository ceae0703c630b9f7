//! The client of the control socket.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::control::protocol::{MAPPINGS_PATH, MappingsReply, SOCKET_NAME};

/// Fetches the mappings in effect from the server with the state directory `state_dir`.
///
/// # Errors
/// When no server listens there, or when the reply differs from that of this version.
pub(crate) async fn fetch_mappings(state_dir: &Path) -> Result<MappingsReply, ControlClientError> {
    let path = state_dir.join(SOCKET_NAME);
    let stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) => return Err(unreachable(path, error)),
    };
    match exchange(stream).await {
        Ok((StatusCode::OK, body)) => {
            serde_json::from_slice(&body).map_err(ControlClientError::Malformed)
        }
        Ok((status, _)) => Err(ControlClientError::Refused(path, status)),
        Err(error) => Err(ControlClientError::NoAnswer(path, error)),
    }
}

/// Why the mappings in effect could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlClientError {
    /// There is no socket.
    #[error(
        "no server uses this state directory: {path} does not exist; start a server, or set --state-dir to its state directory",
        path = .0.display()
    )]
    NoSocket(PathBuf),
    /// The socket is left over from a server that has stopped.
    #[error(
        "no server listens on {path}: the server that created it has stopped; start a server, or set --state-dir to another state directory",
        path = .0.display()
    )]
    NoListener(PathBuf),
    /// This user has no access to the socket.
    #[error(
        "you have no access to {path}; run this command as root or as the user of the server",
        path = .0.display()
    )]
    Forbidden(PathBuf),
    /// The socket cannot be opened.
    #[error("cannot connect to the server on {path}: {1}", path = .0.display())]
    Unreachable(PathBuf, io::Error),
    /// The connection closed without a reply.
    #[error("the server on {path} did not answer: {1}", path = .0.display())]
    NoAnswer(PathBuf, hyper::Error),
    /// The reply has an unexpected status.
    #[error("the server on {path} returned {1}; check that it has the same version as this program", path = .0.display())]
    Refused(PathBuf, StatusCode),
    /// The reply has an unexpected format.
    #[error(
        "cannot read the reply of the server: {0}; check that it has the same version as this program"
    )]
    Malformed(serde_json::Error),
}

fn unreachable(path: PathBuf, error: io::Error) -> ControlClientError {
    match error.kind() {
        ErrorKind::NotFound => ControlClientError::NoSocket(path),
        ErrorKind::ConnectionRefused => ControlClientError::NoListener(path),
        ErrorKind::PermissionDenied => ControlClientError::Forbidden(path),
        _ => ControlClientError::Unreachable(path, error),
    }
}

async fn exchange(stream: UnixStream) -> Result<(StatusCode, Bytes), hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = async {
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.uri_mut() = hyper::Uri::from_static(MAPPINGS_PATH);
        let host = hyper::header::HeaderValue::from_static("localhost");
        request.headers_mut().insert(HOST, host);
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok((head.status, body.collect().await?.to_bytes()))
    };
    let (answer, _) = tokio::join!(request, connection);
    answer
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    async fn check(state_dir: &Path, expected: &str) {
        let error = fetch_mappings(state_dir).await.err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[tokio::test]
    async fn unreachable_control_socket_error_names_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), "no server uses this state directory").await;
        let listener = UnixListener::bind(folder.path().join(SOCKET_NAME)).unwrap();
        let hangs_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
        check(folder.path(), "did not answer").await;
        hangs_up.join().unwrap();
        check(folder.path(), "has stopped").await;
    }
}
