//! The server certificates of the emulator, right and wrong ones.

use rcgen::date_time_ymd;
use tokio_rustls::TlsAcceptor;

use super::fault::Fault;
use super::handshake::Handshake;
use crate::test_authority::{TestAuthority, TestAuthorityError, leaf_params};

/// A TLS acceptor for each certificate that the emulator may present.
#[derive(Clone)]
pub(super) struct Acceptors {
    right: TlsAcceptor,
    other_authority: TlsAcceptor,
    other_name: TlsAcceptor,
    expired: TlsAcceptor,
}

impl Acceptors {
    /// Issues the certificates for `names`, which are host names and addresses.
    pub(super) fn issue(
        authority: &TestAuthority,
        names: &[String],
    ) -> Result<Self, TestAuthorityError> {
        let right = leaf_params(names)?;
        let mut expired = right.clone();
        expired.not_after = date_time_ymd(2001, 1, 1);
        Ok(Self {
            right: authority.acceptor_with(&right)?,
            other_authority: TestAuthority::generate()?.acceptor_with(&right)?,
            other_name: authority.acceptor(&["elsewhere.test".to_owned()])?,
            expired: authority.acceptor_with(&expired)?,
        })
    }

    /// Returns the acceptor to use under `fault`.
    pub(super) fn under(&self, fault: Option<&Fault>) -> TlsAcceptor {
        match fault {
            Some(Fault::InHandshake(Handshake::OtherAuthority)) => &self.other_authority,
            Some(Fault::InHandshake(Handshake::OtherName)) => &self.other_name,
            Some(Fault::InHandshake(Handshake::Expired)) => &self.expired,
            _ => &self.right,
        }
        .clone()
    }
}
