//! Settings for the connection to STS.

mod limits;

use std::fmt;
use std::path::PathBuf;

use http::Uri;

use crate::diagnostic::{Diagnostic, Part};
use crate::layers::{Layers, flag_value, read_path};
use crate::listen::Host;
use crate::located::Located;
pub use limits::{BreakerSettings, CacheSettings, ExplicitStsLimits, StsLimits};

/// The endpoint and the fallback endpoints share the time of one call.
const MAX_FALLBACKS: usize = 3;

/// Settings for the connection to STS.
#[derive(Clone, Debug)]
pub struct Sts {
    /// Main endpoint.
    pub endpoint: StsEndpoint,
    /// Endpoints to try if the main endpoint fails, in this order.
    pub fallback_endpoints: Vec<StsEndpoint>,
    /// File with the CA certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Maximum number of idle connections to keep open for each endpoint.
    pub max_idle_connections: usize,
    /// Limits on calls, time and caches.
    pub limits: StsLimits,
}

/// An STS endpoint: `https://<host>[:<port>]`, or `http://` for this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsEndpoint(Uri);

impl StsEndpoint {
    /// Returns the global endpoint.
    #[must_use]
    pub fn global() -> Self {
        Self(Uri::from_static("https://sts.aliyuncs.com/"))
    }

    /// Returns the endpoint inside the VPCs of `region`. `cn-hangzhou-finance` uses the endpoint of `cn-hangzhou`.
    ///
    /// # Errors
    /// Returns an error if `region` has characters other than lowercase letters, digits and hyphens.
    pub fn for_region(region: &str) -> Result<Self, EndpointError> {
        Self::in_region("sts-vpc", region)
    }

    /// Returns the public endpoint of `region`. `cn-hangzhou-finance` uses the endpoint of `cn-hangzhou`.
    ///
    /// # Errors
    /// Returns the same error as [`Self::for_region`].
    pub fn for_public_region(region: &str) -> Result<Self, EndpointError> {
        Self::in_region("sts", region)
    }

    fn in_region(service: &str, region: &str) -> Result<Self, EndpointError> {
        let region = region.trim();
        let is_region = !region.is_empty()
            && region
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_region {
            return Err(EndpointError::Region);
        }
        let region = if region == "cn-hangzhou-finance" {
            "cn-hangzhou"
        } else {
            region
        };
        Self::parse(&format!("{service}.{region}.aliyuncs.com"))
    }

    /// Parses a host, `host:port`, or a URL without a path.
    ///
    /// # Errors
    /// Returns an error that says which part is invalid.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        // The parser drops a fragment.
        if url.contains('#') {
            return Err(EndpointError::Path);
        }
        let uri: Uri = url.parse().map_err(|_| EndpointError::NotAnEndpoint)?;
        let authority = uri.authority().ok_or(EndpointError::NotAnEndpoint)?;
        let host = Host::parse(authority.host()).ok_or(EndpointError::NotAnEndpoint)?;
        let has_port = authority.as_str() != authority.host();
        if authority.as_str().contains('@') || (has_port && authority.port_u16().is_none()) {
            return Err(EndpointError::NotAnEndpoint);
        }
        if uri
            .path_and_query()
            .is_some_and(|path| path.as_str() != "/")
        {
            return Err(EndpointError::Path);
        }
        match uri.scheme_str() {
            Some("https") => Ok(Self(uri)),
            Some("http") if host.is_loopback() => Ok(Self(uri)),
            Some("http") => Err(EndpointError::NotEncrypted),
            _ => Err(EndpointError::NotAnEndpoint),
        }
    }

    /// Returns the host, with the port if there is one.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.0
            .authority()
            .map_or("", |authority| authority.as_str())
    }

    /// Returns the URL, with an empty path.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.0
    }
}

impl fmt::Display for StsEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.0.scheme_str().unwrap_or_default();
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// Reason why a text is not a valid endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The text is neither a host nor a URL.
    #[error(
        "write a host, `host:port` or an `https://` URL, such as `sts.cn-hangzhou.aliyuncs.com`"
    )]
    NotAnEndpoint,
    /// The text has a path, a query or a fragment.
    #[error("write only the host, without a path")]
    Path,
    /// The text is an `http://` URL of another machine.
    #[error("write `https://`, because `http://` is only for this machine")]
    NotEncrypted,
    /// The text is not a region.
    #[error("write a region ID, such as `cn-hangzhou`")]
    Region,
}

/// Reads `server.sts`, the region, and the environment variables about STS. Records each error.
pub(super) fn read_sts(layers: &mut Layers<'_>) -> Part<Sts> {
    let limits = limits::read_sts_limits(layers);
    let endpoint = layers.part(read_endpoint);
    let first = endpoint.as_ref().ok();
    let fallback_endpoints = layers.part(|layers| read_fallback_endpoints(layers, first));
    let ca_file = layers.part(|layers| read_path(&mut layers.sts, "caFile"));
    let max_idle_connections = layers.part(|layers| read_max_idle_connections(layers));
    let limits = limits?;
    Ok(Sts {
        endpoint: endpoint?,
        fallback_endpoints: fallback_endpoints?,
        ca_file: ca_file?,
        // The Go server keeps 5 connections. With more concurrent calls, most calls would then open a new connection,
        // and a TLS handshake costs more than the rest of a call.
        max_idle_connections: max_idle_connections?.unwrap_or(limits.max_calls),
        limits,
    })
}

