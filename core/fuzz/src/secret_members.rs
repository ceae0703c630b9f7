//! Puts a canary into the secrets of files, variables and replies.

use serde_json::Value;

use crate::CANARY;

/// Returns whether `text` contains the canary in any case.
pub fn has_canary(text: &[u8]) -> bool {
    text.windows(CANARY.len())
        .any(|window| window.eq_ignore_ascii_case(CANARY.as_bytes()))
}

/// Returns the value of a variable or member with the canary in its secret part; `None` if it is no secret.
pub fn mark_value(name: &str, value: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let is_command = name.ends_with("process_command");
    let is_url = name.ends_with("credentials_uri") || name.ends_with("sign_in_url");
    // The ID of a security token is no secret, and neither are the path of a token file and the end of a token.
    let is_secret = ["secret", "secret_key", "accesskeysecret", "token"]
        .iter()
        .any(|end| name.ends_with(end));
    match value {
        "" => None,
        // The program is shown, its arguments are not.
        _ if is_command && value.contains(['\'', '"', '\\', '#']) => None,
        _ if is_command && value.trim().is_empty() => None,
        _ if is_command => Some(format!("{value} {CANARY}")),
        _ if is_url => Some(format!("{value}?{CANARY}")),
        _ if is_secret => Some(format!("{CANARY}{value}")),
        _ => None,
    }
}

/// Puts the canary into the secret members of a JSON document. Returns any other text as it is.
pub fn mark_json(text: &[u8]) -> Vec<u8> {
    match serde_json::from_slice(text) {
        Ok(mut value) => {
            mark_members(&mut value);
            value.to_string().into_bytes()
        }
        Err(_) => text.to_vec(),
    }
}

fn mark_members(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mark_members),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) => *text = mark_value(name, text).unwrap_or(text.clone()),
                    other => mark_members(other),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts the canary into the secret keys of an INI file.
pub fn mark_ini(text: &[u8]) -> Vec<u8> {
    let Ok(text) = str::from_utf8(text) else {
        return text.to_vec();
    };
    let lines = text.split('\n').map(|line| match line.split_once('=') {
        Some((name, value)) if !line.trim_start().starts_with(['[', '#', ';']) => {
            match mark_value(name.trim(), value) {
                Some(value) => format!("{name}={value}"),
                None => line.to_owned(),
            }
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n").into_bytes()
}
