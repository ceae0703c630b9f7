//! Why there is no connection to STS, for the log: all causes, and what to do.

use std::error::Error;
use std::io;

use rustls::CertificateError;

use crate::sts::connector::ProxiedError;

/// Returns what `error` and its causes say, and after `; ` what to do, where that is known.
pub(super) fn describe(error: &(dyn Error + 'static)) -> String {
    let text = text_with_causes(error);
    match advice(error) {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// Returns whether time ran out.
pub(super) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}

/// hyper's own text seldom says what happened; the error under it does.
pub(super) fn text_with_causes(error: &(dyn Error + 'static)) -> String {
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
    // The library's error has a text and no public type.
    let says = |part: &str| causes(error).any(|cause| cause.to_string().contains(part));
    Some(if says("proxy authorization required") {
        format!("correct the user and password in `{variable}`, percent-encoded")
    } else if says("tunnel error: unsuccessful") {
        format!(
            "let the proxy allow CONNECT to STS, correct `{variable}`, or exempt STS with `NO_PROXY`"
        )
    } else {
        format!(
            "check that the proxy runs there, correct `{variable}`, or exempt STS with `NO_PROXY`"
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
                "set `server.sts.endpoint` to a name that the certificate is for"
            }
            _ => {
                "set `server.sts.caFile` to a PEM file with the CA that issued the certificate (a proxy that inspects TLS has a CA of its own), and check `server.sts.endpoint`"
            }
        }),
        rustls::Error::InvalidMessage(_) => {
            Some("check `server.sts.endpoint`: what answers there does not use TLS")
        }
        _ => None,
    }
}

/// An I/O error keeps the error of TLS inside, and not as its source.
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
            // As it arrives: in an I/O error in an I/O error.
            let tls = rustls::Error::InvalidCertificate(problem);
            let error = io::Error::other(io::Error::other(tls));
            let text = describe(&error);
            assert!(text.contains(part), "{text}");
            assert!(text.contains("; "), "{text}");
        }
        let plain = describe(&io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(plain, "connection refused");
    }
}
