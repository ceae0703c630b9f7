//! The variables of expressions: the fields of an identity and of a user.

use std::borrow::Cow;

use cel::ExecutionError;
use cel::common::traits::Indexer;
use cel::common::types::{CelBool, CelList, CelString, MAP_TYPE, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use super::cost::ValueBounds;
use super::error::EvaluationError;
use super::limits::{
    MAX_GROUP_BYTES, MAX_GROUPS, MAX_IDENTITY_NAME_BYTES, MAX_NAME_BYTES, MAX_UID_BYTES,
};
use crate::arn::Resource;
use crate::identity::Identity;
use crate::kubernetes_user::KubernetesUser;

/// The maximum length of an ARN: two names, an account ID and the fixed words.
const MAX_ARN_BYTES: usize = 2 * MAX_IDENTITY_NAME_BYTES + 64;

/// The declaration of a variable and its fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct VariableDeclaration {
    pub(super) name: &'static str,
    fields: &'static [FieldDeclaration],
}

/// The declaration of a field of a variable.
#[derive(Debug)]
pub(super) struct FieldDeclaration {
    pub(super) name: &'static str,
    pub(super) bounds: ValueBounds,
    read: FieldReader,
}

#[derive(Debug)]
enum FieldReader {
    Identity(for<'a> fn(&'a Identity) -> Cow<'a, str>),
    User(for<'a> fn(&'a KubernetesUser) -> &'a str),
    Groups,
}

/// The identity that signed the token.
pub(super) const IDENTITY: VariableDeclaration =
    VariableDeclaration {
        name: "identity",
        fields: &[
            FieldDeclaration::identity("arn", MAX_ARN_BYTES, |identity| {
                identity.arn.to_string().into()
            }),
            FieldDeclaration::identity("canonicalArn", MAX_ARN_BYTES, |identity| {
                identity.arn.canonical().to_string().into()
            }),
            FieldDeclaration::identity("type", MAX_IDENTITY_NAME_BYTES, |identity| {
                identity.identity_type().into()
            }),
            FieldDeclaration::identity("accountId", MAX_IDENTITY_NAME_BYTES, |identity| {
                identity.account_id().as_str().into()
            }),
            FieldDeclaration::identity(
                "userId",
                MAX_IDENTITY_NAME_BYTES,
                |identity| match identity.arn.resource() {
                    Resource::Root | Resource::User(_) => (&*identity.user_id).into(),
                    Resource::Role(_) | Resource::AssumedRole { .. } => "".into(),
                },
            ),
            FieldDeclaration::identity(
                "roleId",
                MAX_IDENTITY_NAME_BYTES,
                |identity| match identity.arn.resource() {
                    Resource::Role(_) | Resource::AssumedRole { .. } => (&*identity.user_id).into(),
                    Resource::Root | Resource::User(_) => "".into(),
                },
            ),
            FieldDeclaration::identity("roleName", MAX_IDENTITY_NAME_BYTES, |identity| {
                match identity.arn.resource() {
                    Resource::Role(role) | Resource::AssumedRole { role, .. } => (&**role).into(),
                    Resource::Root | Resource::User(_) => "".into(),
                }
            }),
            FieldDeclaration::identity("userName", MAX_IDENTITY_NAME_BYTES, |identity| {
                match identity.arn.resource() {
                    Resource::User(name) => (&**name).into(),
                    Resource::Root | Resource::Role(_) | Resource::AssumedRole { .. } => "".into(),
                }
            }),
            FieldDeclaration::identity("sessionName", MAX_IDENTITY_NAME_BYTES, |identity| {
                identity.session_name().into()
            }),
            FieldDeclaration::identity("accessKeyId", MAX_IDENTITY_NAME_BYTES, |identity| {
                identity.access_key_id.as_str().into()
            }),
        ],
    };

/// The Kubernetes user that the rules produce.
pub(super) const USER: VariableDeclaration = VariableDeclaration {
    name: "user",
    fields: &[
        FieldDeclaration::user("username", MAX_NAME_BYTES, |user| &user.username),
        FieldDeclaration::user("uid", MAX_UID_BYTES, |user| &user.uid),
        FieldDeclaration {
            name: "groups",
            bounds: ValueBounds::strings(
                MAX_GROUPS as u64,
                MAX_GROUP_BYTES as u64,
                (MAX_GROUPS * MAX_GROUP_BYTES) as u64,
            ),
            read: FieldReader::Groups,
        },
    ],
};

