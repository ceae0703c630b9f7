//! Edits of `RAMIdentityMapping` objects.

mod name;
mod yaml;

use ack_ram_core::rules::Mapping;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
    Preconditions,
};
use kube::{Api, Client, Resource as _, ResourceExt as _};
use serde_json::{Value, json};

use super::api_error;
use super::consent::{Change, Consent};
use super::yaml_list::MappingEntry;
use crate::cli::failure::CommandFailure;
use crate::kubernetes::crd::install::FIELD_MANAGER;
use crate::kubernetes::crd::mapping::{RamIdentityMapping, RamIdentityMappingSpec};
use crate::kubernetes::crd::object::MappingObject;

/// How many objects to request at a time.
const PAGE_SIZE: u32 = 500;
/// How often to try again after a conflict with another client.
const ATTEMPTS: usize = 10;

/// All `RAMIdentityMapping` objects of a cluster.
pub(in crate::cli) struct ObjectEditor {
    mappings: Api<MappingObject>,
    /// The same objects, with fields that this version does not know.
    dynamic: Api<DynamicObject>,
}

impl ObjectEditor {
    pub(in crate::cli) fn new(client: Client) -> Self {
        let resource = ApiResource::erase::<RamIdentityMapping>(&());
        Self {
            mappings: Api::all(client.clone()),
            dynamic: Api::all_with(client, &resource),
        }
    }

    /// Lists all objects, page by page; `None` if the CustomResourceDefinition is not installed.
    pub(in crate::cli) async fn all(&self) -> Result<Option<Vec<MappingObject>>, CommandFailure> {
        let mut objects = Vec::new();
        let mut params = ListParams::default().limit(PAGE_SIZE);
        loop {
            let page = match self.mappings.list(&params).await {
                Ok(page) => page,
                Err(error) => match api_error::status_code(&error) {
                    Some(404) => return Ok(None),
                    // The continue token has expired, so the list starts again.
                    Some(410) if params.continue_token.take().is_some() => {
                        objects.clear();
                        continue;
                    }
                    _ => {
                        return Err(api_error::to_failure(
                            "list RAMIdentityMapping objects",
                            &error,
                        ));
                    }
                },
            };
            objects.extend(page.items);
            match page.metadata.continue_.filter(|next| !next.is_empty()) {
                Some(next) => params.continue_token = Some(next),
                None => return Ok(Some(objects)),
            }
        }
    }

    /// Creates an object for `entry`, or changes the existing object of the same ARN if `replace` is set.
    ///
    /// Without a `name`, the name of a new object is derived from the ARN.
    pub(in crate::cli) async fn add(
        &self,
        entry: &MappingEntry,
        name: Option<&str>,
        replace: bool,
        consent: &mut Consent,
    ) -> Result<(), CommandFailure> {
        for _ in 0..ATTEMPTS {
            let existing = self.find_by_arn(&entry.arn).await?;
            let result = match existing.as_slice() {
                [] => self.create(entry, name, consent).await?,
                [one] if has_names_of(one, entry) => {
                    let name = one.name();
                    return consent.report(&format!(
                        "nothing to do: {} already has this mapping",
                        title(name)
                    ));
                }
                [one] if replace => self.change(one.name(), entry, consent).await?,
                [one] => {
                    return Err(CommandFailure::Failed(format!(
                        "the object {1} already has another mapping for `{0}`; use --replace to change it",
                        entry.arn,
                        one.name()
                    )));
                }
                several => {
                    return Err(CommandFailure::Failed(format!(
                        "several objects map `{}`: {}; remove all but one",
                        entry.arn,
                        joined_names(several)
                    )));
                }
            };
            if let Some(result) = result {
                return consent.report(&result);
            }
        }
        Err(conflict_failure())
    }

