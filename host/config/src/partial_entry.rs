//! The readable parts of an invalid entry. They limit which parts of its last good form are kept.

use ack_ram_core::rules::{Backend, Mapping, MappingField, MappingSpec, WildcardMode};
use serde_json::Value as Json;

use crate::diagnostic::escape_control;
use crate::entry::MappingList;
use crate::keys;
use crate::located::is_plain_integer;
use crate::yaml::{Node, Value};

/// The readable parts of an invalid entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialEntry {
    /// Subject of the entry.
    pub subject: PartialSubject,
    /// `username`.
    pub username: PartialField<String>,
    /// `usernameExpression`.
    pub username_expression: PartialField<String>,
    /// Readable items of `groups`; empty if the list cannot be read.
    pub groups: Vec<String>,
    /// `groupsExpression`.
    pub groups_expression: PartialField<String>,
    /// Readable items of `groupsExpressionMayAdd`; empty if the list cannot be read.
    pub groups_expression_may_add: Vec<String>,
    /// `match`.
    pub condition: PartialField<String>,
    /// An unknown key that may be meant to restrict the entry.
    pub unknown_key: Option<String>,
    /// Backend of the entry.
    pub backend: Backend,
    /// Whether the ARN of the entry may have wildcards.
    pub globs: WildcardMode,
}

/// A field of an invalid entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartialField<T> {
    /// The field is missing or blank.
    Absent,
    /// The field is readable, but may not be a valid template or expression.
    Present(T),
    /// The field needs quotes and has none. The text is its value with quotes.
    Unquoted(T),
    /// The field is unreadable or a duplicate.
    Unreadable,
}

/// The subject of an invalid entry, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartialSubject {
    /// The subject is missing or blank.
    Blank,
    /// The entry has a condition and no subject.
    Condition,
    /// One field has the subject. The text may not be a valid ARN, pattern or ID.
    Named(SubjectField, String),
    /// Several fields have a subject, or the subject is not text.
    Ambiguous,
}

/// A field that can hold a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectField {
    /// `roleARN`, `userARN` or `arn`.
    Arn,
    /// `arnPattern`.
    Pattern,
    /// `userID`.
    UserId,
    /// `roleID`.
    RoleId,
}

impl SubjectField {
    /// Returns the subject field for `field`; `None` if `field` does not hold a subject.
    fn from_field(field: MappingField) -> Option<Self> {
        match field {
            MappingField::Arn => Some(Self::Arn),
            MappingField::ArnPattern => Some(Self::Pattern),
            MappingField::UserId => Some(Self::UserId),
            MappingField::RoleId => Some(Self::RoleId),
            MappingField::Condition
            | MappingField::Username
            | MappingField::UsernameExpression
            | MappingField::Groups
            | MappingField::GroupsExpression
            | MappingField::GroupsExpressionMayAdd => None,
        }
    }
}

