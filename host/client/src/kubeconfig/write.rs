//! Adding a user entry, with its context.

use std::path::Path;

use ack_ram_core::cluster_id::ClusterId;
use serde_json::Value;

use super::edit::{Change, Step};
use super::entries::{Credentials, Entry, EntryList, texts};
use super::error::{EntryName, KubeconfigError};
use super::exec::{exec_changes, kept_path, path};
use super::plan::EntryChange;
use super::plugin_user::{PluginUser, fragment};
use super::store::KubeconfigFile;
use super::tree::Tree;

/// The name of the extension of a cluster whose value kubectl passes to the command.
pub(crate) const EXTENSION: &str = "client.authentication.k8s.io/exec";
/// The member of the extension with the cluster ID.
pub(crate) const CLUSTER_ID: &str = "clusterId";

/// The entries to add.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    /// The user.
    pub user: PluginUser,
    /// Whether the name of the user was given. A user with a default name is not replaced by one with other options.
    pub is_named: bool,
    /// The context that is to have the user.
    pub context: Option<String>,
    /// The cluster of the context; defaults to the cluster that the context has, or to the only cluster.
    pub cluster: Option<String>,
    /// The ID to write into the entry of the cluster.
    pub cluster_id: Option<ClusterId>,
}

/// A remark about the result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// No context has the user.
    #[error(
        "no context has {0}; run `kubectl config set-context --current --user={name}`, or use --context",
        name = .0.name.escape_debug()
    )]
    NoContext(EntryName),
    /// The entry of a cluster has no ID for the command.
    #[error(
        "{0} has no cluster ID for the command, so logins fail: give --cluster-id, or add the extension `client.authentication.k8s.io/exec` with the member `clusterId` to the cluster"
    )]
    NoClusterId(EntryName),
    /// The entry of the user sets variables for the command, which stay.
    #[error(
        "{user} keeps its `env` with {}, which can change who you are; remove the variables that you do not need",
        quoted(names)
    )]
    KeepsVariables {
        /// The user.
        user: EntryName,
        /// The names of the variables.
        names: Vec<String>,
    },
    /// The path in the entry stays, but leads to no file.
    #[error(
        "{user} keeps the command `{}`, which does not exist; use --absolute-path to write the path of this program",
        command.escape_debug()
    )]
    KeepsMissingCommand {
        /// The user.
        user: EntryName,
        /// The command.
        command: String,
    },
}

fn quoted(names: &[String]) -> String {
    let names = names
        .iter()
        .map(|name| format!("`{}`", name.escape_debug()));
    names.collect::<Vec<_>>().join(", ")
}

/// Plans the changes for a request. New entries go to the file `new_in`.
pub(super) fn plan(
    files: &[KubeconfigFile],
    new_in: usize,
    request: &WriteRequest,
) -> Result<(Vec<EntryChange>, Vec<Note>), KubeconfigError> {
    let names = [
        (EntryList::Users, Some(request.user.name())),
        (EntryList::Contexts, request.context.as_deref()),
        (EntryList::Clusters, request.cluster.as_deref()),
    ];
    for (list, name) in names {
        if let Some(name) = name.filter(|name| name.chars().any(char::is_control)) {
            return Err(KubeconfigError::Name(EntryName::new(list.kind(), name)));
        }
    }
    let mut changes = vec![plan_user(files, new_in, request)?];
    let mut notes = note_kept(files, &request.user)?;
    let Some(context) = request.context.as_deref() else {
        if request.cluster_id.is_some() {
            return Err(KubeconfigError::NoContext);
        }
        let user = request.user.name();
        if !is_used(files, user) {
            notes.push(Note::NoContext(EntryName::user(user)));
        }
        for cluster in clusters_of(files, user) {
            note_cluster_id(files, request, cluster, &mut notes)?;
        }
        return Ok((changes, notes));
    };
    let (cluster, change) = plan_context(files, new_in, request, context)?;
    changes.push(change);
    match &request.cluster_id {
        Some(id) => changes.push(plan_cluster_id(files, &cluster, id)?),
        None => note_cluster_id(files, request, &cluster, &mut notes)?,
    }
    Ok((changes, notes))
}

