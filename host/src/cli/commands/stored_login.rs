//! The login of a user in a kubeconfig: the arguments and variables with which kubectl runs this program.

use std::ffi::{OsStr, OsString};
use std::iter;

use ack_ram_client::doctor::{CurrentLogin, LoginRefusal, StoredPlan};
use ack_ram_client::environment::Environment;
use ack_ram_client::error::{ClientError, SetupError};
use ack_ram_client::kubeconfig::PROGRAM;
use ack_ram_client::plan::Plan;
use ack_ram_client::{CallerIdentity, token};
use clap::FromArgMatches as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use tracing::subscriber::{NoSubscriber, with_default};

use super::Command;
use crate::cli::args::Globals;
use crate::cli::client::{
    CallOptions, KeySource, ToolOptions, load_sources_for_any_cluster, misplaced_options,
};
use crate::cli::command_line::{self, Cli};
use crate::cli::failure::CommandFailure;
use crate::config::{ClientConfig, ConfigFile, ConfigSources, Overrides};

/// The longest name of an option that is shown. A longer one may be a pasted secret.
const MAX_NAME: usize = 40;

/// A login that this program can try.
pub(super) struct StoredLogin {
    pub(super) source: KeySource,
    pub(super) call: CallOptions,
    pub(super) config: ClientConfig,
    pub(super) has_cluster_id: bool,
}

/// What the arguments ask for, before the settings are read.
struct Request {
    globals: Globals,
    cluster_id: Option<String>,
    call: CallOptions,
    settings: ack_ram_client::settings::Settings,
}

impl StoredLogin {
    /// Reads arguments as this program does. `command` is the name or path with which kubectl starts this program, and
    /// `environment` is that of kubectl with the variables of the user.
    pub(super) fn read(
        command: &str,
        args: &[String],
        environment: Environment,
    ) -> Result<Self, LoginRefusal> {
        Request::parse(command, args, &environment)
            .and_then(|request| Self::new(request, environment))
            .map_err(|failure| refusal(failure, args))
    }

    /// Reads the login of the current context. `call` are the options of the command that tries the login.
    pub(super) fn of_current_context(
        current: &CurrentLogin,
        call: &CallOptions,
    ) -> Result<Self, LoginRefusal> {
        let environment = current.environment.clone();
        Request::parse(&current.command, &current.args, &environment)
            .and_then(|mut request| {
                request.call = call.with_cache_of(&request.call);
                let id = &mut request.cluster_id;
                *id = id.take().or_else(|| current.cluster_id.clone());
                Self::new(request, environment)
            })
            .map_err(|failure| refusal(failure, &current.args))
    }

    fn new(request: Request, environment: Environment) -> Result<Self, CommandFailure> {
        let overrides = Overrides {
            cluster_id: request.cluster_id,
            ..Overrides::default()
        };
        // Without an ID here, kubectl may pass one on.
        let (config, has_cluster_id) = load_sources_for_any_cluster(&ConfigSources {
            file: request.globals.config.as_deref().map(ConfigFile::Path),
            overrides: &overrides,
            variables: &|name| environment.get(name).map(str::to_owned),
        })?;
        let source = KeySource::new(request.settings, &request.call, &config, environment)?;
        Ok(Self {
            source,
            call: request.call,
            config,
            has_cluster_id,
        })
    }

    /// Decides how the key is obtained. Makes no call, and logs nothing: the warnings are for the person who logs in.
    pub(super) fn plan(&mut self) -> Result<Plan, ClientError> {
        token::extra_query(self.source.environment())?;
        with_default(NoSubscriber::default(), || self.source.client().plan())
    }

    /// Asks STS who owns the key.
    pub(super) fn ask_sts(&mut self) -> Result<CallerIdentity, CommandFailure> {
        Ok(self.source.ask_sts(&self.call, &self.config)?.caller)
    }

    /// Returns whether the configuration file names a role.
    pub(super) fn has_default_role(&self) -> bool {
        self.config.default_role.is_some()
    }
}

/// Reads the login of a user for `doctor`.
pub(super) fn read_plan(
    command: &str,
    args: &[String],
    environment: &Environment,
) -> Result<StoredPlan, LoginRefusal> {
    let mut login = StoredLogin::read(command, args, environment.clone())?;
    match login.plan() {
        Ok(plan) => Ok(StoredPlan {
            plan,
            has_cluster_id: login.has_cluster_id,
        }),
        Err(error) => Err(LoginRefusal {
            cause: error.cause(),
            remedy: error.remedy(),
        }),
    }
}

/// Checks that this program can log in with arguments. A missing access key says nothing about the arguments.
pub(super) fn check_arguments(
    command: &str,
    args: &[String],
    environment: Environment,
) -> Result<(), String> {
    let refused = |refusal: LoginRefusal| format!("{}; {}", refusal.cause, refusal.remedy);
    match StoredLogin::read(command, args, environment)
        .map_err(refused)?
        .plan()
    {
        Ok(_) => Ok(()),
        Err(ClientError::Setup(error)) if matches!(*error, SetupError::NotConfigured { .. }) => {
            Ok(())
        }
        Err(error) => Err(error.to_string()),
    }
}