/// Reading rules for a kind of entry.
struct EntrySchema {
    keys: Vec<(&'static str, MappingField)>,
    /// Whether the entry is JSON. In JSON, keys are case-sensitive, and null means absent. In YAML, null means that the
    /// author forgot the value.
    is_json: bool,
    /// Whether unknown keys are errors. In `mapRoles` and `mapUsers`, the Go server ignores them.
    is_strict: bool,
}

const GO_KEYS: &[(&str, MappingField)] = &[
    ("roleARN", MappingField::Arn),
    ("userARN", MappingField::Arn),
    ("arn", MappingField::Arn),
    ("username", MappingField::Username),
    ("groups", MappingField::Groups),
];

/// Keys that restrict an entry, and are unknown in `mapRoles` and `mapUsers`.
const NARROWING_KEYS: &[&str] = &[
    MappingField::Condition.name(),
    MappingField::ArnPattern.name(),
    MappingField::UserId.name(),
    MappingField::RoleId.name(),
];

/// The value of a field.
enum FieldValue {
    Null,
    Text(String),
    /// A text that needs quotes and has none.
    Unquoted(String),
    /// A list. Items that are not text are `None`.
    List(Vec<Option<String>>),
    Other,
}

impl PartialEntry {
    /// Returns the parts of a mapping that is readable but cannot be compiled.
    #[must_use]
    pub fn from_mapping(mapping: &Mapping) -> Self {
        // All fields are named, so that a new field is not forgotten.
        let Mapping {
            source,
            precedence: _,
            wildcards: globs,
            session_arn_mode: _,
            spec,
        } = mapping;
        let MappingSpec {
            arn,
            arn_pattern,
            user_id,
            role_id,
            condition,
            username,
            username_expression,
            groups,
            groups_expression,
            groups_expression_may_add,
        } = spec;
        let text = |part: &Option<String>| {
            part.clone()
                .map_or(PartialField::Absent, PartialField::Present)
        };
        let subjects = [
            (
                SubjectField::Arn,
                Some(arn.clone()).filter(|arn| !arn.is_empty()),
            ),
            (SubjectField::Pattern, arn_pattern.clone()),
            (SubjectField::UserId, user_id.clone()),
            (SubjectField::RoleId, role_id.clone()),
        ];
        let subjects = subjects.into_iter();
        let mut subjects = subjects.filter_map(|(field, text)| Some((field, text?)));
        let subject = match (subjects.next(), subjects.next()) {
            (Some(_), Some(_)) => PartialSubject::Ambiguous,
            (Some((_, text)), None) if text.trim().is_empty() => PartialSubject::Blank,
            (Some((field, text)), None) => PartialSubject::Named(field, text),
            (None, _) if condition.is_some() => PartialSubject::Condition,
            (None, _) => PartialSubject::Blank,
        };
        Self {
            subject,
            username: match username.trim() {
                "" => PartialField::Absent,
                _ => PartialField::Present(username.clone()),
            },
            username_expression: text(username_expression),
            groups: groups.clone(),
            groups_expression: text(groups_expression),
            groups_expression_may_add: groups_expression_may_add.clone(),
            condition: text(condition),
            unknown_key: None,
            backend: source.backend,
            globs: *globs,
        }
    }

    /// Returns the ARN, pattern or ID of the entry for the log, with control characters escaped, and truncated if it is
    /// long.
    #[must_use]
    pub fn subject_text(&self) -> Option<String> {
        const MAX_CHARACTERS: usize = 200;
        match &self.subject {
            PartialSubject::Named(_, text) => {
                let text: String = text.chars().take(MAX_CHARACTERS).collect();
                Some(escape_control(&text))
            }
            PartialSubject::Blank | PartialSubject::Condition | PartialSubject::Ambiguous => None,
        }
    }

    /// Returns the parts of `value`, an entry of `list`.
    pub(super) fn from_yaml(
        value: &Value,
        list: MappingList,
        backend: Backend,
        globs: WildcardMode,
    ) -> Self {
        let (schema, globs) = match list {
            MappingList::Rules => (EntrySchema::for_rules(), WildcardMode::Enabled),
            MappingList::Roles | MappingList::Users | MappingList::Accounts => {
                (EntrySchema::for_go_lists(), globs)
            }
        };
        match value {
            Value::Map(entries) => {
                let fields = entries.iter();
                let fields =
                    fields.map(|(key, node)| (key.name.as_str(), field_value_from_yaml(node)));
                schema.read(fields, backend, globs)
            }
            _ => Self::unreadable(matches!(value, Value::Null), backend, globs),
        }
    }

    /// Returns the parts of the `spec` of an object.
    #[must_use]
    pub fn from_object(spec: &Json) -> Self {
        let (backend, globs) = (Backend::Crd, WildcardMode::Enabled);
        let schema = EntrySchema {
            is_json: true,
            ..EntrySchema::for_rules()
        };
        match spec {
            Json::Object(fields) => {
                let fields = fields.iter();
                let fields =
                    fields.map(|(key, value)| (key.as_str(), field_value_from_json(value)));
                schema.read(fields, backend, globs)
            }
            _ => Self::unreadable(spec.is_null(), backend, globs),
        }
    }