    /// Deletes the objects whose `spec.arn` is `arn`. Ignores case.
    pub(in crate::cli) async fn remove_arn(
        &self,
        arn: &str,
        consent: &mut Consent,
    ) -> Result<(), CommandFailure> {
        for _ in 0..ATTEMPTS {
            let existing = self.find_by_arn(arn).await?;
            if existing.is_empty() {
                return Err(CommandFailure::Failed(format!(
                    "no object has `{arn}` in `spec.arn`; run `list` to see the mappings"
                )));
            }
            let names: Vec<&str> = existing.iter().map(MappingObject::name).collect();
            if let Some(result) = self.delete(&names, consent).await? {
                return consent.report(&result);
            }
        }
        Err(conflict_failure())
    }

    /// Deletes the object `name`.
    pub(in crate::cli) async fn remove_name(
        &self,
        name: &str,
        consent: &mut Consent,
    ) -> Result<(), CommandFailure> {
        for _ in 0..ATTEMPTS {
            if let Some(result) = self.delete(&[name], consent).await? {
                return consent.report(&result);
            }
        }
        Err(conflict_failure())
    }

    async fn find_by_arn(&self, arn: &str) -> Result<Vec<MappingObject>, CommandFailure> {
        let Some(mut objects) = self.all().await? else {
            return Err(missing_definition());
        };
        objects.retain(|object| {
            let mapping = object.mapping();
            mapping.is_ok_and(|mapping| mapping.spec.arn.eq_ignore_ascii_case(arn))
        });
        Ok(objects)
    }

    async fn create(
        &self,
        entry: &MappingEntry,
        name: Option<&str>,
        consent: &mut Consent,
    ) -> Result<Option<String>, CommandFailure> {
        let name = name.map_or_else(|| name::for_arn(&entry.arn), str::to_owned);
        let MappingEntry {
            arn,
            username,
            groups,
        } = entry.clone();
        let spec = RamIdentityMappingSpec {
            arn,
            username,
            groups,
            ..RamIdentityMappingSpec::default()
        };
        let mut object = serde_json::to_value(RamIdentityMapping::new(&name, spec))?;
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        let after = yaml::render(&name, object.get("spec"));
        check_reads_back(&after, &object)?;
        let what = title(&name);
        consent.confirm(&[Change {
            what: &what,
            before: "",
            after: &after,
        }])?;
        let params = PostParams {
            dry_run: consent.dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
        };
        let object: DynamicObject = serde_json::from_value(object)?;
        match self.dynamic.create(&params, &object).await {
            Ok(_) => Ok(Some(format!("{what} created"))),
            Err(error) if api_error::status_code(&error) == Some(409) => {
                Err(CommandFailure::Failed(format!(
                    "the object {name} already exists and maps another identity; set --name to another name"
                )))
            }
            Err(error) if api_error::status_code(&error) == Some(404) => Err(missing_definition()),
            Err(error) => Err(api_error::to_failure(
                &format!("create the object {name}"),
                &error,
            )),
        }
    }

