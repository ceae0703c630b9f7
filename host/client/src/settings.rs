//! What the command line asks for, apart from how it is written.

use std::path::PathBuf;

use ack_ram_core::sts::{ExternalId, RoleArn, SessionName, SessionPolicy, SessionSeconds};

use crate::environment::Environment;
use crate::origin::{Origin, Setting};

/// What the command line and the configuration file ask for. Values that are not given come from environment variables
/// and files.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whether only the metadata service is used (`--credential-type imds`); `None` if nothing says so.
    pub only_metadata: Option<Setting<bool>>,
    /// A file with profiles, used instead of the environment and the default files.
    pub profile_file: Option<Setting<PathBuf>>,
    /// The profile of the Alibaba Cloud CLI, or the section of an INI file.
    pub profile_name: Option<Setting<String>>,
    /// What makes keys in the environment ignored; `None` if they are not ignored.
    pub ignore_environment: Option<Origin>,
    /// What makes the file of the Alibaba Cloud CLI ignored; `None` if the file is not ignored.
    pub ignore_cli_file: Option<Origin>,
    /// The role to assume last.
    pub role: Option<Setting<RoleArn>>,
    /// The session of the role that is assumed last.
    pub session: SessionSettings,
    /// The STS endpoint: a host, `host:port`, or a URL.
    pub sts_endpoint: Option<Setting<String>>,
    /// The region of the STS endpoint.
    pub region: Option<Setting<String>>,
    /// The name of a session whose name is not given anywhere: the name of the program.
    pub default_session_name: String,
}

impl Settings {
    /// Adds the settings of the variables that stand for options of ack-ram-tool. An option takes precedence over its
    /// variable; a variable can switch on, but not off.
    pub fn add_variables(&mut self, environment: &Environment) {
        const CREDENTIAL_TYPE: &str = "ACK_RAM_TOOL_CREDENTIAL_TYPE";
        let text = |names: &[&'static str]| {
            let (name, value) = environment.first(names)?;
            Some(Setting::new(value.to_owned(), Origin::Variable(name)))
        };
        if self.only_metadata.is_none() {
            self.only_metadata = environment.get(CREDENTIAL_TYPE).map(|value| {
                Setting::new(is_metadata_type(value), Origin::Variable(CREDENTIAL_TYPE))
            });
        }
        if self.profile_file.is_none() {
            self.profile_file = text(&["ACK_RAM_TOOL_PROFILE_FILE"])
                .map(|setting| Setting::new(setting.value.into(), setting.origin));
        }
        if self.profile_name.is_none() {
            // ack-ram-tool also reads the second name.
            self.profile_name = text(&["ACK_RAM_TOOL_PROFILE_NAME", "ACK_RAM_TOOL_PROFIL_ENAME"]);
        }
        if self.sts_endpoint.is_none() {
            self.sts_endpoint = text(&["ACK_RAM_TOOL_STS_ENDPOINT"]);
        }
        if self.region.is_none() {
            self.region = text(&["ACK_RAM_TOOL_REGION_ID"]);
        }
        let switch = |name: &'static str| {
            let is_on = environment.get(name).is_some_and(is_go_true);
            is_on.then_some(Origin::Variable(name))
        };
        if self.ignore_environment.is_none() {
            self.ignore_environment = switch("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS");
        }
        if self.ignore_cli_file.is_none() {
            self.ignore_cli_file = switch("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS");
        }
    }

    /// Returns what selects the metadata service and no other source; `None` if nothing does.
    #[must_use]
    pub fn metadata_selector(&self) -> Option<&Origin> {
        let setting = self.only_metadata.as_ref()?;
        setting.value.then_some(&setting.origin)
    }

    /// Returns whether the search for a key comes to the environment.
    pub(crate) fn searches_environment(&self) -> bool {
        self.metadata_selector().is_none()
            && self.profile_file.is_none()
            && self.ignore_environment.is_none()
    }
}

/// Returns whether `--credential-type` with this value selects the metadata service.
#[must_use]
pub fn is_metadata_type(value: &str) -> bool {
    matches!(value, "imds" | "ecs-role")
}

/// Returns whether Go's `strconv.ParseBool` reads `value` as true.
#[must_use]
pub fn is_go_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// The session of the role that is assumed last.
#[derive(Clone, Debug, Default)]
pub struct SessionSettings {
    /// The name.
    pub name: Option<Setting<SessionName>>,
    /// Whether the session has the name of the session of its source.
    pub forward_name: bool,
    /// The external ID.
    pub external_id: Option<Setting<ExternalId>>,
    /// The lifetime.
    pub seconds: Option<Setting<SessionSeconds>>,
    /// The policy.
    pub policy: Option<Setting<SessionPolicy>>,
}

impl SessionSettings {
    /// Returns the option that is given; `None` if no option is given.
    #[must_use]
    pub(crate) fn given_option(&self) -> Option<&'static str> {
        let options = [
            ("--session-name", self.name.is_some()),
            ("--forward-session-name", self.forward_name),
            ("--external-id", self.external_id.is_some()),
            ("--duration", self.seconds.is_some()),
            ("--session-policy", self.policy.is_some()),
        ];
        options
            .into_iter()
            .find_map(|(name, is_given)| is_given.then_some(name))
    }
}

#[cfg(test)]
mod tests;
