//! Explanations of connection errors for the log: all causes, and the fix.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::connector::ProxiedError;

/// Returns the texts of `error` and its causes and, if a fix is known, the fix after `; `.
#[must_use]
pub fn describe_connect_error(error: &(dyn Error + 'static)) -> String {
    let text = text_with_causes(error);
    match advice(error) {
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

fn advice(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(tls) = causes(error).find_map(tls_error) {
        return tls_advice(tls).map(str::to_owned);
    }
    let proxied = causes(error).find_map(|cause| cause.downcast_ref::<ProxiedError>())?;
    let variable = proxied.proxy.variable;
    // The error of hyper-util has no public type, so its text has to be compared.
    let has_text = |part: &str| causes(error).any(|cause| cause.to_string().contains(part));
    Some(if has_text("proxy authorization required") {
        format!("correct the percent-encoded user and password in `{variable}`")
    } else if has_text("tunnel error: unsuccessful") {
        format!(
            "allow CONNECT to STS in the proxy, correct `{variable}`, or exempt STS with `NO_PROXY`"
        )
    } else {
        format!(
            "check that the proxy is running, correct `{variable}`, or exempt STS with `NO_PROXY`"
        )
    })
}

fn tls_advice(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::InvalidCertificate(problem) => Some(match problem {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                "check the clock of this machine, and which server answers at `server.sts.endpoint`"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "set `server.sts.endpoint` to a host name in the certificate"
            }
            _ => {
                "set `server.sts.caFile` to a PEM file with the CA that issued the certificate (a proxy that inspects TLS has its own CA), and check `server.sts.endpoint`"
            }
        }),
        rustls::Error::InvalidMessage(_) => {
            Some("check `server.sts.endpoint`, because the server there does not use TLS")
        }
        _ => None,
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
        for (problem, part) in [
            (UnknownIssuer, "set `server.sts.caFile`"),
            (BadSignature, "set `server.sts.caFile`"),
            (Expired, "check the clock of this machine"),
            (NotValidYet, "check the clock of this machine"),
            (NotValidForName, "set `server.sts.endpoint`"),
        ] {
            // TLS errors are wrapped in two I/O errors.
            let tls = rustls::Error::InvalidCertificate(problem);
            let error = io::Error::other(io::Error::other(tls));
            let text = describe_connect_error(&error);
            assert!(text.contains(part), "{text}");
            assert!(text.contains("; "), "{text}");
        }
        let plain = describe_connect_error(&io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(plain, "connection refused");
    }
}
