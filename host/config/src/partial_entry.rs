//! The readable parts of an entry that cannot be used. They limit what stays in effect of its last good form.

use ack_ram_core::rules::{Backend, Mapping, MappingField, MappingSpec, WildcardMode};
use serde_json::Value as Json;

use crate::diagnostic::escape_control;
use crate::entry::MappingList;
use crate::keys;
use crate::located::is_plain_integer;
use crate::yaml::{Node, Value};

/// The readable parts of an entry that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialEntry {
    /// Whom it names.
    pub subject: PartialSubject,
    /// `username`.
    pub username: PartialField<String>,
    /// `usernameExpression`.
    pub username_expression: PartialField<String>,
    /// Those of `groups` that can be read; none when the list cannot be read.
    pub groups: Vec<String>,
    /// `groupsExpression`.
    pub groups_expression: PartialField<String>,
    /// Those of `groupsExpressionMayAdd` that can be read; none when the list cannot be read.
    pub groups_expression_may_add: Vec<String>,
    /// `match`.
    pub condition: PartialField<String>,
    /// A key that is not known here and may be meant to narrow the entry.
    pub unknown_key: Option<String>,
    /// Where the entry was written.
    pub backend: Backend,
    /// How its ARN is read.
    pub globs: WildcardMode,
}

/// One part of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartialField<T> {
    /// It is not there, or was left blank.
    Absent,
    /// It can be read. It may still be no template or no expression.
    Present(T),
    /// It needs quotes and has none. With them it would be this.
    Unquoted(T),
    /// Something is there that cannot be read, or that is there twice.
    Unreadable,
}

/// The subject of an entry, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartialSubject {
    /// There is none, or it was left blank.
    Blank,
    /// A condition alone says whom the entry is about.
    Condition,
    /// One field names it. The text may be no ARN, pattern or id.
    Named(SubjectField, String),
    /// Several fields name it, or what stands there is not text.
    Ambiguous,
}

/// A field that names a subject.
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
    /// Returns the subject field that `field` is.
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

/// How a kind of entry is read.
struct EntrySchema {
    keys: Vec<(&'static str, MappingField)>,
    /// Keys of JSON are compared with their case, and null is absent. In YAML null is a value that was left out.
    is_json: bool,
    /// Whether a key that nobody knows refuses the entry. Go ignores those of `mapRoles` and `mapUsers`.
    is_strict: bool,
}

const GO_KEYS: &[(&str, MappingField)] = &[
    ("roleARN", MappingField::Arn),
    ("userARN", MappingField::Arn),
    ("arn", MappingField::Arn),
    ("username", MappingField::Username),
    ("groups", MappingField::Groups),
];

/// What narrows an entry, and is unknown in `mapRoles` and `mapUsers`.
const NARROWING_KEYS: &[&str] = &[
    MappingField::Condition.name(),
    MappingField::ArnPattern.name(),
    MappingField::UserId.name(),
    MappingField::RoleId.name(),
];

/// A value, as far as entries have such.
enum FieldValue {
    Null,
    Text(String),
    /// What is text with quotes, and has none.
    Unquoted(String),
    /// Items that are not text are `None`.
    List(Vec<Option<String>>),
    Other,
}

impl PartialEntry {
    /// The parts of a mapping that was read, but cannot be compiled.
    #[must_use]
    pub fn from_mapping(mapping: &Mapping) -> Self {
        // All fields are named, so that none is forgotten.
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

    /// The ARN, pattern or id that it names, for a line of a log: without control characters, and cut if it is long.
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

    /// The parts of what stands in `list`.
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

    /// The parts of the `spec` of an object.
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

    /// An entry of which no part can be read.
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
    /// The schema of `mapRoles` and `mapUsers`.
    fn for_go_lists() -> Self {
        Self {
            keys: GO_KEYS.to_vec(),
            is_json: false,
            is_strict: false,
        }
    }

    /// The schema of `mapRules`.
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

    /// The part that `key` names, also with a single slip after the first letter: what has another first letter is
    /// commented out, not misspelled.
    fn field(&self, key: &str) -> Option<MappingField> {
        let is_exact = |name: &str| {
            if self.is_json {
                name == key
            } else {
                name.eq_ignore_ascii_case(key)
            }
        };
        let exact = self.keys.iter().find(|(name, _)| is_exact(name));
        let slip = || {
            let mut others = self.keys.iter();
            // A condition that is misspelled may say anything.
            others.find(|(name, field)| {
                *field != MappingField::Condition && keys::is_single_typo(key, name)
            })
        };
        exact.or_else(slip).map(|(_, field)| *field)
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
        // `arn: ""` stands beside each other field, for Go. In YAML, null is a value that was left out.
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
            // Go splits text.
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

/// An item of a list, which stays only where the last good form has the same.
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
