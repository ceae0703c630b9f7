//! `NO_PROXY`: the hosts with direct connections, by the rules of Go's `golang.org/x/net/http/httpproxy`.
//!
//! Entries are separated by commas. Whitespace around them and case are ignored. A single `*` exempts every host. A
//! name exempts itself and its subdomains, and `.name` and `*.name` exempt only the subdomains. An address or a CIDR
//! range exempts addresses. A name or an address may have a port. Any other entry exempts nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The hosts that `NO_PROXY` exempts.
#[derive(Debug, Default)]
pub(super) struct NoProxy {
    everything: bool,
    matchers: Vec<Matcher>,
}

impl NoProxy {
    pub(super) fn parse(text: &str) -> Self {
        let mut matchers = Vec::new();
        for entry in split_entries(text) {
            if entry == "*" {
                return Self {
                    everything: true,
                    matchers: Vec::new(),
                };
            }
            matchers.extend(Matcher::parse(&entry));
        }
        Self {
            everything: false,
            matchers,
        }
    }

    /// Returns whether connections to `host`, as URLs write it, on `port` are direct. Connections to this machine
    /// always are.
    pub(super) fn exempts(&self, host: &str, port: u16) -> bool {
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let host = match bare.parse::<IpAddr>() {
            Ok(ip) => Destination::Ip(ip.to_canonical()),
            Err(_) => Destination::Name(bare.to_lowercase()),
        };
        host.is_loopback()
            || self.everything
            || self
                .matchers
                .iter()
                .any(|matcher| matcher.matches(&host, port))
    }
}

/// The host of a connection.
enum Destination {
    /// An IP address. An IPv4-mapped IPv6 address is converted to IPv4.
    Ip(IpAddr),
    /// A name in lower case. A trailing dot is significant.
    Name(String),
}

impl Destination {
    /// Returns whether the host is this machine.
    ///
    /// Unlike Go, this includes `localhost.`: plain HTTP is allowed to that name, so it must not pass through a proxy.
    fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback(),
            Self::Name(name) => name.strip_suffix('.').unwrap_or(name) == "localhost",
        }
    }
}

/// Returns the entries of a list, without whitespace around them and in lower case.
pub(super) fn split_entries(text: &str) -> impl Iterator<Item = String> {
    text.split(',')
        .map(|entry| entry.trim().to_lowercase())
        .filter(|entry| !entry.is_empty())
}

/// A parsed entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Matcher {
    /// The addresses of a range, on every port.
    Range(Range),
    /// An address.
    Address { ip: IpAddr, port: PortRule },
    /// The names that end with `suffix`, which starts with a dot.
    Names {
        suffix: String,
        /// Whether `suffix` without its dot also matches.
        has_apex: bool,
        port: PortRule,
    },
}

impl Matcher {
    /// Parses an entry of [`split_entries`]; `None` if it has no host.
    pub(super) fn parse(entry: &str) -> Option<Self> {
        if let Some(range) = Range::parse(entry) {
            return Some(Self::Range(range));
        }
        let (host, port) = split_host_port(entry).unwrap_or((entry, ""));
        let port = PortRule(port.to_owned());
        if let Ok(ip) = host.parse::<IpAddr>() {
            let ip = ip.to_canonical();
            return Some(Self::Address { ip, port });
        }
        let host = match host.strip_prefix('*') {
            Some(rest) if rest.starts_with('.') => rest,
            _ => host,
        };
        let has_apex = !host.starts_with('.');
        match host {
            "" => None,
            _ => Some(Self::Names {
                suffix: if has_apex {
                    format!(".{host}")
                } else {
                    host.to_owned()
                },
                has_apex,
                port,
            }),
        }
    }

    fn matches(&self, host: &Destination, on_port: u16) -> bool {
        match (self, host) {
            (Self::Range(range), Destination::Ip(ip)) => range.contains(*ip),
            (Self::Address { ip, port }, Destination::Ip(other)) => {
                ip == other && port.matches(on_port)
            }
            (
                Self::Names {
                    suffix,
                    has_apex,
                    port,
                },
                Destination::Name(name),
            ) => {
                let is_apex = *has_apex && suffix.strip_prefix('.') == Some(name);
                (is_apex || name.ends_with(suffix)) && port.matches(on_port)
            }
            (Self::Range(_) | Self::Address { .. }, Destination::Name(_))
            | (Self::Names { .. }, Destination::Ip(_)) => false,
        }
    }
}

/// The port of an entry, which is compared as text. An empty text matches every port.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PortRule(pub(super) String);

impl PortRule {
    fn matches(&self, port: u16) -> bool {
        self.0.is_empty() || self.0 == port.to_string()
    }
}

/// A CIDR range. An IPv6 range inside `::ffff:0:0/96` is converted to IPv4.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Range {
    V4 { address: u32, mask: u32 },
    V6 { address: u128, mask: u128 },
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let is_number = bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits: u32 = bits.parse().ok().filter(|_| is_number)?;
        match address.parse().ok()? {
            IpAddr::V4(ip) if bits <= 32 => Some(Self::v4(ip, bits)),
            IpAddr::V6(ip) if bits <= 128 => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                let address = ip.to_bits() & mask;
                Some(match Ipv6Addr::from_bits(address).to_ipv4_mapped() {
                    Some(ip) => Self::v4(ip, bits.saturating_sub(96)),
                    None => Self::V6 { address, mask },
                })
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }

    fn v4(ip: Ipv4Addr, bits: u32) -> Self {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        let address = ip.to_bits() & mask;
        Self::V4 { address, mask }
    }

    fn contains(&self, ip: IpAddr) -> bool {
        match (self, ip) {
            (Self::V4 { address, mask }, IpAddr::V4(ip)) => ip.to_bits() & mask == *address,
            (Self::V6 { address, mask }, IpAddr::V6(ip)) => ip.to_bits() & mask == *address,
            (Self::V4 { .. }, IpAddr::V6(_)) | (Self::V6 { .. }, IpAddr::V4(_)) => false,
        }
    }
}

/// Splits `host:port` or `[host]:port` as Go's `net.SplitHostPort` does; `None` for any other form.
pub(super) fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let has_bracket = [host, port].iter().any(|part| part.contains(['[', ']']));
    (!has_bracket).then_some((host, port))
}
