//! The proxy of a host: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, with the meaning that they have in Go's
//! `http.ProxyFromEnvironment`.
//!
//! [`ProxySettings::from_environment`] parses the variables, and [`ProxySettings::proxy_for`] returns the proxy for a
//! host. This module opens no connections. No message quotes the URL of a proxy, because any part of a mistyped value
//! may belong to the password.

mod no_proxy;
mod remark;
mod url;

use std::fmt;
use std::net::IpAddr;

use ack_ram_core::secret::Secret;
use rustls_pki_types::ServerName;

use no_proxy::NoProxy;

/// Proxy settings from the environment.
#[derive(Debug)]
pub struct ProxySettings {
    https: Result<Option<Proxy>, ProxyError>,
    http: Result<Option<Proxy>, ProxyError>,
    no_proxy: NoProxy,
    warnings: Vec<String>,
}

/// Whether a connection is encrypted, which decides about the variable with its proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// `https`: the proxy is in `HTTPS_PROXY`.
    Tls,
    /// `http`: the proxy is in `HTTP_PROXY`.
    None,
}

/// Without proxies.
impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            https: Ok(None),
            http: Ok(None),
            no_proxy: NoProxy::default(),
            warnings: Vec::new(),
        }
    }
}

impl ProxySettings {
    /// Parses `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. If one is unset or empty, its lower-case variable is used
    /// instead.
    #[must_use]
    pub fn from_environment(variables: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut warnings = Vec::new();
        let https = read_proxy(variables, ["HTTPS_PROXY", "https_proxy"], &mut warnings);
        // Only the client uses this proxy, for services other than STS. Its warnings would confuse the administrator of
        // a server.
        let http = read_proxy(variables, ["HTTP_PROXY", "http_proxy"], &mut Vec::new());
        let mut no_proxy = NoProxy::default();
        if let Some((variable, text)) = first_set(variables, ["NO_PROXY", "no_proxy"])
            && !matches!((&https, &http), (Ok(None), Ok(None)))
        {
            no_proxy = NoProxy::parse(&text);
            warnings.extend(remark::no_proxy_warnings(variable, &text));
        }
        Self {
            https,
            http,
            no_proxy,
            warnings,
        }
    }

    /// Returns the proxy for connections to `host`, as URLs write it, on `port`; `None` for a direct connection.
    ///
    /// # Errors
    /// Returns an error if the URL of the proxy is malformed and `NO_PROXY` does not exempt the host.
    pub fn proxy_for(
        &self,
        encryption: Encryption,
        host: &str,
        port: u16,
    ) -> Result<Option<&Proxy>, ProxyError> {
        if self.no_proxy.exempts(host, port) {
            return Ok(None);
        }
        let proxy = match encryption {
            Encryption::Tls => &self.https,
            Encryption::None => &self.http,
        };
        proxy.as_ref().map(Option::as_ref).map_err(|error| *error)
    }

    /// Returns the error in `HTTPS_PROXY`, even if no connection needs the proxy.
    #[must_use]
    pub fn error(&self) -> Option<ProxyError> {
        self.https.as_ref().err().copied()
    }

    /// Returns warnings about probable mistakes in `HTTPS_PROXY` and `NO_PROXY`, without secrets.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn read_proxy(
    variables: &dyn Fn(&str) -> Option<String>,
    names: [&'static str; 2],
    warnings: &mut Vec<String>,
) -> Result<Option<Proxy>, ProxyError> {
    let Some((variable, text)) = first_set(variables, names) else {
        return Ok(None);
    };
    match url::parse_proxy_url(&text, variable) {
        Ok((proxy, remarks)) => {
            warnings.extend(remarks.iter().map(|text| format!("`{variable}` {text}")));
            Ok(Some(proxy))
        }
        Err(fault) => Err(ProxyError { variable, fault }),
    }
}

/// Returns the name and value of the first variable that is set and not empty.
fn first_set(
    variables: &dyn Fn(&str) -> Option<String>,
    names: [&'static str; 2],
) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| {
        let value = variables(name).filter(|value| !value.is_empty())?;
        Some((name, value))
    })
}

/// A proxy. `Display` writes `<host>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Protocol of the proxy.
    pub protocol: ProxyProtocol,
    /// Host of the proxy.
    pub host: ServerName<'static>,
    /// Port of the proxy.
    pub port: u16,
    /// User and password; `None` if the URL has no user.
    pub user: Option<ProxyUser>,
    /// Name of the variable with the URL of the proxy.
    pub variable: &'static str,
}

/// Protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// `http`: an HTTP proxy.
    Http,
    /// `socks5` and `socks5h`: a SOCKS proxy of version 5. As in Go, the proxy resolves names for both schemes.
    Socks5,
}

/// User and password for a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUser {
    /// Value of `Proxy-Authorization` for an HTTP proxy (RFC 7617).
    pub authorization: Secret,
    /// User and password for a SOCKS proxy; `None` if they are not UTF-8.
    pub name_and_password: Option<(Secret, Secret)>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            ServerName::IpAddress(address) => match IpAddr::from(*address) {
                IpAddr::V4(address) => write!(f, "{address}:{}", self.port),
                IpAddr::V6(address) => write!(f, "[{address}]:{}", self.port),
            },
            name => write!(f, "{}:{}", name.to_str(), self.port),
        }
    }
}

/// Error in `HTTPS_PROXY` or `HTTP_PROXY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` {fault}")]
pub struct ProxyError {
    /// Name of the variable, as it is set.
    pub variable: &'static str,
    /// Fault in the value of the variable.
    pub fault: ProxyFault,
}

/// Fault in the URL of a proxy. `Display` writes a predicate, whose subject is the name of the variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// The URL contains a control character.
    #[error("contains a control character; remove it, or percent-encode it in the password")]
    Control,
    /// There is whitespace around the URL, or in its host or port.
    #[error("contains whitespace; remove it")]
    Space,
    /// The URL starts with a quote.
    #[error("starts with a quote; remove the quotes")]
    Quote,
    /// The URL has bytes that are not UTF-8.
    #[error("is not valid UTF-8; correct it")]
    NotUtf8,
    /// The text does not have the form of a proxy URL.
    #[error("is not a proxy URL; write `http://[user:password@]host[:port]`")]
    Form,
    /// The scheme is none of `http`, `socks5` and `socks5h`.
    #[error(
        "has an unsupported scheme; write `http://[user:password@]host[:port]` or `socks5://[user:password@]host[:port]`, or exempt the host with `NO_PROXY`"
    )]
    Scheme,
    /// A `#`, `/` or `?`, which ends the host, is followed by more text. Only a single `/` at the end is valid.
    #[error(
        "has a `#`, `/` or `?` in the user or password, or after the host and port; percent-encode the user and password (`%23` for `#`, `%2F` for `/`, `%3F` for `?`), and write nothing after the port"
    )]
    Unescaped,
    /// The user or password has a character that is not valid in a URL.
    #[error(
        "has a character in the user or password that is not valid in a URL; percent-encode it"
    )]
    UserInfo,
    /// A `%` is not followed by two hexadecimal digits.
    #[error(
        "has a `%` in the user or password without two hexadecimal digits; percent-encode it as `%25`"
    )]
    Escape,
    /// The host is missing, or is neither a name nor an IP address.
    #[error(
        "has no host, or one that is neither a DNS name nor an IP address; write `http://[user:password@]host[:port]`, and write a name with non-ASCII characters as `xn--...`"
    )]
    Host,
    /// An IPv6 address has no brackets, or brackets contain something else.
    #[error(
        "has more than one port, an IPv6 address without brackets, or brackets around something else; write `http://proxy:3128` or `http://[2001:db8::1]:3128`"
    )]
    Brackets,
    /// The IPv6 address has a zone.
    #[error(
        "has an IPv6 address with a zone, which is not supported; use another address of the proxy"
    )]
    Zone,
    /// The port is invalid.
    #[error(
        "has a port that is not 1 to 65535; correct it, and percent-encode special characters in the user and password"
    )]
    Port,
}

impl ProxyFault {
    /// Returns a stable name for tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Space => "space",
            Self::Quote => "quote",
            Self::NotUtf8 => "utf-8",
            Self::Form => "form",
            Self::Scheme => "scheme",
            Self::Unescaped => "unescaped",
            Self::UserInfo => "userinfo",
            Self::Escape => "escape",
            Self::Host => "host",
            Self::Brackets => "brackets",
            Self::Zone => "zone",
            Self::Port => "port",
        }
    }
}

#[cfg(test)]
mod tests;
