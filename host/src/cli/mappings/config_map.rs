//! Edits of the ConfigMap, each of which changes one key and nothing else.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use super::api_error;
use super::consent::{Change, Consent};
use super::yaml_list::ListEditError;
use crate::cli::failure::CommandFailure;
use crate::config::ConfigMapName;
use crate::config::document::ConfigMapData;
use crate::kubernetes::crd::install::FIELD_MANAGER;

/// How often to try again after a conflict with another client.
const ATTEMPTS: usize = 10;

/// The ConfigMap that holds mappings.
pub(in crate::cli) struct ConfigMapEditor {
    api: Api<ConfigMap>,
    name: ConfigMapName,
}

/// An edit of the text of a key.
pub(in crate::cli) enum KeyEdit {
    /// The text stays as it is, for this reason.
    Unchanged(String),
    /// This text replaces the current one.
    Replace(String),
}

impl ConfigMapEditor {
    pub(in crate::cli) fn new(client: Client, name: ConfigMapName) -> Self {
        Self {
            api: Api::namespaced(client, &name.namespace),
            name,
        }
    }

    /// Reads the ConfigMap; `None` if it does not exist.
    pub(in crate::cli) async fn read(&self) -> Result<Option<ConfigMapData>, CommandFailure> {
        let found = self.get().await?;
        Ok(found.map(|found| ConfigMapData {
            texts: found.data.unwrap_or_default(),
            binary_keys: found.binary_data.unwrap_or_default().into_keys().collect(),
        }))
    }

    /// Applies `edit` to the text at `key`. Reads the ConfigMap again if another client changes it at the same time.
    pub(in crate::cli) async fn change(
        &self,
        key: &str,
        consent: &mut Consent,
        edit: impl Fn(&str) -> Result<KeyEdit, CommandFailure>,
    ) -> Result<(), CommandFailure> {
        let what = format!("{self}, {key}");
        for _ in 0..ATTEMPTS {
            let found = self.get().await?;
            let data = found.as_ref().and_then(|found| found.data.as_ref());
            let before = data
                .and_then(|data| data.get(key))
                .map_or("", String::as_str);
            let after = match edit(before)? {
                KeyEdit::Unchanged(why) => return consent.report(&format!("nothing to do: {why}")),
                KeyEdit::Replace(after) => after,
            };
            let change = Change {
                what: &what,
                before,
                after: &after,
            };
            consent.confirm(&[change])?;
            let version = found.map(|found| found.metadata.resource_version);
            let written = self.write(key, &after, version, consent.dry_run).await;
            match written {
                Ok(()) => return consent.report(&format!("{self} changed")),
                Err(error) if api_error::status_code(&error) == Some(409) => {
                    tracing::info!("{self} was changed by another client; trying again");
                }
                Err(error) => {
                    return Err(api_error::to_failure(&format!("change the {self}"), &error));
                }
            }
        }
        Err(CommandFailure::Failed(format!(
            "cannot change the {self}: other clients keep changing it; try again"
        )))
    }

    /// Returns the failure for a text at `key` that cannot be edited.
    pub(in crate::cli) fn unchangeable(&self, key: &str, why: &ListEditError) -> CommandFailure {
        let ConfigMapName { namespace, name } = &self.name;
        CommandFailure::Failed(format!(
            "`{key}` of the {self} {why}; edit it by hand: kubectl -n {namespace} edit configmap {name}"
        ))
    }

    async fn get(&self) -> Result<Option<ConfigMap>, CommandFailure> {
        let found = self.api.get_opt(&self.name.name).await;
        found.map_err(|error| api_error::to_failure(&format!("read the {self}"), &error))
    }

    /// Writes `text` to `key` of the ConfigMap if it still has `version`, or creates the ConfigMap without a version.
    async fn write(
        &self,
        key: &str,
        text: &str,
        version: Option<Option<String>>,
        dry_run: bool,
    ) -> kube::Result<()> {
        let name = &self.name.name;
        let Some(version) = version else {
            let new = ConfigMap {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    ..ObjectMeta::default()
                },
                data: Some([(key.to_owned(), text.to_owned())].into()),
                ..ConfigMap::default()
            };
            let params = PostParams {
                dry_run,
                field_manager: Some(FIELD_MANAGER.to_owned()),
            };
            return self.api.create(&params, &new).await.map(|_| ());
        };
        // With a version in the patch, the API server refuses to change any other version (Kubernetes API conventions,
        // "Concurrency Control and Consistency").
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": version},
            "data": {key: text},
        }));
        let params = PatchParams {
            dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        self.api.patch(name, &params, &patch).await.map(|_| ())
    }
}

impl std::fmt::Display for ConfigMapEditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ConfigMapName { namespace, name } = &self.name;
        write!(f, "ConfigMap {namespace}/{name}")
    }
}
