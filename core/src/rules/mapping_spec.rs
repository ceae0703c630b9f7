//! The fields of a mapping. They are declared once, and all code that reads, writes or compares mappings uses this
//! declaration.

/// Declares the fields. A declaration contains the documentation, the variant of [`MappingField`], the name and type in
/// [`MappingSpec`], and the name in configurations and objects.
macro_rules! mapping_fields {
    ($($(#[$doc:meta])+ $variant:ident, $field:ident: $type:ty = $name:literal;)+) => {
        /// The fields of a mapping as its author writes them. At most one of the fields for the subject
        /// ([`MappingField::is_subject`]) can be set.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub struct MappingSpec {
            $($(#[$doc])+ pub $field: $type,)+
        }

        /// A field of [`MappingSpec`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum MappingField {
            $($(#[$doc])+ $variant,)+
        }

        impl MappingField {
            /// All fields, in the order in which errors and pages list them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The names of all fields, in the same order.
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// Returns the name of the field in configurations and objects.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl MappingSpec {
            /// Returns the value of `field`.
            #[must_use]
            pub fn value(&self, field: MappingField) -> FieldValue<'_> {
                match field {
                    $(MappingField::$variant => FieldValue::from(&self.$field),)+
                }
            }

            /// Returns a mutable reference to the value of `field`.
            pub fn slot(&mut self, field: MappingField) -> FieldSlot<'_> {
                match field {
                    $(MappingField::$variant => FieldSlot::from(&mut self.$field),)+
                }
            }
        }
    };
}

mapping_fields! {
    /// The subject as an ARN; empty if not set. In `mapRoles` and `mapUsers`, the field is called `roleARN` and
    /// `userARN`.
    Arn, arn: String = "arn";
    /// The subject as an ARN or a pattern.
    ArnPattern, arn_pattern: Option<String> = "arnPattern";
    /// The subject as the ID of a RAM user.
    UserId, user_id: Option<String> = "userID";
    /// The subject as the ID of a RAM role.
    RoleId, role_id: Option<String> = "roleID";
    /// A condition in CEL that must also be true. Without a subject, the mapping matches every identity that meets the
    /// condition.
    Condition, condition: Option<String> = "match";
    /// The template of the username. With `usernameExpression`, it is the name starting with `system:` that the
    /// expression may return.
    Username, username: String = "username";
    /// A CEL expression for the username, in place of the template.
    UsernameExpression, username_expression: Option<String> = "usernameExpression";
    /// The templates of the groups.
    Groups, groups: Vec<String> = "groups";
    /// A CEL expression that returns additional groups.
    GroupsExpression, groups_expression: Option<String> = "groupsExpression";
    /// The names starting with `system:` that `groupsExpression` may return.
    GroupsExpressionMayAdd, groups_expression_may_add: Vec<String> = "groupsExpressionMayAdd";
}

impl MappingSpec {
    /// Creates the spec of a mapping of one ARN, the only kind of mapping that the Go server supports.
    #[must_use]
    pub fn for_arn(arn: &str, username: &str, groups: Vec<String>) -> Self {
        Self {
            arn: arn.to_owned(),
            username: username.to_owned(),
            groups,
            ..Self::default()
        }
    }
}

impl MappingField {
    /// Returns the field called `name` in configurations and objects, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut fields = Self::ALL.iter().copied();
        fields.find(|field| field.name() == name)
    }

    /// Returns whether the field sets the subject.
    #[must_use]
    pub const fn is_subject(self) -> bool {
        matches!(
            self,
            Self::Arn | Self::ArnPattern | Self::UserId | Self::RoleId
        )
    }

    /// Returns whether the Go server does not know the field. It then ignores the field and applies the rest of the
    /// mapping.
    #[must_use]
    pub const fn is_extension(self) -> bool {
        !matches!(self, Self::Arn | Self::Username | Self::Groups)
    }

    /// Returns whether the value of the field is a list.
    #[must_use]
    pub fn is_list(self) -> bool {
        matches!(MappingSpec::default().value(self), FieldValue::Texts(_))
    }
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// A text; empty if not set.
    Text(&'a str),
    /// An optional text.
    OptionalText(Option<&'a str>),
    /// A list of texts; empty if not set.
    Texts(&'a [String]),
}

impl FieldValue<'_> {
    /// Returns whether the field is set.
    #[must_use]
    pub fn is_set(self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::OptionalText(text) => text.is_some(),
            Self::Texts(texts) => !texts.is_empty(),
        }
    }
}

impl<'a> From<&'a String> for FieldValue<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Option<String>> for FieldValue<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::OptionalText(text.as_deref())
    }
}

impl<'a> From<&'a Vec<String>> for FieldValue<'a> {
    fn from(texts: &'a Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

/// A mutable reference to the value of a field.
#[derive(Debug, PartialEq, Eq)]
pub enum FieldSlot<'a> {
    /// A text; empty if not set.
    Text(&'a mut String),
    /// An optional text.
    OptionalText(&'a mut Option<String>),
    /// A list of texts; empty if not set.
    Texts(&'a mut Vec<String>),
}

impl<'a> From<&'a mut String> for FieldSlot<'a> {
    fn from(text: &'a mut String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a mut Option<String>> for FieldSlot<'a> {
    fn from(text: &'a mut Option<String>) -> Self {
        Self::OptionalText(text)
    }
}

impl<'a> From<&'a mut Vec<String>> for FieldSlot<'a> {
    fn from(texts: &'a mut Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of(fields: impl Fn(MappingField) -> bool) -> Vec<&'static str> {
        let fields = MappingField::ALL.iter().filter(|field| fields(**field));
        fields.map(|field| field.name()).collect()
    }

    #[test]
    fn field_determines_name_and_kind() {
        let subjects = ["arn", "arnPattern", "userID", "roleID"];
        assert_eq!(names_of(MappingField::is_subject), subjects);
        let known_to_go = ["arn", "username", "groups"];
        assert_eq!(names_of(|field| !field.is_extension()), known_to_go);
        let lists = ["groups", "groupsExpressionMayAdd"];
        assert_eq!(names_of(MappingField::is_list), lists);
        for (field, name) in MappingField::ALL.iter().zip(MappingField::NAMES) {
            assert_eq!(MappingField::from_name(name), Some(*field));
        }
        assert_eq!(MappingField::from_name("Arn"), None);
    }

    #[test]
    fn field_with_a_value_is_set() {
        let spec = MappingSpec {
            role_id: Some(String::new()),
            ..MappingSpec::for_arn("acs:ram::1:user/a", "a", vec!["g".to_owned()])
        };
        let set = names_of(|field| spec.value(field).is_set());
        assert_eq!(set, ["arn", "roleID", "username", "groups"]);
        assert_eq!(
            names_of(|field| MappingSpec::default().value(field).is_set()),
            [""; 0]
        );
        assert_eq!(
            spec.value(MappingField::Groups),
            FieldValue::Texts(&["g".to_owned()])
        );
    }
}
