//! What is measured: a program, and where its access key comes from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::json;

use crate::{BoxError, Client, cache_folder};

/// Where the access key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Environment,
    Profile,
    Ini,
    CachedRole,
    ColdRole,
}

impl Source {
    pub(crate) const ALL: [Self; 5] = [
        Self::Environment,
        Self::Profile,
        Self::Ini,
        Self::CachedRole,
        Self::ColdRole,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Environment => "key in the environment",
            Self::Profile => "profile of the CLI",
            Self::Ini => "INI file",
            Self::CachedRole => "role, from the cache",
            Self::ColdRole => "role, a call to STS",
        }
    }
}

/// A command that is measured.
pub(crate) struct Case {
    pub(crate) program: &'static str,
    pub(crate) name: &'static str,
    pub(crate) source: Option<Source>,
    path: PathBuf,
    home: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

impl Case {
    /// Returns the program that does nothing.
    pub(crate) fn empty() -> Self {
        Self {
            program: "empty program",
            name: "",
            source: None,
            path: env!("CARGO_BIN_EXE_empty-program").into(),
            home: "/".into(),
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Prepares a command of `client` in the home directory `home`.
    pub(crate) fn new(
        source: Source,
        client: &Client,
        home: PathBuf,
        sts: &Emulator,
    ) -> Result<Self, BoxError> {
        fs::create_dir_all(&home)?;
        let mut arguments = vec!["token".to_owned(), format!("--cluster-id={CLUSTER}")];
        let mut variables = Vec::new();
        match source {
            Source::Environment => variables.extend(key_variables()),
            Source::Profile => write_profile(&home)?,
            Source::Ini => write_ini(&home)?,
            Source::CachedRole | Source::ColdRole => {
                let ca = home.join("ca.pem");
                fs::write(&ca, sts.ca_pem())?;
                arguments.push(format!("--role-arn={}", demo::ROLE_ARN));
                arguments.push(format!("--sts-endpoint={}", sts.url()));
                variables.extend(key_variables());
                variables.push(("SSL_CERT_FILE", ca.display().to_string()));
            }
        }
        Ok(Self {
            program: client.name,
            name: source.name(),
            source: Some(source),
            path: client.path.clone(),
            home,
            arguments,
            variables,
        })
    }

    /// Returns the command, which inherits no variables.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .env("HOME", &self.home)
            .envs(self.variables.iter().cloned())
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// Removes the cache if the command has to call STS.
    pub(crate) fn prepare(&self) -> Result<(), BoxError> {
        if self.source == Some(Source::ColdRole) {
            clear_cache(&self.home)?;
        }
        Ok(())
    }
}

/// Removes the cache below `home`.
pub(crate) fn clear_cache(home: &Path) -> Result<(), BoxError> {
    match fs::remove_dir_all(cache_folder(home)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn key_variables() -> [(&'static str, String); 2] {
    let key = demo::user_key();
    [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.as_str().to_owned()),
        (
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            key.secret.expose().to_owned(),
        ),
    ]
}

fn write_profile(home: &Path) -> Result<(), BoxError> {
    let key = demo::user_key();
    let profile = json!({
        "name": "default",
        "mode": "AK",
        "access_key_id": key.id.as_str(),
        "access_key_secret": key.secret.expose(),
    });
    let file = json!({ "current": "default", "profiles": [profile], "meta_path": "" });
    fs::create_dir_all(home.join(".aliyun"))?;
    Ok(fs::write(
        home.join(".aliyun/config.json"),
        file.to_string(),
    )?)
}

fn write_ini(home: &Path) -> Result<(), BoxError> {
    let key = demo::user_key();
    let text = format!(
        "[default]\ntype = access_key\naccess_key_id = {}\naccess_key_secret = {}\n",
        key.id,
        key.secret.expose()
    );
    fs::create_dir_all(home.join(".alibabacloud"))?;
    Ok(fs::write(home.join(".alibabacloud/credentials"), text)?)
}
