//! One request.

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType, Status};

use ack_ram_core::gateway::Refusal;

use crate::config::LogLevel;
use crate::host::{Handle, now, refuse};
use crate::request::Head;
use crate::worker::Then;

pub(super) struct Stream {
    id: u32,
    shared: Handle,
    /// Answered here: nothing of it goes on, whatever else of it comes.
    is_refused: bool,
}

impl Stream {
    pub(super) fn new(id: u32, shared: Handle) -> Self {
        Self {
            id,
            shared,
            is_refused: false,
        }
    }

    fn refuse(&mut self, reason: &str, is_grpc: bool) -> Action {
        self.shared.log(LogLevel::Error, reason);
        refuse(&Refusal::unavailable(reason), is_grpc);
        self.is_refused = true;
        Action::Pause
    }

    fn clean_trailers(&self) -> Result<(), Status> {
        let trailers = hostcalls::get_map_bytes(MapType::HttpRequestTrailers)?;
        let removed = self.shared.with(|worker| worker.trailed(Head(&trailers)));
        for name in removed.ok_or(Status::InternalFailure)? {
            hostcalls::set_map_value(MapType::HttpRequestTrailers, name, None)?;
        }
        Ok(())
    }

    /// Envoy holds back what follows the headers of a stream that waits; this does not count on it.
    fn follow(&self) -> Action {
        let waits = self.shared.with(|worker| worker.waits(self.id));
        if self.is_refused || waits.unwrap_or(true) {
            Action::Pause
        } else {
            Action::Continue
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _headers: usize, _is_end: bool) -> Action {
        let Ok(headers) = hostcalls::get_map_bytes(MapType::HttpRequestHeaders) else {
            return self.refuse("the headers cannot be read; try again", false);
        };
        let head = Head(&headers);
        #[cfg(feature = "traps")]
        {
            let wanted = head.all("x-trap").next();
            let wanted = wanted.map(|wanted| String::from_utf8_lossy(wanted).into_owned());
            if wanted.is_some() {
                self.shared.traps.replace(wanted);
            }
            self.shared.trap("on_http_request_headers");
        }
        let is_grpc = head.is_grpc();
        let Some(arrival) = self
            .shared
            .with(|worker| worker.arrived(self.id, head, now()))
        else {
            return self.refuse("the filter is not ready; try again", is_grpc);
        };
        for name in &arrival.remove {
            if hostcalls::set_map_value(MapType::HttpRequestHeaders, name, None).is_err() {
                self.shared.with(|worker| worker.gone(self.id));
                return self.refuse("a header cannot be removed; try again", is_grpc);
            }
        }
        if matches!(arrival.then, Then::Wait) {
            let queue = self.shared.queue.get();
            let asked = queue.map(|queue| hostcalls::enqueue_shared_queue(queue, Some(b"call")));
            if !matches!(asked, Some(Ok(()))) {
                self.shared.with(|worker| worker.gone(self.id));
                return self.refuse("STS cannot be asked; try again", is_grpc);
            }
            return Action::Pause;
        }
        if self.shared.perform(arrival.then, is_grpc) {
            Action::Continue
        } else {
            self.is_refused = true;
            Action::Pause
        }
    }

    fn on_http_request_body(&mut self, _size: usize, _is_end: bool) -> Action {
        #[cfg(feature = "traps")]
        self.shared.trap("on_http_request_body");
        self.follow()
    }

    fn on_http_request_trailers(&mut self, _trailers: usize) -> Action {
        #[cfg(feature = "traps")]
        self.shared.trap("on_http_request_trailers");
        match self.clean_trailers() {
            Ok(()) => self.follow(),
            Err(_) => self.refuse("a trailer cannot be removed; try again", false),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        #[cfg(feature = "traps")]
        self.shared.trap("on_delete");
        self.shared.with(|worker| worker.gone(self.id));
    }
}
