//! The checks of one user.

use std::path::Path;

use ack_ram_core::cluster_id::ClusterId;

use super::command::{Program, UserCommand, is_path};
use super::plugin_args::{cluster_id, has_config_file};
use super::{Kubeconfigs, LoginReader, LoginRefusal, StoredPlan};
use crate::doctor::kubeconfig_users::{Context, ExecUser};
use crate::doctor::without_doctor;
use crate::environment::Environment;
use crate::finding::{Findings, Topic};
use crate::kubeconfig::{API_VERSION as V1, BETA_API_VERSION as V1BETA1};

/// A user that runs this program or ack-ram-tool.
pub(super) struct UserCheck<'a> {
    pub(super) path: &'a Path,
    pub(super) user: &'a ExecUser,
    pub(super) command: UserCommand,
    pub(super) kubeconfigs: &'a Kubeconfigs,
    /// Whether the current context has this user.
    pub(super) is_current: bool,
    pub(super) environment: &'a Environment,
    pub(super) reader: &'a LoginReader<'a>,
    pub(super) asked_id: Option<&'a str>,
}

impl UserCheck<'_> {
    pub(super) fn run(&self, findings: &mut Findings) {
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

/// Returns a name in backticks, without control characters.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", text.escape_debug())
}
