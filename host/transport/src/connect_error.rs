//! Explanations of connection errors for the log: all causes, and the fix.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::connector::ProxiedError;

/// Who reads the explanation, and which settings that person has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The administrator of a server, who has a configuration file.
    Server,
    /// A person who logs in, with options and environment variables.
    Client,
    /// A person who logs in, and whose configuration file has `server.sts.caFile`. `SSL_CERT_FILE` then has no effect.
    ClientWithCaFile,
}

/// Returns the texts of `error` and its causes and, if a fix is known, the fix after `; `.
#[must_use]
pub fn describe_connect_error(error: &(dyn Error + 'static), audience: Audience) -> String {
    let text = text_with_causes(error);
    match connect_advice(error, audience) {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// Returns whether `error` is, or is caused by, a timeout.
#[must_use]
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}

/// Returns the texts of `error` and its causes. The error of hyper itself rarely says what happened, but its causes do.
#[must_use]
pub fn text_with_causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

/// Returns the fix of a connection error, if one is known.
#[must_use]
pub fn connect_advice(error: &(dyn Error + 'static), audience: Audience) -> Option<String> {
    if let Some(tls) = causes(error).find_map(tls_error) {
        return tls_advice(tls, audience).map(str::to_owned);
    }
    let host = match audience {
        Audience::Server => "STS",
        Audience::Client | Audience::ClientWithCaFile => "the host",
    };
    let proxied = causes(error).find_map(|cause| cause.downcast_ref::<ProxiedError>())?;
    let variable = proxied.proxy.variable;
    // The error of hyper-util has no public type, so its text has to be compared.
    let has_text = |part: &str| causes(error).any(|cause| cause.to_string().contains(part));
    Some(if has_text("proxy authorization required") {
        format!("correct the percent-encoded user and password in `{variable}`")
    } else if has_text("tunnel error: unsuccessful") {
        format!(
            "allow CONNECT to {host} in the proxy, correct `{variable}`, or exempt {host} with `NO_PROXY`"
        )
    } else {
        format!(
            "check that the proxy is running, correct `{variable}`, or exempt {host} with `NO_PROXY`"
        )
    })
}

fn tls_advice(error: &rustls::Error, audience: Audience) -> Option<&'static str> {
    let fault = match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFault::Time,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFault::Name
            }
            _ => TlsFault::Issuer,
        },
        rustls::Error::InvalidMessage(_) => TlsFault::NoTls,
        _ => return None,
    };
    Some(fault.advice(audience))
}

enum TlsFault {
    Time,
    Name,
    Issuer,
    NoTls,
}

impl TlsFault {
    fn advice(self, audience: Audience) -> &'static str {
        match (self, audience) {
            (Self::Time, Audience::Server) => {
                "check the clock of this machine, and which server answers at `server.sts.endpoint`"
            }
            (Self::Time, Audience::Client | Audience::ClientWithCaFile) => {
                "check the clock of this machine, and which server answers there"
            }
            (Self::Name, Audience::Server) => {
                "set `server.sts.endpoint` to a host name in the certificate"
            }
            (Self::Name, Audience::Client | Audience::ClientWithCaFile) => {
                "use a host name in the certificate"
            }
            (Self::Issuer, Audience::Server) => {
                "set `server.sts.caFile` to a PEM file with the CA that issued the certificate (a proxy that inspects TLS has its own CA), and check `server.sts.endpoint`"
            }
            (Self::Issuer, Audience::Client) => {
                "set `SSL_CERT_FILE` to a PEM file with the CA that issued the certificate (a proxy that inspects TLS has its own CA)"
            }
            (Self::Issuer, Audience::ClientWithCaFile) => {
                "add the CA that issued the certificate to the file in `server.sts.caFile` (a proxy that inspects TLS has its own CA)"
            }
            (Self::NoTls, Audience::Server) => {
                "check `server.sts.endpoint`, because the server there does not use TLS"
            }
            (Self::NoTls, Audience::Client | Audience::ClientWithCaFile) => {
                "check the host and the port, because the server there does not use TLS"
            }
        }
    }
}

/// Returns the TLS error in `error`. An I/O error wraps it, but does not return it as its source.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref() {
        return Some(tls);
    }
    let inner: &'a (dyn Error + Send + Sync + 'static) =
        error.downcast_ref::<io::Error>()?.get_ref()?;
    tls_error(inner)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_certificate_gives_advice() {
        use CertificateError::{
            BadSignature, Expired, NotValidForName, NotValidYet, UnknownIssuer,
        };
        for (problem, server, client) in [
            (
                UnknownIssuer,
                "set `server.sts.caFile`",
                "set `SSL_CERT_FILE`",
            ),
            (
                BadSignature,
                "set `server.sts.caFile`",
                "set `SSL_CERT_FILE`",
            ),
            (Expired, "check the clock", "check the clock"),
            (NotValidYet, "check the clock", "check the clock"),
            (
                NotValidForName,
                "set `server.sts.endpoint`",
                "use a host name",
            ),
        ] {
            for (audience, part) in [(Audience::Server, server), (Audience::Client, client)] {
                // TLS errors are wrapped in two I/O errors.
                let tls = rustls::Error::InvalidCertificate(problem.clone());
                let error = io::Error::other(io::Error::other(tls));
                let text = describe_connect_error(&error, audience);
                assert!(text.contains(&format!("; {part}")), "{text}");
                let names_setting = text.contains("server.sts");
                assert!(audience == Audience::Server || !names_setting, "{text}");
            }
            let error = rustls::Error::InvalidCertificate(problem);
            let advice = connect_advice(&error, Audience::ClientWithCaFile).unwrap();
            let expected = client.replace("set `SSL_CERT_FILE`", "add the CA");
            assert!(advice.starts_with(&expected), "{advice}");
            assert!(!advice.contains("SSL_CERT_FILE"), "{advice}");
        }
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let plain = describe_connect_error(&refused, Audience::Server);
        assert_eq!(plain, "connection refused");
    }
}