impl Request {
    fn parse(
        command: &str,
        args: &[String],
        environment: &Environment,
    ) -> Result<Self, CommandFailure> {
        let args = args.iter().map(OsString::from);
        let words: Vec<OsString> = iter::once(PROGRAM.into()).chain(args).collect();
        let cli = command_line::parse(&words)
            .and_then(|matches| Cli::from_arg_matches(&matches))
            .map_err(CommandFailure::CommandLine)?;
        match cli.command {
            Command::CredentialPlugin(plugin) => Ok(Self {
                settings: plugin
                    .options(&cli.tool)
                    .settings(OsStr::new(command), environment)?,
                call: plugin.call().clone(),
                cluster_id: plugin.cluster_id(&cli.globals),
                globals: cli.globals,
            }),
            _ if cli.tool != ToolOptions::default() => Err(misplaced_options()),
            Command::Token(token) if token.command.token_only => Err(CommandFailure::Failed(
                "`--token-only` prints no ExecCredential, which kubectl needs; remove it from `args`"
                    .to_owned(),
            )),
            Command::Token(token) => {
                let globals = token.globals.or(cli.globals);
                Ok(Self {
                    settings: token.command.client.settings(environment)?,
                    call: token.command.client.call.clone(),
                    cluster_id: globals.cluster_id.clone(),
                    globals,
                })
            }
            _ => Err(CommandFailure::Failed(
                "the command in `args` prints no token; use `token`".to_owned(),
            )),
        }
    }
}

/// Converts a failure. Its text may hold no part of an argument that can be a secret.
fn refusal(failure: CommandFailure, args: &[String]) -> LoginRefusal {
    if let CommandFailure::CommandLine(error) = &failure {
        let command = match args.iter().any(|arg| arg == "credential-plugin") {
            true => "credential-plugin get-token",
            false => "token",
        };
        return LoginRefusal {
            cause: format!("this program refuses `args`: {}", describe(error)),
            remedy: format!(
                "correct `args`; `ack-ram-authenticator {command} --help` lists the options"
            ),
        };
    }
    let text = match failure {
        CommandFailure::NoLogin { cause, remedy }
        | CommandFailure::IncompleteCommandLine { cause, remedy } => {
            return LoginRefusal { cause, remedy };
        }
        CommandFailure::Usage(text)
        | CommandFailure::Failed(text)
        | CommandFailure::FailedWithAnswer(text) => text,
        CommandFailure::CommandLine(_) | CommandFailure::Negative => String::new(),
    };
    let (cause, remedy) = text
        .split_once("; ")
        .unwrap_or((&text, "correct `args`, or the file that they name"));
    LoginRefusal {
        cause: cause.to_owned(),
        remedy: remedy.to_owned(),
    }
}

/// Describes an error about arguments without their values.
fn describe(error: &clap::Error) -> String {
    let option = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => Some(format!("`{}`", shorten(name))),
        Some(ContextValue::Strings(names)) => {
            let names = names.iter().map(|name| format!("`{}`", shorten(name)));
            Some(names.collect::<Vec<_>>().join(", "))
        }
        _ => None,
    };
    let invalid = option(ContextKind::InvalidArg);
    match (error.kind(), invalid, option(ContextKind::PriorArg)) {
        (ErrorKind::DisplayHelp, ..) => "they print a help text".to_owned(),
        (ErrorKind::DisplayVersion, ..) => "they print the version".to_owned(),
        (
            ErrorKind::InvalidSubcommand
            | ErrorKind::MissingSubcommand
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
            ..,
        ) => "they name no command of this program".to_owned(),
        (ErrorKind::UnknownArgument, Some(name), _) => format!("{name} is not an option"),
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation, Some(name), _) => {
            format!("the value of {name} is missing or not valid")
        }
        (ErrorKind::ArgumentConflict, Some(name), Some(other)) => {
            format!("{name} and {other} exclude each other")
        }
        (kind, Some(name), _) => format!("{kind}: {name}"),
        (kind, None, _) => kind.to_string(),
    }
}

