//! What the certificate of a service says about its issuer and its end.

use ack_ram_core::time::UnixTime;
use x509_parser::parse_x509_certificate;

use crate::finding::{Findings, Topic};

/// A certificate that ends within this number of seconds leads to a warning: three days.
const SOON_SECONDS: i64 = 3 * 24 * 3600;

/// Adds a finding about the certificate in `der`, which the connection has verified.
pub(super) fn note(host: &str, der: &[u8], now: UnixTime, findings: &mut Findings) {
    let Ok((_, certificate)) = parse_x509_certificate(der) else {
        return findings.note(Topic::Calls, format!("{host} has a certificate"));
    };
    let issuer = certificate.issuer().to_string();
    let issuer = issuer.escape_debug();
    let end = UnixTime::from_seconds(certificate.validity().not_after.timestamp());
    let text = format!("the certificate of {host} is from `{issuer}` and ends at {end}");
    if end.seconds_since(now) > SOON_SECONDS {
        findings.note(Topic::Calls, text);
    } else {
        let remedy = "renew the certificate, or check the proxy that issued it";
        findings.advise(Topic::Calls, text, remedy);
    }
}
