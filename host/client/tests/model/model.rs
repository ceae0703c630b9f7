//! A slow and plain model of the search for a key: settings, then the environment, then the file of the CLI, then the
//! INI file. The model is written from the description of the wire and of the files alone.
//!
//! Where the description is silent, the model chooses an error rather than another identity. A comment that starts with
//! "Choice:" says so.

use crate::cli_file;
use crate::ini_file;
use crate::model_services::Regional;
use crate::outcome::{Kind, Outcome, RoleStep, Way};
use crate::values;
use crate::world::{Stored, World};

/// The model: a world, with the search.
pub(crate) struct Model<'a> {
    pub(crate) world: &'a World,
}

/// Predicts the decision.
pub(crate) fn predict(world: &World) -> Outcome {
    let model = Model { world };
    let options = &world.options;
    let (source, regional) = model.find_source()?;
    if options.session_name.is_some() && options.forward_session_name {
        return Err(Kind::Conflict);
    }
    let Some(role) = options.role else {
        return model.change_last_role(source);
    };
    let name = match (options.session_name, options.forward_session_name) {
        (Some(name), _) => Some(name.to_owned()),
        (None, true) => None,
        (None, false) => Some(model.default_session_name(options.program)?),
    };
    Ok(Way::Assume {
        source: Box::new(source),
        role: RoleStep {
            role: role.to_owned(),
            name,
            seconds: options.duration,
            policy: options.policy.map(str::to_owned),
            endpoint: model.endpoint(&regional)?,
        },
        external_id: match options.external_id {
            Some(id) => Some(id.to_owned()),
            None => model.external_id_variable()?,
        },
    })
}

