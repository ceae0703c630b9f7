//! URLs of services that issue keys.

use std::fmt;

use ack_ram_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// An `http` or `https` URL with a host.
///
/// `Display` and `Debug` show only scheme, host and port: path, query and user information may contain secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl(Url);

/// The reason why a text is not a usable URL. `Display` is a predicate, whose subject is the setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// The text is not a URL with a host.
    #[error("is not a URL with a host")]
    NotAUrl,
    /// The scheme is neither `http` nor `https`.
    #[error("has a scheme other than `http` and `https`")]
    Scheme,
    /// The URL would send a secret unencrypted to another machine.
    #[error("starts with `http://`, which would send the access token unencrypted")]
    NotEncrypted,
}

impl UrlFault {
    /// Returns what to do.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::NotAUrl => "write `https://<host>/<path>` or `http://<host>/<path>`",
            Self::Scheme => "write `https://<host>/<path>`",
            Self::NotEncrypted => "write `https://`",
        }
    }
}

impl HttpUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// Returns an error if `text` is not an `http` or `https` URL.
    pub fn parse(text: &str) -> Result<Self, UrlFault> {
        let text = text.trim();
        if text.contains(char::is_control) || !has_plain_host(text) {
            return Err(UrlFault::NotAUrl);
        }
        let url = Url::parse(text).map_err(|_| UrlFault::NotAUrl)?;
        match url.scheme() {
            "http" | "https" if url.host().is_some() => Ok(Self(url)),
            "http" | "https" => Err(UrlFault::NotAUrl),
            _ => Err(UrlFault::Scheme),
        }
    }

    /// Parses a URL to which secrets are sent: it is `https`, or names this machine.
    ///
    /// # Errors
    /// Returns an error if `text` is not such a URL.
    pub fn parse_encrypted(text: &str) -> Result<Self, UrlFault> {
        let url = Self::parse(text)?;
        match url.is_https() || url.is_loopback() {
            true => Ok(url),
            false => Err(UrlFault::NotEncrypted),
        }
    }

    /// Returns the URL with another path, and without query, fragment and user information.
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(path);
        url.set_query(None);
        url.set_fragment(None);
        // These two fail only for URLs without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Self(url)
    }

    /// Returns whether the URL is encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Returns the host, as URLs write it.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Returns the host and, if it is not the default, the port: the value of the `host` header.
    #[must_use]
    pub fn authority(&self) -> String {
        match self.0.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    /// Returns the path and the query, as they are sent.
    #[must_use]
    pub fn path_and_query(&self) -> Secret {
        match self.0.query() {
            Some(query) => Secret::new(format!("{}?{query}", self.0.path())),
            None => Secret::new(self.0.path()),
        }
    }

    /// Returns the value of `Authorization` for the user information; `None` if there is none.
    #[must_use]
    pub fn basic_authorization(&self) -> Option<Secret> {
        if self.0.username().is_empty() && self.0.password().is_none() {
            return None;
        }
        let mut pair: Vec<u8> = percent_decode_str(self.0.username()).collect();
        pair.push(b':');
        pair.extend(percent_decode_str(self.0.password().unwrap_or_default()));
        Some(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
    }

    /// Returns the whole URL, which may contain secrets.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

/// Returns whether the host of a URL has neither escapes nor characters outside ASCII. The parser would decode the escapes
/// of a host, and the build of its tables that this program uses asserts that such a host has only lowercase letters.
fn has_plain_host(text: &str) -> bool {
    let rest = text.split_once(':').map_or(text, |(_, rest)| rest);
    let rest = rest.trim_start_matches(['/', '\\']);
    let authority = rest.split(['/', '\\', '?', '#']).next();
    let host = authority.and_then(|authority| authority.rsplit('@').next());
    host.is_none_or(|host| host.is_ascii() && !host.contains('%'))
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.authority())
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_parsed_and_hides_path_query_and_user() {
        for (text, expected, encrypted) in [
            ("https://h/p?CANARY", Ok("https://h"), true),
            ("http://CANARY:CANARY@h:81/CANARY", Ok("http://h:81"), false),
            (" http://127.0.0.1/x\n", Ok("http://127.0.0.1"), true),
            ("http://[::1]:8/x", Ok("http://[::1]:8"), true),
            ("http://localhost", Ok("http://localhost"), true),
            (
                "http://localhost.example",
                Ok("http://localhost.example"),
                false,
            ),
            ("ftp://h/", Err(UrlFault::Scheme), false),
            ("h/p", Err(UrlFault::NotAUrl), false),
            ("http://", Err(UrlFault::NotAUrl), false),
            ("", Err(UrlFault::NotAUrl), false),
            ("http://%FFA/", Err(UrlFault::NotAUrl), false),
            ("http:\\/u@%FFA:1?x", Err(UrlFault::NotAUrl), false),
            ("http://\u{ff}A/", Err(UrlFault::NotAUrl), false),
            ("http:/\t/h/", Err(UrlFault::NotAUrl), false),
            ("https://%FFA:%FFA@h/%FFA\u{ff}", Ok("https://h"), true),
        ] {
            let url = HttpUrl::parse(text);
            assert!(!format!("{url:?}").contains("CANARY"), "{url:?}");
            let shown = url.map(|url| url.to_string());
            assert_eq!(shown, expected.map(str::to_owned), "{text}");
            assert_eq!(HttpUrl::parse_encrypted(text).is_ok(), encrypted, "{text}");
        }
        let url = HttpUrl::parse("http://user:p%40ss@h/a?b=c").unwrap();
        assert_eq!(url.path_and_query().expose(), "/a?b=c");
        let header = url.basic_authorization().unwrap();
        assert_eq!(header.expose(), "Basic dXNlcjpwQHNz");
        assert_eq!(url.with_path("/x").expose(), "http://h/x");
    }
}
