//! The only part that speaks to Envoy. It does what a [`Worker`] says.
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
use crate::worker::{Entry, Then, Told, Worker};
use stats::Stats;

proxy_wasm::main! {{
    std::panic::set_hook(Box::new(|panic| {
        // Only where: the message may quote what was being worked on, such as a token.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = hostcalls::log(HostLevel::Critical, &format!("panicked at {place}; this is a defect of the filter"));
    }));
    proxy_wasm::set_root_context(|id| Box::new(root::Root::new(id)));
}}

/// What the contexts of one worker share.
#[derive(Default)]
struct Shared {
    /// `None` until the configuration has been read.
    worker: RefCell<Option<Worker>>,
    queue: Cell<Option<u32>>,
    stats: RefCell<Option<Stats>>,
    #[cfg(feature = "traps")]
    traps: RefCell<Option<String>>,
}

impl Shared {
    /// What `ask` gets from the worker; `None` when there is none, or when it is being asked already.
    fn with<T>(&self, ask: impl FnOnce(&mut Worker) -> T) -> Option<T> {
        let mut worker = self.worker.try_borrow_mut().ok()?;
        worker.as_mut().map(ask)
    }

    fn tell(&self, told: &Told) {
        if let Some(stats) = &*self.stats.borrow() {
            stats.count(told.result);
        }
        self.log(told.level, &told.line);
    }

    fn log(&self, level: LogLevel, line: &str) {
        let wanted = self.with(|worker| worker.log_level());
        if wanted.is_none_or(|wanted| level <= wanted) {
            log(level, line);
        }
    }

    /// Does what `then` says to the stream whose headers Envoy's calls are about now. Whether it may go on.
    fn perform(&self, then: Then, is_grpc: bool) -> bool {
        match then {
            Then::Bypass => true,
            Then::Wait => false,
            Then::Enter(entry) => {
                self.tell(&entry.told);
                match enter(&entry) {
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
            Then::Refuse(refusal, told) => {
                self.tell(&told);
                refuse(&refusal, is_grpc);
                false
            }
        }
    }
}

/// What tests of traps need; nothing of it is in what ships.
#[cfg(feature = "traps")]
impl Shared {
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

fn enter(entry: &Entry) -> Result<(), Status> {
    for (name, value) in &entry.headers {
        hostcalls::add_map_value(MapType::HttpRequestHeaders, name, value)?;
    }
    // For access logs and for filters that come after: Envoy calls it `wasm.ack_ram.user`.
    hostcalls::set_property(vec!["ack_ram.user"], Some(entry.username.as_bytes()))
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

type Handle = Rc<Shared>;
