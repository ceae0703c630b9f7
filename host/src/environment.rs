//! The environment of the process. Everything else is given its variables.

pub use ack_ram_config::Variables;

/// Returns a variable of the process's environment; none when it is not set or empty.
///
/// What is not Unicode is replaced by U+FFFD, so that the reader of the variable refuses it by its name: a variable that
/// is set must not count as one that is not.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    Some(value).filter(|value| !value.is_empty())
}
