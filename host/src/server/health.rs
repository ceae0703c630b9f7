//! The health port: plain HTTP, `ok` for any path, for the kubelet's probes.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// A probe asks one thing and goes.
const CONNECTION_DEADLINE: Duration = Duration::from_secs(30);

/// Answers probes for ever; without a listener it waits for ever.
pub(super) async fn serve(listener: Option<TcpListener>) {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service_fn(ok));
            // Whatever a prober does wrong is its own affair.
            let _ended = tokio::time::timeout(CONNECTION_DEADLINE, connection).await;
        });
    }
}

async fn ok(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::from("ok")))
}
