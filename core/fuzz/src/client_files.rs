//! The target for the client's environment and files: checks that no text shows a secret, and that equal inputs give
//! equal plans.

use std::path::Path;

use ack_ram_client::cache::CacheKey;
use ack_ram_client::environment::Environment;
use ack_ram_client::files::{FileAccess, FileContent, FileError, Files};
use ack_ram_client::finding::Findings;
use ack_ram_client::origin::{Origin, Setting};
use ack_ram_client::resolve::resolve;
use ack_ram_client::settings::Settings;

use crate::check_one_line;
use crate::secret_members::{has_canary, mark_ini, mark_json, mark_value};

/// Reads the input as environment variables (a `NAME=value` on each line), options (likewise), the file of the CLI, and
/// an INI file, separated by U+001E.
pub fn client_files(input: &[u8]) {
    let mut parts = input.split(|byte| *byte == 0x1e);
    let mut part = || parts.next().unwrap_or_default().to_vec();
    let inputs = Inputs {
        variables: part(),
        options: part(),
        cli_file: part(),
        ini_file: part(),
    };
    let texts = inputs.run();
    assert_eq!(texts, inputs.run(), "equal inputs give different results");
    // The fuzzer learns the texts in comparisons, so it may have inserted the canary.
    if has_canary(input) {
        return;
    }
    for text in inputs.with_canaries().run() {
        assert!(!has_canary(text.as_bytes()), "{text}");
    }
}

/// What a plan is made from.
struct Inputs {
    variables: Vec<u8>,
    options: Vec<u8>,
    cli_file: Vec<u8>,
    ini_file: Vec<u8>,
}

impl Inputs {
    /// Makes a plan, and returns everything that can be shown of it.
    fn run(&self) -> Vec<String> {
        let home = ("HOME".to_owned(), "/h".to_owned());
        let environment: Environment = entries(&self.variables).chain([home]).collect();
        let mut settings = self.settings();
        settings.add_variables(&environment);
        let mut findings = Findings::default();
        let result = resolve(&settings, &environment, self, &mut findings);
        let mut texts = vec![format!("{environment:?}")];
        for finding in findings.list() {
            check_one_line(&finding.text);
            texts.push(format!("{finding:?}"));
        }
        match result {
            Ok(plan) => {
                let key = CacheKey::of(&plan, &environment, None);
                assert!(!plan.summary().text().is_empty());
                texts.push(format!("{plan:?} {} {key:?}", plan.summary().text()));
            }
            Err(error) => {
                check_one_line(&error.cause());
                check_one_line(&error.remedy());
                texts.push(format!("{error} {error:?}"));
            }
        }
        texts
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings {
            default_session_name: "ack-ram-authenticator".to_owned(),
            ..Settings::default()
        };
        for (name, value) in entries(&self.options) {
            match &*name {
                "--profile-name" => settings.profile_name = option("--profile-name", value),
                "--profile-file" => settings.profile_file = option("--profile-file", value.into()),
                "--sts-endpoint" => settings.sts_endpoint = option("--sts-endpoint", value),
                "--region-id" => settings.region = option("--region-id", value),
                "--ignore-env-credentials" => {
                    settings.ignore_environment = Some(Origin::Option("--ignore-env-credentials"))
                }
                "--ignore-aliyun-cli-credentials" => {
                    settings.ignore_cli_file =
                        Some(Origin::Option("--ignore-aliyun-cli-credentials"))
                }
                "--forward-session-name" => settings.session.forward_name = true,
                "--role-arn" => {
                    let role = ack_ram_core::sts::RoleArn::parse(&value).ok();
                    settings.role = role.and_then(|role| option("--role-arn", role));
                }
                _ => {}
            }
        }
        settings
    }

    /// Returns the inputs with [`CANARY`] in each secret.
    fn with_canaries(&self) -> Self {
        let variables = entries(&self.variables).map(|(name, value)| {
            let value = mark_value(&name, &value).unwrap_or(value);
            format!("{name}={value}\n")
        });
        Self {
            variables: variables.collect::<String>().into_bytes(),
            options: self.options.clone(),
            cli_file: mark_json(&self.cli_file),
            ini_file: mark_ini(&self.ini_file),
        }
    }

    fn read(&self, path: &Path, is_second: bool) -> Result<FileContent, FileError> {
        let path = path.to_string_lossy();
        let bytes = match (path.ends_with(".json"), path.contains("missing")) {
            (_, true) => return Err(FileError::NotFound),
            (true, _) => &self.cli_file,
            (false, _) => &self.ini_file,
        };
        // Without content, there is no file.
        if bytes.is_empty() {
            return Err(FileError::NotFound);
        }
        let access = FileAccess {
            mode: if is_second { 0o600 } else { 0o644 },
            is_own: true,
        };
        FileContent::from_bytes(bytes.clone(), Some(access))
    }
}

impl Files for Inputs {
    fn read(&self, path: &Path) -> Result<FileContent, FileError> {
        self.read(path, false)
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        self.read(path, true)
    }
}

fn entries(lines: &[u8]) -> impl Iterator<Item = (String, String)> {
    let lines = lines.split(|byte| *byte == b'\n');
    lines.filter_map(|line| {
        let (name, value) = str::from_utf8(line).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    })
}

fn option<T>(name: &'static str, value: T) -> Option<Setting<T>> {
    Some(Setting::new(value, Origin::Option(name)))
}
