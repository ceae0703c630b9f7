//! The stream context: one request.

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType, Status};

use ack_ram_core::gateway::Refusal;

use crate::config::LogLevel;
use crate::host::{SharedHandle, now, refuse};
use crate::request::RequestHeaders;
use crate::worker::RequestAction;

pub(super) struct Stream {
    id: u32,
    shared: SharedHandle,
    /// Whether the filter has answered the request. Parts of the request that arrive later must not continue.
    is_refused: bool,
}

impl Stream {
    pub(super) fn new(id: u32, shared: SharedHandle) -> Self {
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

    fn remove_withheld_trailers(&self) -> Result<(), Status> {
        let trailers = hostcalls::get_map_bytes(MapType::HttpRequestTrailers)?;
        let removed = self
            .shared
            .with_worker(|worker| worker.trailers_to_remove(RequestHeaders(&trailers)));
        for name in removed.ok_or(Status::InternalFailure)? {
            hostcalls::set_map_value(MapType::HttpRequestTrailers, name, None)?;
        }
        Ok(())
    }

    /// Continues unless the stream waits for STS or was refused. Envoy itself holds back the body of a paused stream,
    /// but the filter does not depend on that.
    fn continue_unless_waiting(&self) -> Action {
        let is_waiting = self.shared.with_worker(|worker| worker.is_waiting(self.id));
        if self.is_refused || is_waiting.unwrap_or(true) {
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
            return self.refuse("cannot read the request headers; try again", false);
        };
        let request_headers = RequestHeaders(&headers);
        self.shared.traps.record(request_headers);
        self.shared.traps.enter("on_http_request_headers");
        let is_grpc = request_headers.is_grpc();
        let Some(plan) = self
            .shared
            .with_worker(|worker| worker.plan_request(self.id, request_headers, now()))
        else {
            return self.refuse("the filter is not ready; try again", is_grpc);
        };
        for name in &plan.remove {
            if hostcalls::set_map_value(MapType::HttpRequestHeaders, name, None).is_err() {
                self.shared
                    .with_worker(|worker| worker.close_stream(self.id));
                return self.refuse("cannot remove a request header; try again", is_grpc);
            }
        }
        if matches!(plan.action, RequestAction::Wait) {
            let queue = self.shared.queue.get();
            let enqueued = queue.map(|queue| hostcalls::enqueue_shared_queue(queue, Some(b"call")));
            if !matches!(enqueued, Some(Ok(()))) {
                self.shared
                    .with_worker(|worker| worker.close_stream(self.id));
                return self.refuse("cannot call STS; try again", is_grpc);
            }
            return Action::Pause;
        }
        if self.shared.perform(plan.action, is_grpc) {
            Action::Continue
        } else {
            self.is_refused = true;
            Action::Pause
        }
    }

    fn on_http_request_body(&mut self, _size: usize, _is_end: bool) -> Action {
        self.shared.traps.enter("on_http_request_body");
        self.continue_unless_waiting()
    }

    fn on_http_request_trailers(&mut self, _trailers: usize) -> Action {
        self.shared.traps.enter("on_http_request_trailers");
        match self.remove_withheld_trailers() {
            Ok(()) => self.continue_unless_waiting(),
            Err(_) => self.refuse("cannot remove a request trailer; try again", false),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.shared.traps.enter("on_delete");
        self.shared
            .with_worker(|worker| worker.close_stream(self.id));
    }
}