/// Returns the name of an option. A name that no option has, such as a pasted secret, is shortened.
fn shorten(name: &str) -> String {
    let name = name.split(['=', ' ', '[']).next().unwrap_or_default();
    let is_letter = |char: char| char.is_ascii_lowercase() || char == '-';
    if name.starts_with("--") && name.len() <= MAX_NAME && name.chars().all(is_letter) {
        name.to_owned()
    } else {
        let start: String = name.chars().take(2).collect();
        format!("{}…", start.escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use ack_ram_client::plan::RoleSessionName;

    use super::*;

    fn read(line: &str, variables: &[(&str, &str)]) -> Result<(), String> {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let environment = variables.iter().map(owned).collect();
        match read_plan(PROGRAM, &args, &environment) {
            Ok(_) => Ok(()),
            Err(refusal) => Err(format!("{}; {}", refusal.cause, refusal.remedy)),
        }
    }

    const KEY: [(&str, &str); 2] = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tFakeAccessKeyId001"),
        (
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "FakeAccessKeySecret0000000001",
        ),
    ];

    #[test]
    fn arguments_are_read_as_the_program_reads_them() {
        for line in [
            "token",
            "token -i c1",
            "-i c1 token --role-arn acs:ram::1:role/a --session-name bob --duration 1h",
            "credential-plugin get-token --cluster-id c1 --api-version v1beta1 --sts-endpoint sts.aliyuncs.com --log-level error",
            "--log-level error credential-plugin -c c1 get-token --verbose=false",
            "-c c1 credential-plugin get-token",
        ] {
            assert_eq!(read(line, &KEY), Ok(()), "{line}");
        }
    }

    #[test]
    fn session_name_of_tool_is_that_of_the_stored_command() {
        let args = "credential-plugin get-token -c c1 --role-arn acs:ram::1:role/a";
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let environment: Environment = KEY.into_iter().map(owned).collect();
        for (command, expected) in [
            ("ack-ram-authenticator", "ack-ram-tool"),
            ("/opt/ack-ram-authenticator", "ack-ram-tool"),
            ("./kube-login", "kube-login"),
        ] {
            let login = read_plan(command, &args, &environment).unwrap();
            let Plan::AssumeRole(plan) = login.plan else {
                panic!("{:?}", login.plan);
            };
            let RoleSessionName::Given(name) = plan.name else {
                panic!("{:?}", plan.name);
            };
            assert_eq!(name.value.as_str(), expected, "{command}");
        }
    }

    #[test]
    fn refused_arguments_are_named_without_values() {
        for (line, expected) in [
            ("token --secret=CANARY", "`--secret` is not an option"),
            ("token --CANARY=x", "`--…` is not an option"),
            ("token -CANARY", "`-C…` is not an option"),
            ("token CANARY", "`CA…` is not an option"),
            ("CANARY", "they name no command"),
            ("", "they name no command"),
            ("credential-plugin", "they name no command"),
            (
                "credential-plugin get-credential -c CANARY",
                "they name no command",
            ),
            ("token --help", "they print a help text"),
            ("--version", "they print the version"),
            (
                "token --duration CANARY",
                "the value of `--duration` is missing or not valid",
            ),
            (
                "token --api-version CANARY",
                "the value of `--api-version` is missing or not valid",
            ),
            ("token --cluster-id", "`--cluster-id`"),
            (
                "token --session-name CANARY --forward-session-name",
                "exclude each other",
            ),
            (
                "--role-arn CANARY token",
                "only `credential-plugin` accepts",
            ),
            (
                "token --role-arn CANARY",
                "`--role-arn` is not the ARN of a role",
            ),
            (
                "token --duration 1s",
                "`--duration` is not a valid lifetime",
            ),
            (
                "token --token-only",
                "`--token-only` prints no ExecCredential",
            ),
            ("whoami", "the command in `args` prints no token"),
            ("token -c /nowhere/config.yaml", "/nowhere/config.yaml"),
            ("token --session-policy /nowhere/policy", "/nowhere/policy"),
            (
                "token --profile-file /nowhere/keys.json",
                "/nowhere/keys.json",
            ),
            (
                "token --session-name bob",
                "`--session-name` is given, but no role is assumed",
            ),
            (
                "credential-plugin get-token -c c1 --profile-file x.json --ignore-aliyun-cli-credentials",
                "exclude each other",
            ),
        ] {
            let error = read(line, &KEY).expect_err(line);
            assert!(error.contains(expected), "{line}: {error}");
            assert!(!error.contains("CANARY"), "{line}: {error}");
            assert!(!error.contains('\n'), "{line}: {error}");
        }
    }

    #[test]
    fn variables_of_the_user_decide_as_those_of_kubectl() {
        let error = read("token", &[]).unwrap_err();
        assert!(error.contains("no access key is configured"), "{error}");
        let prefix = [
            KEY[0],
            KEY[1],
            ("ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX", "X_"),
            ("X_ACKCLUSTERID", "c2"),
        ];
        let error = read("token", &prefix).unwrap_err();
        assert!(error.contains("`X_ACKCLUSTERID`"), "{error}");
    }

    #[test]
    fn missing_key_is_no_fault_of_arguments() {
        let check = |line: &str| {
            let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
            check_arguments(PROGRAM, &args, Environment::default())
        };
        assert_eq!(check("credential-plugin get-token -c c1"), Ok(()));
        let error = check("credential-plugin get-token -c c1 --role-arn x").unwrap_err();
        assert!(error.contains("`--role-arn` is not the ARN"), "{error}");
    }
}
