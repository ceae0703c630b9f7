//! Checks of the users in kubeconfig files that run this program or ack-ram-tool.

mod command;
mod plugin_args;
mod user_check;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::kubeconfig_users::{Context, ExecUser, KubeconfigUsers};
use crate::environment::Environment;
use crate::finding::{Findings, Topic};
use crate::kubeconfig::{KubeconfigPaths, read_values};
use crate::plan::Plan;
use command::{Program, UserCommand};
use user_check::{UserCheck, quoted};

/// Reads the command and the arguments of a user as this program does. The environment is that of kubectl with the
/// variables of the user.
pub type LoginReader<'a> =
    dyn Fn(&str, &[String], &Environment) -> Result<StoredPlan, LoginRefusal> + 'a;

/// What the arguments of a user ask for.
#[derive(Debug)]
pub struct StoredPlan {
    /// How the key is obtained.
    pub plan: Plan,
    /// Whether the arguments, or the configuration file that they name, have a cluster ID.
    pub has_cluster_id: bool,
}

/// Why this program creates no token with the arguments of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRefusal {
    /// The reason, without a secret.
    pub cause: String,
    /// What to do.
    pub remedy: String,
}

/// The kubeconfig files that kubectl reads: those of `KUBECONFIG`, or `~/.kube/config`.
#[derive(Debug)]
pub struct Kubeconfigs {
    files: Vec<(PathBuf, KubeconfigUsers)>,
}

/// The login of the current context: the user runs this program.
#[derive(Debug)]
pub struct CurrentLogin {
    /// The name of the context.
    pub context: String,
    /// The name of the user.
    pub user: String,
    /// The command of the user.
    pub command: String,
    /// The arguments of the user.
    pub args: Vec<String>,
    /// The environment of kubectl with the variables of the user.
    pub environment: Environment,
    /// The cluster ID in the entry of the cluster, if kubectl passes it on.
    pub cluster_id: Option<String>,
}

impl Kubeconfigs {
    /// Reads the files. Adds findings about files that kubectl refuses or that cannot be read.
    #[must_use]
    pub fn read(environment: &Environment, findings: &mut Findings) -> Self {
        Self {
            files: read_files(environment, findings),
        }
    }

    /// Returns the login of the current context; `None` if its user does not run this program. `program` is the path of
    /// this program.
    #[must_use]
    pub fn current_login(
        &self,
        environment: &Environment,
        program: Option<&Path>,
    ) -> Option<CurrentLogin> {
        let context = self.current_context()?;
        let (path, user) = self.users().find(|(_, user)| user.name == context.user)?;
        let command = UserCommand::find(user, path, program, environment);
        if !matches!(command.program, Program::This | Program::SameName) {
            return None;
        }
        let cluster_id = self.cluster_id(&context.cluster);
        Some(CurrentLogin {
            context: context.name.clone(),
            user: user.name.clone(),
            command: user.command.clone(),
            args: user.args.clone(),
            environment: environment.clone().with(&user.environment),
            cluster_id: cluster_id
                .filter(|_| user.takes_cluster_info)
                .map(str::to_owned),
        })
    }

    /// Adds findings about each user that runs this program or ack-ram-tool. `program` is the path of this program, and
    /// `reader` reads its arguments. `asked_id` is the cluster ID that the options of the command name.
    pub fn examine(
        &self,
        environment: &Environment,
        program: Option<&Path>,
        reader: &LoginReader<'_>,
        asked_id: Option<&str>,
        findings: &mut Findings,
    ) {
        let current = self.current_context();
        let mut users = Vec::new();
        for (path, user) in self.users() {
            let command = UserCommand::find(user, path, program, environment);
            if command.program == Program::Other {
                continue;
            }
            users.push(user.name.as_str());
            let check = UserCheck {
                path,
                user,
                command,
                kubeconfigs: self,
                is_current: current.is_some_and(|context| context.user == user.name),
                environment,
                reader,
                asked_id,
            };
            check.run(findings);
        }
        match (users.as_slice(), current) {
            ([], _) if self.files.is_empty() => {}
            ([], _) => findings.note(
                Topic::Kubeconfig,
                "no user runs this program or ack-ram-tool",
            ),
            ([user, ..], Some(context)) if !users.contains(&context.user.as_str()) => {
                findings.advise(
                    Topic::Kubeconfig,
                    format!(
                        "the current context {} does not log in with this program",
                        quoted(&context.name)
                    ),
                    format!(
                        "run `kubectl config set-context --current --user={}`, or select another context",
                        user.escape_debug()
                    ),
                );
            }
            _ => {}
        }
    }

    fn current_context(&self) -> Option<&Context> {
        let mut files = self.files.iter();
        let current = files.find_map(|(_, file)| file.current_context.as_ref())?;
        self.contexts().find(|context| context.name == *current)
    }

    fn contexts(&self) -> impl Iterator<Item = &Context> {
        self.files.iter().flat_map(|(_, file)| &file.contexts)
    }

    /// Returns the users that run a plugin, with their files. The first of two users with the same name counts.
    fn users(&self) -> impl Iterator<Item = (&Path, &ExecUser)> {
        let mut names = BTreeSet::new();
        let users = self
            .files
            .iter()
            .flat_map(|(path, file)| file.users.iter().map(move |user| (path.as_path(), user)));
        users.filter(move |(_, user)| names.insert(user.name.as_str()))
    }

    /// Returns the cluster ID in the entry of a cluster.
    fn cluster_id(&self, cluster: &str) -> Option<&str> {
        let mut ids = self.files.iter().flat_map(|(_, file)| &file.cluster_ids);
        let id = ids.find(|(name, _)| name == cluster);
        id.map(|(_, id)| id.as_str())
    }
}

/// Returns the files that can be read.
fn read_files(
    environment: &Environment,
    findings: &mut Findings,
) -> Vec<(PathBuf, KubeconfigUsers)> {
    // The only error is an unknown home directory.
    let Ok(paths) = KubeconfigPaths::find(None, environment) else {
        findings.advise(
            Topic::Kubeconfig,
            "there is no kubeconfig file, because the home directory is unknown",
            "set `HOME` or `KUBECONFIG`",
        );
        return Vec::new();
    };
    let mut files = Vec::new();
    for path in paths.iter() {
        match read_values(path) {
            Ok(Some(root)) => {
                let file = KubeconfigUsers::read(&root);
                for (kind, name) in &file.duplicates {
                    findings.fail(
                        Topic::Kubeconfig,
                        format!(
                            "kubectl refuses `{}`, which has two entries for {kind} {}",
                            path.display(),
                            quoted(name)
                        ),
                        "remove one of them",
                    );
                }
                for (user, member) in &file.not_texts {
                    findings.fail(
                        Topic::Kubeconfig,
                        format!(
                            "kubectl refuses `{}`, since a value in `{member}` of user {} is not text",
                            path.display(),
                            quoted(user)
                        ),
                        "write the value in quotes",
                    );
                }
                files.push((path.to_owned(), file));
            }
            Ok(None) => findings.note(
                Topic::Kubeconfig,
                format!("`{}` does not exist", path.display()),
            ),
            Err(error) => {
                let text = error.to_string();
                let (text, remedy) = text
                    .split_once("; ")
                    .unwrap_or((&text, "correct the file, or `KUBECONFIG`"));
                findings.advise(Topic::Kubeconfig, text, remedy);
            }
        }
    }
    files
}

#[cfg(test)]
mod tests;
