//! The target for the proxy variables: checks which proxy is used for which host, and that no message contains a
//! password.

use std::net::IpAddr;

use ack_ram_config::Host;
use ack_ram_transport::proxy::{Encryption, ProxySettings};

use crate::{CANARY, check_line};

/// Parses the input as `HTTPS_PROXY`, `NO_PROXY` and the destination `<host>:<port>`. The separator is U+001E, so that
/// values can contain line breaks.
pub fn proxy(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let mut lines = text.split('\u{1e}');
    let mut line = || lines.next().unwrap_or_default();
    let [url, no_proxy, destination] = [line(), line(), line()];
    check_url(url);
    for position in (0..=url.len())
        .filter(|position| url.is_char_boundary(*position))
        .take(40)
    {
        check_secrecy(url, position);
    }
    check_no_proxy(no_proxy, destination);
}

fn parse_settings(url: &str, no_proxy: &str) -> ProxySettings {
    ProxySettings::from_environment(&|name| match name {
        "HTTPS_PROXY" => Some(url.to_owned()),
        "NO_PROXY" => Some(no_proxy.to_owned()),
        _ => None,
    })
}

/// Checks that the host of the proxy is the host after the last `@`.
fn check_url(url: &str) {
    let settings = parse_settings(url, "");
    for warning in settings.warnings() {
        check_line(warning);
    }
    match settings.proxy_for(Encryption::Tls, "sts.aliyuncs.com", 443) {
        Err(error) => check_line(&error.to_string()),
        Ok(None) => assert!(url.is_empty(), "a proxy is set, but not used"),
        Ok(Some(proxy)) => {
            assert!(proxy.port > 0);
            assert!(!url.contains(char::is_control), "{url:?}");
            let rest = match url.rsplit_once('@') {
                Some((before, rest)) => {
                    assert!(proxy.user.is_some());
                    let user = without_scheme(before);
                    assert!(!user.contains(['/', '?', '#']), "{url:?}");
                    rest
                }
                None => {
                    assert!(proxy.user.is_none());
                    without_scheme(url)
                }
            };
            let authority = rest.strip_suffix('/').unwrap_or(rest);
            assert!(!authority.contains(['/', '?', '#']), "{url:?}");
            let host = match authority.rfind(':') {
                Some(colon) if !authority.ends_with(']') => &authority[..colon],
                _ => authority,
            };
            let expected = Host::parse(host).map(|host| host.certificate_name());
            assert_eq!(expected.as_deref(), Some(&*proxy.host.to_str()), "{url:?}");
        }
    }
}

fn without_scheme(url: &str) -> &str {
    for scheme in ["http://", "socks5://", "socks5h://"] {
        match url.split_at_checked(scheme.len()) {
            Some((start, rest)) if start.eq_ignore_ascii_case(scheme) => return rest,
            _ => {}
        }
    }
    url
}

/// Checks that no message contains a text that is inserted at `position`, unless it is the host of a proxy that is
/// used.
fn check_secrecy(url: &str, position: usize) {
    // The fuzzer learns the texts in comparisons, so it may have inserted the canary.
    let has_canary = |text: &str| {
        text.to_ascii_lowercase()
            .contains(&CANARY.to_ascii_lowercase())
    };
    if has_canary(url) {
        return;
    }
    let (before, after) = url.split_at(position);
    let url = format!("{before}{CANARY}{after}");
    let settings = parse_settings(&url, &url);
    let mut messages = settings.warnings().to_vec();
    match settings.proxy_for(Encryption::Tls, "sts.aliyuncs.com", 443) {
        Ok(None) => {}
        Ok(Some(_)) if !after.contains('@') => return,
        Ok(Some(proxy)) => messages.push(format!("{proxy} {proxy:?}")),
        Err(error) => messages.push(format!("{error} {error:?}")),
    }
    // Messages quote the entries of `NO_PROXY` if none contains an `@`, and thus none a password.
    if url.contains('@') {
        let contains_canary = |text: &String| {
            text.to_ascii_lowercase()
                .contains(&CANARY.to_ascii_lowercase())
        };
        assert!(
            !messages.iter().any(contains_canary),
            "{url:?}: {messages:?}"
        );
    }
}