impl Model<'_> {
    /// Applies the options of a session. Choice: without a role of the command line, the options belong to the role that
    /// is assumed last, and are an error if there is none: the person wants a session with these properties.
    fn change_last_role(&self, source: Way) -> Outcome {
        let options = &self.world.options;
        let is_given = options.session_name.is_some()
            || options.forward_session_name
            || options.external_id.is_some()
            || options.duration.is_some()
            || options.policy.is_some();
        if !is_given {
            return Ok(source);
        }
        let change = |mut role: RoleStep| {
            role.name = match (options.session_name, options.forward_session_name) {
                (Some(name), _) => Some(name.to_owned()),
                (None, true) => None,
                (None, false) => role.name,
            };
            role.seconds = options.duration.or(role.seconds);
            role.policy = options.policy.map(str::to_owned).or(role.policy);
            role
        };
        match source {
            Way::Assume {
                source,
                role,
                external_id,
            } => Ok(Way::Assume {
                source,
                role: change(role),
                external_id: options.external_id.map(str::to_owned).or(external_id),
            }),
            // AssumeRoleWithOIDC has no external ID, and no source whose name could be forwarded.
            Way::Oidc {
                role,
                provider,
                token_file,
            } if options.external_id.is_none() && !options.forward_session_name => Ok(Way::Oidc {
                role: change(role),
                provider,
                token_file,
            }),
            _ => Err(Kind::NoRole),
        }
    }

    /// Returns a variable. An empty variable counts as one that is not set.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let value = self.world.variables.get(name)?;
        (!value.is_empty()).then(|| value.clone())
    }

    pub(crate) fn first_variable(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.variable(name))
    }

    /// Returns whether a twin of a flag that is a bool is on. Only the words of Go count.
    fn twin_is_on(&self, name: &str) -> bool {
        let value = self.variable(name);
        matches!(
            value.as_deref(),
            Some("1" | "t" | "T" | "true" | "TRUE" | "True")
        )
    }

    /// Returns whether a newer switch is on. Choice: in any case, as the SDK compares. The switch takes a source away.
    pub(crate) fn switch_is_on(&self, name: &str) -> bool {
        let value = self.variable(name);
        value.is_some_and(|value| value.to_lowercase() == "true")
    }

    fn profile_file(&self) -> Option<String> {
        let option = self.world.options.profile_file.map(str::to_owned);
        option.or_else(|| self.variable("ACK_RAM_TOOL_PROFILE_FILE"))
    }

    fn ignores_cli_file_by_option(&self) -> bool {
        self.world.options.ignore_cli_file
            || self.twin_is_on("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS")
    }

    fn cli_file_is_switched_off(&self) -> bool {
        self.switch_is_on("ALIBABA_CLOUD_CLI_PROFILE_DISABLED")
            || self.variable("ALIBABA_CLOUD_IGNORE_PROFILE").as_deref() == Some("TRUE")
            || self.variable("ALIBABACLOUD_IGNORE_PROFILE").as_deref() == Some("TRUE")
    }

    /// Returns the name of the profile that the settings and the environment select.
    pub(crate) fn selected_profile(&self) -> Option<String> {
        let option = self.world.options.profile_name.map(str::to_owned);
        option.or_else(|| {
            self.first_variable(&[
                "ACK_RAM_TOOL_PROFILE_NAME",
                "ACK_RAM_TOOL_PROFIL_ENAME",
                "ALIBABA_CLOUD_PROFILE",
                "ALIBABACLOUD_PROFILE",
                "ALICLOUD_PROFILE",
            ])
        })
    }

    fn find_source(&self) -> Result<(Way, Regional), Kind> {
        let options = &self.world.options;
        let twin = self.variable("ACK_RAM_TOOL_CREDENTIAL_TYPE");
        let credential_type = options.credential_type.map(str::to_owned).or(twin);
        if matches!(credential_type.as_deref(), Some("imds" | "ecs-role")) {
            return Ok((self.metadata(None)?, Regional::default()));
        }
        if let Some(path) = self.profile_file() {
            let path = self.expand(&path)?;
            if !path.ends_with(".json") {
                return ini_file::follow(self, &path);
            }
            if self.ignores_cli_file_by_option() {
                return Err(Kind::Conflict);
            }
            // Choice: a file that is named and switched off at once is an error.
            if self.cli_file_is_switched_off() {
                return Err(Kind::SwitchedOff);
            }
            return cli_file::follow(self, &path);
        }
        let ignores_environment =
            options.ignore_environment || self.twin_is_on("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS");
        if !ignores_environment && let Some(found) = self.environment()? {
            return Ok(found);
        }
        if !self.ignores_cli_file_by_option() && !self.cli_file_is_switched_off() {
            if let Some(path) = self.variable("ALIBABA_CLOUD_CONFIG_FILE") {
                // Choice: a file that a variable names must exist.
                return cli_file::follow(self, &self.expand(&path)?);
            }
            if let Some(path) = self.in_home(".aliyun/config.json") {
                return cli_file::follow(self, &path);
            }
        }
        match self.in_home(".alibabacloud/credentials") {
            Some(path) => ini_file::follow(self, &path),
            None => Err(Kind::NotConfigured),
        }
    }

    /// Returns what the environment gives, with an STS endpoint that no profile decides about.
    fn environment(&self) -> Result<Option<(Way, Regional)>, Kind> {
        let id = self.first_variable(&[
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALICLOUD_ACCESS_KEY",
            "ALIBABACLOUD_ACCESS_KEY_ID",
            "ALICLOUD_ACCESS_KEY_ID",
            "ACCESS_KEY_ID",
        ]);
        let secret = self.first_variable(&[
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALICLOUD_SECRET_KEY",
            "ALIBABACLOUD_ACCESS_KEY_SECRET",
            "ALICLOUD_ACCESS_KEY_SECRET",
            "ACCESS_KEY_SECRET",
        ]);
        let token = self.first_variable(&[
            "ALIBABA_CLOUD_SECURITY_TOKEN",
            "ALICLOUD_ACCESS_KEY_STS_TOKEN",
            "ALIBABACLOUD_SECURITY_TOKEN",
            "ALICLOUD_SECURITY_TOKEN",
            "SECURITY_TOKEN",
        ]);
        let role = self.variable("ALIBABA_CLOUD_ROLE_ARN");
        let provider = self.variable("ALIBABA_CLOUD_OIDC_PROVIDER_ARN");
        let token_file = self.variable("ALIBABA_CLOUD_OIDC_TOKEN_FILE");
        let regional = Regional::default();
        if let (Some(id), Some(secret), Some(token)) = (&id, &secret, token) {
            let key = values::key(id, secret, Some(&token))?;
            return Ok(Some((Way::Key(key), regional)));
        }
        if let (Some(role), Some(provider), Some(file)) = (&role, provider, token_file) {
            let token_file = self.expand(&file)?;
            let way = Way::Oidc {
                role: RoleStep {
                    role: values::role_arn(role)?,
                    name: Some(self.default_session_name(self.world.options.program)?),
                    seconds: None,
                    policy: None,
                    endpoint: self.endpoint(&regional)?,
                },
                provider: values::provider_arn(&provider)?,
                token_file,
            };
            return Ok(Some((way, regional)));
        }
        if let (Some(id), Some(secret)) = (&id, &secret) {
            let key = Way::Key(values::key(id, secret, None)?);
            let Some(role) = role else {
                return Ok(Some((key, regional)));
            };
            let way = Way::Assume {
                source: Box::new(key),
                role: RoleStep {
                    role: values::role_arn(&role)?,
                    name: Some(self.default_session_name(self.world.options.program)?),
                    seconds: None,
                    policy: None,
                    endpoint: self.endpoint(&regional)?,
                },
                external_id: self.external_id_variable()?,
            };
            return Ok(Some((way, regional)));
        }
        if let Some(url) = self.variable("ALIBABA_CLOUD_CREDENTIALS_URI") {
            return Ok(Some((self.url(&url)?, regional)));
        }
        if let Some(role) = self.variable("ALIBABA_CLOUD_ECS_METADATA") {
            return Ok(Some((self.metadata(Some(role))?, regional)));
        }
        match self.variable("ALIBABA_CLOUD_CREDENTIALS_FILE") {
            Some(path) => {
                let path = self.expand(&path)?;
                let name = "default-session-name";
                ini_file::follow_with_name(self, &path, name).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Returns the path of an existing file in the home directory.
    fn in_home(&self, name: &str) -> Option<String> {
        let path = format!("{}/{name}", self.variable("HOME")?);
        self.world.files.contains_key(&path).then_some(path)
    }

    /// Replaces `~` at the start of a path.
    pub(crate) fn expand(&self, path: &str) -> Result<String, Kind> {
        match path.strip_prefix("~/") {
            None => Ok(path.to_owned()),
            Some(rest) => match self.variable("HOME") {
                Some(home) => Ok(format!("{home}/{rest}")),
                None => Err(Kind::File),
            },
        }
    }

    /// Reads a file, and, if `twice`, a second time if the first text is not whole.
    pub(crate) fn read<T>(
        &self,
        path: &str,
        twice: bool,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Kind> {
        let parse = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).map_err(|_| Kind::File)?;
            parse(text.strip_prefix('\u{feff}').unwrap_or(text)).ok_or(Kind::Syntax)
        };
        match self.world.files.get(path) {
            None | Some(Stored::Folder) => Err(Kind::File),
            Some(Stored::File(bytes)) => parse(bytes),
            Some(Stored::Growing(first, second)) if twice => {
                parse(first).or_else(|_| parse(second))
            }
            Some(Stored::Growing(first, _)) => parse(first),
        }
    }
}
