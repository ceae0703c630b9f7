//! What a decision depends on, as plain values, and the same values as the program receives them.

use std::collections::BTreeMap;
use std::path::Path;

use ack_ram_client::environment::Environment;
use ack_ram_client::files::{FileContent, FileError, Files};
use ack_ram_client::origin::{Origin, Setting};
use ack_ram_client::settings::{SessionSettings, Settings, is_metadata_type};
use ack_ram_core::sts::{ExternalId, RoleArn, SessionName, SessionPolicy, SessionSeconds};

/// The environment, the files and the options of a command.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) variables: BTreeMap<&'static str, String>,
    pub(crate) files: BTreeMap<String, Stored>,
    pub(crate) options: Options,
}

/// What a path names.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    /// A file with these bytes.
    File(Vec<u8>),
    /// A file that another program is writing: the first read meets a part of it.
    Growing(Vec<u8>, Vec<u8>),
    /// Not a file.
    Folder,
}

/// The options of the command line. The command line has checked the form of their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) credential_type: Option<&'static str>,
    pub(crate) profile_file: Option<&'static str>,
    pub(crate) profile_name: Option<&'static str>,
    pub(crate) ignore_environment: bool,
    pub(crate) ignore_cli_file: bool,
    pub(crate) role: Option<&'static str>,
    pub(crate) session_name: Option<&'static str>,
    pub(crate) forward_session_name: bool,
    pub(crate) external_id: Option<&'static str>,
    pub(crate) duration: Option<u32>,
    pub(crate) policy: Option<&'static str>,
    pub(crate) sts_endpoint: Option<&'static str>,
    pub(crate) region: Option<&'static str>,
    /// The session name of a command that nobody gave a name.
    pub(crate) program: &'static str,
}

impl World {
    /// Returns the environment as the program receives it.
    pub(crate) fn environment(&self) -> Environment {
        let variables = self.variables.iter();
        variables
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect()
    }

    /// Returns the settings as the command line makes them, with the variables of ack-ram-tool.
    pub(crate) fn settings(&self) -> Settings {
        let options = &self.options;
        let mut settings = Settings {
            only_metadata: given(options.credential_type, "--credential-type", |text| {
                Some(is_metadata_type(text))
            }),
            profile_file: given(options.profile_file, "--profile-file", |text| {
                Some(text.into())
            }),
            profile_name: given(options.profile_name, "--profile-name", |text| {
                Some(text.to_owned())
            }),
            ignore_environment: options
                .ignore_environment
                .then_some(Origin::Option("--ignore-env-credentials")),
            ignore_cli_file: options
                .ignore_cli_file
                .then_some(Origin::Option("--ignore-aliyun-cli-credentials")),
            role: given(options.role, "--role-arn", |text| RoleArn::parse(text).ok()),
            session: SessionSettings {
                name: given(options.session_name, "--session-name", SessionName::parse),
                forward_name: options.forward_session_name,
                external_id: given(options.external_id, "--external-id", ExternalId::parse),
                seconds: given(options.duration, "--duration", SessionSeconds::new),
                policy: given(options.policy, "--session-policy", SessionPolicy::parse),
            },
            sts_endpoint: given(options.sts_endpoint, "--sts-endpoint", |text| {
                Some(text.to_owned())
            }),
            region: given(options.region, "--region-id", |text| Some(text.to_owned())),
            default_session_name: options.program.to_owned(),
        };
        settings.add_variables(&self.environment());
        settings
    }
}

fn given<T, U>(
    option: Option<T>,
    name: &'static str,
    parse: impl FnOnce(T) -> Option<U>,
) -> Option<Setting<U>> {
    let value = parse(option?).expect("the generator makes only options that parse");
    Some(Setting::new(value, Origin::Option(name)))
}

impl Files for World {
    fn read(&self, path: &Path) -> Result<FileContent, FileError> {
        self.content(path, |first, _| first)
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        self.content(path, |_, second| second)
    }
}

impl World {
    fn content(
        &self,
        path: &Path,
        choose: for<'a> fn(&'a [u8], &'a [u8]) -> &'a [u8],
    ) -> Result<FileContent, FileError> {
        let path = path.to_str().expect("all paths are text");
        match self.files.get(path) {
            None => Err(FileError::NotFound),
            Some(Stored::Folder) => Err(FileError::NotAFile("a folder")),
            Some(Stored::File(bytes)) => FileContent::from_bytes(bytes.clone(), None),
            Some(Stored::Growing(first, second)) => {
                FileContent::from_bytes(choose(first, second).to_vec(), None)
            }
        }
    }
}
