//! The `RAMIdentityMapping` resource: its type, from which the CustomResourceDefinition is generated.
//!
//! The Go server reads `arn`, `username` and `groups`, and knows nothing else. When it comes back, it rewrites the
//! definition, which drops the other fields, and applies what is left. So an object that has one of those must have
//! `arn: ""`, which Go skips.

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

use crate::kubernetes::schema;

/// Whom a mapping is about, and who they are in Kubernetes.
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
    doc = "Lets RAM identities log in to Kubernetes under a username, with groups.",
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
    /// Whom the mapping is about: `acs:ram::<account>:user/<name>`, `acs:ram::<account>:role/<name>` or
    /// `acs:ram::<account>:root`, without regard to case. `*` stands for any characters but `/`, `**` for any, `?` for one
    /// but `/`. Write "" to say it with a field below that the Go server does not know.
    #[schemars(schema_with = "schema::arn")]
    pub arn: String,
    /// The username. It may hold `{{AccountID}}`, `{{SessionName}}` (with `-` for `@`), `{{SessionNameRaw}}`,
    /// `{{AccessKeyID}}`, `{{UserID}}`, `{{RoleName}}` and `{{UserName}}`. Beside `usernameExpression`: "", or a name starting
    /// `system:` that the expression may give.
    #[schemars(schema_with = "schema::username")]
    pub username: String,
    /// The groups, with the same variables as the username. Everyone whom the mapping matches gets each of them, whatever
    /// `groupsExpression` gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::groups")]
    pub groups: Vec<String>,
    /// Whom the mapping is about: an ARN, with or without wildcards, as in `arn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::arn_pattern")]
    pub arn_pattern: Option<String>,
    /// The RAM user whom the mapping is about, by its id, which outlives a new name and no deletion.
    #[serde(rename = "userID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::id")]
    pub user_id: Option<String>,
    /// The RAM role which the mapping is about, by its id.
    #[serde(rename = "roleID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::id")]
    pub role_id: Option<String>,
    /// A condition in CEL over `identity` that must hold, too. Alone, the mapping is about whoever meets it.
    #[serde(rename = "match", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::expression")]
    pub condition: Option<String>,
    /// A CEL expression over `identity` that gives the username.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::expression")]
    pub username_expression: Option<String>,
    /// A CEL expression over `identity` that gives a list of further groups. It may give a group starting `system:` only if
    /// `groupsExpressionMayAdd` lists that group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::expression")]
    pub groups_expression: Option<String>,
    /// The groups starting `system:` that `groupsExpression` may give, each by its exact name. This list alone grants
    /// nothing, and does not limit groups with other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::groups_expression_may_add")]
    pub groups_expression_may_add: Vec<String>,
}

/// The condition that a mapping is in effect; its message says what is wrong with one that is not.
pub const ACCEPTED: &str = "Accepted";
/// The condition that another mapping names the same identity, and its message which one. The older one counts.
pub const CONFLICTED: &str = "Conflicted";

/// What the server says of a mapping.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RamIdentityMappingStatus {
    /// The canonical form of `spec.arn`. The Go server maps whoever has it, whatever `spec` says: so it must be absent
    /// when `spec.arn` is empty.
    #[serde(
        rename = "canonicalARN",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "schema::text")]
    pub canonical_arn: Option<String>,
    /// The id of the user whom the mapping is about, where it is known.
    #[serde(rename = "userID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::text")]
    pub user_id: Option<String>,
    /// Which generation of the object this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::generation")]
    pub observed_generation: Option<i64>,
    /// `Accepted`: the mapping is in effect. `Conflicted`: another one names the same identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".to_owned()]))]
    pub conditions: Vec<Condition>,
}
