//! The checks that a converted user can log in: this program must accept the new arguments, and for a user that had a
//! certificate, STS must accept a token that the new entry would sign.

use ack_ram_client::kubeconfig::ConvertedUser;

use crate::cli::commands::stored_login::{self, StoredLogin};
use crate::cli::failure::CommandFailure;
use crate::environment;

/// Checks the arguments and variables without a call. The text of the error says why they are refused.
pub(super) fn check_arguments(user: &ConvertedUser) -> Result<(), String> {
    let environment = environment::all().with(&user.variables);
    stored_login::check_arguments(&user.command, &user.args, environment)
}

/// Returns the ARN that STS gives to the user's access key. The text of the error says why there is none.
pub(super) fn check_identity(user: &ConvertedUser) -> Result<String, String> {
    let environment = environment::all().with(&user.variables);
    let mut login = StoredLogin::read(&user.command, &user.args, environment)
        .map_err(|refusal| format!("{}; {}", refusal.cause, refusal.remedy))?;
    match login.ask_sts() {
        Ok(caller) => Ok(caller.identity.arn.to_string()),
        Err(failure) => Err(failure_text(failure)),
    }
}

fn failure_text(failure: CommandFailure) -> String {
    match failure.into_failed_with_answer() {
        CommandFailure::Usage(text) | CommandFailure::FailedWithAnswer(text) => text,
        _ => "the arguments of the entry are not valid".to_owned(),
    }
}
