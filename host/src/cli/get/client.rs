//! Asks a server on its control socket.

use std::io::ErrorKind;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use crate::cli::failure::CommandFailure;
use crate::server::control::{MAPPINGS_PATH, SOCKET_NAME};

/// What the server with that state directory has in effect, as JSON.
pub(super) async fn ask(state_dir: &Path) -> Result<Bytes, CommandFailure> {
    let path = state_dir.join(SOCKET_NAME);
    let stream = UnixStream::connect(&path)
        .await
        .map_err(|error| unreachable(&path, &error))?;
    let answer = exchange(stream).await.map_err(|error| {
        CommandFailure::Failed(format!(
            "the server on {} did not answer: {error}",
            path.display()
        ))
    })?;
    match answer {
        (StatusCode::OK, body) => Ok(body),
        (status, _) => Err(CommandFailure::Failed(format!(
            "the server on {} answers {status}; is it another version?",
            path.display()
        ))),
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

fn unreachable(path: &Path, error: &std::io::Error) -> CommandFailure {
    let path = path.display();
    CommandFailure::Failed(match error.kind() {
        ErrorKind::NotFound => format!(
            "no server runs with this state directory: there is no {path}; start one, or name its folder in --state-dir"
        ),
        ErrorKind::ConnectionRefused => format!(
            "no server listens on {path}: the one that made it has ended; start one, or name another folder in --state-dir"
        ),
        ErrorKind::PermissionDenied => format!(
            "this user may not ask the server on {path}; run this as root, or as the server's user"
        ),
        _ => format!("cannot ask the server on {path}: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use ack_ram_core::rules::{Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source};
    use ack_ram_core::time::UnixTime;

    use super::*;
    use crate::backends::live::LiveRules;
    use crate::cli::get::{InEffect, text};
    use crate::server::control::ControlSocket;

    const START: UnixTime = UnixTime::from_seconds(1_700_000_000);

    fn rule(position: &str, arn: &str) -> Rule {
        let source = Source {
            backend: Backend::Crd,
            position: position.to_owned(),
        };
        let groups = vec!["g".to_owned(), "h".to_owned()];
        let mapping = Mapping::for_arn(source, Precedence::Created(START), arn, "u", groups);
        Rule::compile(mapping).unwrap()
    }

    #[tokio::test]
    async fn page_shows_rules_in_effect() {
        let backends = vec![BackendRules::new_unsynced(Backend::Crd)];
        let live = LiveRules::new(RuleSet::new(backends, BTreeSet::new()), START);
        live.change(Backend::Crd, |edit| {
            edit.apply(rule("a", "acs:ram::1:user/a"), START);
            edit.apply(rule("b", "acs:ram::1:user/A"), START);
            edit.keep_whole_rule("b", "evil \u{1b}[2J", START.plus_seconds(1));
            edit.refuse("c", "no ARN");
            edit.set_trouble(Some("unreachable".to_owned()));
        });
        let folder = tempfile::tempdir().unwrap();
        let control = ControlSocket::listen(folder.path()).unwrap();
        let serving = tokio::spawn(async move { control.serve(Arc::new(live)).await });
        let answer = ask(folder.path()).await.unwrap();
        serving.abort();
        let in_effect: InEffect = serde_json::from_slice(&answer).unwrap();
        let page = anstream::adapter::strip_str(&text(&in_effect).unwrap()).to_string();
        assert_eq!(
            page,
            "\
CRD: 2 mappings
  has not been read yet: later backends wait for it
  cannot be read now: unreachable
POSITION  SUBJECT            USERNAME  GROUPS  SINCE
a         acs:ram::1:user/a  u         g,h     2023-11-14T22:13:20Z
b         acs:ram::1:user/A  u         g,h     2023-11-14T22:13:20Z
    kept since 2023-11-14T22:13:21Z until 2023-11-15T22:13:21Z, since the newest text still gives this to the same subject: its last edit is refused: evil \\u{1b}[2J
    never answers: a names the same identity, and comes first
refused b: evil \\u{1b}[2J
refused c: no ARN
"
        );
    }

    #[tokio::test]
    async fn page_shows_last_confirmation_and_staleness() {
        static UPTIME: AtomicU64 = AtomicU64::new(0);
        let uptime = || Duration::from_secs(UPTIME.load(Ordering::Relaxed));
        let rules = RuleSet::new(vec![BackendRules::new(Backend::Crd)], BTreeSet::new());
        let live = Arc::new(LiveRules::new(rules, START).with_uptime(uptime));
        let confirmations = live.confirmations();
        confirmations.set_max_age(Some(Duration::from_secs(180)));
        confirmations.confirm(Backend::Crd);
        let folder = tempfile::tempdir().unwrap();
        let control = ControlSocket::listen(folder.path()).unwrap();
        let served = Arc::clone(&live);
        let serving = tokio::spawn(async move { control.serve(served).await });
        for (uptime, stale) in [
            (60, ""),
            (
                181,
                "  stale: not confirmed for longer than `server.maxStaleness`, so the identities that it maps get 503\n",
            ),
        ] {
            UPTIME.store(uptime, Ordering::Relaxed);
            let answer = ask(folder.path()).await.unwrap();
            let in_effect: InEffect = serde_json::from_slice(&answer).unwrap();
            let page = anstream::adapter::strip_str(&text(&in_effect).unwrap()).to_string();
            assert_eq!(
                page,
                format!("CRD: 0 mappings\n{stale}  last confirmed {uptime} s ago\n")
            );
        }
        serving.abort();
    }

    async fn check(state_dir: &Path, says: &str) {
        match ask(state_dir).await {
            Err(CommandFailure::Failed(text)) => assert!(text.contains(says), "{text}"),
            other => panic!("{other:?}"),
        }
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
