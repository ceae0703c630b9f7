//! The proxy to STS: `HTTPS_PROXY` and `NO_PROXY`, read as Go's `http.ProxyFromEnvironment` reads them.
//!
//! [`ProxySettings::from_environment`] takes the variables, and [`ProxySettings::proxy_for`] says how a host is reached. Nothing here
//! opens a connection. No message quotes `HTTPS_PROXY`: any part of a mistyped value may be a part of the password.

mod no_proxy;
mod remark;
mod url;

use std::fmt;

use ack_ram_core::secret::Secret;

use crate::config::{Host, Variables};
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
    pub fn from_environment(variables: &Variables<'_>) -> Self {
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
    variables: &Variables<'_>,
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
    pub host: Host,
    /// The port of the proxy.
    pub port: u16,
    /// The value of `Proxy-Authorization`, where the URL has a user.
    pub authorization: Option<Secret>,
    /// The variable that names the proxy.
    pub variable: &'static str,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why `HTTPS_PROXY` cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyError {
    /// The variable, as it is set.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub fault: ProxyFault,
}

/// What is wrong with the URL of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyFault {
    /// A control character.
    Control,
    /// White space around it, or in the host or port.
    Space,
    /// A quote at its beginning.
    Quote,
    /// Bytes that are not UTF-8.
    NotUtf8,
    /// It has no form that a proxy can have.
    Form,
    /// A scheme other than `http`.
    Scheme,
    /// `#`, `/` or `?`, which ends the host, and more than a `/` alone from there on.
    Unescaped,
    /// A character that a user or password in a URL may not hold.
    UserInfo,
    /// A `%` without two hexadecimal digits.
    Escape,
    /// The host is missing, or is neither a name nor an IP address.
    Host,
    /// Brackets are missing around an IPv6 address, or hold something else.
    Brackets,
    /// An IPv6 zone.
    Zone,
    /// The port is not one.
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

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.fault {
            ProxyFault::Control => {
                "holds a control character; remove it, or percent-encode it in the password"
            }
            ProxyFault::Space => "holds white space; remove it",
            ProxyFault::Quote => "begins with a quote; remove the quotes",
            ProxyFault::NotUtf8 => "is not valid UTF-8; correct it",
            ProxyFault::Form => {
                "is not the URL of a proxy; write `http://[user:password@]host[:port]`"
            }
            ProxyFault::Scheme => {
                "has a scheme that is not supported; write `http://[user:password@]host[:port]`, or exempt STS with `NO_PROXY`"
            }
            ProxyFault::Unescaped => {
                "has a `#`, `/` or `?` in the user or password, or after the host and port; percent-encode the user and password (`%23` for `#`, `%2F` for `/`, `%3F` for `?`), and write nothing after the port"
            }
            ProxyFault::UserInfo => {
                "has a character in the user or password that a URL may not hold; percent-encode it"
            }
            ProxyFault::Escape => {
                "has a `%` in the user or password without two hexadecimal digits; percent-encode it as `%25`"
            }
            ProxyFault::Host => {
                "has no host, or one that is neither a DNS name nor an IP address; write `http://[user:password@]host[:port]`, and a name with other characters than ASCII as `xn--...`"
            }
            ProxyFault::Brackets => {
                "has more than one port, an IPv6 address without brackets, or brackets around something else; write `http://proxy:3128` or `http://[2001:db8::1]:3128`"
            }
            ProxyFault::Zone => {
                "has an IPv6 address with a zone, which is not supported; name the proxy by another address"
            }
            ProxyFault::Port => {
                "has a port that is not 1 to 65535; correct it, and percent-encode special characters in the user and password"
            }
        };
        write!(f, "`{}` {text}", self.variable)
    }
}

impl std::error::Error for ProxyError {}

#[cfg(test)]
mod tests;
