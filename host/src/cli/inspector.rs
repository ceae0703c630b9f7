//! `inspector`: the token inspector's page, served to a browser on this machine.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::failure::CommandFailure;
use crate::cli::output;

/// Name, media type and content of each file of the page; nothing if it was not built before the program.
const PAGE: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/inspector.rs"));

const INDEX: &str = "index.html";

/// A browser asks for a file at once, or not at all.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serve the token inspector, a page that explains tokens and rules, to a browser on this machine
///
/// The page runs in the browser alone: no token reaches this program, nor anybody else. It is the folder
/// `wasm/inspector/dist`, which any web server can serve as well, and a browser can open from the disk.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator inspector
  ack-ram-authenticator inspector --port 8080

Exit codes:
  0  ended by SIGTERM or Ctrl-C
  1  the port is taken, or the page is not in this program
  2  wrong usage")]
pub(super) struct InspectorArgs {
    /// The port to listen on, on 127.0.0.1; 0 lets the system choose
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

pub(super) fn run(args: &InspectorArgs) -> Result<(), CommandFailure> {
    if find_file(INDEX).is_none() {
        return Err(CommandFailure::Failed(
            "the page is not in this program: run `cargo xtask wasm`, then build the program again"
                .to_owned(),
        ));
    }
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandFailure::Failed(format!("cannot start: {error}")))?
        .block_on(serve(args.port))
}

async fn serve(port: u16) -> Result<(), CommandFailure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let failed =
        |error| CommandFailure::Failed(format!("cannot listen on {address}: {error}; give --port"));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    output::print(&format!("http://{address}/\n"))?;
    loop {
        tokio::select! {
            // A connection that ended before it began is nobody's concern.
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service_fn(respond));
                tokio::spawn(connection);
            },
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(response_for(request.method(), request.uri().path()))
}

fn response_for(method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return status_response(StatusCode::METHOD_NOT_ALLOWED);
    }
    let name = match path.strip_prefix('/') {
        Some("") => INDEX,
        Some(name) => name,
        None => path,
    };
    let Some((kind, content)) = find_file(name) else {
        return status_response(StatusCode::NOT_FOUND);
    };
    let mut response = Response::new(Full::from(content));
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, kind),
        // A new program has a new page. The rest of the policy is in the page, which other servers serve, too; this
        // cannot be.
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn status_response(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// The media type and the content of the file `name`.
fn find_file(name: &str) -> Option<(&'static str, &'static [u8])> {
    PAGE.iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, kind, content)| (*kind, *content))
}