/// Reads the endpoint: `server.sts.endpoint`, then `ALIBABA_CLOUD_STS_ENDPOINT`, then the VPC endpoint of the region,
/// then the global endpoint.
fn read_endpoint(layers: &mut Layers<'_>) -> Result<StsEndpoint, Diagnostic> {
    let in_file = layers
        .sts
        .text("endpoint")?
        .filter(|given| !given.value.is_empty());
    if let Some(given) = in_file.or_else(|| layers.variable("ALIBABA_CLOUD_STS_ENDPOINT")) {
        return parse_endpoint(&given);
    }
    let region = layers.server.text("region")?;
    let region = flag_value("region", layers.overrides.region.as_ref())
        .or(region)
        .filter(|given| !given.value.is_empty())
        .or_else(|| layers.variable("STS_REGION"));
    match region {
        Some(given) => StsEndpoint::for_region(&given.value)
            .map_err(|error| given.diagnostic(format_args!("is `{}`; {error}", given.value))),
        None => Ok(StsEndpoint::global()),
    }
}

/// Reads `server.sts.fallbackEndpoints`. There are no default fallbacks, because they could be outside the region.
fn read_fallback_endpoints(
    layers: &mut Layers<'_>,
    endpoint: Option<&StsEndpoint>,
) -> Result<Vec<StsEndpoint>, Diagnostic> {
    let mut fallbacks = Vec::new();
    for given in layers
        .sts
        .texts("fallbackEndpoints", &mut layers.diagnostics.warnings)?
    {
        let fallback = parse_endpoint(&given)?;
        if Some(&fallback) == endpoint || fallbacks.contains(&fallback) {
            return Err(given.diagnostic(format_args!(
                "repeats `{}`; remove it",
                fallback.authority()
            )));
        }
        if fallbacks.len() == MAX_FALLBACKS {
            return Err(given.diagnostic(format_args!(
                "exceeds the limit of {MAX_FALLBACKS} fallback endpoints; remove it, because all endpoints share the time of one call"
            )));
        }
        fallbacks.push(fallback);
    }
    Ok(fallbacks)
}

fn parse_endpoint(given: &Located<String>) -> Result<StsEndpoint, Diagnostic> {
    StsEndpoint::parse(&given.value).map_err(|error| {
        // The value may contain a user and password by mistake, so it is not shown.
        let shown = if given.value.contains('@') {
            "(hidden)"
        } else {
            &given.value
        };
        given.diagnostic(format_args!("is `{shown}`; {error}"))
    })
}

fn read_max_idle_connections(layers: &Layers<'_>) -> Result<Option<usize>, Diagnostic> {
    let given = layers.variable("STS_MAX_IDLE_CONNS_PER_HOST");
    let number = given.map(|given| {
        let number = given.value.parse();
        number.map_err(|_| {
            given.diagnostic(format_args!(
                "is `{}`; must be a number, 0 or more",
                given.value
            ))
        })
    });
    number.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_accepts_host_or_url_without_path() {
        use EndpointError::{NotAnEndpoint, NotEncrypted, Path};
        for (text, expected) in [
            ("sts.aliyuncs.com", Ok("https://sts.aliyuncs.com")),
            ("sts.aliyuncs.com:8443", Ok("https://sts.aliyuncs.com:8443")),
            ("https://sts.aliyuncs.com", Ok("https://sts.aliyuncs.com")),
            ("https://sts.aliyuncs.com/", Ok("https://sts.aliyuncs.com")),
            ("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080")),
            ("http://[::1]:8080", Ok("http://[::1]:8080")),
            ("http://localhost", Ok("http://localhost")),
            ("[2001:db8::1]:443", Ok("https://[2001:db8::1]:443")),
            ("http://10.0.0.1", Err(NotEncrypted)),
            ("http://localhost.example.com", Err(NotEncrypted)),
            ("https://sts.aliyuncs.com/x", Err(Path)),
            ("https://sts.aliyuncs.com/?x=y", Err(Path)),
            ("https://sts.aliyuncs.com?x=y", Err(Path)),
            ("sts.aliyuncs.com?", Err(Path)),
            ("https://sts.aliyuncs.com#x", Err(Path)),
            ("https://sts.aliyuncs.com/#", Err(Path)),
            ("sts.aliyuncs.com#@h", Err(Path)),
            ("https://#sts.aliyuncs.com", Err(Path)),
            ("https://user@sts.aliyuncs.com", Err(NotAnEndpoint)),
            ("http://localhost@sts.example.com", Err(NotAnEndpoint)),
            ("ftp://localhost", Err(NotAnEndpoint)),
            ("sts.aliyuncs.com:port", Err(NotAnEndpoint)),
            ("sts.aliyuncs.com:", Err(NotAnEndpoint)),
            ("sts.aliyuncs.com:99999", Err(NotAnEndpoint)),
            ("sts aliyuncs", Err(NotAnEndpoint)),
            ("", Err(NotAnEndpoint)),
        ] {
            let outcome = StsEndpoint::parse(text).map(|endpoint| endpoint.to_string());
            assert_eq!(outcome, expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn region_gives_vpc_endpoint() {
        for (region, expected) in [
            (
                "cn-hangzhou",
                Ok("https://sts-vpc.cn-hangzhou.aliyuncs.com"),
            ),
            (
                "cn-hangzhou-finance",
                Ok("https://sts-vpc.cn-hangzhou.aliyuncs.com"),
            ),
            (
                "ap-southeast-1",
                Ok("https://sts-vpc.ap-southeast-1.aliyuncs.com"),
            ),
            ("", Err(EndpointError::Region)),
            ("CN-HANGZHOU", Err(EndpointError::Region)),
            ("evil.example.com/", Err(EndpointError::Region)),
        ] {
            let outcome = StsEndpoint::for_region(region).map(|endpoint| endpoint.to_string());
            assert_eq!(outcome, expected.map(str::to_owned), "{region}");
        }
    }
}
