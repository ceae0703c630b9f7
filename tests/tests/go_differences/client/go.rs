//! A model of ack-ram-tool, limited to the differences.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::go_calls::Calls;
use super::go_search::search;
use super::{Client, ClientToken, Question};

pub fn answer(client: &Client) -> Value {
    match client.question {
        Question::Plan => match search(client) {
            Ok(found) => found.plan,
            Err(reason) => json!({ "error": reason }),
        },
        // ack-ram-tool does not look at variables that it does not use.
        Question::Warnings => json!([]),
        Question::ExtraKeys => extra_keys(client),
        Question::Calls | Question::Requests | Question::Forms | Question::Proxied => {
            Calls::run(client).answer(client.question)
        }
    }
}

/// Returns the number of different tokens, and when the first one ends: each token has the current time, and says that
/// it ends ten minutes later.
pub fn tokens(case: &ClientToken) -> Value {
    let times: BTreeSet<_> = case.commands.iter().collect();
    json!({ "tokens": times.len(), "ends": case.commands[0] + 600 })
}

fn extra_keys(client: &Client) -> Value {
    const PREFIX: &str = "ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX";
    let prefix = client.variable(PREFIX).unwrap();
    let keys = client.variables.keys();
    let keys = keys.filter_map(|name| Some(name.strip_prefix(prefix)?.to_lowercase()));
    json!(keys.collect::<Vec<_>>())
}
