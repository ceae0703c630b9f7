//! Used nonces. Each nonce is valid for one request.

use std::collections::BTreeMap;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::time::UnixTime;

use super::refusal::Refusal;
use super::verify::WINDOW_SECONDS;

/// The used nonces of all requests whose date is still valid.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    used: BTreeMap<(AccessKeyId, String), UnixTime>,
}

impl Nonces {
    /// Records a nonce, and refuses it if the key has used it before.
    pub(super) fn spend(
        &mut self,
        key: &AccessKeyId,
        nonce: &str,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        // A date may be one window in the future, and then stays valid for a second window.
        self.used
            .retain(|_, spent| now.seconds_since(*spent) <= 2 * WINDOW_SECONDS);
        match self.used.insert((key.clone(), nonce.to_owned()), now) {
            None => Ok(()),
            Some(_) => Err(Refusal::NonceUsed),
        }
    }
}