    /// Gives the object `name` the username and groups of `entry`. Returns `None` if another client has changed the
    /// object at the same time.
    async fn change(
        &self,
        name: &str,
        entry: &MappingEntry,
        consent: &mut Consent,
    ) -> Result<Option<String>, CommandFailure> {
        let Some(object) = self.get(name).await? else {
            return Ok(None);
        };
        let spec = object.data.get("spec").cloned().unwrap_or_default();
        let names = json!({"username": entry.username, "groups": entry.groups});
        let mut after = spec.clone();
        if let (Some(after), Some(names)) = (after.as_object_mut(), names.as_object()) {
            after.extend(names.clone());
        }
        let text = yaml::render(name, Some(&after));
        let read = json!({
            "apiVersion": RamIdentityMapping::api_version(&()),
            "kind": RamIdentityMapping::kind(&()),
            "metadata": {"name": name},
            "spec": after,
        });
        check_reads_back(&text, &read)?;
        let what = title(name);
        consent.confirm(&[Change {
            what: &what,
            before: &yaml::render(name, Some(&spec)),
            after: &text,
        }])?;
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": object.resource_version()},
            "spec": names,
        }));
        let params = PatchParams {
            dry_run: consent.dry_run,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match self.dynamic.patch(name, &params, &patch).await {
            Ok(_) => Ok(Some(format!("{what} changed"))),
            Err(error) if matches!(api_error::status_code(&error), Some(404 | 409)) => Ok(None),
            Err(error) => Err(api_error::to_failure(
                &format!("change the object {name}"),
                &error,
            )),
        }
    }

    /// Deletes the objects `names`. Returns `None` if another client has changed one of them at the same time.
    async fn delete(
        &self,
        names: &[&str],
        consent: &mut Consent,
    ) -> Result<Option<String>, CommandFailure> {
        let mut objects = Vec::new();
        for name in names {
            match self.get(name).await? {
                Some(object) => objects.push(object),
                None => {
                    return Err(CommandFailure::Failed(format!(
                        "there is no object {name}; run `list` to see the mappings"
                    )));
                }
            }
        }
        let shown: Vec<(String, String)> = objects
            .iter()
            .map(|object| {
                let name = object.name_any();
                (title(&name), yaml::render(&name, object.data.get("spec")))
            })
            .collect();
        let changes: Vec<Change<'_>> = shown
            .iter()
            .map(|(what, before)| Change {
                what,
                before,
                after: "",
            })
            .collect();
        consent.confirm(&changes)?;
        for object in &objects {
            let name = object.name_any();
            let params = DeleteParams {
                dry_run: consent.dry_run,
                preconditions: Some(Preconditions {
                    resource_version: object.resource_version(),
                    uid: object.uid(),
                }),
                ..DeleteParams::default()
            };
            match self.dynamic.delete(&name, &params).await {
                Ok(_) => {}
                Err(error) if matches!(api_error::status_code(&error), Some(404 | 409)) => {
                    return Ok(None);
                }
                Err(error) => {
                    return Err(api_error::to_failure(
                        &format!("delete the object {name}"),
                        &error,
                    ));
                }
            }
        }
        Ok(Some(match names {
            [name] => format!("{} deleted", title(name)),
            names => format!("{} objects deleted", names.len()),
        }))
    }

    async fn get(&self, name: &str) -> Result<Option<DynamicObject>, CommandFailure> {
        let found = self.dynamic.get_opt(name).await;
        found.map_err(|error| api_error::to_failure(&format!("read the object {name}"), &error))
    }
}

/// Checks that `text`, parsed as YAML, equals `object`.
fn check_reads_back(text: &str, object: &Value) -> Result<(), CommandFailure> {
    if yaml::is_same(text, object) {
        Ok(())
    } else {
        Err(CommandFailure::Failed(
            "the object does not read back as expected; report this as a bug".to_owned(),
        ))
    }
}

fn title(name: &str) -> String {
    format!("RAMIdentityMapping {name}")
}

fn joined_names(objects: &[MappingObject]) -> String {
    let names: Vec<&str> = objects.iter().map(MappingObject::name).collect();
    names.join(", ")
}

fn has_names_of(object: &MappingObject, entry: &MappingEntry) -> bool {
    let Ok(Mapping { spec, .. }) = object.mapping() else {
        return false;
    };
    // The definition allows no conditions or expressions in an object with an ARN, so nothing else can differ.
    spec.username == entry.username && spec.groups == entry.groups
}

fn conflict_failure() -> CommandFailure {
    CommandFailure::Failed("other clients keep changing these objects; try again".to_owned())
}

/// Returns the failure for a cluster without the CustomResourceDefinition.
pub(in crate::cli) fn missing_definition() -> CommandFailure {
    let definition = format!(
        "{}.{}",
        RamIdentityMapping::plural(&()),
        RamIdentityMapping::group(&())
    );
    CommandFailure::Failed(format!(
        "the CustomResourceDefinition {definition} is not installed; apply deploy/ramidentitymapping.yaml, or start the server with --install-crd"
    ))
}
