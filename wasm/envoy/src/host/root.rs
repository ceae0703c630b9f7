//! The root context: applies the configuration, and calls STS.

use std::rc::Rc;

use ack_ram_core::decision::Unavailable;
use ack_ram_core::sts::{StsReply, StsUnavailable};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType, Status};

use crate::config::{ConfigError, LogLevel, Settings};
use crate::host::call::{self, HttpReply};
use crate::host::stats::Stats;
use crate::host::stream::Stream;
use crate::host::{SharedHandle, SharedState, log, now};
use crate::worker::{ResumedStream, Worker};

/// The key of the queue counter in the data that all workers share.
const QUEUE_COUNTER: &str = "ack-ram-authenticator.queues";
/// The maximum number of attempts to increment the counter, which other workers increment concurrently.
const MAX_TRIES: u32 = 1_000;

pub(super) struct Root {
    id: u32,
    shared: SharedHandle,
}

impl Root {
    pub(super) fn new(id: u32) -> Self {
        Self {
            id,
            shared: Rc::new(SharedState::default()),
        }
    }

    /// Sends pending calls until the maximum number is in flight.
    fn send_calls(&self) {
        while let Some(call) = self.shared.with_worker(Worker::next_call).flatten() {
            let now = now();
            let prepared = self.shared.with_worker(|worker| worker.prepare(call, now));
            let unavailable = match prepared.flatten() {
                None => Unavailable::Overloaded,
                Some(prepared) => match call::send(&prepared) {
                    Ok(id) => {
                        self.shared
                            .with_worker(|worker| worker.mark_sent(call, id, now));
                        continue;
                    }
                    Err(status) => {
                        let reason = match status {
                            Status::BadArgument => format!(
                                "Envoy has no cluster `{}` (`sts.cluster`)",
                                prepared.cluster
                            ),
                            _ => "no connection".to_owned(),
                        };
                        self.shared
                            .log(LogLevel::Error, &format!("cannot call STS: {reason}"));
                        Unavailable::Sts(StsUnavailable::Unreachable)
                    }
                },
            };
            let resumed = self
                .shared
                .with_worker(|worker| worker.fail_call(call, &unavailable));
            self.resume_streams(resumed.unwrap_or_default());
        }
        self.record_sizes();
    }

    fn resume_streams(&self, resumed: Vec<ResumedStream>) {
        for ResumedStream {
            stream,
            is_grpc,
            action,
        } in resumed
        {
            // Fails if the stream no longer exists.
            if hostcalls::set_effective_context(stream).is_ok()
                && self.shared.perform(action, is_grpc)
            {
                // If this fails, the stream stays paused.
                let _ = hostcalls::resume_http_request();
            }
        }
        let _ = hostcalls::set_effective_context(self.id);
    }

    fn record_sizes(&self) {
        if let (Some((waiting, cached)), Some(stats)) = (
            self.shared.with_worker(|worker| worker.sizes()),
            &*self.shared.stats.borrow(),
        ) {
            stats.record_sizes(waiting, cached);
        }
    }

    fn configure(&self, size: usize) -> Result<(), String> {
        let json = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size)
            .map_err(|_| "cannot get the configuration from Envoy".to_owned())?
            .unwrap_or_default();
        self.shared.traps.configure(&json);
        let settings = Settings::parse(&json).map_err(|error: ConfigError| error.to_string())?;
        if self.shared.queue.get().is_none() {
            let queue = create_queue().ok_or("cannot create a queue in Envoy")?;
            self.shared.queue.set(Some(queue));
        }
        let stats = Stats::define().map_err(|_| "cannot define metrics in Envoy".to_owned())?;
        self.shared.stats.replace(Some(stats));
        // Otherwise, streams that wait under the previous configuration would wait forever.
        let earlier = self.shared.worker.replace(Some(Worker::new(settings)));
        if let Some(mut earlier) = earlier {
            self.resume_streams(earlier.fail_all());
        }
        Ok(())
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, id: u32, headers: usize, body: usize, _trailers: usize) {
        self.shared.traps.enter("on_http_call_response");
        let reply = HttpReply::receive(headers, body);
        let completed = self
            .shared
            .with_worker(|worker| worker.complete_call(id, reply.as_sts_reply(), now()));
        if let Some(completed) = completed {
            if let Some(stats) = &*self.shared.stats.borrow() {
                let is_unanswered = !matches!(reply.as_sts_reply(), StsReply::Response { .. });
                stats.record_call(completed.elapsed, is_unanswered);
            }
            self.resume_streams(completed.resumed);
        }
        self.send_calls();
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        match self.configure(size) {
            Ok(()) => true,
            Err(reason) => {
                log(LogLevel::Error, &format!("configuration refused: {reason}"));
                false
            }
        }
    }

    fn on_queue_ready(&mut self, queue: u32) {
        self.shared.traps.enter("on_queue_ready");
        // The entries have no content: an entry is only a signal.
        while let Ok(Some(_)) = hostcalls::dequeue_shared_queue(queue) {}
        self.send_calls();
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        self.shared.traps.enter("create_http_context");
        Some(Box::new(Stream::new(id, Rc::clone(&self.shared))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// Creates a queue for this root context. The name of the queue is unique: its number comes from a shared counter.
fn create_queue() -> Option<u32> {
    for _ in 0..MAX_TRIES {
        let (bytes, version) = hostcalls::get_shared_data(QUEUE_COUNTER).ok()?;
        let counter = bytes.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_slice()).ok());
        let number = counter.map_or(0, u64::from_le_bytes);
        let next = number.wrapping_add(1).to_le_bytes();
        // The counter has no version before the first write. Envoy treats version 0 as "do not compare", so two
        // concurrent first writes could both succeed. This cannot happen: Envoy first runs a new configuration on the
        // main thread.
        if hostcalls::set_shared_data(QUEUE_COUNTER, Some(&next), version).is_ok() {
            return hostcalls::register_shared_queue(&format!("ack-ram-authenticator.{number}"))
                .ok();
        }
    }
    None
}
