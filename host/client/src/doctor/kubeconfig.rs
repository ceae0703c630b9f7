//! Checks of the users in kubeconfig files that run this program or ack-ram-tool.

mod command;
mod plugin_args;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ack_ram_core::cluster_id::ClusterId;

use super::kubeconfig_users::{ExecUser, KubeconfigUsers};
use super::without_doctor;
use crate::environment::Environment;
use crate::finding::{Findings, Topic};
use crate::kubeconfig::{
    API_VERSION as V1, BETA_API_VERSION as V1BETA1, KubeconfigPaths, read_values,
};
use crate::plan::Plan;
use command::{Program, UserCommand, is_path};
use plugin_args::{cluster_id, has_config_file};

/// Reads the arguments of a user as this program does. The environment is that of kubectl with the variables of the
/// user.
pub type LoginReader<'a> = dyn Fn(&[String], &Environment) -> Result<StoredPlan, LoginRefusal> + 'a;

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

/// Adds findings about each user in the files of `KUBECONFIG`, or in `~/.kube/config`, that runs this program or
/// ack-ram-tool. `program` is the path of this program, and `reader` reads its arguments.
pub fn examine_kubeconfigs(
    environment: &Environment,
    program: Option<&Path>,
    reader: &LoginReader<'_>,
    findings: &mut Findings,
) {
    let files = read_files(environment, findings);
    let current = files
        .iter()
        .find_map(|(_, file)| file.current_context.as_ref());
    let current_user = files.iter().flat_map(|(_, file)| &file.contexts);
    let current_user = current_user
        .filter(|context| Some(&context.name) == current)
        .map(|context| context.user.as_str())
        .next();
    let mut names = BTreeSet::new();
    let mut has_user = false;
    for (path, file) in &files {
        for user in &file.users {
            // The first file with a user of this name counts.
            if !names.insert(user.name.as_str()) {
                continue;
            }
            let command = UserCommand::find(user, path, program, environment);
            if command.program == Program::Other {
                continue;
            }
            has_user = true;
            let check = UserCheck {
                path,
                user,
                command,
                files: &files,
                is_current: current_user == Some(&user.name),
                environment,
                reader,
            };
            check.run(findings);
        }
    }
    if !files.is_empty() && !has_user {
        findings.note(
            Topic::Kubeconfig,
            "no user runs this program or ack-ram-tool",
        );
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

struct UserCheck<'a> {
    path: &'a Path,
    user: &'a ExecUser,
    command: UserCommand,
    files: &'a [(PathBuf, KubeconfigUsers)],
    /// Whether the current context has this user.
    is_current: bool,
    environment: &'a Environment,
    reader: &'a LoginReader<'a>,
}

impl UserCheck<'_> {
    fn run(&self, findings: &mut Findings) {
        self.describe(findings);
        self.check_command(findings);
        self.check_version(findings);
        match self.command.program {
            Program::This | Program::SameName => self.check_login(findings),
            Program::Tool | Program::Other => self.check_cluster(None, findings),
        }
    }

    fn describe(&self, findings: &mut Findings) {
        let contexts = self.contexts().map(|context| quoted(&context.name));
        let contexts: Vec<String> = contexts.collect();
        let contexts = match contexts.as_slice() {
            [] => "in no context".to_owned(),
            [one] => format!("in the context {one}"),
            several => format!("in the contexts {}", several.join(", ")),
        };
        let current = if self.is_current {
            ", the user of the current context,"
        } else {
            ""
        };
        let variables: Vec<String> = self
            .user
            .variables
            .iter()
            .map(|name| quoted(name))
            .collect();
        let variables = match variables.as_slice() {
            [] => String::new(),
            names => format!("; it sets {} for the command", names.join(", ")),
        };
        let text = format!(
            "{} in `{}`{current} runs `{}` {contexts}{variables}",
            self.name(),
            self.path.display(),
            self.user.command.escape_debug(),
        );
        findings.note(Topic::Kubeconfig, text);
    }

    fn check_command(&self, findings: &mut Findings) {
        let command = self.user.command.escape_debug();
        match &self.command.path {
            Some(path) => {
                let which = match self.command.program {
                    Program::This => "this program",
                    _ => "another program than this one",
                };
                findings.note(
                    Topic::Kubeconfig,
                    format!("{}: `{command}` is `{}`, {which}", self.name(), path.display()),
                );
            }
            None if self.user.command.is_empty() => self.mistake(
                "`command` is missing".to_owned(),
                "write the path of this program in `command`".to_owned(),
                findings,
            ),
            None if is_path(&self.user.command) => self.mistake(
                format!("`{command}` does not exist, or cannot be run"),
                "correct `command`".to_owned(),
                findings,
            ),
            None => self.mistake(
                format!("`{command}` is not in `PATH`"),
                "install the program, or write its absolute path in `command`; graphical programs often have another `PATH`".to_owned(),
                findings,
            ),
        }
    }

    fn check_version(&self, findings: &mut Findings) {
        let user = self.user;
        let version = match user.api_version.as_str() {
            "" => "a user without apiVersion".to_owned(),
            version => format!("apiVersion {}", quoted(version)),
        };
        let remedy = format!("write `apiVersion: {V1}` and `interactiveMode: Never`");
        match (user.api_version.as_str(), user.interactive_mode.as_str()) {
            (V1, "") => self.mistake(
                "`interactiveMode` is missing, which kubectl requires with this apiVersion"
                    .to_owned(),
                "write `interactiveMode: Never`".to_owned(),
                findings,
            ),
            (V1 | V1BETA1, "" | "Never" | "IfAvailable") => {
                let mode = match user.interactive_mode.as_str() {
                    "" => "no interactiveMode".to_owned(),
                    mode => format!("interactiveMode {}", quoted(mode)),
                };
                findings.note(
                    Topic::Kubeconfig,
                    format!("{}: {version}, {mode}", self.name()),
                );
            }
            (V1 | V1BETA1, "Always") => findings.advise(
                Topic::Kubeconfig,
                format!(
                    "{}: interactiveMode `Always` makes logins without a terminal fail",
                    self.name()
                ),
                "write `interactiveMode: Never`",
            ),
            (V1 | V1BETA1, mode) => self.mistake(
                format!("kubectl refuses interactiveMode {}", quoted(mode)),
                "write `interactiveMode: Never`".to_owned(),
                findings,
            ),
            _ => self.mistake(format!("kubectl refuses {version}"), remedy, findings),
        }
    }

    /// Checks that this program can log in with the arguments and the variables of the user.
    fn check_login(&self, findings: &mut Findings) {
        match self.read_login() {
            Ok(login) => {
                let summary = login.plan.summary().text();
                findings.note(
                    Topic::Kubeconfig,
                    format!("{}: a login uses {summary}", self.name()),
                );
                self.check_cluster(Some(login.has_cluster_id), findings);
            }
            Err(LoginRefusal { cause, remedy }) => {
                let text = format!("kubectl cannot log in: {cause}");
                let remedy = without_doctor(&remedy).to_owned();
                let is_other =
                    self.command.program == Program::SameName && self.command.path.is_some();
                if is_other {
                    // The other program may be a version with other options.
                    let text = format!("{}: as this program reads it, {text}", self.name());
                    findings.advise(Topic::Kubeconfig, text, remedy);
                } else {
                    self.mistake(text, remedy, findings);
                }
            }
        }
    }

    fn read_login(&self) -> Result<StoredPlan, LoginRefusal> {
        let environment = self.environment.clone().with(&self.user.environment);
        let login = (self.reader)(&self.user.args, &environment)?;
        match login.plan.read_oidc_token() {
            Ok(_) => Ok(login),
            Err(error) => Err(LoginRefusal {
                cause: error.cause(),
                remedy: error.remedy(),
            }),
        }
    }

    /// Checks that the command receives a cluster ID. `has_id` is `None` if this program cannot read the arguments of the
    /// command.
    fn check_cluster(&self, has_id: Option<bool>, findings: &mut Findings) {
        let name = self.name();
        match cluster_id(&self.user.args) {
            Some(id) if ClusterId::parse(id).is_some() => {
                findings.note(Topic::Kubeconfig, format!("{name}: cluster ID `{id}`"));
            }
            Some(_) => self.mistake(
                "`--cluster-id` is not a cluster ID".to_owned(),
                "correct `args`".to_owned(),
                findings,
            ),
            None if has_id.unwrap_or_else(|| has_config_file(&self.user.args)) => findings.note(
                Topic::Kubeconfig,
                format!("{name}: the cluster ID comes from the configuration file"),
            ),
            None if !self.user.takes_cluster_info => self.mistake(
                "`args` has no cluster ID".to_owned(),
                "add `--cluster-id` and the ID of the cluster to `args`".to_owned(),
                findings,
            ),
            None => {
                let with_id = |cluster: &str| {
                    let mut files = self.files.iter();
                    files.any(|(_, file)| file.clusters_with_id.iter().any(|name| name == cluster))
                };
                let without: Vec<String> = self
                    .contexts()
                    .filter(|context| !with_id(&context.cluster))
                    .map(|context| quoted(&context.cluster))
                    .collect();
                match without.as_slice() {
                    [] => findings.note(
                        Topic::Kubeconfig,
                        format!("{name}: the cluster ID comes from the entry of the cluster"),
                    ),
                    clusters => self.mistake(
                        format!("neither `args` nor the entry of {} has a cluster ID", clusters.join(", ")),
                        "add `clusterId` to the extension `client.authentication.k8s.io/exec` of the cluster, or `--cluster-id` to `args`".to_owned(),
                        findings,
                    ),
                }
            }
        }
    }

    /// Adds a mistake, which is a problem if the current context has the user.
    fn mistake(&self, text: String, remedy: String, findings: &mut Findings) {
        let text = format!("{}: {text}", self.name());
        match self.is_current {
            true => findings.fail(Topic::Kubeconfig, text, remedy),
            false => findings.advise(Topic::Kubeconfig, text, remedy),
        }
    }

    fn name(&self) -> String {
        format!("user {}", quoted(&self.user.name))
    }

    fn contexts(&self) -> impl Iterator<Item = &super::kubeconfig_users::Context> {
        let contexts = self.files.iter().flat_map(|(_, file)| &file.contexts);
        contexts.filter(|context| context.user == self.user.name)
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

#[cfg(test)]
mod tests;
