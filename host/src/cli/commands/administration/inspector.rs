//! `inspector`: serves the token inspector to a browser on this machine.

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

/// The name, media type and content of each file of the page; empty if the page was not built before the program.
const PAGE: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/inspector.rs"));

const INDEX: &str = "index.html";

/// How long a client has to send its request. A browser sends it immediately.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serve the token inspector on this machine
///
/// The token inspector is a web page that explains tokens and rules. The page runs entirely in the browser: it sends no
/// token to this program or anywhere else. You can also serve the folder `wasm/inspector/dist` with any web server, or
/// open it from disk.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator inspector
  ack-ram-authenticator inspector --port 8080

Exit codes:
  0  SIGTERM or Ctrl-C stopped the command.
  1  The port is in use, or this program was built without the page.
  2  The command line is wrong.")]
pub(in crate::cli) struct InspectorArgs {
    /// Port to listen on, on 127.0.0.1; 0 lets the system choose one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
}

pub(super) fn run(args: &InspectorArgs) -> Result<(), CommandFailure> {
    if find_file(INDEX).is_none() {
        return Err(CommandFailure::Failed(
            "this program was built without the page; run `cargo xtask wasm`, then build the program again"
                .to_owned(),
        ));
    }
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CommandFailure::Failed(format!("cannot start the async runtime: {error}"))
        })?
        .block_on(serve(args.port))
}

async fn serve(port: u16) -> Result<(), CommandFailure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let failed =
        |error| CommandFailure::Failed(format!("cannot listen on {address}: {error}; set --port"));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    output::print(&format!("http://{address}/\n"))?;
    loop {
        tokio::select! {
            // An error here is about one connection that closed too early.
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
        // A new program has a new page.
        (CACHE_CONTROL, "no-store"),
        // The page itself holds the rest of the policy, but cannot set this directive.
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

/// Returns the media type and the content of the file `name`, if the page has it.
fn find_file(name: &str) -> Option<(&'static str, &'static [u8])> {
    PAGE.iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, kind, content)| (*kind, *content))
}
