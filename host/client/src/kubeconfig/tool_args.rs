//! The arguments of ack-ram-tool in a kubeconfig.

/// Options with a value.
const VALUE_OPTIONS: [&str; 11] = [
    "--api-version",
    "--cluster-id",
    "--credential-type",
    "--cs-endpoint",
    "--log-level",
    "--profile-file",
    "--profile-name",
    "--ram-endpoint",
    "--region-id",
    "--role-arn",
    "--sts-endpoint",
];
/// Options that are on or off.
const SWITCHES: [&str; 4] = [
    "--assume-yes",
    "--ignore-aliyun-cli-credentials",
    "--ignore-env-credentials",
    "--verbose",
];
/// Options of `get-credential` alone, about its certificate.
const CERTIFICATE_OPTIONS: [&str; 2] = ["--credential-cache-dir", "--expiration"];

/// The command of ack-ram-tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToolCommand {
    /// Prints a token.
    GetToken,
    /// Prints a client certificate.
    GetCredential,
}

/// The arguments of ack-ram-tool that print a token or a certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ToolArgs {
    pub(super) command: ToolCommand,
    /// The arguments that print a token for the same identity.
    pub(super) token_args: Vec<String>,
}

/// Why arguments are not converted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ToolArgsError {
    #[error("its command is not `credential-plugin get-token` or `get-credential`")]
    OtherCommand,
    #[error("its option `{0}` is not known")]
    UnknownOption(String),
    #[error("it has no cluster ID")]
    NoClusterId,
}

impl ToolArgs {
    pub(super) fn parse(args: &[&str]) -> Result<Self, ToolArgsError> {
        let mut words = Vec::new();
        let mut has_cluster_id = false;
        let mut token_args = Vec::new();
        let mut certificate_option = None;
        let mut rest = args.iter().copied();
        while let Some(arg) = rest.next() {
            let Some(option) = ToolOption::read(arg) else {
                words.push(arg);
                token_args.push(if arg == "get-credential" {
                    "get-token"
                } else {
                    arg
                });
                continue;
            };
            match option {
                ToolOption::Switch => token_args.push(arg),
                ToolOption::Value { name, value } => {
                    let next = match value {
                        Some(_) => None,
                        None => Some(rest.next().unwrap_or_default()),
                    };
                    // The last one counts. An empty value is none.
                    if name == "--cluster-id" {
                        has_cluster_id = !value.or(next).unwrap_or_default().is_empty();
                    }
                    if CERTIFICATE_OPTIONS.contains(&name) {
                        certificate_option = Some(name);
                    } else if words.is_empty() && arg.starts_with("-c") {
                        // Before other commands of this program, `-c` is the configuration file. The long name is clear.
                        token_args.extend([name, value.or(next).unwrap_or_default()]);
                    } else {
                        token_args.extend([arg].into_iter().chain(next));
                    }
                }
                ToolOption::Unknown => {
                    let name = arg.split('=').next().unwrap_or_default();
                    return Err(ToolArgsError::UnknownOption(shorten(name)));
                }
            }
        }
        let command = match words.as_slice() {
            // ack-ram-tool ignores more words.
            ["credential-plugin", "get-token", ..] => ToolCommand::GetToken,
            ["credential-plugin", "get-credential", ..] => ToolCommand::GetCredential,
            _ => return Err(ToolArgsError::OtherCommand),
        };
        match certificate_option {
            Some(name) if command == ToolCommand::GetToken => {
                Err(ToolArgsError::UnknownOption(name.to_owned()))
            }
            _ if !has_cluster_id => Err(ToolArgsError::NoClusterId),
            _ => Ok(Self {
                command,
                token_args: token_args.into_iter().map(str::to_owned).collect(),
            }),
        }
    }
}

/// Returns the name of an option for a message. A name that no option has, such as a pasted secret, is shortened.
fn shorten(name: &str) -> String {
    let is_letter = |char: char| char.is_ascii_lowercase() || char == '-';
    match name.len() {
        0..=40 if name.starts_with("--") && name.chars().all(is_letter) => name.to_owned(),
        _ => name.chars().take(2).collect::<String>() + "…",
    }
}

enum ToolOption<'a> {
    Switch,
    Value {
        name: &'static str,
        /// `None` if the value is the next argument.
        value: Option<&'a str>,
    },
    Unknown,
}

impl<'a> ToolOption<'a> {
    /// Reads an argument; `None` if it is a word.
    fn read(arg: &'a str) -> Option<Self> {
        if let Some(value) = arg.strip_prefix("-c") {
            let value = value.strip_prefix('=').unwrap_or(value);
            return Some(Self::Value {
                name: "--cluster-id",
                value: Some(value).filter(|value| !value.is_empty()),
            });
        }
        if matches!(arg, "-v" | "-y" | "-vy" | "-yv") {
            return Some(Self::Switch);
        }
        if !arg.starts_with('-') {
            return None;
        }
        let (name, value) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (arg, None),
        };
        let known = VALUE_OPTIONS.iter().chain(&CERTIFICATE_OPTIONS);
        Some(match known.copied().find(|known| *known == name) {
            Some(name) => Self::Value { name, value },
            None if SWITCHES.contains(&name) => Self::Switch,
            None => Self::Unknown,
        })
    }
}
