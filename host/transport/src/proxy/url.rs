//! The URL of a proxy: `[http://][user[:password]@]host[:port]`, or the same with `socks5://` or `socks5h://`.

use std::net::{IpAddr, Ipv6Addr};

use ack_ram_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{DnsName, ServerName};

use crate::proxy::{Proxy, ProxyFault, ProxyProtocol, ProxyUser};

/// Parses `text`, the value of `variable`. Returns the proxy, and warnings about the value.
pub(super) fn parse_proxy_url(
    text: &str,
    variable: &'static str,
) -> Result<(Proxy, Vec<&'static str>), ProxyFault> {
    // Bytes that are not UTF-8 have been replaced with this character.
    if text.contains('\u{fffd}') {
        return Err(ProxyFault::NotUtf8);
    }
    // A user name may start with a single quote, but no host ends with one.
    if text.starts_with('"') || (text.starts_with('\'') && text.ends_with('\'')) {
        return Err(ProxyFault::Quote);
    }
    if text.trim_matches(|c: char| c.is_whitespace() && !c.is_control()) != text {
        return Err(ProxyFault::Space);
    }
    if text.contains(char::is_control) {
        return Err(ProxyFault::Control);
    }
    let (protocol, rest) = split_scheme(text)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    // An unescaped delimiter in the password would end the authority, so the start of the password would become the
    // host. This can happen even if the `@` after the password is escaped by mistake.
    if !matches!(tail, "" | "/") {
        return Err(ProxyFault::Unescaped);
    }
    let mut remarks = Vec::new();
    let (user_info, host_and_port) = match authority.rsplit_once('@') {
        Some((user_info, rest)) => (Some(user_info), rest),
        None => (None, authority),
    };
    if user_info.is_some_and(|user_info| user_info.contains('@')) {
        remarks.push(
            "has several `@`, and only the last one ends the password; percent-encode the others as `%40`",
        );
    }
    let user = user_info.map(parse_user).transpose()?;
    let (host, port) = parse_host_and_port(host_and_port)?;
    let proxy = Proxy {
        protocol,
        host,
        port: port.unwrap_or_else(|| protocol.default_port()),
        user,
        variable,
    };
    Ok((proxy, remarks))
}

impl ProxyProtocol {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Socks5 => 1080,
        }
    }
}

/// Returns the protocol, and the text after `://`. A text without a scheme is an HTTP proxy.
fn split_scheme(text: &str) -> Result<(ProxyProtocol, &str), ProxyFault> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => {
            return Ok((ProxyProtocol::Http, rest));
        }
        Some((scheme, rest))
            if ["socks5", "socks5h"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known)) =>
        {
            return Ok((ProxyProtocol::Socks5, rest));
        }
        Some((scheme, _)) if is_scheme(scheme) => return Err(ProxyFault::Scheme),
        Some(("", _)) => return Err(ProxyFault::Form),
        Some(_) | None => {}
    }
    let is_half_a_scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
        let is_http = ["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
        is_http && !rest.contains('@') && rest.parse::<u16>().is_err()
    });
    let has_no_colon = ["http//", "https//"].iter().any(|start| {
        text.get(..start.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(start))
    });
    if is_half_a_scheme || has_no_colon || text.starts_with("//") {
        return Err(ProxyFault::Form);
    }
    Ok((ProxyProtocol::Http, text))
}

/// Parses `user_info`, the text before the last `@`.
fn parse_user(user_info: &str) -> Result<ProxyUser, ProxyFault> {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:%@".contains(&byte);
    if !user_info.bytes().all(is_allowed) {
        return Err(ProxyFault::UserInfo);
    }
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let (name, password) = (unescape(user)?, unescape(password)?);
    let pair = [name.as_slice(), b":", password.as_slice()].concat();
    let text = |bytes| String::from_utf8(bytes).ok().map(Secret::new);
    Ok(ProxyUser {
        authorization: Secret::new(format!("Basic {}", STANDARD.encode(pair))),
        name_and_password: text(name).zip(text(password)),
    })
}

/// Decodes percent-encoded bytes in `text`.
fn unescape(text: &str) -> Result<Vec<u8>, ProxyFault> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).ok_or(ProxyFault::Escape)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ProxyFault::Escape);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| ProxyFault::Escape)?);
        bytes.extend(rest.as_bytes());
    }
    Ok(bytes)
}

/// Parses a host and, if there is one, a port.
fn parse_host_and_port(text: &str) -> Result<(ServerName<'static>, Option<u16>), ProxyFault> {
    if text.contains(char::is_whitespace) {
        return Err(ProxyFault::Space);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(ProxyFault::Brackets)?;
        if address.contains('%') {
            return Err(ProxyFault::Zone);
        }
        let address: Ipv6Addr = address.parse().map_err(|_| ProxyFault::Brackets)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => parse_port(port)?,
            None if rest.is_empty() => None,
            None => return Err(ProxyFault::Brackets),
        };
        return Ok((ServerName::IpAddress(IpAddr::V6(address).into()), port));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    if host.contains([':', ']']) {
        return Err(ProxyFault::Brackets);
    }
    let host = parse_host(host).ok_or(ProxyFault::Host)?;
    Ok((host, parse_port(port)?))
}

/// Parses an IP address or a DNS name, which is converted to lower case.
pub(super) fn parse_host(text: &str) -> Option<ServerName<'static>> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(ServerName::IpAddress(address.into()));
    }
    let name = DnsName::try_from(text).ok()?;
    Some(ServerName::DnsName(name.to_lowercase_owned()))
}

/// Parses a port. As in Go, an empty port is the default port.
fn parse_port(text: &str) -> Result<Option<u16>, ProxyFault> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if is_number && port != 0 => Ok(Some(port)),
        _ => Err(ProxyFault::Port),
    }
}
