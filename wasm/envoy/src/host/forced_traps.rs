//! Traps on request, for tests. Compiled only with the feature `traps`, which no released module has.

use std::cell::RefCell;

use crate::request::RequestHeaders;

/// The header that names the callback to trap in.
const HEADER: &str = "x-trap";

/// The callback in which the last request asked for a trap.
#[derive(Default)]
pub(super) struct ForcedTraps {
    callback: RefCell<Option<String>>,
}

impl ForcedTraps {
    /// Traps if the configuration `json` asks for a trap.
    pub(super) fn configure(&self, json: &[u8]) {
        let is_requested = String::from_utf8_lossy(json).contains("trap: on_configure");
        assert!(!is_requested, "the test requested a trap");
    }

    /// Records the callback in which the request asks for a trap, if it does.
    pub(super) fn record(&self, request: RequestHeaders<'_>) {
        if let Some(callback) = request.values(HEADER).next() {
            let callback = String::from_utf8_lossy(callback).into_owned();
            self.callback.replace(Some(callback));
        }
    }

    /// Traps if a request asked for a trap in `callback`.
    pub(super) fn enter(&self, callback: &str) {
        let is_requested = self.callback.borrow().as_deref() == Some(callback);
        assert!(!is_requested, "the test requested a trap");
    }
}
