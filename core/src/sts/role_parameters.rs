//! The parameters of `AssumeRole` and `AssumeRoleWithOIDC`. Each type holds only values that STS accepts (STS API
//! reference, AssumeRole: request parameters).

use std::fmt;

use crate::arn::{Arn, ArnError, Resource};

/// The ARN of a role that can be assumed: `acs:ram::<account>:role/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoleArn(Arn);

/// The reason why a text is not the ARN of a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoleArnError {
    /// The text is not an ARN of an identity.
    #[error(transparent)]
    Arn(#[from] ArnError),
    /// The ARN names a session of a role.
    #[error("it is the ARN of a session")]
    Session,
    /// The ARN names a user or an account.
    #[error("it is the ARN of {0}, which cannot be assumed")]
    NotARole(&'static str),
}

impl RoleArn {
    /// Parses the ARN of a role.
    ///
    /// # Errors
    /// Returns an error if `text` is not an ARN, or names something other than a role.
    pub fn parse(text: &str) -> Result<Self, RoleArnError> {
        let arn = Arn::parse(text)?;
        match arn.resource() {
            Resource::Role(_) => Ok(Self(arn)),
            Resource::AssumedRole { .. } => Err(RoleArnError::Session),
            Resource::User(_) => Err(RoleArnError::NotARole("a user")),
            Resource::Root => Err(RoleArnError::NotARole("an account")),
        }
    }

    /// Returns the ARN.
    #[must_use]
    pub fn arn(&self) -> &Arn {
        &self.0
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Declares a text with a grammar: a type with `parse`, `as_str` and `Display`.
macro_rules! text_parameter {
    ($(#[$meta:meta])* $name:ident, $grammar:literal, $is_valid:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The grammar, for messages.
            pub const GRAMMAR: &str = $grammar;

            /// Parses the text. Returns `None` if the text does not have the form of [`Self::GRAMMAR`].
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let is_valid: fn(&str) -> bool = $is_valid;
                is_valid(text).then(|| Self(text.into()))
            }

            /// Returns the text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_parameter! {
    /// The name of a session, which becomes a part of the ARN of the session.
    SessionName,
    "2 to 64 characters of `A-Z a-z 0-9 . @ - _`",
    |text| has_form(text, 2..=64, ".@-_")
}

text_parameter! {
    /// An external ID, which the trust policy of a role can require.
    ExternalId,
    "2 to 1,224 characters of `A-Z a-z 0-9 _ + = , . @ : / -`",
    |text| has_form(text, 2..=1224, "_+=,.@:/-")
}

text_parameter! {
    /// A policy in JSON, which takes permissions away from a session.
    SessionPolicy,
    "1 to 2,048 characters",
    |text| (1..=2048).contains(&text.chars().count())
}

text_parameter! {
    /// The ARN of an OIDC identity provider: `acs:ram::<account>:oidc-provider/<name>`.
    OidcProviderArn,
    "`acs:ram::<account>:oidc-provider/<name>`",
    |text| {
        let rest = text.strip_prefix("acs:ram::").and_then(|rest| rest.split_once(":oidc-provider/"));
        text.len() <= Arn::MAX_BYTES
            && rest.is_some_and(|(account, name)| {
                crate::arn::AccountId::parse(account).is_some()
                    && crate::protocol::grammar::is_sendable(name)
            })
    }
}

fn has_form(text: &str, length: std::ops::RangeInclusive<usize>, marks: &str) -> bool {
    length.contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || marks.as_bytes().contains(&byte))
}

/// The lifetime of a session in seconds: 900 to 43,200. A role can have a lower maximum, which is 3,600 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionSeconds(u32);

impl SessionSeconds {
    /// The lifetime of a session if a request has none.
    pub const DEFAULT: Self = Self(3600);

    /// Checks a number of seconds. Returns `None` if STS refuses it for every role.
    #[must_use]
    pub fn new(seconds: u32) -> Option<Self> {
        (900..=43_200).contains(&seconds).then_some(Self(seconds))
    }

    /// Returns the number of seconds.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arn_names_a_role() {
        let arn = |text| RoleArn::parse(text).map(|role| role.to_string());
        for (text, expected) in [
            ("acs:ram::1:role/dev", Ok("acs:ram::1:role/dev")),
            ("ACS:RAM::1:Role/Dev", Ok("acs:ram::1:role/Dev")),
            ("acs:ram::1:assumed-role/dev/s", Err(RoleArnError::Session)),
            ("acs:ram::1:user/dev", Err(RoleArnError::NotARole("a user"))),
            ("acs:ram::1:root", Err(RoleArnError::NotARole("an account"))),
            ("dev", Err(RoleArnError::Arn(ArnError::Prefix))),
        ] {
            assert_eq!(arn(text), expected.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn parameters_have_the_form_of_the_sts_reference() {
        let long = |length| "a".repeat(length);
        for (text, session_name, external_id, policy) in [
            ("", false, false, false),
            ("a", false, false, true),
            ("ab", true, true, true),
            ("A.b@c-d_1", true, true, true),
            ("a+b", false, true, true),
            ("a=b,c:d/e", false, true, true),
            ("a b", false, false, true),
            ("\u{e9}\u{e9}", false, false, true),
            (&long(64), true, true, true),
            (&long(65), false, true, true),
            (&long(1224), false, true, true),
            (&long(1225), false, false, true),
            (&"\u{e9}".repeat(2048), false, false, true),
            (&long(2049), false, false, false),
        ] {
            let found = (
                SessionName::parse(text).is_some(),
                ExternalId::parse(text).is_some(),
                SessionPolicy::parse(text).is_some(),
            );
            assert_eq!(found, (session_name, external_id, policy), "{text}");
        }
        for (seconds, expected) in [(899, false), (900, true), (43_200, true), (43_201, false)] {
            assert_eq!(SessionSeconds::new(seconds).is_some(), expected);
        }
        for (text, expected) in [
            ("acs:ram::1:oidc-provider/p", true),
            ("acs:ram::1:oidc-provider/", false),
            ("acs:ram::x:oidc-provider/p", false),
            ("acs:ram::1:role/p", false),
        ] {
            assert_eq!(OidcProviderArn::parse(text).is_some(), expected, "{text}");
        }
    }
}
