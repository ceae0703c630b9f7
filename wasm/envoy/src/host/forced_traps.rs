//! Traps where a test asks for them; built with the feature `traps` alone, and in nothing that ships.

use std::cell::RefCell;

use crate::request::RequestHeaders;

/// The header that names the callback to trap in.
const HEADER: &str = "x-trap";

/// The callback that a request has asked to trap in.
#[derive(Default)]
pub(super) struct ForcedTraps {
    callback: RefCell<Option<String>>,
}

impl ForcedTraps {
    /// Traps if the configuration `json` asks for that.
    pub(super) fn configure(&self, json: &[u8]) {
        let is_wanted = String::from_utf8_lossy(json).contains("trap: on_configure");
        assert!(!is_wanted, "as the test wants");
    }

    /// Records in which callback the request wants a trap, if it wants one.
    pub(super) fn record(&self, request: RequestHeaders<'_>) {
        if let Some(callback) = request.values(HEADER).next() {
            let callback = String::from_utf8_lossy(callback).into_owned();
            self.callback.replace(Some(callback));
        }
    }

    /// Traps if a request has asked for that in `callback`.
    pub(super) fn enter(&self, callback: &str) {
        let is_wanted = self.callback.borrow().as_deref() == Some(callback);
        assert!(!is_wanted, "as the test wants");
    }
}
