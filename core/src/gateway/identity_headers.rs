//! Identity headers: they name the user to a service, as Kubernetes' API server names users to its extensions (Kubernetes
//! documentation, "Authenticating proxy").

use crate::kubernetes_user::KubernetesUser;

/// The names of the identity headers, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    user: String,
    group: String,
    uid: String,
    extra_prefix: String,
    joins_groups: bool,
}

impl Default for IdentityHeaders {
    /// `X-Remote-User`, `X-Remote-Group`, `X-Remote-Uid` and `X-Remote-Extra-*`.
    fn default() -> Self {
        Self {
            user: Self::USER.to_owned(),
            group: Self::GROUP.to_owned(),
            uid: Self::UID.to_owned(),
            extra_prefix: Self::EXTRA_PREFIX.to_owned(),
            joins_groups: false,
        }
    }
}

/// A name that no identity header can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` cannot be an identity header; write letters, digits and `-`, starting with `x-`, and each name once",
    .0.escape_debug()
)]
pub struct InvalidHeaderName(String);

/// What cannot be said of a user in a header, so that a service would take the user for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderValueError {
    /// A value starts or ends with space, which is no part of a header's value.
    #[error(
        "your username or a group starts or ends with a space, which no header can tell; ask an administrator"
    )]
    OuterSpace,
    /// A value has characters that no header has.
    #[error(
        "your username or a group has a character that no header can tell; ask an administrator"
    )]
    InvalidCharacter,
    /// A group has a comma, and proxies join repeated headers by commas.
    #[error(
        "one of your groups has a comma, which a header of groups cannot tell; ask an administrator"
    )]
    CommaInGroup,
}

impl IdentityHeaders {
    /// The header of the username, where no other is named.
    pub const USER: &'static str = "x-remote-user";
    /// The header of each group, where no other is named.
    pub const GROUP: &'static str = "x-remote-group";
    /// The header of the uid, where no other is named.
    pub const UID: &'static str = "x-remote-uid";
    /// What the names of extra values start with, where nothing else is named.
    pub const EXTRA_PREFIX: &'static str = "x-remote-extra-";

    /// Headers of these names; `extra_prefix` is what the names of extra values start with.
    ///
    /// # Errors
    /// When a name is no header's, has `_`, or does not start with `x-`; or when two are equal, or start as extra values
    /// do.
    pub fn new(
        user: &str,
        group: &str,
        uid: &str,
        extra_prefix: &str,
    ) -> Result<Self, InvalidHeaderName> {
        let names = [user, group, uid, extra_prefix].map(str::to_ascii_lowercase);
        let [user, group, uid, extra_prefix] = &names;
        for name in &names {
            let is_valid = name.len() > 2
                && name.starts_with("x-")
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !is_valid {
                return Err(InvalidHeaderName(name.clone()));
            }
        }
        for (one, others) in [(user, [group, uid]), (group, [uid, user])] {
            if others.contains(&one) {
                return Err(InvalidHeaderName(one.clone()));
            }
        }
        for name in [user, group, uid] {
            if name.starts_with(&**extra_prefix) {
                return Err(InvalidHeaderName(name.clone()));
            }
        }
        let [user, group, uid, extra_prefix] = names;
        Ok(Self {
            user,
            group,
            uid,
            extra_prefix,
            joins_groups: false,
        })
    }

    /// The same; if `joins_groups`, with all groups in one header, separated by commas, since some proxies take the first
    /// or the last of repeated headers for all of them.
    #[must_use]
    pub fn with_joined_groups(self, joins_groups: bool) -> Self {
        Self {
            joins_groups,
            ..self
        }
    }

