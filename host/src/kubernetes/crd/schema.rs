//! The validation rules that the API server applies to a `RAMIdentityMapping`.
//!
//! Every text has a maximum length, so that the cost of each expression is bounded. The API server accepts an object
//! that the Go server accepts and this server refuses, if the object could ever match an identity: the status then says
//! what is wrong. No field is nullable.

use ack_ram_core::arn::Arn;
use ack_ram_core::rules::MappingField;
use ack_ram_core::rules::template::{RESERVED_PREFIX, TemplateVariable};
use kube::core::{Reason, Rule};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Copies of limits in `core`, which has their constants only in builds with CEL.
const MAX_EXPRESSION: usize = 1024;
const MAX_NAME: usize = 1024;
const MAX_ID: usize = 80;
/// Maximum number of names in `groupsExpressionMayAdd`. Each name adds to the cost of validating an object.
const MAX_MAY_ADD: usize = 64;
/// Regular expression for ARNs of sessions.
const SESSION: &str = "r'(?i)^acs:ram::[0-9]{1,32}:assumed-role/'";
/// Maximum length of a group. Validating [`MAX_GROUPS`] groups of this length costs half of the API server's budget.
const MAX_GROUP: usize = 512;
/// Maximum number of groups, more than any Kubernetes user has.
const MAX_GROUPS: usize = 1000;

pub(super) fn arn_is_empty_beside_new_fields() -> Rule {
    let fields = MappingField::ALL.iter().copied();
    let any = has_any(fields.filter(|field| field.is_extension()));
    Rule::new(format!("self.arn == '' || !({any})"))
        .message("must be \"\" with fields that the Go server does not support, because it would apply the mapping without them; write the ARN as `arnPattern`")
        .field_path(".arn")
        .reason(Reason::FieldValueInvalid)
}

pub(super) fn at_most_one_subject() -> Rule {
    let counts: Vec<String> = subject_extensions()
        .map(|field| format!("(has(self.{}) ? 1 : 0)", field.name()))
        .collect();
    Rule::new(format!("{} <= 1", counts.join(" + ")))
        .message("has more than one of `arnPattern`, `userID` and `roleID`; set only one")
}

pub(super) fn has_subject() -> Rule {
    let any = has_any(subject_extensions().chain([MappingField::Condition]));
    Rule::new(format!("self.arn != '' || {any}"))
        .message("no subject: set `arn`, `arnPattern`, `userID`, `roleID` or `match`")
}

/// The fields other than `arn` that name a subject.
fn subject_extensions() -> impl Iterator<Item = MappingField> {
    let fields = MappingField::ALL.iter().copied();
    fields.filter(|field| field.is_subject() && field.is_extension())
}

fn has_any(fields: impl Iterator<Item = MappingField>) -> String {
    let tests: Vec<String> = fields
        .map(|field| format!("has(self.{})", field.name()))
        .collect();
    tests.join(" || ")
}

pub(super) fn has_username() -> Rule {
    Rule::new("self.username != '' || has(self.usernameExpression)")
        .message("must not be empty without `usernameExpression`")
        .field_path(".username")
        .reason(Reason::FieldValueRequired)
}

pub(super) fn username_allows_expression() -> Rule {
    Rule::new(format!(
        "!has(self.usernameExpression) || self.username == '' || self.username.startsWith('{RESERVED_PREFIX}')"
    ))
    .message("is not used with `usernameExpression`; set \"\", or a name that starts with `system:` and that the expression may produce")
    .field_path(".username")
}

pub(super) fn may_add_needs_expression() -> Rule {
    Rule::new("!has(self.groupsExpressionMayAdd) || has(self.groupsExpression)")
        .message("is not used without `groupsExpression`; remove it, or add the expression")
        .field_path(".groupsExpressionMayAdd")
}

/// A rule on the whole `spec`, because the API server accepts an invalid value that an update does not change
/// (validation ratcheting). An object that a user of the Go server created may stay, but any edit of its `spec` must
/// change the ARN.
pub(super) fn names_no_session() -> Rule {
    Rule::new(format!("!self.arn.matches({SESSION})"))
        .message("names a session, and would map every session of its role; use the ARN of the role, `acs:ram::<account>:role/<name>`")
        .field_path(".arn")
        .reason(Reason::FieldValueInvalid)
}

