//! The only module that calls Envoy. It performs the actions of a [`Worker`].
//!
//! The SDK's traits panic where Envoy says no, and so do some of its calls, where Envoy would have to be broken. A panic
//! traps: Envoy then fails the request, and every other of this worker until the module is loaded anew; no request goes
//! on by it.
//!
//! A call to STS belongs to the root context, which outlives every stream. Streams cannot make it do something, but a
//! queue can: each root context has one of its own, and whoever wants a call leaves a word in it.

mod call;
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
use stats::Stats;

proxy_wasm::main! {{
    std::panic::set_hook(Box::new(|panic| {
        // Only where: the message may quote what was being worked on, such as a token.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = hostcalls::log(HostLevel::Critical, &format!("panicked at {place}; this is a defect of the filter"));
    }));
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}

/// The state that the contexts of one worker share.
#[derive(Default)]
struct SharedState {
    /// `None` until the configuration has been read.
    worker: RefCell<Option<Worker>>,
    queue: Cell<Option<u32>>,
    stats: RefCell<Option<Stats>>,
    #[cfg(feature = "traps")]
    traps: RefCell<Option<String>>,
}

impl SharedState {
    /// Runs `operation` on the worker; `None` when there is no worker, or it is borrowed already.
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
        let wanted = self.with_worker(|worker| worker.log_level());
        if wanted.is_none_or(|wanted| level <= wanted) {
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
                                "the service cannot be told who you are; try again",
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

/// What tests of traps need; nothing of it is in what ships.
#[cfg(feature = "traps")]
impl SharedState {
    /// Traps if a request has asked for that here.
    fn trap(&self, place: &str) {
        let is_wanted = self.traps.borrow().as_deref() == Some(place);
        assert!(!is_wanted, "as the test wants");
    }

    /// Traps if the configuration asks for that.
    fn trap_on_configure(&self, json: &[u8]) {
        let is_wanted = String::from_utf8_lossy(json).contains("trap: on_configure");
        assert!(!is_wanted, "as the test wants");
    }
}

fn admit(admitted: &AdmittedRequest) -> Result<(), Status> {
    for (name, value) in &admitted.headers {
        hostcalls::add_map_value(MapType::HttpRequestHeaders, name, value)?;
    }
    // For access logs and for filters that come after: Envoy calls it `wasm.ack_ram.user`.
    hostcalls::set_property(vec!["ack_ram.user"], Some(admitted.username.as_bytes()))
}

fn refuse(refusal: &Refusal, is_grpc: bool) {
    let sent = if is_grpc {
        let status = match refusal.kind() {
            RefusalKind::NoToken | RefusalKind::InvalidToken => GrpcStatusCode::Unauthenticated,
            RefusalKind::Forbidden => GrpcStatusCode::PermissionDenied,
            RefusalKind::Unavailable => GrpcStatusCode::Unavailable,
        };
        // It is a 200, and caches look at the method and the path alone.
        let metadata = vec![("cache-control", &b"no-store"[..])];
        hostcalls::send_grpc_response(status, Some(&refusal.message()), metadata)
    } else {
        let headers = refusal.headers();
        let headers = headers.iter().map(|(name, value)| (*name, &**value));
        let status = u32::from(refusal.kind().status());
        hostcalls::send_http_response(status, headers.collect(), Some(&refusal.problem()))
    };
    if sent.is_err() {
        // The stream stays where it is until Envoy's own time-out ends it.
        log(LogLevel::Error, "a refusal could not be sent");
    }
}

/// Since 1970. Without a clock nobody can be let in: a time before all tokens refuses every one of them.
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
    // There is nobody to tell when logging fails.
    let _ = hostcalls::log(level, line);
}

type SharedHandle = Rc<SharedState>;
