//! Nonces, each good for one request.

use std::collections::BTreeMap;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::time::UnixTime;

use super::refusal::Refusal;
use super::verify::WINDOW_SECONDS;

/// The nonces of the requests whose date would still be accepted.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    used: BTreeMap<(AccessKeyId, String), UnixTime>,
}

impl Nonces {
    /// Takes note of a nonce, and refuses one that this key used before.
    pub(super) fn spend(
        &mut self,
        key: &AccessKeyId,
        nonce: &str,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        // A date may lie one window ahead, and is then good for a second one.
        self.used
            .retain(|_, spent| now.seconds_since(*spent) <= 2 * WINDOW_SECONDS);
        match self.used.insert((key.clone(), nonce.to_owned()), now) {
            None => Ok(()),
            Some(_) => Err(Refusal::NonceUsed),
        }
    }
}
