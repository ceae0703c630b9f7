//! Makes the CustomResourceDefinition of `RAMIdentityMapping`, or brings it up to date.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps,
    JSONSchemaPropsOrArray,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, CustomResourceExt as _};
use tokio::time;

use crate::kubernetes::mapping::RamIdentityMapping;

/// The name under which the API server keeps what this server has written.
pub const FIELD_MANAGER: &str = "ack-ram-authenticator";
/// A new definition is served within a second or two.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// What became of the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallOutcome {
    /// It is as this server knows it, and served.
    Applied,
    /// A newer server made it, so it was left as it is.
    Newer {
        /// What it has that this server does not know, such as `v1beta1` or `v1alpha1 spec.zone`.
        extra_fields: Vec<String>,
    },
}

impl fmt::Display for InstallOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = RamIdentityMapping::crd_name();
        match self {
            Self::Applied => write!(f, "the CustomResourceDefinition {name} is up to date"),
            Self::Newer { extra_fields } => write!(
                f,
                "the CustomResourceDefinition {name} is newer than this server, and was left as it is: it has {}",
                extra_fields.join(", ")
            ),
        }
    }
}

/// Why the definition could not be made.
#[derive(Debug)]
pub enum InstallError {
    /// The server has no right to.
    Forbidden {
        /// `get` or `patch`.
        verb: &'static str,
        /// What the API server said.
        message: String,
    },
    /// The API server refused it, or could not be asked.
    Failed {
        /// `get` or `patch`.
        verb: &'static str,
        /// Why.
        error: Box<kube::Error>,
    },
    /// It is not served yet.
    NotEstablished {
        /// What the API server says of it.
        conditions: String,
    },
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = RamIdentityMapping::crd_name();
        match self {
            Self::Forbidden { verb, message } => write!(
                f,
                "may not {verb} the CustomResourceDefinition {name}: {message}; grant `get`, `create` and `patch` on `customresourcedefinitions.apiextensions.k8s.io`, or apply `deploy/ramidentitymapping.yaml` yourself"
            ),
            Self::Failed { verb, error } => {
                write!(
                    f,
                    "cannot {verb} the CustomResourceDefinition {name}: {error}"
                )
            }
            Self::NotEstablished { conditions } => write!(
                f,
                "the CustomResourceDefinition {name} is not served after {} seconds: {conditions}",
                ESTABLISHED_WITHIN.as_secs()
            ),
        }
    }
}

impl std::error::Error for InstallError {}

/// Makes the definition, or brings it up to date, and waits until it is served. One that knows more than this server
/// is left as it is: dropping a field would drop it from every object.
///
/// # Errors
/// Says which right is missing, or what the API server said.
pub async fn install_crd(client: &Client) -> Result<InstallOutcome, InstallError> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let ours = RamIdentityMapping::crd();
    if let Some(theirs) = get(&definitions).await? {
        let extra_fields = extra_fields(&theirs, &ours);
        if !extra_fields.is_empty() {
            return Ok(InstallOutcome::Newer { extra_fields });
        }
    }
    apply(&definitions, ours).await?;
    let established = time::timeout(ESTABLISHED_WITHIN, async {
        loop {
            if get(&definitions)
                .await?
                .is_some_and(|it| is_established(&it))
            {
                return Ok(());
            }
            time::sleep(ASK_AGAIN).await;
        }
    });
    match established.await {
        Ok(result) => result.map(|()| InstallOutcome::Applied),
        Err(_) => Err(InstallError::NotEstablished {
            conditions: get(&definitions).await?.map_or_else(
                || "it is gone".to_owned(),
                |definition| conditions(&definition),
            ),
        }),
    }
}

async fn get(
    definitions: &Api<CustomResourceDefinition>,
) -> Result<Option<CustomResourceDefinition>, InstallError> {
    let name = RamIdentityMapping::crd_name();
    definitions.get_opt(name).await.map_err(failed("get"))
}

/// By server-side apply, which makes it if there is none. What the Go server wrote is taken over: the fields of both are
/// the same, and a list of versions is one value.
async fn apply(
    definitions: &Api<CustomResourceDefinition>,
    mut definition: CustomResourceDefinition,
) -> Result<(), InstallError> {
    // A definition from before apiextensions.k8s.io/v1 may say true, which no schema can stand beside.
    definition.spec.preserve_unknown_fields = Some(false);
    let name = RamIdentityMapping::crd_name();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let patch = Patch::Apply(definition);
    let applied = definitions.patch(name, &params, &patch).await;
    applied.map(|_| ()).map_err(failed("patch"))
}

