//! The forms of single values.

use crate::outcome::{Key, Kind};

/// Checks the parts of a key: visible ASCII without quotes. The ID has only letters, digits, and marks of URLs.
pub(crate) fn key(id: &str, secret: &str, token: Option<&str>) -> Result<Key, Kind> {
    for part in [id, secret].into_iter().chain(token) {
        credential(part)?;
    }
    let is_id = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match id.chars().all(is_id) {
        true => Ok(Key {
            id: id.to_owned(),
            secret: secret.to_owned(),
            token: token.map(str::to_owned),
        }),
        false => Err(Kind::Value),
    }
}

/// Checks a secret or a token.
pub(crate) fn credential(text: &str) -> Result<String, Kind> {
    let is_visible = |c: char| c.is_ascii_graphic() && c != '"' && c != '\'';
    check(text, !text.is_empty() && text.chars().all(is_visible))
}

/// Checks the ARN of a role: a user or a session cannot be assumed.
pub(crate) fn role_arn(text: &str) -> Result<String, Kind> {
    arn(text, ":role/")
}

/// Checks the ARN of an OIDC provider.
pub(crate) fn provider_arn(text: &str) -> Result<String, Kind> {
    arn(text, ":oidc-provider/")
}

fn arn(text: &str, kind: &str) -> Result<String, Kind> {
    let is_arn = text
        .strip_prefix("acs:ram::")
        .and_then(|rest| rest.split_once(kind))
        .is_some_and(|(account, name)| {
            !account.is_empty()
                && account.chars().all(|c| c.is_ascii_digit())
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        });
    check(text, is_arn)
}

/// Checks the name of a session.
pub(crate) fn session_name(text: &str) -> Result<String, Kind> {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || ".@-_".contains(c);
    check(
        text,
        (2..=64).contains(&text.len()) && text.chars().all(is_valid),
    )
}

/// Checks an external ID.
pub(crate) fn external_id(text: &str) -> Result<String, Kind> {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    check(
        text,
        (2..=1224).contains(&text.len()) && text.chars().all(is_valid),
    )
}

/// Checks a policy.
pub(crate) fn policy(text: &str) -> Result<String, Kind> {
    check(text, (1..=2048).contains(&text.chars().count()))
}

/// Checks a lifetime in seconds. Zero counts as not given, because the CLI is written in Go.
pub(crate) fn seconds(number: i64) -> Result<Option<u32>, Kind> {
    match number {
        0 => Ok(None),
        900..=43_200 => Ok(Some(number as u32)),
        _ => Err(Kind::Value),
    }
}

/// Checks a region.
pub(crate) fn region(text: &str) -> Result<String, Kind> {
    let is_valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    check(text, !text.is_empty() && text.chars().all(is_valid))
}

/// Checks an STS endpoint: a host, `host:port`, or a URL without a path. Only this machine is reached by `http`.
pub(crate) fn endpoint(text: &str, scheme_of_bare_host: &str) -> Result<String, Kind> {
    let (scheme, host) = match text.split_once("://") {
        Some(parts) => parts,
        None => (scheme_of_bare_host, text),
    };
    // A fragment is never sent.
    let host = host.split('#').next().unwrap_or_default();
    let host = host.strip_suffix('/').unwrap_or(host);
    let (name, _) = host.split_once(':').unwrap_or((host, ""));
    let is_local = name == "localhost" || name == "127.0.0.1";
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    let is_allowed = scheme == "https" || (scheme == "http" && is_local);
    let is_valid = !host.is_empty() && host.chars().all(is_host) && is_allowed;
    check(text, is_valid)?;
    Ok(format!("{scheme}://{host}"))
}

/// Checks the URL of a service. A URL without a path has the path `/`.
pub(crate) fn url(text: &str) -> Result<String, Kind> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"))
        .ok_or(Kind::Value)?;
    check(text, !rest.is_empty() && !rest.starts_with('/'))?;
    let slash = if rest.contains('/') { "" } else { "/" };
    Ok(format!("{text}{slash}"))
}

/// Checks the URL of a service that receives an access token. Choice: `http` only to this machine.
pub(crate) fn https_url(text: &str) -> Result<String, Kind> {
    let is_local = text.starts_with("http://localhost") || text.starts_with("http://127.0.0.1");
    check(text, is_local || text.starts_with("https://"))?;
    url(text)
}

/// Splits a command as a POSIX shell does, without expansion.
pub(crate) fn words(text: &str) -> Result<Vec<String>, Kind> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\n' => words.extend(word.take()),
            '\\' => word
                .get_or_insert_default()
                .push(rest.next().ok_or(Kind::Value)?),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or(Kind::Value)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next().ok_or(Kind::Value)? {
                        '"' => break,
                        '\\' => match rest.next().ok_or(Kind::Value)? {
                            c @ ('"' | '\\' | '$' | '`') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match words.first() {
        Some(program) if !program.is_empty() => Ok(words),
        _ => Err(Kind::Value),
    }
}

fn check(text: &str, is_valid: bool) -> Result<String, Kind> {
    match is_valid {
        true => Ok(text.to_owned()),
        false => Err(Kind::Value),
    }
}
