//! The only module that calls Envoy. It performs the actions of a [`Worker`].
//!
//! The traits of the SDK panic if Envoy returns an error. Some of its functions panic as well, but only if Envoy is
//! broken. A panic traps: Envoy then fails the request and every other request of the worker until it reloads the
//! module. No request passes because of a panic.
//!
//! A call to STS belongs to the root context, which outlives every stream. A stream cannot call the root context
//! directly. Instead, each root context has its own queue, and a stream that needs a call to STS puts an entry into
//! this queue.

mod call;
#[cfg(feature = "traps")]
mod forced_traps;
#[cfg(not(feature = "traps"))]
#[path = "host/no_traps.rs"]
mod forced_traps;
mod root;
mod stats;
mod stream;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use ack_ram_core::gateway::{Refusal, RefusalKind};
use proxy_wasm::hostcalls;
use proxy_wasm::types::{GrpcStatusCode, LogLevel as HostLevel, MapType, Status};

use crate::config::LogLevel;
use crate::worker::{AdmittedRequest, LogEntry, RequestAction, Worker};
use forced_traps::ForcedTraps;
use stats::Stats;

proxy_wasm::main! {{
    std::panic::set_hook(Box::new(|panic| {
        // Only the location is logged: the panic message may quote data such as a token.
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = hostcalls::log(HostLevel::Critical, &format!("panicked at {location}; this is a defect of the filter"));
    }));
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}

/// The state that the contexts of one worker share.
#[derive(Default)]
struct SharedState {
    /// `None` until the configuration has been applied.
    worker: RefCell<Option<Worker>>,
    queue: Cell<Option<u32>>,
    stats: RefCell<Option<Stats>>,
    traps: ForcedTraps,
}

impl SharedState {
    /// Runs `operation` on the worker. Returns `None` if there is no worker, or if it is already borrowed.
    fn with_worker<T>(&self, operation: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        let mut worker = self.worker.try_borrow_mut().ok()?;
        worker.as_mut().map(operation)
    }

    fn record(&self, log_entry: &LogEntry) {
        if let Some(stats) = &*self.stats.borrow() {
            stats.count(log_entry.result);
        }
        self.log(log_entry.level, &log_entry.line);
    }

    fn log(&self, level: LogLevel, line: &str) {
        let configured = self.with_worker(|worker| worker.log_level());
        if configured.is_none_or(|configured| level <= configured) {
            log(level, line);
        }
    }

    /// Performs `action` on the stream of Envoy's effective context. Returns whether the stream may continue.
    fn perform(&self, action: RequestAction, is_grpc: bool) -> bool {
        match action {
            RequestAction::Bypass => true,
            RequestAction::Wait => false,
            RequestAction::Admit(admitted) => {
                self.record(&admitted.log_entry);
                match admit(&admitted) {
                    Ok(()) => true,
                    Err(_) => {
                        refuse(
                            &Refusal::unavailable(
                                "your identity cannot be passed to the service; try again",
                            ),
                            is_grpc,
                        );
                        false
                    }
                }
            }
            RequestAction::Refuse(refusal, log_entry) => {
                self.record(&log_entry);
                refuse(&refusal, is_grpc);
                false
            }
        }
    }
}

fn admit(admitted: &AdmittedRequest) -> Result<(), Status> {
    for (name, value) in &admitted.headers {
        hostcalls::add_map_value(MapType::HttpRequestHeaders, name, value)?;
    }
    // For access logs and later filters, which find the property as `wasm.ack_ram.user`.
    hostcalls::set_property(vec!["ack_ram.user"], Some(admitted.username.as_bytes()))
}

fn refuse(refusal: &Refusal, is_grpc: bool) {
    let sent = if is_grpc {
        let status = match refusal.kind() {
            RefusalKind::NoToken | RefusalKind::InvalidToken => GrpcStatusCode::Unauthenticated,
            RefusalKind::Forbidden => GrpcStatusCode::PermissionDenied,
            RefusalKind::Unavailable => GrpcStatusCode::Unavailable,
        };
        // The HTTP status of a gRPC response is 200, which a cache could store.
        let metadata = vec![("cache-control", &b"no-store"[..])];
        hostcalls::send_grpc_response(status, Some(&refusal.message()), metadata)
    } else {
        let headers = refusal.headers();
        let headers = headers.iter().map(|(name, value)| (*name, &**value));
        let status = u32::from(refusal.kind().status());
        hostcalls::send_http_response(status, headers.collect(), Some(&refusal.problem()))
    };
    if sent.is_err() {
        // The stream stays paused until Envoy's own timeout ends it.
        log(
            LogLevel::Error,
            "cannot send the response to a refused request",
        );
    }
}

/// Returns the time since 1970. If there is no clock, returns zero: every token is then refused, because its date is in
/// the future.
fn now() -> Duration {
    let time = hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn log(level: LogLevel, line: &str) {
    let level = match level {
        LogLevel::Error => HostLevel::Error,
        LogLevel::Warn => HostLevel::Warn,
        LogLevel::Info => HostLevel::Info,
        LogLevel::Debug => HostLevel::Debug,
    };
    // A failure to log cannot be reported anywhere.
    let _ = hostcalls::log(level, line);
}

type SharedHandle = Rc<SharedState>;
