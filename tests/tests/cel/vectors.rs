//! `tests/vectors/cel.json`.

use std::collections::BTreeMap;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use ack_ram_core::kubernetes_user::KubernetesUser;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(crate) struct Vectors {
    pub(crate) identities: BTreeMap<String, IdentityVector>,
    pub(crate) users: BTreeMap<String, UserVector>,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IdentityVector {
    pub(crate) arn: Text,
    pub(crate) user_id: String,
    pub(crate) access_key_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserVector {
    pub(crate) username: Text,
    pub(crate) uid: String,
    pub(crate) groups: Vec<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) expression: Text,
    /// A key of `identities`. Defaults to `session`.
    pub(crate) identity: Option<String>,
    /// A key of `users`, for validations. Defaults to `admin`.
    pub(crate) user: Option<String>,
    /// The result. Otherwise, one of the next two is set: the error at load, or the error of the evaluation.
    pub(crate) result: Option<Value>,
    pub(crate) refused: Option<String>,
    pub(crate) fails: Option<String>,
}

/// A text, or parts of a text with the number of repetitions of each.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Text {
    Whole(String),
    Parts(Vec<(String, usize)>),
}

impl Text {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Whole(text) => text.clone(),
            Self::Parts(parts) => parts
                .iter()
                .map(|(text, times)| text.repeat(*times))
                .collect(),
        }
    }
}

impl IdentityVector {
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            arn: Arn::parse(&self.arn.text()).unwrap(),
            user_id: self.user_id.as_str().into(),
            access_key_id: AccessKeyId::parse(&self.access_key_id).unwrap(),
        }
    }
}

impl UserVector {
    pub(crate) fn user(&self) -> KubernetesUser {
        KubernetesUser {
            username: self.username.text(),
            uid: self.uid.clone(),
            groups: self.groups.iter().map(Text::text).collect(),
            extra: Vec::new(),
        }
    }
}

pub(crate) fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../vectors/cel.json")).unwrap()
}
