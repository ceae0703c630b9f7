//! RAM resource names (ARNs), which identify users, roles, sessions and accounts.

use std::fmt;

/// The ID of an Alibaba Cloud account: 1 to 32 digits (16 in practice).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct AccountId(Box<str>);

impl AccountId {
    /// Parses 1 to 32 digits. Returns `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ((1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| Self(text.into()))
    }

    /// Returns the ID as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a RAM user, a role, an assumed role or an account: `acs:ram::<account>:<resource>`.
///
/// # Examples
///
/// ```
/// use ack_ram_core::arn::{Arn, ArnError};
///
/// let session = Arn::parse("acs:ram::123:assumed-role/Dev/alice")?;
/// assert_eq!(session.account().as_str(), "123");
///
/// // Mappings name the role of a session.
/// assert_eq!(session.canonical().to_string(), "acs:ram::123:role/Dev");
///
/// // Case does not distinguish identities.
/// assert_eq!(session.key(), Arn::parse("ACS:RAM::123:role/dev")?.key());
///
/// assert_eq!(Arn::parse("acs:ram::123:group/dev"), Err(ArnError::Resource));
/// # Ok::<(), ArnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Arn {
    account: AccountId,
    resource: Resource,
}

/// The resource that an [`Arn`] names inside its account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// `root`: the account itself.
    Root,
    /// `user/<name>`.
    User(Box<str>),
    /// `role/<name>`. The name may contain a path.
    Role(Box<str>),
    /// `assumed-role/<role>/<session>`: a session of a role.
    AssumedRole {
        /// The role's name.
        role: Box<str>,
        /// The session name, which the caller of `AssumeRole` chose.
        session: Box<str>,
    },
}

/// The reason why a text is not the ARN of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArnError {
    /// The text does not start with `acs:ram::`.
    #[error("an ARN must start with `acs:ram::`")]
    Prefix,
    /// The account does not consist of 1 to 32 digits.
    #[error("the account in an ARN must consist of digits")]
    Account,
    /// The resource is not `root`, `user/...`, `role/...` or `assumed-role/.../...`.
    #[error(
        "an ARN must end with `root`, `user/<name>`, `role/<name>` or `assumed-role/<role>/<session>`"
    )]
    Resource,
    /// The text is longer than [`Arn::MAX_BYTES`].
    #[error("an ARN can have at most 1,024 bytes")]
    TooLong,
    /// A name is empty, or contains a character that is not allowed.
    #[error("a name in the ARN is empty or contains a space, a colon or a character outside ASCII")]
    Name,
}

impl Arn {
    /// The size limit in bytes. Names in RAM have at most 64 characters.
    pub const MAX_BYTES: usize = 1024;

    /// Parses `acs:ram::<account>:<resource>`. The case of the fixed words is ignored; the case of names is kept.
    ///
    /// # Errors
    /// Returns the part that is malformed.
    pub fn parse(text: &str) -> Result<Self, ArnError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ArnError::TooLong);
        }
        let rest = strip_prefix_ignore_case(text, "acs:ram::").ok_or(ArnError::Prefix)?;
        let (account, resource) = rest.split_once(':').ok_or(ArnError::Resource)?;
        Ok(Self {
            account: AccountId::parse(account).ok_or(ArnError::Account)?,
            resource: Resource::parse(resource)?,
        })
    }

    /// Returns the account that the identity belongs to.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Returns the resource inside the account.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Returns the canonical ARN, which mappings name. For an assumed role, it is the ARN of the role; any other ARN is
    /// already canonical.
    #[must_use]
    pub fn canonical(&self) -> Self {
        let resource = match &self.resource {
            Resource::AssumedRole { role, .. } => Resource::Role(role.clone()),
            Resource::Root | Resource::User(_) | Resource::Role(_) => self.resource.clone(),
        };
        Self {
            account: self.account.clone(),
            resource,
        }
    }

    /// Returns the canonical ARN in lower case. ARNs that differ only in case have the same key.
    #[must_use]
    pub fn key(&self) -> ArnKey {
        let mut text = self.canonical().to_string();
        text.make_ascii_lowercase();
        ArnKey(text.into())
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "acs:ram::{}:", self.account)?;
        match &self.resource {
            Resource::Root => f.write_str("root"),
            Resource::User(name) => write!(f, "user/{name}"),
            Resource::Role(name) => write!(f, "role/{name}"),
            Resource::AssumedRole { role, session } => write!(f, "assumed-role/{role}/{session}"),
        }
    }
}

