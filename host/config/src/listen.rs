//! Where the server listens, and under which names it is reached.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::DnsName;

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::layers::{Layers, flag_value};
use crate::located::Located;
use crate::yaml::Value;

/// Go's port, to which the webhook kubeconfigs of running clusters point.
const DEFAULT_PORT: u16 = 21362;

/// Go's port for kubelet probes.
const DEFAULT_HEALTH_PORT: u16 = 21363;

/// Where the server listens, and under which names it is reached.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The interface: `server.address`, unless `server.bind` says otherwise.
    pub host: Host,
    /// The port of the webhook; 0 lets the system choose.
    pub port: u16,
    /// The interface of the port for kubelet probes; all interfaces if none is set.
    pub health_host: Option<Host>,
    /// The port for kubelet probes; none when it is set to 0.
    pub health_port: Option<u16>,
    /// The host that API servers use; a name in the certificate.
    pub hostname: Host,
    /// The other name in the certificate.
    pub address: Host,
}

impl Listen {
    /// The names that the serving certificate is for.
    #[must_use]
    pub fn names(&self) -> Vec<Host> {
        vec![self.hostname.clone(), self.address.clone()]
    }

    /// The URL in the webhook kubeconfig. `port` is [`Self::port`], or what the system chose for port 0.
    #[must_use]
    pub fn url(&self, port: u16) -> String {
        format!("https://{}:{port}/authenticate", self.hostname)
    }

    /// Where to listen for the webhook, as `<host>:<port>`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Where to listen for kubelet probes, as `<host>:<port>`. They come from outside: without a setting, on all
    /// interfaces.
    #[must_use]
    pub fn health_address(&self) -> Option<String> {
        let all = Host::Ip(Ipv4Addr::UNSPECIFIED.into());
        let host = self.health_host.as_ref().unwrap_or(&all);
        self.health_port.map(|port| format!("{host}:{port}"))
    }
}

/// An IP address or a DNS name. `Display` writes it as URLs do, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name, lower-case.
    Name(String),
}

