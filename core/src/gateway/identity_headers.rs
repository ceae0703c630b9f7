//! Identity headers, in which a service receives the user. The Kubernetes API server uses the same headers for its
//! extensions (Kubernetes documentation, "Authenticating proxy").

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
    /// Returns the names `X-Remote-User`, `X-Remote-Group`, `X-Remote-Uid` and `X-Remote-Extra-*`.
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

/// The error of a name that an identity header cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid identity header `{}`; use a unique name that starts with `x-` and consists of letters, digits and `-`",
    .0.escape_debug()
)]
pub struct InvalidHeaderName(String);

/// The reason why headers cannot carry a user: a service would receive a different user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderValueError {
    /// A value starts or ends with a space. Spaces around the value of a header are ignored.
    #[error(
        "your username or one of your groups starts or ends with a space, which a header cannot carry; ask an administrator to change the name"
    )]
    OuterSpace,
    /// A value is empty or contains a character that is not allowed in headers.
    #[error(
        "your username or one of your groups is empty or contains a character that a header cannot carry; ask an administrator to change the name"
    )]
    InvalidCharacter,
    /// A group contains a comma. Proxies join repeated headers with commas.
    #[error(
        "one of your groups contains a comma, which a header for groups cannot carry; ask an administrator to change the name"
    )]
    CommaInGroup,
}

impl IdentityHeaders {
    /// The default name of the header for the username.
    pub const USER: &'static str = "x-remote-user";
    /// The default name of the header for each group.
    pub const GROUP: &'static str = "x-remote-group";
    /// The default name of the header for the uid.
    pub const UID: &'static str = "x-remote-uid";
    /// The default prefix of the names of the headers for extra values.
    pub const EXTRA_PREFIX: &'static str = "x-remote-extra-";

    /// Creates the names of the identity headers. The names of the headers for extra values start with `extra_prefix`.
    ///
    /// # Errors
    /// A name is not a valid header name, contains `_`, or does not start with `x-`; two names are equal; or a name
    /// starts with `extra_prefix`.
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

    /// Sets whether all groups are joined into one header, separated by commas. Some proxies keep only the first or the
    /// last of repeated headers.
    #[must_use]
    pub fn with_joined_groups(self, joins_groups: bool) -> Self {
        Self {
            joins_groups,
            ..self
        }
    }

    /// Returns the name of the header for the username.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Returns whether a service could treat a header `name` as an identity header. Servers ignore the case of names,
    /// and some treat `_`, `.` or any other special character as `-`.
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

    /// Returns the names of the identity headers that are not in `set`. Headers of the client with these names must be
    /// removed.
    pub fn unset(&self, set: &[(String, String)]) -> impl Iterator<Item = String> {
        let names = self.names().into_iter();
        names.filter(|name| !set.iter().any(|(other, _)| other == name))
    }

    /// Returns the names of the identity headers with `_` in place of some or all `-`.
    ///
    /// Services that receive headers as CGI variables cannot distinguish these spellings from the names. Proxies that
    /// cannot remove headers by pattern can remove these spellings.
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

    /// Returns the names and values of all headers for `user`. Each group has its own header, unless groups are joined.
    ///
    /// # Errors
    /// A service would receive a different user from the headers.
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
            // Omit empty values, such as the session name of a RAM user.
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

/// The maximum number of spellings of a name: only the first four dashes vary.
const MAX_SPELLINGS: usize = 16;

/// Returns `byte` as services may compare it: a letter in lower case, a digit, or `-` for any other byte.
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
