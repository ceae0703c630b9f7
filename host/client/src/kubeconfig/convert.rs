//! Converting users of ack-ram-tool, and of client certificates, to users of this program.

use serde_json::Value;

use super::edit::Change;
use super::entries::{
    CERTIFICATE_MEMBERS, Credentials, Entry, EntryList, base_name, is_path, texts,
};
use super::error::{EntryName, KubeconfigError};
use super::exec::{exec_changes, exec_variables, path};
use super::plan::EntryChange;
use super::plugin_user::{INSTALL_HINT, PROGRAM, PluginUser, fragment};
use super::store::KubeconfigFile;
use super::tool_args::{ToolArgs, ToolCommand};
use super::tree::Tree;
use crate::environment::Environment;

/// The version of the ExecCredential that no kubectl since 1.24 asks for.
const OLD_API_VERSION: &str = "client.authentication.k8s.io/v1alpha1";
/// The version of the ExecCredential that ack-ram-tool asks for.
pub(crate) const BETA_API_VERSION: &str = "client.authentication.k8s.io/v1beta1";

/// The users to convert.
#[derive(Clone, Debug)]
pub struct ConvertRequest {
    /// The only user to convert; `None` for all users that run ack-ram-tool for a token.
    pub user: Option<String>,
    /// The command of this program: its name or its path.
    pub command: String,
    /// The path of this program, which replaces a path of ack-ram-tool; `None` if it is unknown.
    pub path: Option<String>,
    /// What a user with a client certificate becomes. Its name is that of [`Self::user`].
    pub replacement: Option<PluginUser>,
}

/// A converted user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertedUser {
    /// The name.
    pub name: String,
    /// The command of this program.
    pub command: String,
    /// The arguments of this program.
    pub args: Vec<String>,
    /// The variables that the entry sets for the command.
    pub variables: Environment,
    /// Whether the cluster knew the user by a certificate before, so that its name and rights may be others now.
    pub replaces_certificate: bool,
}

/// A user that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedUser {
    /// The user.
    pub user: EntryName,
    /// The reason.
    pub reason: String,
}

/// The changes of users.
#[derive(Debug, Default)]
pub(super) struct Conversion {
    pub(super) changes: Vec<(EntryChange, ConvertedUser)>,
    pub(super) skipped: Vec<SkippedUser>,
}

/// Checks whether this program accepts the arguments and variables of a converted user. The text of the error says why
/// not.
pub type ArgumentCheck<'a> = dyn Fn(&ConvertedUser) -> Result<(), String> + 'a;

/// Plans the changes for a request. A user that fails `check` stays as it is.
pub(super) fn plan(
    files: &[KubeconfigFile],
    request: &ConvertRequest,
    check: &ArgumentCheck<'_>,
) -> Result<Conversion, KubeconfigError> {
    // `credential-plugin get-token` names sessions like ack-ram-tool only if this program has its own name.
    if base_name(&request.command) != PROGRAM {
        return Err(KubeconfigError::OtherProgram(request.command.clone()));
    }
    let mut conversion = Conversion::default();
    if let Some(name) = request.user.as_deref() {
        let entry = EntryName::user(name);
        let Some(found) = EntryList::Users.find(files, name)? else {
            return Err(KubeconfigError::Missing(entry));
        };
        match plan_user(name, found, request, check) {
            Ok(Some(planned)) => conversion.changes.push(planned),
            Ok(None) => {}
            Err(reason) => return Err(KubeconfigError::NotConvertible { entry, reason }),
        }
        return Ok(conversion);
    }
    for name in EntryList::Users.names(files) {
        let mut skip = |reason: String| {
            conversion.skipped.push(SkippedUser {
                user: EntryName::user(name),
                reason,
            });
        };
        let found = match EntryList::Users.find(files, name) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(error) => {
                skip(error.to_string());
                continue;
            }
        };
        if Credentials::of(found.value) != Credentials::AckRamTool {
            continue;
        }
        match plan_user(name, found, request, check) {
            Ok(Some((change, user))) => {
                let applied = match files.get(found.file) {
                    Some(source) => change.apply(source, &source.text),
                    None => continue,
                };
                match applied {
                    Ok(_) if user.replaces_certificate => skip(
                        "it gets a client certificate from ack-ram-tool, so the cluster may know it by another name; convert it with --user"
                            .to_owned(),
                    ),
                    Ok(_) => conversion.changes.push((change, user)),
                    // The entry to write by hand is shown only for one user.
                    Err(KubeconfigError::Edit { error, .. }) => skip(format!(
                        "its entry {error}; run --convert with --user to see the new entry"
                    )),
                    Err(error) => skip(error.to_string()),
                }
            }
            Ok(None) => {}
            Err(reason) => skip(reason),
        }
    }
    Ok(conversion)
}

