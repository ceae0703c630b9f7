//! Warnings about entries of `NO_PROXY` that exempt nothing, or are probably mistakes.

use rustls_pki_types::ServerName;

use crate::proxy::no_proxy::{Matcher, PortRule, split_entries};
use crate::proxy::url::parse_host;

/// Maximum number of entries to list. The others are only counted.
const MAX_LISTED: usize = 16;

/// Returns a warning for each invalid entry in `text`, the value of `variable`.
pub(super) fn no_proxy_warnings(variable: &str, text: &str) -> Vec<String> {
    if split_entries(text).any(|entry| entry == "*") {
        return Vec::new();
    }
    let mut remarks = Vec::new();
    let mut others = 0_usize;
    for (place, entry) in split_entries(text).enumerate() {
        let Some(why) = rejection_reason(&entry) else {
            continue;
        };
        if remarks.len() == MAX_LISTED {
            others += 1;
            continue;
        }
        // If the value has an `@`, this entry may contain a part of a password.
        let shown = if text.contains('@') || entry.len() > 100 {
            format!("entry {} in `{variable}`", place + 1)
        } else {
            format!("the entry `{}` in `{variable}`", entry.escape_debug())
        };
        remarks.push(format!("{shown} {why}"));
    }
    if others > 0 {
        remarks.push(format!(
            "`{variable}` has {others} more invalid entries; correct or remove them"
        ));
    }
    remarks
}

/// Returns the problem of `entry` and the fix; `None` if the entry is valid.
fn rejection_reason(entry: &str) -> Option<&'static str> {
    const NOTHING: &str =
        "exempts nothing; write a DNS name, an IP address, or a CIDR range such as `10.0.0.0/8`";
    if entry.contains("://") || entry.contains('@') {
        return Some("is a URL and exempts nothing; write only the host");
    }
    if entry.contains(|c: char| c.is_whitespace() || ";|".contains(c)) {
        return Some("has several words and exempts nothing; write commas between entries");
    }
    if !entry.is_ascii() {
        return Some("has a non-ASCII character and exempts nothing; write the name as `xn--...`");
    }
    match Matcher::parse(entry) {
        None => Some(NOTHING),
        Some(Matcher::Range(_)) => None,
        Some(Matcher::Address { port, .. }) => port_rejection_reason(&port),
        Some(Matcher::Names { .. }) if entry.contains('/') => Some(
            "is not a CIDR range and exempts nothing; write a range such as `10.0.0.0/8`, without a port",
        ),
        Some(Matcher::Names { .. }) if entry.contains(['[', ']']) => Some(
            "has brackets and exempts nothing; write `2001:db8::1`, or with a port, `[2001:db8::1]:443`",
        ),
        Some(Matcher::Names { suffix, port, .. }) => {
            let name = suffix.strip_prefix('.').unwrap_or(&suffix);
            if name.contains('*') {
                Some(
                    "has a `*`, which is valid only alone or at the start of `*.name`; list the hosts, or their common domain",
                )
            } else if name.is_empty() || name.ends_with('.') {
                Some(
                    "ends with a dot and exempts only names that also end with a dot; remove the dot",
                )
            } else if !matches!(parse_host(name), Some(ServerName::DnsName(_))) {
                Some(NOTHING)
            } else {
                port_rejection_reason(&port)
            }
        }
    }
}

/// Returns the problem of a port. Ports are compared as text, so another spelling of a number never matches.
fn port_rejection_reason(PortRule(port): &PortRule) -> Option<&'static str> {
    let is_port = |port: &String| {
        port.parse::<u16>()
            .is_ok_and(|number| number != 0 && number.to_string() == **port)
    };
    (!port.is_empty() && !is_port(port))
        .then_some("has a port that is not 1 to 65535 and exempts nothing; correct or remove it")
}