fn plan_user(
    files: &[KubeconfigFile],
    new_in: usize,
    request: &WriteRequest,
) -> Result<EntryChange, KubeconfigError> {
    let user = &request.user;
    let entry = EntryName::user(user.name());
    let found = EntryList::Users.find(files, user.name())?;
    let (file, changes) = match found {
        None => {
            let is_new = files.get(new_in).is_some_and(|file| file.values.is_null());
            let mut changes = Vec::new();
            if is_new {
                changes.push(Change::Set(Vec::new(), "apiVersion", Tree::text("v1")));
                changes.push(Change::Set(Vec::new(), "kind", Tree::text("Config")));
            }
            changes.push(Change::Append(Vec::new(), "users", user.entry()));
            (new_in, changes)
        }
        Some(Entry { file, item, value }) => {
            let credentials = Credentials::of(value);
            let command = value.pointer("/exec/command").and_then(Value::as_str);
            let advice = match credentials {
                Credentials::None | Credentials::Authenticator => "",
                // This program may have another name.
                Credentials::OtherPlugin if command == Some(user.command()) => "",
                Credentials::AckRamTool | Credentials::Certificate => {
                    ", or convert the entry with --convert and --user"
                }
                Credentials::OtherPlugin | Credentials::Other => ", or remove the entry first",
            };
            if !advice.is_empty() {
                return Err(KubeconfigError::OtherCredentials {
                    entry,
                    credentials: credentials.description(),
                    advice,
                });
            }
            let args = value.get("exec").and_then(|exec| texts(exec.get("args")));
            let has_other_options = args.is_some_and(|args| args != user.args());
            if has_other_options && !request.is_named {
                return Err(KubeconfigError::OtherOptions(entry));
            }
            (file, exec_changes(item, value, user))
        }
    };
    Ok(EntryChange {
        file,
        entry,
        changes,
        fragment: user.fragment(),
        needs_backup: false,
    })
}

/// Returns notes about what stays in the entry of a user.
fn note_kept(files: &[KubeconfigFile], user: &PluginUser) -> Result<Vec<Note>, KubeconfigError> {
    let found = EntryList::Users.find(files, user.name())?;
    let Some(exec) = found.and_then(|found| found.value.get("exec")) else {
        return Ok(Vec::new());
    };
    let variables = exec.get("env").and_then(Value::as_array);
    let names = variables.into_iter().flatten();
    let names: Vec<String> = names
        .filter_map(|variable| Some(variable.get("name")?.as_str()?.to_owned()))
        .collect();
    let name = || EntryName::user(user.name());
    let mut notes = Vec::new();
    if !names.is_empty() {
        let user = name();
        notes.push(Note::KeepsVariables { user, names });
    }
    let command = kept_path(exec, user).map(Path::new);
    if let Some(command) = command.filter(|path| path.is_absolute() && !path.exists()) {
        notes.push(Note::KeepsMissingCommand {
            user: name(),
            command: command.display().to_string(),
        });
    }
    Ok(notes)
}

/// Plans the change of the context. Also returns the name of its cluster.
fn plan_context(
    files: &[KubeconfigFile],
    new_in: usize,
    request: &WriteRequest,
    name: &str,
) -> Result<(String, EntryChange), KubeconfigError> {
    let entry = EntryName::new("context", name);
    let found = EntryList::Contexts.find(files, name)?;
    let old = found.and_then(|found| found.value.get("cluster")?.as_str());
    let all = EntryList::Clusters.names(files);
    let cluster = match (request.cluster.as_deref().or(old), all.as_slice()) {
        (Some(cluster), _) => cluster,
        (None, [only]) => only,
        (None, _) => return Err(KubeconfigError::NoCluster(entry)),
    };
    if EntryList::Clusters.find(files, cluster)?.is_none() {
        return Err(KubeconfigError::Missing(EntryName::new("cluster", cluster)));
    }
    let members = [("cluster", cluster), ("user", request.user.name())];
    let value = || Tree::Map(members.map(|(key, name)| (key, Tree::text(name))).into());
    let item = || Tree::Map(vec![("name", Tree::text(name)), ("context", value())]);
    let (file, changes) = match found {
        None => {
            let append = Change::Append(Vec::new(), "contexts", item());
            (new_in, vec![append])
        }
        Some(Entry {
            file,
            item,
            value: old,
        }) if old.is_object() => {
            let is_different =
                |(key, name): &(&str, &str)| old.get(*key).and_then(Value::as_str) != Some(name);
            let path = path("contexts", item, &["context"]);
            let set = |(key, name)| Change::Set(path.clone(), key, Tree::text(name));
            let changes = members.into_iter().filter(is_different).map(set);
            (file, changes.collect())
        }
        Some(Entry { file, item, .. }) => {
            let path = path("contexts", item, &[]);
            (file, vec![Change::Set(path, "context", value())])
        }
    };
    let change = EntryChange {
        file,
        entry,
        changes,
        fragment: fragment("contexts", item()),
        needs_backup: false,
    };
    Ok((cluster.to_owned(), change))
}