    /// Returns an entry without readable parts.
    fn unreadable(is_blank: bool, backend: Backend, globs: WildcardMode) -> Self {
        Self {
            subject: if is_blank {
                PartialSubject::Blank
            } else {
                PartialSubject::Ambiguous
            },
            username: PartialField::Unreadable,
            username_expression: PartialField::Unreadable,
            groups: Vec::new(),
            groups_expression: PartialField::Unreadable,
            groups_expression_may_add: Vec::new(),
            condition: PartialField::Unreadable,
            unknown_key: None,
            backend,
            globs,
        }
    }
}

impl EntrySchema {
    /// Returns the schema of `mapRoles` and `mapUsers`.
    fn for_go_lists() -> Self {
        Self {
            keys: GO_KEYS.to_vec(),
            is_json: false,
            is_strict: false,
        }
    }

    /// Returns the schema of `mapRules`.
    fn for_rules() -> Self {
        let fields = MappingField::ALL.iter();
        Self {
            keys: fields.map(|field| (field.name(), *field)).collect(),
            is_json: false,
            is_strict: true,
        }
    }

    fn read<'a>(
        &self,
        fields: impl Iterator<Item = (&'a str, FieldValue)>,
        backend: Backend,
        globs: WildcardMode,
    ) -> PartialEntry {
        let mut subjects = Vec::new();
        let mut parts: Vec<(MappingField, FieldValue)> = Vec::new();
        let mut unknown_key = None;
        for (key, value) in fields {
            match self.field(key) {
                Some(field) => match SubjectField::from_field(field) {
                    Some(subject) => subjects.push((subject, value)),
                    None => parts.push((field, value)),
                },
                None if self.may_narrow(key) => {
                    unknown_key.get_or_insert_with(|| key.to_owned());
                }
                None => {}
            }
        }
        let condition = self.text(&parts, MappingField::Condition);
        PartialEntry {
            subject: self.subject(subjects, condition != PartialField::Absent),
            username: match self.text(&parts, MappingField::Username) {
                PartialField::Present(name) if name.trim().is_empty() => PartialField::Absent,
                username => username,
            },
            username_expression: self.text(&parts, MappingField::UsernameExpression),
            groups: self.names(&parts, MappingField::Groups),
            groups_expression: self.text(&parts, MappingField::GroupsExpression),
            groups_expression_may_add: self.names(&parts, MappingField::GroupsExpressionMayAdd),
            condition,
            unknown_key,
            backend,
            globs,
        }
    }

    /// Returns the field that `key` names, allowing a single typo after the first letter.
    ///
    /// A key with another first letter counts as commented out.
    fn field(&self, key: &str) -> Option<MappingField> {
        let is_exact = |name: &str| {
            if self.is_json {
                name == key
            } else {
                name.eq_ignore_ascii_case(key)
            }
        };
        let exact = self.keys.iter().find(|(name, _)| is_exact(name));
        let typo = || {
            let mut others = self.keys.iter();
            // The meaning of a misspelled condition is in doubt.
            others.find(|(name, field)| {
                *field != MappingField::Condition && keys::is_single_typo(key, name)
            })
        };
        exact.or_else(typo).map(|(_, field)| *field)
    }

    fn may_narrow(&self, key: &str) -> bool {
        self.is_strict || keys::nearest(key, NARROWING_KEYS).is_some()
    }

