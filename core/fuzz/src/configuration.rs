//! Configuration files.

use ack_ram_config::{ConfigFile, ConfigSources, Overrides};

/// The file, YAML.
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
            assert!(!config.backends.is_empty(), "nobody answers");
            for warning in &config.warnings {
                check_message(&warning.to_string());
            }
        }
        Err(error) => check_message(&error.to_string()),
    }
    let _ = ack_ram_config::load_webhook(&sources);
    let _ = ack_ram_config::load_client(&sources);
}

/// One line that begins with the place, without control characters whatever it quotes of the file.
#[track_caller]
fn check_message(message: &str) {
    assert!(!message.trim().is_empty(), "nothing is said");
    assert!(!message.contains(char::is_control), "{message:?}");
}
