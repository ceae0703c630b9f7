//! The `RAMIdentityMapping` resource: its type, from which the CustomResourceDefinition is generated.
//!
//! The Go server supports only `arn`, `username` and `groups`. If you switch back to it, it rewrites the definition,
//! which drops the other fields, and applies the rest. An object with one of the other fields must therefore have an
//! empty `arn`, which makes the Go server skip the object.

#![allow(
    unreachable_pub,
    reason = "kube's derive repeats the types inside functions"
)]
#![allow(
    clippy::duplicated_attributes,
    reason = "two columns may have the same type"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::kubernetes::crd::schema;

/// The RAM identities that a mapping applies to, and their username and groups in Kubernetes.
#[derive(
    CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize,
)]
#[kube(
    group = "ramauthenticator.k8s.alibabacloud",
    version = "v1alpha1",
    kind = "RAMIdentityMapping",
    root = "RamIdentityMapping",
    plural = "ramidentitymappings",
    singular = "ramidentitymapping",
    shortname = "rim",
    status = "RamIdentityMappingStatus",
    derive = "PartialEq",
    doc = "RAMIdentityMapping maps RAM identities to a Kubernetes username and groups.",
    printcolumn(name = "ARN", type_ = "string", json_path = ".spec.arn"),
    printcolumn(name = "Username", type_ = "string", json_path = ".spec.username"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "Whether the mapping is in effect.",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[x_kube(
    validation = schema::arn_is_empty_beside_new_fields(),
    validation = schema::at_most_one_subject(),
    validation = schema::has_subject(),
    validation = schema::has_username(),
    validation = schema::username_allows_expression(),
    validation = schema::may_add_needs_expression(),
    validation = schema::names_no_session()
)]
#[serde(rename_all = "camelCase")]
pub struct RamIdentityMappingSpec {
    /// The ARN of the RAM user, role or account that the mapping applies to: `acs:ram::<account>:user/<name>`,
    /// `acs:ram::<account>:role/<name>` or `acs:ram::<account>:root`. Case-insensitive. The wildcard `*` matches any
    /// characters except `/`, `**` matches any characters, and `?` matches one character except `/`. Must be "" if the
    /// mapping uses a field that the Go server does not support: any field other than `arn`, `username` and `groups`.
    #[schemars(schema_with = "schema::arn")]
    pub arn: String,
    /// The Kubernetes username. May contain the variables `{{AccountID}}`, `{{SessionName}}` (with `-` instead of `@`),
    /// `{{SessionNameRaw}}`, `{{AccessKeyID}}`, `{{UserID}}`, `{{RoleName}}` and `{{UserName}}`. If
    /// `usernameExpression` is set, must be "" or a name that starts with `system:` and that the expression may
    /// produce.
    #[schemars(schema_with = "schema::username")]
    pub username: String,
    /// The Kubernetes groups. May contain the same variables as `username`. Each matching identity gets all of these
    /// groups, in addition to those of `groupsExpression`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::groups")]
    pub groups: Vec<String>,
    /// The ARN of the identities that the mapping applies to, with or without wildcards. Same syntax as `arn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::arn_pattern")]
    pub arn_pattern: Option<String>,
    /// The ID of the RAM user that the mapping applies to. A renamed user keeps its ID. A deleted user that is created
    /// again gets a new ID.
    #[serde(rename = "userID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::id")]
    pub user_id: Option<String>,
    /// The ID of the RAM role that the mapping applies to.
    #[serde(rename = "roleID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::id")]
    pub role_id: Option<String>,
    /// A CEL expression over `identity` that must be true for the mapping to apply. Without `arn`, `arnPattern`,
    /// `userID` and `roleID`, the mapping applies to all identities for which the expression is true.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::expression")]
    pub condition: Option<String>,
    /// A CEL expression over `identity` that produces the username.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::expression")]
    pub username_expression: Option<String>,
    /// A CEL expression over `identity` that produces a list of additional groups. The expression may produce a group
    /// that starts with `system:` only if `groupsExpressionMayAdd` lists the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::expression")]
    pub groups_expression: Option<String>,
    /// The exact names of the groups starting with `system:` that `groupsExpression` may produce. This list does not
    /// add groups by itself, and does not limit groups with other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::groups_expression_may_add")]
    pub groups_expression_may_add: Vec<String>,
}

/// The type of the condition that says whether a mapping is in effect. If it is not, the message says why.
pub const ACCEPTED: &str = "Accepted";
/// The type of the condition that says whether another mapping has the same identity. The message names the other
/// mapping. The older mapping takes precedence.
pub const CONFLICTED: &str = "Conflicted";

/// The status of a mapping, as the server observed it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RamIdentityMappingStatus {
    /// The canonical form of `spec.arn`. Absent if `spec.arn` is empty, because the Go server maps the identity with
    /// this ARN regardless of `spec`.
    #[serde(
        rename = "canonicalARN",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "schema::text")]
    pub canonical_arn: Option<String>,
    /// The ID of the user that the mapping applies to, if the ID is known.
    #[serde(rename = "userID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::text")]
    pub user_id: Option<String>,
    /// The generation of the object that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::generation")]
    pub observed_generation: Option<i64>,
    /// The conditions of the mapping. `Accepted`: whether the mapping is in effect. `Conflicted`: whether another
    /// mapping has the same identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
}
