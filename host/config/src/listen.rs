//! Listen addresses of the server, and the host names under which clients reach it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls_pki_types::DnsName;

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::layers::{Layers, flag_value};
use crate::located::Located;
use crate::yaml::Value;

/// Default port, as in the Go server. The webhook kubeconfigs of existing clusters point to it.
const DEFAULT_PORT: u16 = 21362;

/// Default port for kubelet probes, as in the Go server.
const DEFAULT_HEALTH_PORT: u16 = 21363;

/// Listen addresses of the server, and the host names under which clients reach it.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Interface of the webhook: `server.bind`, or else `server.address`.
    pub host: Host,
    /// Port of the webhook; 0 lets the system choose a port.
    pub port: u16,
    /// Interface of the port for kubelet probes; `None` for all interfaces.
    pub health_host: Option<Host>,
    /// Port for kubelet probes; `None` if it is disabled.
    pub health_port: Option<u16>,
    /// Host to which API servers connect; one of the names in the certificate.
    pub hostname: Host,
    /// Address for which the certificate is valid, in addition to `hostname`.
    pub address: Host,
}

impl Listen {
    /// Returns the names in the serving certificate.
    #[must_use]
    pub fn names(&self) -> Vec<Host> {
        vec![self.hostname.clone(), self.address.clone()]
    }

    /// Returns the URL in the webhook kubeconfig. `port` is [`Self::port`], or the port that the system chose for 0.
    #[must_use]
    pub fn url(&self, port: u16) -> String {
        format!("https://{}:{port}/authenticate", self.hostname)
    }

    /// Returns the listen address of the webhook, as `<host>:<port>`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Returns the listen address for kubelet probes, as `<host>:<port>`; `None` if the port is disabled.
    ///
    /// Probes arrive from outside, so the default is all interfaces.
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
    /// A DNS name in lower case.
    Name(String),
}

impl Host {
    /// Parses an IP address or a DNS name, such as `127.0.0.1`, `::1`, `[::1]` or `localhost`.
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

    /// Returns whether the host is always this machine, independent of the network.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback(),
            Self::Name(name) => name == "localhost",
        }
    }

    /// Returns the host as certificates write it, without brackets.
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

/// Reads the listen addresses and host names from the flags and from `server`.
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

/// Returns an error if both sockets have the same port, unless they listen on different interfaces.
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
            "is {number}, the same as `server.port` (or `--port`); choose another port, or 0 to disable the health port"
        )));
    }
    match port {
        Some(given) => Err(given.diagnostic(format_args!(
            "is {number}, the default of `server.healthPort`; choose another port, or set `server.healthPort` to another port, or to 0 to disable it"
        ))),
        None => Ok(()),
    }
}

/// Returns whether the same port on both hosts may be the same socket.
///
/// The result is not reliable for names other than `localhost`, because they can have any address.
fn may_overlap(one: &Host, other: &Host) -> bool {
    let is_all =
        |all: &IpAddr, one: &IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    match (one, other) {
        (Host::Ip(one), Host::Ip(other)) => {
            one == other || is_all(one, other) || is_all(other, one)
        }
        (Host::Name(name), Host::Ip(ip)) | (Host::Ip(ip), Host::Name(name)) => {
            // `localhost` can be the IPv4 address, the IPv6 address, or both.
            let own = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let is_own = |own: &IpAddr| ip == own || is_all(ip, own);
            (ip.is_unspecified() && ip.is_ipv6()) || (name == "localhost" && own.iter().any(is_own))
        }
        (Host::Name(one), Host::Name(other)) => one == other,
    }
}

/// Reads `--bind`, or else `server.bind`. A `bind` that changes the interface causes a warning, because the Go server
/// ignores it.
fn read_bind(layers: &mut Layers<'_>, address: &Host) -> Result<Option<Host>, Diagnostic> {
    let in_file = layers.server.text("bind")?;
    let given = flag_value("bind", layers.overrides.bind.as_ref()).or(in_file);
    let Some(given) = given.filter(|given| !given.value.is_empty()) else {
        return Ok(None);
    };
    let bind = parse_host(&given)?;
    if bind != *address {
        let diagnostic = given.diagnostic(format_args!(
            "takes precedence: the server listens on `{bind}`, not on `{address}` (`server.address`) as the Go server does"
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
    let text = given.into_number_text("a port between 0 and 65535")?;
    match text.value.parse() {
        Ok(port) => Ok(text.with_value(port)),
        Err(_) => Err(text.diagnostic(format_args!(
            "is `{}`; must be a port between 0 and 65535",
            text.value
        ))),
    }
}