impl VariableDeclaration {
    /// Returns the field `name`.
    pub(super) fn field(&self, name: &str) -> Option<&'static FieldDeclaration> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Returns all fields.
    pub(super) fn fields(&self) -> impl Iterator<Item = &'static FieldDeclaration> {
        self.fields.iter()
    }
}

impl FieldDeclaration {
    const fn identity(
        name: &'static str,
        limit: usize,
        read: for<'a> fn(&'a Identity) -> Cow<'a, str>,
    ) -> Self {
        Self {
            name,
            bounds: ValueBounds::string(limit as u64),
            read: FieldReader::Identity(read),
        }
    }

    const fn user(
        name: &'static str,
        limit: usize,
        read: for<'a> fn(&'a KubernetesUser) -> &'a str,
    ) -> Self {
        Self {
            name,
            bounds: ValueBounds::string(limit as u64),
            read: FieldReader::User(read),
        }
    }
}

/// The values of the variables in one evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activation<'a> {
    identity: &'a Identity,
    user: Option<&'a KubernetesUser>,
}

impl<'a> Activation<'a> {
    /// Creates the values. Returns an error if a value exceeds a limit from which costs are computed.
    pub(super) fn new(
        identity: &'a Identity,
        user: Option<&'a KubernetesUser>,
    ) -> Result<Self, EvaluationError> {
        if !identity_fits(identity) {
            return Err(EvaluationError::IdentityTooLong);
        }
        if user.is_some_and(|user| !user_fits(user)) {
            return Err(EvaluationError::UserTooLong);
        }
        Ok(Self { identity, user })
    }

    fn value(&self, field: &FieldDeclaration) -> Option<Box<dyn Val + '_>> {
        let text: CelString<'_> = match field.read {
            FieldReader::Identity(read) => read(self.identity).into(),
            FieldReader::User(read) => read(self.user?).into(),
            FieldReader::Groups => {
                let groups = self.user?.groups.iter();
                let groups = groups.map(|group| Box::new(CelString::from(group.as_str())) as _);
                return Some(Box::new(CelList::from(groups.collect::<Vec<_>>())));
            }
        };
        Some(Box::new(text))
    }
}

/// Resolves fields such as `identity.arn` directly: the evaluator tries the full name before `identity`.
impl VariableResolver for Activation<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let (variable, field) = match name.split_once('.') {
            Some((variable, field)) => (variable, Some(field)),
            None => (name, None),
        };
        let variable = [IDENTITY, USER]
            .into_iter()
            .find(|known| known.name == variable)?;
        match field {
            Some(field) => self.value(variable.field(field)?).map(CowVal::Owned),
            None => Some(CowVal::owned(FieldPresence {
                activation: *self,
                variable,
            })),
        }
    }
}

/// The map in which `has()` looks up the fields of a variable. It contains the fields that are not empty.
#[derive(Clone, Copy, Debug)]
struct FieldPresence<'a> {
    activation: Activation<'a>,
    variable: VariableDeclaration,
}

impl FieldPresence<'_> {
    fn has(&self, name: &str) -> bool {
        let field = self.variable.field(name);
        let value = field.and_then(|field| self.activation.value(field));
        value.is_some_and(|value| {
            let zeroer = value.as_zeroer();
            zeroer.is_some_and(|value| !value.is_zero_value())
        })
    }
}

impl Val for FieldPresence<'_> {
    fn get_type(&self) -> &Type {
        Self::cel_type()
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }
}

/// Returns `true` as the value of each field that is present: `has()` only tests for presence.
impl Indexer for FieldPresence<'_> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name.downcast_ref::<CelString<'_>>();
        let name = name.map(CelString::inner).unwrap_or_default();
        if self.has(name) {
            Ok(CowVal::owned(CelBool::from(true)))
        } else {
            Err(ExecutionError::no_such_key(name))
        }
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(name).map(CowVal::into_owned)
    }
}

fn identity_fits(identity: &Identity) -> bool {
    let fits = |text: &str| text.len() <= MAX_IDENTITY_NAME_BYTES;
    fits(&identity.user_id)
        && match identity.arn.resource() {
            Resource::Root => true,
            Resource::User(name) | Resource::Role(name) => fits(name),
            Resource::AssumedRole { role, session } => fits(role) && fits(session),
        }
}

fn user_fits(user: &KubernetesUser) -> bool {
    user.username.len() <= MAX_NAME_BYTES
        && user.uid.len() <= MAX_UID_BYTES
        && user.groups.len() <= MAX_GROUPS
        && user
            .groups
            .iter()
            .all(|group| group.len() <= MAX_GROUP_BYTES)
}
