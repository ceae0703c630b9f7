//! Entries of `NO_PROXY` that exempt nothing, or that their author probably meant otherwise.

use crate::config::Host;
use crate::proxy::no_proxy::{Matcher, PortRule, split_entries};

/// More entries than these are counted, not named.
const MAX_LISTED: usize = 16;

/// Returns a text for each entry of `text`, the value of `variable`, that is not understood.
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
        // With an `@` somewhere, this or the entry beside it may hold a piece of a password.
        let shown = if text.contains('@') || entry.len() > 100 {
            format!("entry {} of `{variable}`", place + 1)
        } else {
            format!("the entry `{}` of `{variable}`", entry.escape_debug())
        };
        remarks.push(format!("{shown} {why}"));
    }
    if others > 0 {
        remarks.push(format!(
            "`{variable}` has {others} more entries that are not understood; correct or remove them"
        ));
    }
    remarks
}

/// What is wrong with `entry`, and what to write.
fn rejection_reason(entry: &str) -> Option<&'static str> {
    const NOTHING: &str =
        "exempts nothing; write a DNS name, an IP address, or a CIDR range such as `10.0.0.0/8`";
    if entry.contains("://") || entry.contains('@') {
        return Some("is a URL, and exempts nothing; write the host alone");
    }
    if entry.contains(|c: char| c.is_whitespace() || ";|".contains(c)) {
        return Some("holds several words, and exempts nothing; write commas between entries");
    }
    if !entry.is_ascii() {
        return Some(
            "has a character that is not ASCII, and exempts nothing; write the name as `xn--...`",
        );
    }
    match Matcher::parse(entry) {
        None => Some(NOTHING),
        Some(Matcher::Range(_)) => None,
        Some(Matcher::Address { port, .. }) => port_rejection_reason(&port),
        Some(Matcher::Names { .. }) if entry.contains('/') => Some(
            "is not a CIDR range, and exempts nothing; write one such as `10.0.0.0/8`, without a port",
        ),
        Some(Matcher::Names { .. }) if entry.contains(['[', ']']) => Some(
            "has brackets, and exempts nothing; write `2001:db8::1`, or with a port `[2001:db8::1]:443`",
        ),
        Some(Matcher::Names { suffix, port, .. }) => {
            let name = suffix.strip_prefix('.').unwrap_or(&suffix);
            if name.contains('*') {
                Some(
                    "has a `*`, which counts only alone and as the beginning of `*.name`; name the hosts, or the domain that they share",
                )
            } else if name.is_empty() || name.ends_with('.') {
                Some("ends with a dot, and exempts only names that do; remove that dot")
            } else if !matches!(Host::parse(name), Some(Host::Name(_))) {
                Some(NOTHING)
            } else {
                port_rejection_reason(&port)
            }
        }
    }
}

/// A port is compared as text: one that is written in another way never matches.
fn port_rejection_reason(PortRule(port): &PortRule) -> Option<&'static str> {
    let is_port = |port: &String| {
        port.parse::<u16>()
            .is_ok_and(|number| number != 0 && number.to_string() == **port)
    };
    (!port.is_empty() && !is_port(port))
        .then_some("has a port that is not 1 to 65535, and exempts nothing; correct or remove it")
}