impl serde::Serialize for Arn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Resource {
    fn parse(text: &str) -> Result<Self, ArnError> {
        if text.eq_ignore_ascii_case("root") {
            return Ok(Self::Root);
        }
        let (kind, name) = text.split_once('/').ok_or(ArnError::Resource)?;
        if kind.eq_ignore_ascii_case("user") {
            Ok(Self::User(parse_name(name)?))
        } else if kind.eq_ignore_ascii_case("role") {
            Ok(Self::Role(parse_name(name)?))
        } else if kind.eq_ignore_ascii_case("assumed-role") {
            let (role, session) = name.rsplit_once('/').ok_or(ArnError::Resource)?;
            Ok(Self::AssumedRole {
                role: parse_name(role)?,
                session: parse_name(session)?,
            })
        } else {
            Err(ArnError::Resource)
        }
    }
}

/// Parses a name, which may contain a path.
///
/// RAM allows letters, digits and `.-_@` (RAM user guide, "Limits"). This function accepts all visible ASCII except the
/// colon, so that identities are not locked out if RAM allows more characters in the future.
fn parse_name(name: &str) -> Result<Box<str>, ArnError> {
    let is_valid = |segment: &str| {
        !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_graphic() && b != b':')
    };
    if name.split('/').all(is_valid) {
        Ok(name.into())
    } else {
        Err(ArnError::Name)
    }
}

/// The key of an ARN in the index of exact mappings; see [`Arn::key`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArnKey(Box<str>);

impl ArnKey {
    /// Returns the key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_arn_and_key_match_expected() {
        for (text, canonical, key) in [
            ("acs:ram::1:root", "acs:ram::1:root", "acs:ram::1:root"),
            (
                "acs:ram::1:user/Alice",
                "acs:ram::1:user/Alice",
                "acs:ram::1:user/alice",
            ),
            (
                "ACS:RAM::1:ROLE/Dev",
                "acs:ram::1:role/Dev",
                "acs:ram::1:role/dev",
            ),
            (
                "acs:ram::1:assumed-role/Dev/bob@x",
                "acs:ram::1:role/Dev",
                "acs:ram::1:role/dev",
            ),
            (
                "acs:ram::1:assumed-role/path/to/Dev/bob",
                "acs:ram::1:role/path/to/Dev",
                "acs:ram::1:role/path/to/dev",
            ),
        ] {
            let arn = Arn::parse(text).unwrap();
            assert_eq!(arn.canonical().to_string(), canonical);
            assert_eq!(arn.key().as_str(), key);
            assert_eq!(
                Arn::parse(&arn.to_string()),
                Ok(arn),
                "the text of an ARN parses to the same ARN"
            );
        }
    }

    #[test]
    fn arn_parse_rejects_malformed_text() {
        for (text, error) in [
            ("", ArnError::Prefix),
            ("arn:aws:iam::1:role/x", ArnError::Prefix),
            ("acs:ram:cn:1:role/x", ArnError::Prefix),
            ("acs:ram::1", ArnError::Resource),
            ("acs:ram::*:role/x", ArnError::Account),
            ("acs:ram::１:role/x", ArnError::Account),
            ("acs:ram:::role/x", ArnError::Account),
            ("acs:ram::1:", ArnError::Resource),
            ("acs:ram::1:group/x", ArnError::Resource),
            ("acs:ram::1:assumed-role/x", ArnError::Resource),
            ("acs:ram::1:role/", ArnError::Name),
            ("acs:ram::1:role/a//b", ArnError::Name),
            ("acs:ram::1:role/a b", ArnError::Name),
            ("acs:ram::1:role/a:b", ArnError::Name),
            ("acs:ram::1:role/\u{212a}", ArnError::Name),
            ("acs:ram::1:role/a\n", ArnError::Name),
            ("acs:ram::1:assumed-role//s", ArnError::Name),
            ("acs:ram::1:assumed-role/r/", ArnError::Name),
        ] {
            assert_eq!(Arn::parse(text), Err(error), "{text}");
        }
    }
}
