//! The target for configuration files.

use ack_ram_config::{ConfigFile, ConfigSources, Overrides};

/// Loads the input as a configuration file in YAML.
pub fn configuration(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let overrides = Overrides::default();
    let name = "config.yaml";
    let sources = ConfigSources {
        file: Some(ConfigFile::Text { name, text }),
        overrides: &overrides,
        variables: &|_| None,
    };
    match ack_ram_config::load(&sources) {
        Ok(config) => {
            assert!(!config.backends.is_empty(), "no backend");
            for warning in &config.warnings {
                check_message(&warning.to_string());
            }
        }
        Err(error) => check_message(&error.to_string()),
    }
    let _ = ack_ram_config::load_webhook(&sources);
    let _ = ack_ram_config::load_client(&sources);
}

/// Checks that `message` is one line without control characters, even if it quotes the file.
#[track_caller]
fn check_message(message: &str) {
    assert!(!message.trim().is_empty(), "the message is empty");
    assert!(!message.contains(char::is_control), "{message:?}");
}
