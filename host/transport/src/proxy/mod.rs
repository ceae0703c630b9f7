//! The proxy to STS: `HTTPS_PROXY` and `NO_PROXY`, read as Go's `http.ProxyFromEnvironment` reads them.
//!
//! [`ProxySettings::from_environment`] takes the variables, and [`ProxySettings::proxy_for`] says how a host is reached. Nothing here
//! opens a connection. No message quotes `HTTPS_PROXY`: any part of a mistyped value may be a part of the password.

mod no_proxy;
mod remark;
mod url;

use std::fmt;
use std::net::IpAddr;

use ack_ram_core::secret::Secret;
use rustls_pki_types::ServerName;

use no_proxy::NoProxy;

/// How connections leave this machine, by the variables of the environment.
#[derive(Debug)]
pub struct ProxySettings {
    proxy: Result<Option<Proxy>, ProxyError>,
    no_proxy: NoProxy,
    warnings: Vec<String>,
}

impl ProxySettings {
    /// Reads `HTTPS_PROXY` and `NO_PROXY`, each in lower case where the upper-case variable is not set or empty.
    #[must_use]
    pub fn from_environment(variables: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut warnings = Vec::new();
        let Some((variable, text)) = first_set(variables, ["HTTPS_PROXY", "https_proxy"]) else {
            return Self {
                proxy: Ok(None),
                no_proxy: NoProxy::default(),
                warnings,
            };
        };
        let proxy = match url::parse_proxy_url(&text, variable) {
            Ok((proxy, remarks)) => {
                warnings.extend(remarks.iter().map(|text| format!("`{variable}` {text}")));
                Ok(Some(proxy))
            }
            Err(fault) => Err(ProxyError { variable, fault }),
        };
        let mut no_proxy = NoProxy::default();
        if let Some((variable, text)) = first_set(variables, ["NO_PROXY", "no_proxy"]) {
            no_proxy = NoProxy::parse(&text);
            warnings.extend(remark::no_proxy_warnings(variable, &text));
        }
        Self {
            proxy,
            no_proxy,
            warnings,
        }
    }

    /// Returns the proxy through which `host`, as URLs write it, is reached on `port`; none where the connection is
    /// direct.
    ///
    /// # Errors
    /// When `HTTPS_PROXY` is malformed and `NO_PROXY` does not exempt the host.
    pub fn proxy_for(&self, host: &str, port: u16) -> Result<Option<&Proxy>, ProxyError> {
        if self.no_proxy.exempts(host, port) {
            return Ok(None);
        }
        self.proxy
            .as_ref()
            .map(Option::as_ref)
            .map_err(|error| *error)
    }

    /// Returns what is wrong with `HTTPS_PROXY`, also where no connection needs it.
    #[must_use]
    pub fn error(&self) -> Option<ProxyError> {
        self.proxy.as_ref().err().copied()
    }

    /// Returns what is probably meant otherwise in either variable, without secrets.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// The first of two variables that is set and not empty, with its name.
fn first_set(
    variables: &dyn Fn(&str) -> Option<String>,
    names: [&'static str; 2],
) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| {
        let value = variables(name).filter(|value| !value.is_empty())?;
        Some((name, value))
    })
}

/// An HTTP proxy. `Display` writes `<host>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The host of the proxy itself.
    pub host: ServerName<'static>,
    /// The port of the proxy.
    pub port: u16,
    /// The value of `Proxy-Authorization`, where the URL has a user.
    pub authorization: Option<Secret>,
    /// The variable that names the proxy.
    pub variable: &'static str,
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

/// Why `HTTPS_PROXY` cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{variable}` {fault}")]
pub struct ProxyError {
    /// The variable, as it is set.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub fault: ProxyFault,
}

/// What is wrong with the URL of a proxy. `Display` writes what follows the name of its variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// A control character.
    #[error("holds a control character; remove it, or percent-encode it in the password")]
    Control,
    /// White space around it, or in the host or port.
    #[error("holds white space; remove it")]
    Space,
    /// A quote at its beginning.
    #[error("begins with a quote; remove the quotes")]
    Quote,
    /// Bytes that are not UTF-8.
    #[error("is not valid UTF-8; correct it")]
    NotUtf8,
    /// It has no form that a proxy can have.
    #[error("is not the URL of a proxy; write `http://[user:password@]host[:port]`")]
    Form,
    /// A scheme other than `http`.
    #[error(
        "has a scheme that is not supported; write `http://[user:password@]host[:port]`, or exempt STS with `NO_PROXY`"
    )]
    Scheme,
    /// `#`, `/` or `?`, which ends the host, and more than a `/` alone from there on.
    #[error(
        "has a `#`, `/` or `?` in the user or password, or after the host and port; percent-encode the user and password (`%23` for `#`, `%2F` for `/`, `%3F` for `?`), and write nothing after the port"
    )]
    Unescaped,
    /// A character that a user or password in a URL may not hold.
    #[error("has a character in the user or password that a URL may not hold; percent-encode it")]
    UserInfo,
    /// A `%` without two hexadecimal digits.
    #[error(
        "has a `%` in the user or password without two hexadecimal digits; percent-encode it as `%25`"
    )]
    Escape,
    /// The host is missing, or is neither a name nor an IP address.
    #[error(
        "has no host, or one that is neither a DNS name nor an IP address; write `http://[user:password@]host[:port]`, and a name with other characters than ASCII as `xn--...`"
    )]
    Host,
    /// Brackets are missing around an IPv6 address, or hold something else.
    #[error(
        "has more than one port, an IPv6 address without brackets, or brackets around something else; write `http://proxy:3128` or `http://[2001:db8::1]:3128`"
    )]
    Brackets,
    /// An IPv6 zone.
    #[error(
        "has an IPv6 address with a zone, which is not supported; name the proxy by another address"
    )]
    Zone,
    /// The port is not one.
    #[error(
        "has a port that is not 1 to 65535; correct it, and percent-encode special characters in the user and password"
    )]
    Port,
}

impl ProxyFault {
    /// A stable name for tests.
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