/// Plans the changes of a user; `None` if it runs this program already.
fn plan_user(
    name: &str,
    found: Entry<'_>,
    request: &ConvertRequest,
    check: &ArgumentCheck<'_>,
) -> Result<Option<(EntryChange, ConvertedUser)>, String> {
    let credentials = Credentials::of(found.value);
    let planned = match (credentials, &request.replacement) {
        (Credentials::Authenticator, _) => return Ok(None),
        (Credentials::AckRamTool, Some(new)) if new.has_identity_options() => {
            Err("it runs ack-ram-tool, whose options stay; leave out the options for the access key and the role".to_owned())
        }
        (Credentials::AckRamTool, _) => plan_tool(name, found, request),
        (Credentials::Certificate, Some(new)) if new.name() == name => {
            Ok(plan_certificate(name, found, new))
        }
        (Credentials::Certificate, _) => {
            Err("it has a client certificate; give --cluster-id, too".to_owned())
        }
        (other, _) => Err(format!("it has {}", other.description())),
    }?;
    check(&planned.1)?;
    Ok(Some(planned))
}

/// Plans the changes of a user of ack-ram-tool. The arguments stay, since they decide about the identity, the default
/// name of sessions included.
fn plan_tool(
    name: &str,
    found: Entry<'_>,
    request: &ConvertRequest,
) -> Result<(EntryChange, ConvertedUser), String> {
    let exec = found.value.get("exec").unwrap_or(&Value::Null);
    let args = texts(exec.get("args")).ok_or("its `args` are not a list of texts")?;
    let tool = ToolArgs::parse(&args).map_err(|error| error.to_string())?;
    let command = new_command(exec, request)?;
    let path = path("users", found.item, &["user", "exec"]);
    let set = |key, value| Change::Set(path.clone(), key, value);
    let mut changes = vec![set("command", Tree::text(command))];
    if tool.token_args != args {
        changes.push(set("args", Tree::texts(&tool.token_args)));
    }
    let is_missing = |key: &str| exec.get(key).is_none_or(Value::is_null);
    // kubectl refuses a user without a version.
    let version = exec.get("apiVersion").and_then(Value::as_str);
    if version == Some(OLD_API_VERSION) || is_missing("apiVersion") {
        changes.push(set("apiVersion", Tree::text(BETA_API_VERSION)));
    }
    if is_missing("interactiveMode") {
        changes.push(set("interactiveMode", Tree::text("Never")));
    }
    if is_missing("installHint") {
        changes.push(set("installHint", Tree::text(INSTALL_HINT)));
    }
    let replaces_certificate = tool.command == ToolCommand::GetCredential;
    let shown = Tree::Map(vec![
        ("apiVersion", Tree::text(BETA_API_VERSION)),
        ("command", Tree::text(command)),
        ("args", Tree::texts(&tool.token_args)),
        ("interactiveMode", Tree::text("Never")),
    ]);
    let user = Tree::Map(vec![("exec", shown)]);
    let entry = Tree::Map(vec![("name", Tree::text(name)), ("user", user)]);
    let change = EntryChange {
        file: found.file,
        entry: EntryName::user(name),
        changes,
        fragment: fragment("users", entry),
        needs_backup: replaces_certificate,
    };
    let converted = ConvertedUser {
        name: name.to_owned(),
        command: command.to_owned(),
        args: tool.token_args,
        variables: exec_variables(exec),
        replaces_certificate,
    };
    Ok((change, converted))
}

/// Returns the command that replaces that of ack-ram-tool. A path stays a path: programs with another `PATH`, such as
/// graphical ones, do not find the bare name.
fn new_command<'a>(exec: &Value, request: &'a ConvertRequest) -> Result<&'a str, String> {
    let old = exec.get("command").and_then(Value::as_str);
    if !old.is_some_and(is_path) || is_path(&request.command) {
        return Ok(&request.command);
    }
    match request.path.as_deref() {
        Some(path) if base_name(path) == PROGRAM => Ok(path),
        Some(path) => Err(format!(
            "its command is a path, and {}",
            KubeconfigError::OtherProgram(path.to_owned())
        )),
        None => Err(
            "its command is a path, and the path of this program is unknown; write the name `ack-ram-tool` in `command` first"
                .to_owned(),
        ),
    }
}

/// Plans the changes of a user with a client certificate.
fn plan_certificate(
    name: &str,
    found: Entry<'_>,
    new: &PluginUser,
) -> (EntryChange, ConvertedUser) {
    let mut changes = exec_changes(found.item, found.value, new);
    for key in CERTIFICATE_MEMBERS {
        if found.value.get(key).is_some() {
            changes.push(Change::Remove(path("users", found.item, &["user"]), key));
        }
    }
    let change = EntryChange {
        file: found.file,
        entry: EntryName::user(name),
        changes,
        fragment: new.fragment(),
        needs_backup: true,
    };
    let converted = ConvertedUser {
        name: name.to_owned(),
        command: new.command().to_owned(),
        args: new.args().to_vec(),
        variables: Environment::default(),
        replaces_certificate: true,
    };
    (change, converted)
}
