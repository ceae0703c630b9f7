//! Checks of the users in kubeconfig files that run this program or ack-ram-tool.

mod command;
mod plugin_args;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ack_ram_core::cluster_id::ClusterId;

use super::kubeconfig_users::{Context, ExecUser, KubeconfigUsers};
use super::without_doctor;
use crate::environment::Environment;
use crate::finding::{Findings, Topic};
use crate::kubeconfig::{
    API_VERSION as V1, BETA_API_VERSION as V1BETA1, KubeconfigPaths, read_values,
};
use crate::plan::Plan;
use command::{Program, UserCommand, is_path};
use plugin_args::{cluster_id, has_config_file};

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

struct UserCheck<'a> {
    path: &'a Path,
    user: &'a ExecUser,
    command: UserCommand,
    kubeconfigs: &'a Kubeconfigs,
    /// Whether the current context has this user.
    is_current: bool,
    environment: &'a Environment,
    reader: &'a LoginReader<'a>,
    asked_id: Option<&'a str>,
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
                let text = match path == Path::new(&self.user.command) {
                    true => format!("{}: `{command}` is {which}", self.name()),
                    false => format!(
                        "{}: `{command}` is `{}`, {which}",
                        self.name(),
                        path.display()
                    ),
                };
                findings.note(Topic::Kubeconfig, text);
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
        let login = (self.reader)(&self.user.command, &self.user.args, &environment)?;
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
                self.compare_cluster(id, findings);
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
                let contexts = self.contexts();
                let without: Vec<String> = contexts
                    .filter(|context| self.kubeconfigs.cluster_id(&context.cluster).is_none())
                    .map(|context| quoted(&context.cluster))
                    .collect();
                match without.as_slice() {
                    [] => {
                        findings.note(
                            Topic::Kubeconfig,
                            format!("{name}: the cluster ID comes from the entry of the cluster"),
                        );
                        let context = self.kubeconfigs.current_context();
                        let id = context
                            .and_then(|context| self.kubeconfigs.cluster_id(&context.cluster));
                        id.into_iter().for_each(|id| self.compare_cluster(id, findings));
                    }
                    clusters => self.mistake(
                        format!("neither `args` nor the entry of {} has a valid cluster ID", clusters.join(", ")),
                        "add `clusterId` to the extension `client.authentication.k8s.io/exec` of the cluster, or `--cluster-id` to `args`".to_owned(),
                        findings,
                    ),
                }
            }
        }
    }

    /// Compares the cluster ID of the user of the current context with the ID that the options name.
    fn compare_cluster(&self, id: &str, findings: &mut Findings) {
        if let Some(asked) = self
            .asked_id
            .filter(|asked| self.is_current && *asked != id)
        {
            findings.advise(
                Topic::Kubeconfig,
                format!(
                    "{}: kubectl logs in to the cluster {}, but the options of this command name the cluster {}",
                    self.name(),
                    quoted(id),
                    quoted(asked)
                ),
                "if the cluster of the current context has the other ID, correct the ID in the kubeconfig",
            );
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

    fn contexts(&self) -> impl Iterator<Item = &Context> {
        let contexts = self.kubeconfigs.contexts();
        contexts.filter(|context| context.user == self.user.name)
    }
}

fn quoted(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}

#[cfg(test)]
mod tests;
