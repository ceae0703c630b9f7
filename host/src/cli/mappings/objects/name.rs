//! Names of objects, derived from ARNs. The name for an ARN is always the same, and different from that for other ARNs.

use ack_ram_core::fingerprint::Fingerprint;

/// The longest readable part of a name. Kubernetes allows 253 characters.
const MAX_CHARACTERS: usize = 100;

/// Returns the name of the object that maps `arn`, such as `role-1234567890123456-devops`.
///
/// Replaces characters that a name cannot contain with `-`, and then adds a digest of the ARN.
pub(super) fn for_arn(arn: &str) -> String {
    let arn = arn.to_ascii_lowercase();
    let rest = arn.strip_prefix("acs:ram::").unwrap_or(&arn);
    let (account, resource) = rest.split_once(':').unwrap_or(("", rest));
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    let parts = [kind, account, name];
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_plain = parts.iter().all(|part| part.bytes().all(is_allowed))
        && !name.ends_with('-')
        && arn.len() <= MAX_CHARACTERS;
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    let joined = parts.collect::<Vec<_>>().join("-");
    if is_plain && joined.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return joined;
    }
    let allowed = joined.bytes().take(MAX_CHARACTERS);
    let readable: String = allowed
        .map(|byte| {
            if is_allowed(byte) {
                char::from(byte)
            } else {
                '-'
            }
        })
        .collect();
    let digest = Fingerprint::from_text(&arn);
    match readable.trim_matches('-') {
        "" => format!("ram-{digest}"),
        readable => format!("{readable}-{digest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_name_is_valid_in_kubernetes() {
        let long = format!("acs:ram::1:role/{}", "x".repeat(300));
        for (arn, start, has_digest) in [
            ("acs:ram::1:role/DevOps", "role-1-devops", false),
            ("acs:ram::1:user/alice-b", "user-1-alice-b", false),
            ("acs:ram::1:root", "root-1", false),
            ("acs:ram::1:user/alice.b", "user-1-alice-b-", true),
            ("acs:ram::1:user/alice_b", "user-1-alice-b-", true),
            ("acs:ram::1:role/a/b", "role-1-a-b-", true),
            ("acs:ram::1:role/dev-*", "role-1-dev-", true),
            ("acs:ram::1:role/dev-", "role-1-dev-", true),
            ("ü", "ram-", true),
            (&long, "role-1-xxxx", true),
        ] {
            let name = for_arn(arn);
            assert!(name.starts_with(start), "{arn}: {name}");
            assert_eq!(name != start, has_digest, "{arn}: {name}");
            assert_eq!(
                name,
                for_arn(&arn.to_ascii_uppercase().replace("ACS:RAM", "acs:ram"))
            );
            let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(name.bytes().all(is_allowed) && name.len() <= 253, "{name}");
            assert!(!name.starts_with('-') && !name.ends_with('-'), "{name}");
        }
    }

    #[test]
    fn distinct_arns_have_distinct_names() {
        let arns = [
            "acs:ram::1:user/a.b",
            "acs:ram::1:user/a-b",
            "acs:ram::1:user/a_b",
            "acs:ram::1:user/a@b",
            "acs:ram::1:role/a/b",
            "acs:ram::1:role/a-b",
            "acs:ram::1:role/a-*",
            "acs:ram::1:role/a-?",
            "acs:ram::1:role/a-",
            "acs:ram::1:role/a",
        ];
        let names: std::collections::BTreeSet<String> =
            arns.iter().map(|arn| for_arn(arn)).collect();
        assert_eq!(names.len(), arns.len(), "{names:?}");
    }
}
