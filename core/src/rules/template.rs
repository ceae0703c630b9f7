//! Templates: usernames and groups with variables, such as `dev:{{SessionName}}`.
//!
//! The reasons for the checks of names are in [`crate::manual::patterns_and_templates`].

use crate::arn::Resource;
use crate::identity::Identity;
use std::borrow::Cow;

/// The prefix of the names that Kubernetes reserves.
pub const RESERVED_PREFIX: &str = "system:";

/// Returns whether `name` starts with [`RESERVED_PREFIX`]. Ignores leading space, because HTTP headers drop it.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    name.trim_start().starts_with(RESERVED_PREFIX)
}

/// A parsed username or group.
///
/// # Examples
///
/// ```
/// use ack_ram_core::rules::template::{RenderError, Template, TemplateError};
///
/// # use ack_ram_core::{access_key::AccessKeyId, arn::Arn, identity::Identity};
/// # let session = |name: &str| -> Result<Identity, Box<dyn std::error::Error>> {
/// #     Ok(Identity {
/// #         arn: Arn::parse(&format!("acs:ram::123:assumed-role/dev/{name}"))?,
/// #         user_id: "300".into(),
/// #         access_key_id: AccessKeyId::parse("STS.N1").ok_or("not an access key ID")?,
/// #     })
/// # };
/// // `session` returns a session of the role `dev` with the given name.
/// let template = Template::parse("{{RoleName}}:{{SessionName}}")?;
/// assert_eq!(template.render(&session("alice")?)?, "dev:alice");
///
/// // A caller cannot complete a name that Kubernetes reserves for itself.
/// let template = Template::parse("{{SessionName}}:masters")?;
/// assert_eq!(template.render(&session("system")?), Err(RenderError::Reserved));
/// assert_eq!(
///     Template::parse("system:{{SessionName}}"),
///     Err(TemplateError::ReservedWithCallerVariable("SessionName")),
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    // A boxed slice is smaller than a vector. A server can have 100,000 rules with several templates each.
    parts: Box<[TemplatePart]>,
    /// Whether the text before the first variable starts with [`RESERVED_PREFIX`].
    is_reserved: bool,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplatePart {
    /// Literal text.
    Literal(Box<str>),
    /// A variable.
    Variable(TemplateVariable),
}

/// A variable of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateVariable {
    /// `{{AccountID}}`: the ID of the account.
    AccountId,
    /// `{{SessionName}}`: the session name with `-` in place of `@`, as in Go.
    SessionName,
    /// `{{SessionNameRaw}}`: the session name without changes.
    SessionNameRaw,
    /// `{{AccessKeyID}}`: the ID of the access key that signed the token.
    AccessKeyId,
    /// `{{UserID}}`: the immutable ID of the user or role.
    UserId,
    /// `{{RoleName}}`: the name of the role; empty for users and accounts.
    RoleName,
    /// `{{UserName}}`: the name of the RAM user; empty for other identities.
    UserName,
}

impl TemplateVariable {
    /// All variables, with their names in templates.
    pub const ALL: [(&'static str, Self); 7] = [
        ("AccountID", Self::AccountId),
        ("SessionName", Self::SessionName),
        ("SessionNameRaw", Self::SessionNameRaw),
        ("AccessKeyID", Self::AccessKeyId),
        ("UserID", Self::UserId),
        ("RoleName", Self::RoleName),
        ("UserName", Self::UserName),
    ];

    /// Returns whether the caller can choose the value of the variable.
    #[must_use]
    pub const fn is_caller_controlled(self) -> bool {
        matches!(self, Self::SessionName | Self::SessionNameRaw)
    }

    fn value(self, identity: &Identity) -> Cow<'_, str> {
        let name = match (self, identity.arn.resource()) {
            (Self::AccountId, _) => identity.account_id().as_str(),
            (Self::SessionName, _) => return identity.session_name().replace('@', "-").into(),
            (Self::SessionNameRaw, _) => identity.session_name(),
            (Self::AccessKeyId, _) => identity.access_key_id.as_str(),
            (Self::UserId, _) => &identity.user_id,
            (Self::RoleName, Resource::Role(role) | Resource::AssumedRole { role, .. }) => role,
            (Self::UserName, Resource::User(name)) => name,
            (Self::RoleName | Self::UserName, _) => "",
        };
        name.into()
    }
}

/// The reason why a template is refused when its rule is loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template is empty.
    #[error("the name is empty")]
    Empty,
    /// The template contains a control character.
    #[error("the name contains a control character")]
    ControlCharacter,
    /// A variable does not exist.
    #[error("unknown variable `{{{{{0}}}}}`")]
    UnknownVariable(Box<str>),
    /// A `{{` has no matching `}}`.
    #[error("`{{{{` without `}}}}`")]
    Unclosed,
    /// A reserved name contains a variable that the caller controls.
    #[error(
        "a name that starts with `{RESERVED_PREFIX}` cannot contain `{{{{{0}}}}}`, because the user who logs in can choose its value"
    )]
    ReservedWithCallerVariable(&'static str),
}

/// The reason why a template has no valid name for an identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The name would be empty. Kubernetes does not refuse an empty username.
    #[error("the name is empty for this identity")]
    Empty,
    /// The name would contain a control character.
    #[error("the name contains a control character for this identity")]
    ControlCharacter,
    /// The name would start with `system:`, but the template does not.
    #[error(
        "the name starts with `{RESERVED_PREFIX}` for this identity, but the template does not"
    )]
    Reserved,
}

impl Template {
    /// Parses `text`.
    ///
    /// # Errors
    /// Returns the defect of `text`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.is_empty() {
            return Err(TemplateError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(TemplateError::ControlCharacter);
        }
        let parts = parse_parts(text)?;
        let is_reserved = is_reserved(text);
        if is_reserved {
            for (name, variable) in TemplateVariable::ALL {
                if variable.is_caller_controlled()
                    && parts.contains(&TemplatePart::Variable(variable))
                {
                    return Err(TemplateError::ReservedWithCallerVariable(name));
                }
            }
        }
        Ok(Self {
            parts: parts.into(),
            is_reserved,
        })
    }

    /// Returns the parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// Returns the name for `identity`.
    ///
    /// # Errors
    /// The name would be empty, would contain a control character, or would start with `system:` although the template
    /// does not.
    pub fn render(&self, identity: &Identity) -> Result<String, RenderError> {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                TemplatePart::Literal(text) => name.push_str(text),
                TemplatePart::Variable(variable) => name.push_str(&variable.value(identity)),
            }
        }
        if name.is_empty() {
            Err(RenderError::Empty)
        } else if name.chars().any(char::is_control) {
            Err(RenderError::ControlCharacter)
        } else if is_reserved(&name) && !self.is_reserved {
            Err(RenderError::Reserved)
        } else {
            Ok(name)
        }
    }
}

fn parse_parts(text: &str) -> Result<Vec<TemplatePart>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((literal, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
        let (_, variable) = TemplateVariable::ALL
            .into_iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| TemplateError::UnknownVariable(name.into()))?;
        if !literal.is_empty() {
            parts.push(TemplatePart::Literal(literal.into()));
        }
        parts.push(TemplatePart::Variable(variable));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(TemplatePart::Literal(rest.into()));
    }
    Ok(parts)
}
