//! The name of a session that no profile names. Usernames can contain the name, so a default never changes.

use ack_ram_core::sts::SessionName;

use crate::environment::Environment;
use crate::error::SetupError;
use crate::origin::{Origin, Setting};

/// The name of a session of an instance's role, and of a role in the file that `ALIBABA_CLOUD_CREDENTIALS_FILE` names.
pub(super) const OTHER_DEFAULT: &str = "default-session-name";

const VARIABLES: [&str; 2] = [
    "ALIBABA_CLOUD_ROLE_SESSION_NAME",
    "ALICLOUD_ROLE_SESSION_NAME",
];

/// Returns the name in the environment, or else `default`.
pub(super) fn from_environment(
    environment: &Environment,
    default: &str,
) -> Result<Setting<SessionName>, SetupError> {
    match environment.first(&VARIABLES) {
        Some((name, value)) => parse(&Setting::new(value, Origin::Variable(name))),
        None => parse(&Setting::new(default, Origin::Default)),
    }
}

/// Parses a name.
pub(super) fn parse(name: &Setting<&str>) -> Result<Setting<SessionName>, SetupError> {
    match SessionName::parse(name.value) {
        Some(value) => Ok(Setting::new(value, name.origin.clone())),
        None => Err(SetupError::Form {
            place: name.origin.clone(),
            what: "session name",
            form: SessionName::GRAMMAR,
        }),
    }
}
