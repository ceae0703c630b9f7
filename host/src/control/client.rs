//! The client's side: asks a server on its control socket.

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

/// Fetches what the server with the state directory `state_dir` has in effect.
///
/// # Errors
/// When no server listens there, or one does not reply as this version does.
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

/// Why a server did not say what it has in effect.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlClientError {
    /// There is no socket.
    #[error(
        "no server runs with this state directory: there is no {path}; start one, or name its folder in --state-dir",
        path = .0.display()
    )]
    NoSocket(PathBuf),
    /// The socket was left by a server that has ended.
    #[error(
        "no server listens on {path}: the one that made it has ended; start one, or name another folder in --state-dir",
        path = .0.display()
    )]
    NoListener(PathBuf),
    /// This user may not open the socket.
    #[error(
        "this user may not ask the server on {path}; run this as root, or as the server's user",
        path = .0.display()
    )]
    Forbidden(PathBuf),
    /// The socket cannot be opened.
    #[error("cannot ask the server on {path}: {1}", path = .0.display())]
    Unreachable(PathBuf, io::Error),
    /// The exchange ended without an answer.
    #[error("the server on {path} did not answer: {1}", path = .0.display())]
    NoAnswer(PathBuf, hyper::Error),
    /// The answer has another status.
    #[error("the server on {path} answers {1}; is it another version?", path = .0.display())]
    Refused(PathBuf, StatusCode),
    /// The answer has another form.
    #[error("the server's answer cannot be read: {0}; is it another version?")]
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

    async fn check(state_dir: &Path, says: &str) {
        let error = fetch_mappings(state_dir).await.err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }

    #[tokio::test]
    async fn unreachable_control_socket_error_names_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), "no server runs with this state directory").await;
        let listener = UnixListener::bind(folder.path().join(SOCKET_NAME)).unwrap();
        let hangs_up = std::thread::spawn(move || drop(listener.accept().unwrap()));
        check(folder.path(), "did not answer").await;
        hangs_up.join().unwrap();
        check(folder.path(), "has ended").await;
    }
}