    fn subject(
        &self,
        subjects: Vec<(SubjectField, FieldValue)>,
        has_condition: bool,
    ) -> PartialSubject {
        let is_blank = |value: &FieldValue| match value {
            FieldValue::Null => true,
            FieldValue::Text(text) => text.trim().is_empty(),
            FieldValue::Unquoted(_) | FieldValue::List(_) | FieldValue::Other => false,
        };
        let (blank, written): (Vec<_>, Vec<_>) =
            subjects.into_iter().partition(|(_, value)| is_blank(value));
        // `arn: ""` may be next to any other subject field, for the Go server. In YAML, null is a forgotten value.
        let is_for_go = |(field, value): &(SubjectField, FieldValue)| {
            *field == SubjectField::Arn && (self.is_json || !matches!(value, FieldValue::Null))
        };
        let may_be_blank = blank.iter().all(is_for_go);
        let is_empty = blank.is_empty();
        let mut written = written.into_iter();
        match (written.next(), written.next()) {
            (Some((field, FieldValue::Text(text))), None)
                if is_empty || (may_be_blank && self.is_strict) =>
            {
                PartialSubject::Named(field, text)
            }
            (Some(_), _) => PartialSubject::Ambiguous,
            (None, _) if has_condition && may_be_blank => PartialSubject::Condition,
            (None, _) => PartialSubject::Blank,
        }
    }

    fn text(
        &self,
        parts: &[(MappingField, FieldValue)],
        wanted: MappingField,
    ) -> PartialField<String> {
        let mut found = parts.iter().filter(|(field, _)| *field == wanted);
        match (found.next(), found.next()) {
            (None, _) => PartialField::Absent,
            (Some((_, FieldValue::Text(text))), None) => PartialField::Present(text.clone()),
            (Some((_, FieldValue::Unquoted(text))), None) => PartialField::Unquoted(text.clone()),
            (Some((_, FieldValue::Null)), None)
                if self.is_json || wanted == MappingField::Username =>
            {
                PartialField::Absent
            }
            (Some(_), _) => PartialField::Unreadable,
        }
    }

    fn names(&self, parts: &[(MappingField, FieldValue)], wanted: MappingField) -> Vec<String> {
        let mut found = parts.iter().filter(|(field, _)| *field == wanted);
        match (found.next(), found.next()) {
            (Some((_, FieldValue::List(items))), None) => items.iter().flatten().cloned().collect(),
            // The Go server splits text at commas.
            (Some((_, FieldValue::Text(text))), None) if !self.is_json => {
                text.split(',').map(|item| item.trim().to_owned()).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn field_value_from_yaml(node: &Node) -> FieldValue {
    match &node.value {
        Value::Null => FieldValue::Null,
        Value::List(items) => FieldValue::List(
            items
                .iter()
                .map(|item| list_item_text(&item.value))
                .collect(),
        ),
        Value::Unquoted(unquoted) => {
            let text = unquoted.text.clone();
            text.map_or(FieldValue::Other, FieldValue::Unquoted)
        }
        value => yaml_text(value).map_or(FieldValue::Other, FieldValue::Text),
    }
}

/// Returns the text of a list item. Missing quotes are harmless, because an item is kept only if the last good form has
/// the same one.
fn list_item_text(value: &Value) -> Option<String> {
    match value {
        Value::Unquoted(unquoted) => unquoted.text.clone(),
        value => yaml_text(value),
    }
}

fn yaml_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Number(digits) if is_plain_integer(digits) => Some(digits.clone()),
        Value::Null
        | Value::Unquoted(_)
        | Value::Bool(_)
        | Value::Number(_)
        | Value::List(_)
        | Value::Map(_)
        | Value::ComplexMap => None,
    }
}

fn field_value_from_json(value: &Json) -> FieldValue {
    match value {
        Json::Null => FieldValue::Null,
        Json::String(text) => FieldValue::Text(text.clone()),
        Json::Array(items) => {
            let items = items.iter();
            FieldValue::List(items.map(|item| item.as_str().map(str::to_owned)).collect())
        }
        Json::Bool(_) | Json::Number(_) | Json::Object(_) => FieldValue::Other,
    }
}
