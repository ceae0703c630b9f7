//! Errors of listening, and which setting to change.

use std::io::{self, ErrorKind};

/// The purpose of a socket, which determines the names of its settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenPurpose {
    /// The webhook.
    Webhook,
    /// Probes and metrics.
    Health {
        /// The port of the webhook.
        webhook_port: u16,
    },
}

impl ListenPurpose {
    fn address(self) -> &'static str {
        match self {
            Self::Webhook => "`server.address` (or `server.bind`, `--bind`)",
            Self::Health { .. } => "`server.healthAddress`",
        }
    }

    fn port(self) -> &'static str {
        match self {
            Self::Webhook => "`server.port` (or `--port`)",
            Self::Health { .. } => "`server.healthPort`",
        }
    }
}

/// Why the server cannot listen on an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", describe_cause(*.purpose, .address, *.port, .cause))]
pub struct ListenError {
    purpose: ListenPurpose,
    /// The address, as in the configuration.
    address: String,
    port: u16,
    cause: ListenCause,
}

#[derive(Debug)]
pub(super) enum ListenCause {
    /// The name has no address.
    Unresolved(io::Error),
    /// The address is an IPv6 address, and this machine has no IPv6.
    NoIpv6,
    /// The system refuses the socket.
    Socket(io::Error),
}

impl ListenError {
    pub(super) fn new(
        purpose: ListenPurpose,
        address: &str,
        port: u16,
        cause: ListenCause,
    ) -> Self {
        Self {
            purpose,
            address: address.to_owned(),
            port,
            cause,
        }
    }

    /// Returns the setting that names the address.
    pub(crate) fn setting(&self) -> &'static str {
        match self.purpose {
            ListenPurpose::Webhook => "server.address",
            ListenPurpose::Health { .. } => "server.healthAddress",
        }
    }

    /// Returns whether the process lacks a permission, which another process may have.
    pub(crate) fn is_about_rights(&self) -> bool {
        matches!(&self.cause, ListenCause::Socket(error) if error.kind() == ErrorKind::PermissionDenied)
    }
}

/// Returns why the server cannot listen on `address`, and what to do.
fn describe_cause(purpose: ListenPurpose, address: &str, port: u16, cause: &ListenCause) -> String {
    let host_setting = purpose.address();
    match cause {
        ListenCause::Unresolved(error) => format!(
            "the name does not resolve ({error}); correct {host_setting}, or use an IP address"
        ),
        ListenCause::NoIpv6 => format!(
            "IPv6 is disabled on this machine; set {host_setting} to an IPv4 address, or enable IPv6"
        ),
        ListenCause::Socket(error) => {
            let advice = socket_advice(purpose, address, port, error.kind());
            format!("{error}; {advice}")
        }
    }
}

/// Returns what to do when the system refuses the socket with an error of `kind`.
fn socket_advice(purpose: ListenPurpose, address: &str, port: u16, kind: ErrorKind) -> String {
    let (host_setting, port_setting) = (purpose.address(), purpose.port());
    match (kind, purpose) {
        (ErrorKind::AddrNotAvailable, _) => {
            let all = if address.starts_with('[') {
                "::"
            } else {
                "0.0.0.0"
            };
            format!(
                "set {host_setting} to an address of this machine, or to `{all}` for all of them"
            )
        }
        (ErrorKind::InvalidInput, _) if address.starts_with("[fe80:") => format!(
            "a link-local address needs a zone, which is not supported here: set {host_setting} to another address"
        ),
        (ErrorKind::PermissionDenied, _) => format!(
            "set {port_setting} to 1024 or above, or give the process the capability CAP_NET_BIND_SERVICE"
        ),
        (ErrorKind::AddrInUse, ListenPurpose::Health { webhook_port }) if webhook_port == port => {
            "the webhook uses that port; set another `server.healthPort`, or 0 for none".to_owned()
        }
        (ErrorKind::AddrInUse, _) => {
            format!("stop the program that uses the port, or set another {port_setting}")
        }
        _ => format!("set another {host_setting} or {port_setting}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_follows_error_kind() {
        let error = |kind: ErrorKind| ListenCause::Socket(kind.into());
        for (cause, part) in [
            (error(ErrorKind::PermissionDenied), "1024 or above"),
            (error(ErrorKind::AddrNotAvailable), "or to `::` for all"),
            (
                ListenCause::NoIpv6,
                "IPv6 is disabled on this machine; set `server.address`",
            ),
            (
                error(ErrorKind::OutOfMemory),
                "set another `server.address`",
            ),
        ] {
            let text =
                ListenError::new(ListenPurpose::Webhook, "[::1]:443", 443, cause).to_string();
            assert!(text.contains(part), "{text}");
            assert!(!text.contains("stop the program"), "{text}");
        }
        let error = error(ErrorKind::InvalidInput);
        let text =
            ListenError::new(ListenPurpose::Webhook, "[fe80::1]:443", 443, error).to_string();
        assert!(text.contains("a link-local address needs a zone"), "{text}");
    }
}