/// Plans the change that writes a cluster ID into the entry of a cluster.
fn plan_cluster_id(
    files: &[KubeconfigFile],
    cluster: &str,
    id: &ClusterId,
) -> Result<EntryChange, KubeconfigError> {
    let entry = EntryName::new("cluster", cluster);
    let Some(found) = EntryList::Clusters.find(files, cluster)? else {
        return Err(KubeconfigError::Missing(entry));
    };
    let id = || Tree::text(id.as_str());
    let extension = || {
        let value = Tree::Map(vec![(CLUSTER_ID, id())]);
        Tree::Map(vec![("name", Tree::text(EXTENSION)), ("extension", value)])
    };
    let cluster_path = path("clusters", found.item, &["cluster"]);
    let changes = match find_extension(found.value) {
        None => vec![Change::Append(cluster_path, "extensions", extension())],
        Some((_, value)) if value.get(CLUSTER_ID) == Some(&id().to_json()) => Vec::new(),
        Some((index, value)) => {
            let mut path = cluster_path;
            path.extend([Step::Member("extensions"), Step::Item(index)]);
            if value.is_null() {
                let value = Tree::Map(vec![(CLUSTER_ID, id())]);
                vec![Change::Set(path, "extension", value)]
            } else {
                path.push(Step::Member("extension"));
                vec![Change::Set(path, CLUSTER_ID, id())]
            }
        }
    };
    let value = Tree::Map(vec![("extensions", Tree::List(vec![extension()]))]);
    let item = Tree::Map(vec![("name", Tree::text(cluster)), ("cluster", value)]);
    Ok(EntryChange {
        file: found.file,
        entry,
        changes,
        fragment: fragment("clusters", item),
        needs_backup: false,
    })
}

/// Returns the index and value of the extension of a cluster whose value kubectl passes to the command.
fn find_extension(cluster: &Value) -> Option<(usize, &Value)> {
    let extensions = cluster.get("extensions")?.as_array()?;
    let mut extensions = extensions.iter().enumerate();
    extensions.find_map(|(index, item)| {
        let is_it = item.get("name").and_then(Value::as_str) == Some(EXTENSION);
        is_it.then(|| (index, item.get("extension").unwrap_or(&Value::Null)))
    })
}

/// Adds a note if the command takes the cluster ID from the entry of the cluster, which has none.
fn note_cluster_id(
    files: &[KubeconfigFile],
    request: &WriteRequest,
    cluster: &str,
    notes: &mut Vec<Note>,
) -> Result<(), KubeconfigError> {
    if !request.user.takes_cluster_info() {
        return Ok(());
    }
    let found = EntryList::Clusters.find(files, cluster)?;
    let id = found.and_then(|found| find_extension(found.value)?.1.get(CLUSTER_ID)?.as_str());
    if id.and_then(ClusterId::parse).is_none() {
        notes.push(Note::NoClusterId(EntryName::new("cluster", cluster)));
    }
    Ok(())
}

fn contexts<'a>(files: &'a [KubeconfigFile], user: &'a str) -> impl Iterator<Item = &'a Value> {
    let names = EntryList::Contexts.names(files).into_iter();
    names
        .filter_map(|name| EntryList::Contexts.find(files, name).ok().flatten())
        .map(|entry| entry.value)
        .filter(move |context| context.get("user").and_then(Value::as_str) == Some(user))
}

fn is_used(files: &[KubeconfigFile], user: &str) -> bool {
    contexts(files, user).next().is_some()
}

fn clusters_of<'a>(files: &'a [KubeconfigFile], user: &'a str) -> Vec<&'a str> {
    let mut clusters: Vec<&str> = contexts(files, user)
        .filter_map(|context| context.get("cluster")?.as_str())
        .collect();
    clusters.sort_unstable();
    clusters.dedup();
    clusters
}
