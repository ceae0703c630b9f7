//! The DevTools protocol: JSON messages, each terminated by a zero byte.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde_json::{Value, json};

/// How long the browser may take for one operation on a busy machine.
pub(super) const DEADLINE: Duration = Duration::from_secs(120);

/// A connection to a browser.
pub(super) struct DevToolsConnection {
    commands: Mutex<File>,
    next: AtomicU64,
    inbox: Arc<Inbox>,
}

#[derive(Default)]
struct Inbox {
    arrived: Mutex<ReceivedMessages>,
    changed: Condvar,
}

#[derive(Default)]
struct ReceivedMessages {
    answers: HashMap<u64, Value>,
    events: Vec<Value>,
    is_over: bool,
}

impl DevToolsConnection {
    pub(super) fn new(commands: File, answers: File) -> Self {
        let inbox = Arc::new(Inbox::default());
        let filled = Arc::clone(&inbox);
        thread::spawn(move || {
            let mut answers = BufReader::new(answers);
            let mut message = Vec::new();
            while matches!(answers.read_until(0, &mut message), Ok(1..)) {
                message.pop();
                let message_read: Value = serde_json::from_slice(&message).unwrap_or_default();
                message.clear();
                let mut arrived = filled.arrived.lock();
                match message_read["id"].as_u64() {
                    Some(id) => drop(arrived.answers.insert(id, message_read)),
                    None => arrived.events.push(message_read),
                }
                filled.changed.notify_all();
            }
            filled.arrived.lock().is_over = true;
            filled.changed.notify_all();
        });
        Self {
            commands: Mutex::new(commands),
            next: AtomicU64::new(1),
            inbox,
        }
    }

    /// Calls `method`, and waits for its result.
    ///
    /// # Panics
    /// If the browser refuses the call, or does not answer.
    pub(super) fn call(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands
            .lock()
            .write_all(&bytes)
            .expect("the browser takes commands");
        let deadline = Instant::now() + DEADLINE;
        let mut arrived = self.inbox.arrived.lock();
        loop {
            if let Some(mut answer) = arrived.answers.remove(&id) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            assert!(!arrived.is_over, "{method}: the browser has exited");
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{method}: no answer within {DEADLINE:?}");
            self.inbox.changed.wait_for(&mut arrived, left);
        }
    }

    /// Returns the events of `session` so far: name and parameters.
    pub(super) fn events(&self, session: &str) -> Vec<(String, Value)> {
        let arrived = self.inbox.arrived.lock();
        arrived
            .events
            .iter()
            .filter(|event| event["sessionId"] == session)
            .map(|event| {
                let method = event["method"].as_str().unwrap_or_default().to_owned();
                (method, event["params"].clone())
            })
            .collect()
    }
}
