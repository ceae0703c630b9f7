//! An identity as text, for the commands that ask STS.

use ack_ram_core::identity::Identity;

/// Returns the rows of an identity.
pub(super) fn rows(identity: &Identity) -> String {
    format!(
        "\
type:          {}
arn:           {}
canonicalArn:  {}
accountId:     {}
userId:        {}
sessionName:   {}
accessKeyId:   {}
",
        identity.identity_type(),
        identity.arn,
        identity.arn.canonical(),
        identity.account_id(),
        identity.user_id,
        identity.session_name(),
        identity.access_key_id,
    )
}