impl Host {
    /// Takes `127.0.0.1`, `::1`, `[::1]`, `localhost`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        if let Ok(ip) = bare.unwrap_or(text).parse() {
            return Some(Self::Ip(ip));
        }
        DnsName::try_from(text)
            .ok()
            .map(|name| Self::Name(name.as_ref().to_ascii_lowercase()))
    }

    /// Whether it is this machine whatever the network says.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback(),
            Self::Name(name) => name == "localhost",
        }
    }

    /// As certificates write it: without brackets.
    #[must_use]
    pub fn certificate_name(&self) -> String {
        match self {
            Self::Ip(ip) => ip.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

pub(super) fn read_listen(layers: &mut Layers<'_>) -> Result<Listen, Diagnostic> {
    let overrides = layers.overrides;
    let in_file = layers.server.text("hostname")?;
    let hostname = match flag_value("hostname", overrides.hostname.as_ref()).or(in_file) {
        Some(given) => parse_host(&given)?,
        None => Host::Name("localhost".to_owned()),
    };
    let in_file = layers.server.text("address")?;
    let address = match flag_value("address", overrides.address.as_ref()).or(in_file) {
        Some(given) => parse_host(&given)?,
        None => Host::Ip(IpAddr::from(Ipv4Addr::LOCALHOST)),
    };
    let in_file = layers.server.take("port").map(parse_port).transpose()?;
    let given_port = flag_value("port", overrides.port.as_ref()).or(in_file);
    let given_health_port = layers
        .server
        .take("healthPort")
        .map(parse_port)
        .transpose()?;
    let listen = Listen {
        host: read_bind(layers, &address)?.unwrap_or_else(|| address.clone()),
        port: given_port
            .as_ref()
            .map_or(DEFAULT_PORT, |given| given.value),
        health_host: read_health_host(layers)?,
        health_port: match &given_health_port {
            None => Some(DEFAULT_HEALTH_PORT),
            Some(given) => Some(given.value).filter(|port| *port != 0),
        },
        hostname,
        address,
    };
    check_ports(&listen, given_port.as_ref(), given_health_port.as_ref())?;
    Ok(listen)
}

/// Refuses one port for both sockets, unless each has an interface of its own.
fn check_ports(
    listen: &Listen,
    port: Option<&Located<u16>>,
    health_port: Option<&Located<u16>>,
) -> Result<(), Diagnostic> {
    let has_room = match &listen.health_host {
        None => false,
        Some(health_host) => !may_overlap(&listen.host, health_host),
    };
    if has_room || listen.health_port != Some(listen.port) {
        return Ok(());
    }
    let number = listen.port;
    if let Some(given) = health_port {
        return Err(given.diagnostic(format_args!(
            "is {number}, as `server.port` (or `--port`); write another, or 0 for none"
        )));
    }
    match port {
        Some(given) => Err(given.diagnostic(format_args!(
            "is {number}, which is the port for probes unless `server.healthPort` says otherwise; write another, or set `server.healthPort` to another or to 0 for none"
        ))),
        None => Ok(()),
    }
}

/// Returns whether one port of both hosts is the same socket, as far as that can be known. Other names than `localhost` may
/// have any address.
fn may_overlap(one: &Host, other: &Host) -> bool {
    let is_all =
        |all: &IpAddr, one: &IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    match (one, other) {
        (Host::Ip(one), Host::Ip(other)) => {
            one == other || is_all(one, other) || is_all(other, one)
        }
        (Host::Name(name), Host::Ip(ip)) | (Host::Ip(ip), Host::Name(name)) => {
            // `localhost` is either of them, or both.
            let own = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let is_own = |own: &IpAddr| ip == own || is_all(ip, own);
            (ip.is_unspecified() && ip.is_ipv6()) || (name == "localhost" && own.iter().any(is_own))
        }
        (Host::Name(one), Host::Name(other)) => one == other,
    }
}

/// `--bind`, else `server.bind`. Go never read it, so whoever has it in a file may not expect it to work.
fn read_bind(layers: &mut Layers<'_>, address: &Host) -> Result<Option<Host>, Diagnostic> {
    let in_file = layers.server.text("bind")?;
    let given = flag_value("bind", layers.overrides.bind.as_ref()).or(in_file);
    let Some(given) = given.filter(|given| !given.value.is_empty()) else {
        return Ok(None);
    };
    let bind = parse_host(&given)?;
    if bind != *address {
        let diagnostic = given.diagnostic(format_args!(
            "wins: the server listens on `{bind}`, not on `server.address` `{address}` as the Go version did"
        ));
        layers
            .diagnostics
            .warnings
            .push(diagnostic.into_warning(DiagnosticCode::BindWins));
    }
    Ok(Some(bind))
}

fn read_health_host(layers: &mut Layers<'_>) -> Result<Option<Host>, Diagnostic> {
    let given = layers.server.text("healthAddress")?;
    let given = given.filter(|given| !given.value.is_empty());
    given.map(|given| parse_host(&given)).transpose()
}

fn parse_host(given: &Located<String>) -> Result<Host, Diagnostic> {
    Host::parse(&given.value).ok_or_else(|| {
        given.diagnostic(format_args!(
            "is `{}`; write an IP address or a DNS name, such as `127.0.0.1` or `localhost`",
            given.value
        ))
    })
}

fn parse_port(given: Located<Value>) -> Result<Located<u16>, Diagnostic> {
    let text = given.into_number_text("a port, 0 to 65535")?;
    match text.value.parse() {
        Ok(port) => Ok(text.with_value(port)),
        Err(_) => Err(text.diagnostic(format_args!(
            "is `{}`; write a port, 0 to 65535",
            text.value
        ))),
    }
}