/// Checks the result against a second implementation of the same rules.
fn check_no_proxy(no_proxy: &str, destination: &str) {
    let Some((host, port)) = destination.rsplit_once(':') else {
        return;
    };
    let (Some(parsed), Ok(port)) = (Host::parse(host), port.parse::<u16>()) else {
        return;
    };
    let settings = parse_settings("http://proxy:3128", no_proxy);
    for warning in settings.warnings() {
        check_line(warning);
    }
    let is_direct = settings
        .proxy_for(Encryption::Tls, host, port)
        .unwrap()
        .is_none();
    let expected = match parsed {
        Host::Ip(ip) => {
            let ip = ip.to_canonical();
            ip.is_loopback()
                || entries(no_proxy).any(|entry| entry == "*" || matches_ip(&entry, ip, port))
        }
        Host::Name(name) => {
            let host = host.to_lowercase();
            name == "localhost"
                || entries(no_proxy).any(|entry| entry == "*" || matches_name(&entry, &host, port))
        }
    };
    assert_eq!(is_direct, expected, "{no_proxy:?} {destination:?}");
}

fn entries(no_proxy: &str) -> impl Iterator<Item = String> {
    no_proxy.split(',').map(|entry| entry.trim().to_lowercase())
}

/// Returns whether `entry` matches the address `ip`. Compares addresses bit by bit.
fn matches_ip(entry: &str, ip: IpAddr, port: u16) -> bool {
    if let Some((network, length)) = entry.split_once('/') {
        let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
        let (Ok(network), Some(length)) = (
            network.parse::<IpAddr>(),
            length.parse::<usize>().ok().filter(|_| digits),
        ) else {
            return false;
        };
        let mut bits = bits(network);
        if length > bits.len() {
            return false;
        }
        for bit in &mut bits[length..] {
            *bit = false;
        }
        // A prefix of `::ffff:0:0/96` or longer is a range of IPv4 addresses.
        let mapped = 96;
        let prefix = [vec![false; 80], vec![true; 16]].concat();
        let (bits, length) = match bits.strip_prefix(&prefix[..]) {
            Some(rest) if bits.len() == 128 => (rest.to_vec(), length - mapped),
            _ => (bits, length),
        };
        let own = self::bits(ip);
        return own.len() == bits.len() && own[..length] == bits[..length];
    }
    let canonical = |text: &str| text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    let on_port = format!(":{port}");
    [entry.strip_suffix(&on_port), entry.strip_suffix(':')]
        .into_iter()
        .flatten()
        .any(|host| match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').and_then(canonical) == Some(ip),
            None => !host.contains(':') && canonical(host) == Some(ip),
        })
        || canonical(entry) == Some(ip)
}

fn bits(ip: IpAddr) -> Vec<bool> {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let bits = octets
        .into_iter()
        .flat_map(|octet| (0..8).rev().map(move |bit| octet >> bit & 1 == 1));
    bits.collect()
}

/// Returns whether `entry` matches the name `host`. Compares names label by label from the end.
fn matches_name(entry: &str, host: &str, port: u16) -> bool {
    let on_port = format!(":{port}");
    let without_port = [entry.strip_suffix(&on_port), entry.strip_suffix(':')];
    let pattern = match without_port.into_iter().flatten().next() {
        Some(rest) => match rest.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').unwrap_or("?"),
            None => rest,
        },
        None => entry,
    };
    if pattern.is_empty() || pattern.parse::<IpAddr>().is_ok() {
        return false;
    }
    let pattern = match pattern.strip_prefix("*.") {
        Some(rest) => format!(".{rest}"),
        None => pattern.to_owned(),
    };
    let subdomains_only = pattern.starts_with('.');
    let labels: Vec<&str> = pattern
        .strip_prefix('.')
        .unwrap_or(&pattern)
        .split('.')
        .collect();
    let own: Vec<&str> = host.split('.').collect();
    own.ends_with(&labels) && (own.len() > labels.len() || !subdomains_only)
}
