//! The environment of the process. All other code receives its variables as an argument.

use ack_ram_client::environment::Environment;
pub use ack_ram_config::Variables;

/// Returns a variable of the process's environment; `None` if it is empty or not set.
///
/// Replaces invalid Unicode with U+FFFD. The code that uses the variable then refuses the value and names the variable;
/// a variable that is set must not count as missing.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    let value = std::env::var_os(name)?.to_string_lossy().into_owned();
    Some(value).filter(|value| !value.is_empty())
}

/// Returns the environment of the process. Replaces invalid Unicode as [`variable`] does.
#[must_use]
pub fn all() -> Environment {
    Environment::of_process()
}