fn failed(verb: &'static str) -> impl FnOnce(kube::Error) -> InstallError {
    move |error| match error {
        kube::Error::Api(status) if status.is_forbidden() => InstallError::Forbidden {
            verb,
            message: status.message,
        },
        error => InstallError::Failed {
            verb,
            error: Box::new(error),
        },
    }
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.iter().flat_map(|it| &it.conditions);
    conditions
        .flatten()
        .any(|condition| condition.type_ == "Established" && condition.status == "True")
}

fn conditions(definition: &CustomResourceDefinition) -> String {
    let conditions = definition.status.iter().flat_map(|it| &it.conditions);
    let texts = conditions.flatten().map(|condition| {
        let message = condition.message.as_deref().unwrap_or_default();
        format!("{} is {}: {message}", condition.type_, condition.status)
    });
    texts.collect::<Vec<_>>().join("; ")
}

/// The versions and fields that `theirs` has and `ours` has not.
fn extra_fields(theirs: &CustomResourceDefinition, ours: &CustomResourceDefinition) -> Vec<String> {
    let mut extra_fields = Vec::new();
    for version in &theirs.spec.versions {
        let same = ours.spec.versions.iter().find(|it| it.name == version.name);
        let Some(same) = same else {
            extra_fields.push(version.name.clone());
            continue;
        };
        let known = fields(same);
        let unknown = fields(version).into_iter().filter(|it| !known.contains(it));
        extra_fields.extend(unknown.map(|field| format!("{} {field}", version.name)));
    }
    extra_fields
}

fn fields(version: &CustomResourceDefinitionVersion) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    let schema = version.schema.as_ref();
    if let Some(schema) = schema.and_then(|it| it.open_api_v3_schema.as_ref()) {
        // What every object has may be written there, and says nothing.
        for part in ["spec", "status"] {
            let part = schema
                .properties
                .as_ref()
                .and_then(|it| it.get_key_value(part));
            if let Some((name, schema)) = part {
                collect(schema, name, &mut fields);
            }
        }
    }
    fields
}

/// The paths of the fields below `path`.
fn collect(schema: &JSONSchemaProps, path: &str, fields: &mut BTreeSet<String>) {
    for (name, schema) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        collect(schema, &path, fields);
        fields.insert(path);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect(items, &format!("{path}[]"), fields);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// The definition, changed.
    fn changed(change: impl Fn(&mut Value)) -> CustomResourceDefinition {
        let mut definition = serde_json::to_value(RamIdentityMapping::crd()).unwrap();
        change(&mut definition);
        serde_json::from_value(definition).unwrap()
    }

    fn schema(definition: &mut Value) -> &mut Value {
        &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    }

    #[test]
    fn definition_with_extra_fields_is_newer() {
        let text = json!({"type": "string"});
        let of_go = json!({
            "spec": {"type": "object", "properties": {"arn": text, "username": text, "groups": {"type": "array", "items": text}}},
            "status": {"type": "object", "properties": {"canonicalARN": text, "userID": text}},
        });
        for (what, theirs, expected) in [
            ("ours", changed(|_| ()), vec![]),
            ("Go's", changed(|it| *schema(it) = of_go.clone()), vec![]),
            (
                "one without a schema",
                changed(|it| *schema(it) = json!({})),
                vec![],
            ),
            (
                "one with what all objects have",
                changed(|it| schema(it)["metadata"] = json!({"type": "object"})),
                vec![],
            ),
            (
                "another field",
                changed(|it| schema(it)["spec"]["properties"]["zone"] = text.clone()),
                vec!["v1alpha1 spec.zone"],
            ),
            (
                "another field of the status, inside a list",
                changed(|it| {
                    schema(it)["status"]["properties"]["conditions"]["items"]["properties"]["level"] =
                        text.clone();
                }),
                vec!["v1alpha1 status.conditions[].level"],
            ),
            (
                "another version",
                changed(|it| {
                    let versions = it["spec"]["versions"].as_array_mut().unwrap();
                    let mut version = versions[0].clone();
                    version["name"] = json!("v1beta1");
                    version["storage"] = json!(false);
                    versions.push(version);
                }),
                vec!["v1beta1"],
            ),
        ] {
            assert_eq!(
                extra_fields(&theirs, &RamIdentityMapping::crd()),
                expected,
                "{what}"
            );
        }
    }

    #[test]
    fn established_follows_condition() {
        for (status, expected) in [
            (json!(null), false),
            (json!({}), false),
            (
                json!({"conditions": [{"type": "Established", "status": "False"}]}),
                false,
            ),
            (
                json!({"conditions": [{"type": "NamesAccepted", "status": "True"}]}),
                false,
            ),
            (
                json!({"conditions": [{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]}),
                true,
            ),
        ] {
            let definition = changed(|it| it["status"] = status.clone());
            assert_eq!(is_established(&definition), expected, "{status}");
        }
    }
}