    /// Returns the name of the username's header.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Returns whether a service could take a header `name` for an identity header: servers compare names without case,
    /// and some read `_`, `.` or any other sign as `-`.
    #[must_use]
    pub fn is_identity_header(&self, name: &str) -> bool {
        let matches = |name: &[u8], ours: &str| {
            name.len() == ours.len() && name.iter().map(normalize_byte).eq(ours.bytes())
        };
        let name = name.as_bytes();
        let start = name.get(..self.extra_prefix.len());
        [&self.user, &self.group, &self.uid]
            .iter()
            .any(|ours| matches(name, ours))
            || start.is_some_and(|start| matches(start, &self.extra_prefix))
    }

    /// Returns the identity headers that are not in `set`: what a client sent under these names must be removed.
    pub fn unset(&self, set: &[(String, String)]) -> impl Iterator<Item = String> {
        let names = self.names().into_iter();
        names.filter(|name| !set.iter().any(|(other, _)| other == name))
    }

    /// Returns alternate spellings of the identity headers' names: with `_` in the place of some or all `-`, which
    /// services that get headers as CGI variables cannot tell apart. A proxy that cannot remove by pattern can remove these.
    pub fn alternate_spellings(&self) -> impl Iterator<Item = String> {
        let names = self.names().into_iter();
        names.flat_map(|name| {
            let mut spellings = vec![String::new()];
            for character in name.chars() {
                if character == '-' && spellings.len() < MAX_SPELLINGS {
                    let with_underscores = spellings.iter().map(|start| format!("{start}_"));
                    let with_underscores: Vec<_> = with_underscores.collect();
                    spellings.iter_mut().for_each(|start| start.push('-'));
                    spellings.extend(with_underscores);
                } else {
                    spellings.iter_mut().for_each(|start| start.push(character));
                }
            }
            spellings.retain(|spelling| *spelling != name);
            spellings
        })
    }

    /// Returns the names of all identity headers.
    fn names(&self) -> [String; 6] {
        let [arn, canonical_arn, session_name] =
            KubernetesUser::EXTRA_KEYS.map(|key| self.extra_name(key));
        let [user, group, uid] = [&self.user, &self.group, &self.uid].map(String::clone);
        [user, group, uid, arn, canonical_arn, session_name]
    }

    /// Returns all headers that name `user`. Each group has a header unless groups are joined.
    ///
    /// # Errors
    /// When a service would read another user from the headers.
    pub fn for_user(
        &self,
        user: &KubernetesUser,
    ) -> Result<Vec<(String, String)>, HeaderValueError> {
        let mut headers = Vec::with_capacity(2 + user.groups.len() + user.extra.len());
        let mut push = |name: &str, value: &str| {
            check_value(value)?;
            headers.push((name.to_owned(), value.to_owned()));
            Ok(())
        };
        push(&self.user, &user.username)?;
        push(&self.uid, &user.uid)?;
        for group in &user.groups {
            if group.contains(',') {
                return Err(HeaderValueError::CommaInGroup);
            }
            check_value(group)?;
        }
        if self.joins_groups && !user.groups.is_empty() {
            push(&self.group, &user.groups.join(","))?;
        } else {
            for group in &user.groups {
                push(&self.group, group)?;
            }
        }
        for (key, value) in &user.extra {
            // An empty one, such as the session name of a user, says nothing.
            if !value.is_empty() {
                push(&self.extra_name(key), value)?;
            }
        }
        Ok(headers)
    }

    fn extra_name(&self, key: &str) -> String {
        format!("{}{}", self.extra_prefix, key.to_ascii_lowercase())
    }
}

/// Of names with more than four dashes, only the first four are varied.
const MAX_SPELLINGS: usize = 16;

/// Returns `byte` as services compare it: letters in lower case, digits, and `-` for everything else.
fn normalize_byte(byte: &u8) -> u8 {
    match byte.to_ascii_lowercase() {
        letter_or_digit if letter_or_digit.is_ascii_alphanumeric() => letter_or_digit,
        _ => b'-',
    }
}

fn check_value(value: &str) -> Result<(), HeaderValueError> {
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(HeaderValueError::InvalidCharacter);
    }
    if value.trim() != value {
        return Err(HeaderValueError::OuterSpace);
    }
    Ok(())
}
