//! The check that a converted user can log in: STS must accept a token that the new entry would sign.

use std::iter;

use ack_ram_client::environment::Environment;
use ack_ram_client::kubeconfig::{ConvertedUser, PROGRAM};
use ack_ram_client::settings::Settings;
use clap::FromArgMatches as _;

use crate::cli::args::Globals;
use crate::cli::client::{CallOptions, KeySource};
use crate::cli::command_line::{self, Cli};
use crate::cli::commands::Command;
use crate::cli::failure::CommandFailure;
use crate::config::{self, Overrides};
use crate::environment;

/// Returns the ARN that STS gives to the user's access key.
pub(super) fn check(user: &ConvertedUser) -> Result<String, CommandFailure> {
    let environment = with_variables(environment::all(), &user.variables);
    let login = read_command_line(&user.args, &environment)?;
    let overrides = Overrides {
        cluster_id: login.cluster_id,
        ..Overrides::default()
    };
    let config = login
        .globals
        .configuration(config::load_client, overrides)?;
    let mut source = KeySource::new(login.settings, &login.call, &config, environment)?;
    let caller = source.ask_sts(&login.call, &config)?.caller;
    Ok(caller.identity.arn.to_string())
}

/// Returns the text of a failure, for a line about the user.
pub(super) fn failure_text(failure: CommandFailure) -> String {
    match failure.into_failed_with_answer() {
        CommandFailure::Usage(text) | CommandFailure::FailedWithAnswer(text) => text,
        _ => "the arguments of the entry are not valid".to_owned(),
    }
}

/// What the arguments of an entry ask for.
struct Login {
    globals: Globals,
    settings: Settings,
    call: CallOptions,
    cluster_id: Option<String>,
}

fn read_command_line(args: &[String], environment: &Environment) -> Result<Login, CommandFailure> {
    let words = iter::once(PROGRAM).chain(args.iter().map(String::as_str));
    let matches = command_line::command()
        .try_get_matches_from(words)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = matches.map_err(CommandFailure::CommandLine)?;
    match cli.command {
        Command::Token(args) => Ok(Login {
            globals: args.globals.or(cli.globals),
            settings: args.command.client.settings(environment)?,
            call: args.command.client.call.clone(),
            cluster_id: None,
        }),
        Command::CredentialPlugin(plugin) => {
            let options = plugin.options(&cli.tool);
            Ok(Login {
                settings: options.settings(environment)?,
                call: plugin.call().clone(),
                cluster_id: plugin.cluster_id(&cli.globals),
                globals: cli.globals,
            })
        }
        _ => Err(CommandFailure::Failed(
            "the arguments of the entry create no token".to_owned(),
        )),
    }
}

/// Adds variables, which replace others of the same name.
fn with_variables(environment: Environment, variables: &Environment) -> Environment {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let own = environment.iter().map(owned);
    own.chain(variables.iter().map(owned)).collect()
}
