//! Creates or updates the CustomResourceDefinition of `RAMIdentityMapping`.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion, JSONSchemaProps,
    JSONSchemaPropsOrArray,
};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, CustomResourceExt as _};
use thiserror::Error;
use tokio::time;

use crate::kubernetes::crd::mapping::RamIdentityMapping;

/// The field manager of this server's writes.
pub const FIELD_MANAGER: &str = "ack-ram-authenticator";
/// The timeout for serving a new definition, which takes a second or two.
const ESTABLISHED_WITHIN: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// The result of installing the definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstallOutcome {
    /// The definition equals the one of this server, and the API server serves it.
    Applied,
    /// The definition comes from a newer server and has not been changed.
    Newer {
        /// The versions and fields that this server does not have, such as `v1beta1` or `v1alpha1 spec.zone`.
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
                "the CustomResourceDefinition {name} is newer than this server and has not been changed: it has {}",
                extra_fields.join(", ")
            ),
        }
    }
}

/// The reason why the definition could not be installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The server does not have the permission.
    #[error(
        "no permission to {verb} the CustomResourceDefinition {}: {message}; grant `get`, `create` and `patch` on `customresourcedefinitions.apiextensions.k8s.io`, or apply `deploy/ramidentitymapping.yaml` yourself",
        RamIdentityMapping::crd_name()
    )]
    Forbidden {
        /// `get` or `patch`.
        verb: &'static str,
        /// The message from the API server.
        message: String,
    },
    /// The API server refused the definition or could not be reached.
    #[error(
        "cannot {verb} the CustomResourceDefinition {}: {error}",
        RamIdentityMapping::crd_name()
    )]
    Failed {
        /// `get` or `patch`.
        verb: &'static str,
        /// The cause.
        error: Box<kube::Error>,
    },
    /// The API server did not serve the definition in time.
    #[error(
        "the API server does not serve the CustomResourceDefinition {} after {} seconds: {conditions}",
        RamIdentityMapping::crd_name(),
        ESTABLISHED_WITHIN.as_secs()
    )]
    NotEstablished {
        /// The conditions of the definition.
        conditions: String,
    },
}

/// Creates or updates the definition, and waits until the API server serves it. Does not change a definition with more
/// versions or fields than this server knows: removing a field would remove it from every object.
///
/// # Errors
/// If a permission is missing, the API server refuses the definition or cannot be reached, or does not serve the
/// definition in time.
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
                || "it has been deleted".to_owned(),
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

/// Applies the definition with server-side apply, which creates it if it does not exist. Takes over the fields that the
/// Go server wrote: both servers set the same fields, and a list of versions is a single value.
async fn apply(
    definitions: &Api<CustomResourceDefinition>,
    mut definition: CustomResourceDefinition,
) -> Result<(), InstallError> {
    // A definition from before apiextensions.k8s.io/v1 may have `true`, which is not allowed with a schema.
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

/// Returns the versions and fields that are in `theirs` but not in `ours`.
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
        // A schema may list fields that every object has, such as `metadata`. They do not make a definition newer.
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

/// Adds the paths of the fields below `path` to `fields`.
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
mod tests;
