//! The level of the log of a command that logs in.

use ack_ram_client::environment::Environment;
use ack_ram_client::settings::is_go_true;
use clap::ValueEnum;
use tracing::Level;

/// A level. The log has the events of this level and of the levels before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LogLevel {
    /// Failures
    Error,
    /// Probable mistakes
    Warn,
    /// What an administrator should know
    #[default]
    Info,
    /// Each step, without secrets
    Debug,
}

impl LogLevel {
    /// Returns the level that the options or the environment ask for; `None` if nothing asks for a level.
    ///
    /// `option` is the value of `--log-level`. As in ack-ram-tool, an unknown level is `info`.
    pub(in crate::cli) fn requested(
        option: Option<&str>,
        is_verbose: bool,
        environment: &Environment,
    ) -> Option<Self> {
        let is_debugged = environment.get("DEBUG").is_some_and(|names| {
            let mut names = names.split(',').map(str::trim);
            names.any(|name| matches!(name, "sdk" | "tea" | "ack-ram-tool"))
        });
        let is_on = |name| environment.get(name).is_some_and(is_go_true);
        if is_verbose || is_on("ACK_RAM_TOOL_VERBOSE") || is_debugged {
            return Some(Self::Debug);
        }
        let level = option.filter(|level| !level.is_empty());
        let level = level.or_else(|| environment.get("ACK_RAM_TOOL_LOG_LEVEL"))?;
        Some(Self::from_str(level, false).unwrap_or_default())
    }
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_comes_from_options_and_variables() {
        for (option, is_verbose, variables, expected) in [
            (None, false, &[] as &[(&str, &str)], None),
            (Some(""), false, &[], None),
            (Some("error"), false, &[], Some(LogLevel::Error)),
            (Some("ERROR"), false, &[], Some(LogLevel::Info)),
            (Some("trace"), false, &[], Some(LogLevel::Info)),
            (Some("error"), true, &[], Some(LogLevel::Debug)),
            (
                None,
                false,
                &[("ACK_RAM_TOOL_LOG_LEVEL", "warn")],
                Some(LogLevel::Warn),
            ),
            (
                Some("error"),
                false,
                &[("ACK_RAM_TOOL_LOG_LEVEL", "debug")],
                Some(LogLevel::Error),
            ),
            (
                Some("error"),
                false,
                &[("ACK_RAM_TOOL_VERBOSE", "T")],
                Some(LogLevel::Debug),
            ),
            (None, false, &[("ACK_RAM_TOOL_VERBOSE", "yes")], None),
            (None, false, &[("DEBUG", "x, tea")], Some(LogLevel::Debug)),
            (None, false, &[("DEBUG", "*")], None),
        ] {
            let environment = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let level = LogLevel::requested(option, is_verbose, &environment);
            assert_eq!(level, expected, "{option:?} {variables:?}");
        }
    }
}
