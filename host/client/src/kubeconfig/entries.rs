//! The entries of kubeconfig files.

use serde_json::Value;

use super::error::{EntryName, KubeconfigError};
use super::plugin_user::PROGRAM;
use super::store::KubeconfigFile;

/// The name of ack-ram-tool as a command.
const TOOL: &str = "ack-ram-tool";
/// The members of a user that are a client certificate and its key.
pub(super) const CERTIFICATE_MEMBERS: [&str; 4] = [
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
];
/// The members of a user that are other credentials, except `exec`.
const OTHER_CREDENTIALS: [&str; 5] = [
    "auth-provider",
    "password",
    "token",
    "tokenFile",
    "username",
];

/// What a user logs in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// There are none.
    None,
    /// This program.
    Authenticator,
    /// ack-ram-tool.
    AckRamTool,
    /// Another credential plugin.
    OtherPlugin,
    /// A client certificate.
    Certificate,
    /// A token, a password, or several credentials.
    Other,
}

/// An entry of a list, in a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// The index of the file.
    pub(super) file: usize,
    /// The index of the entry in its list.
    pub(super) item: usize,
    /// The member of the entry that is named like the list, such as `user`.
    pub(super) value: &'a Value,
}

/// A list of entries with names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryList {
    Users,
    Contexts,
    Clusters,
}

impl EntryList {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Contexts => "contexts",
            Self::Clusters => "clusters",
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Users => "user",
            Self::Contexts => "context",
            Self::Clusters => "cluster",
        }
    }

    /// Finds an entry by its name, as kubectl does: in the first file that has the name.
    pub(super) fn find<'a>(
        self,
        files: &'a [KubeconfigFile],
        name: &str,
    ) -> Result<Option<Entry<'a>>, KubeconfigError> {
        for (file, source) in files.iter().enumerate() {
            let mut found = self
                .entries(file, source)
                .filter(|(found, _)| *found == name);
            let Some((_, entry)) = found.next() else {
                continue;
            };
            if found.next().is_some() {
                return Err(KubeconfigError::Duplicate {
                    path: source.path.clone(),
                    entry: EntryName::new(self.kind(), name),
                });
            }
            return Ok(Some(entry));
        }
        Ok(None)
    }

    /// Returns the entries of a file with their names.
    fn entries(
        self,
        file: usize,
        source: &KubeconfigFile,
    ) -> impl Iterator<Item = (&str, Entry<'_>)> {
        let list = source.values.get(self.key()).and_then(Value::as_array);
        let items = list.into_iter().flatten().enumerate();
        items.filter_map(move |(item, entry)| {
            let name = entry.get("name")?.as_str()?;
            let value = entry.get(self.kind()).unwrap_or(&Value::Null);
            Some((name, Entry { file, item, value }))
        })
    }

    /// Returns the names of all entries, each once.
    pub(super) fn names(self, files: &[KubeconfigFile]) -> Vec<&str> {
        let mut names = Vec::new();
        for (file, source) in files.iter().enumerate() {
            for (name, _) in self.entries(file, source) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

impl Credentials {
    pub(super) fn of(user: &Value) -> Self {
        let has = |names: &[&str]| names.iter().any(|name| is_set(user.get(*name)));
        let exec = user.get("exec").filter(|exec| !exec.is_null());
        match (exec, has(&CERTIFICATE_MEMBERS), has(&OTHER_CREDENTIALS)) {
            (None, false, false) => Self::None,
            (None, true, false) => Self::Certificate,
            (Some(exec), false, false) => {
                let command = exec.get("command").and_then(Value::as_str);
                match command.map(base_name) {
                    Some(PROGRAM) => Self::Authenticator,
                    Some(TOOL) => Self::AckRamTool,
                    _ => Self::OtherPlugin,
                }
            }
            _ => Self::Other,
        }
    }

    /// Returns a noun phrase for messages.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::None => "no credentials",
            Self::Authenticator => "ack-ram-authenticator as its credential plugin",
            Self::AckRamTool => "ack-ram-tool as its credential plugin",
            Self::OtherPlugin => "another credential plugin",
            Self::Certificate => "a client certificate",
            Self::Other => "a token, a password, or several credentials",
        }
    }
}

fn is_set(value: Option<&Value>) -> bool {
    value.is_some_and(|value| !value.is_null() && value.as_str() != Some(""))
}

/// Returns the last part of the path of a command, without `.exe`.
pub(super) fn base_name(command: &str) -> &str {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command);
    name.strip_suffix(".exe").unwrap_or(name)
}

/// Returns whether a command is a path, on this system or on another.
pub(super) fn is_path(command: &str) -> bool {
    command.contains(['/', '\\'])
}

/// Returns the texts of a list; `None` if it has other values.
pub(super) fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(value) => value.as_array()?.iter().map(Value::as_str).collect(),
    }
}
