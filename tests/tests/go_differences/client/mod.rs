//! Differences of the client: the Go program is ack-ram-tool, or the Alibaba Cloud CLI where the summary says so.

mod flow_here;
pub mod go;
mod go_calls;
mod go_search;
mod go_sources;
pub mod here;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The default name of a session for `credential-plugin get-token`.
const PROGRAM: &str = "ack-ram-tool";

/// What a client is started with.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Client {
    question: Question,
    /// Options of the command line.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// Environment variables. `HOME` is `/home/me`.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// Files. A JSON object stands for its text, a list for its lines.
    #[serde(default)]
    files: BTreeMap<String, Value>,
    /// The replies to calls, and the results of processes, in their order.
    #[serde(default)]
    replies: Vec<Reply>,
}

/// What the answer shows.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Question {
    /// How the key is obtained.
    Plan,
    /// The warnings about the environment.
    Warnings,
    /// The query keys that the environment adds to a token.
    ExtraKeys,
    /// The names of the calls and the result.
    Calls,
    /// The parts of each request, by name.
    Requests,
    /// The form in the body of each request.
    Forms,
    /// Whether each call may use a proxy.
    Proxied,
}

/// A reply to a call.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Reply {
    /// An HTTP response.
    Http { status: u16, body: Value },
    /// There is no answer.
    Timeout,
    /// The standard output of a process that succeeds.
    Process(Value),
}

/// Signs tokens for several commands.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientToken {
    /// When the key ends, in seconds from now; `None` for a permanent key.
    key_seconds: Option<i64>,
    /// When the commands run, in seconds from now.
    commands: Vec<i64>,
}

impl Client {
    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    fn variable(&self, name: &str) -> Option<&str> {
        match name {
            "HOME" => Some("/home/me"),
            _ => self.variables.get(name).map(String::as_str),
        }
    }

    fn file(&self, path: &str) -> Option<String> {
        self.files.get(path).map(text)
    }
}

/// Returns the text that a value stands for.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines
            .iter()
            .map(|line| format!("{}\n", line.as_str().unwrap()))
            .collect(),
        value => value.to_string(),
    }
}