pub(super) fn arn(_: &mut SchemaGenerator) -> Schema {
    arn_text(&[])
}

pub(super) fn arn_pattern(_: &mut SchemaGenerator) -> Schema {
    let pattern_rules = [
        rule("self != ''", "must not be empty"),
        rule(
            &format!("!self.matches({SESSION})"),
            "names sessions; use the ARN of the role, `role/...`",
        ),
        rule(
            "self.matches(r'^[^*]*([*]{1,2}[^*]+){0,7}([*]{1,2}[^*]*)?$') || self.contains('***')",
            "has more than eight `*` or `**`",
        ),
        rule(
            "size(self) <= 512 || !self.matches(r'[*?]')",
            "has wildcards and is longer than 512 bytes",
        ),
    ];
    arn_text(&pattern_rules)
}

/// An ARN or a pattern over ARNs.
fn arn_text(further: &[Value]) -> Schema {
    let mut rules = vec![
        rule(
            "self == '' || self.matches(r'(?i)^acs:ram::[0-9]{1,32}:[!-9;-~]+$')",
            "must be `acs:ram::<account>:<resource>`, with an account of digits without wildcards",
        ),
        rule(
            "self == '' || self.matches(r'[*?]') || self.matches(r'(?i):(root|(user|role)(/[!-.0-9;-~]+)+|assumed-role(/[!-.0-9;-~]+){2,})$')",
            "must end in `root`, `user/<name>` or `role/<name>`",
        ),
        rule(
            "!self.contains('***')",
            "has more than two `*` in a row; write `*` for one segment, `**` for several",
        ),
    ];
    rules.extend_from_slice(further);
    json_schema!({
        "type": "string",
        "maxLength": Arn::MAX_BYTES,
        "x-kubernetes-validations": rules,
    })
}

pub(super) fn username(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": MAX_NAME,
        "x-kubernetes-validations": template_rules(),
    })
}

pub(super) fn groups(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_GROUPS,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_GROUP,
            "x-kubernetes-validations": template_rules(),
        },
    })
}

pub(super) fn groups_expression_may_add(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": MAX_MAY_ADD,
        "items": {
            "type": "string",
            "maxLength": MAX_GROUP,
            "x-kubernetes-validations": [
                rule(
                    &format!("self.startsWith('{RESERVED_PREFIX}')"),
                    "is not needed here: the expression may produce any group that does not start with `system:`",
                ),
                rule(
                    r"self.matches(r'^\P{Cc}*$')",
                    "must not contain a control character",
                ),
                rule(
                    "!self.contains('{{')",
                    "contains `{{`, but variables are not supported here; write the exact name",
                ),
            ],
        },
    })
}

fn template_rules() -> [Value; 2] {
    let known = TemplateVariable::ALL.map(|(name, _)| name);
    let names = known.map(|name| format!("`{{{{{name}}}}}`"));
    [
        rule(
            r"self.matches(r'^\P{Cc}*$')",
            "must not contain a control character",
        ),
        rule(
            &format!(
                r"self.matches(r'^([^{{]|[{{][^{{]|[{{][{{]({})[}}][}}])*[{{]?$')",
                known.join("|")
            ),
            &format!(
                "contains `{{{{` that does not start one of {}",
                names.join(", ")
            ),
        ),
    ]
}

pub(super) fn id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_ID, "pattern": "^[A-Za-z0-9._-]+$"})
}

pub(super) fn expression(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_EXPRESSION})
}

pub(super) fn text(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string"})
}

pub(super) fn generation(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64"})
}

fn rule(rule: &str, message: &str) -> Value {
    json!({"rule": rule, "message": message})
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(feature = "cel")]
    fn limits_equal_core_limits() {
        use ack_ram_core::cel::{MAX_NAME_BYTES, MAX_SOURCE_BYTES};
        assert_eq!(super::MAX_EXPRESSION, MAX_SOURCE_BYTES);
        assert_eq!(super::MAX_NAME, MAX_NAME_BYTES);
    }
}
