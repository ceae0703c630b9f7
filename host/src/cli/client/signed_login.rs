//! A signed login: a token that is signed with the configured access key.

use ack_ram_analysis::inspect;
use ack_ram_client::environment::Environment;
use ack_ram_client::flow::Obtained;
use ack_ram_client::settings::Settings;
use ack_ram_client::token::{self, SignedToken, TokenDate};
use ack_ram_core::login::{self, Step};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;

use super::exec_credential::{self, ApiVersion};
use super::exec_info::missing_cluster_id;
use super::{CallOptions, KeySource};
use crate::cli::args::Globals;
use crate::cli::failure::CommandFailure;
use crate::config::{self, ClientConfig, ConfigSources, DiagnosticCode, Overrides};

/// A token, the time at which the client requests a new one, and what the token was checked with.
pub(in crate::cli) struct SignedLogin {
    token: SignedToken,
    policy: TokenPolicy,
}

impl SignedLogin {
    /// Loads the configuration, obtains the access key that `settings` select, and signs a token for the cluster.
    ///
    /// `cluster_id` takes precedence over the configuration file. Without an ID in either place, the login fails.
    pub(in crate::cli) fn new(
        globals: &Globals,
        cluster_id: Option<String>,
        settings: impl FnOnce(&Environment) -> Result<Settings, CommandFailure>,
        call: &CallOptions,
        environment: Environment,
    ) -> Result<Self, CommandFailure> {
        let overrides = Overrides {
            cluster_id,
            ..Overrides::default()
        };
        let load = |sources: &ConfigSources<'_>| match config::load_client(sources) {
            Err(error) if error.code == DiagnosticCode::NoClusterId => Ok(None),
            result => result.map(Some),
        };
        let config = globals.configuration(load, overrides)?;
        let config = config.ok_or_else(|| missing_cluster_id(globals.config.as_deref()))?;
        for warning in &config.warnings {
            tracing::warn!("{}", warning.warning_text());
        }
        let mut source = KeySource::new(settings(&environment)?, call, &config, environment)?;
        // A mistake in the variables must not cost a call.
        extra_query(&source)?;
        let key = source.client().obtain();
        let key = key.map_err(CommandFailure::from_client)?;
        Self::sign(&key, &source, call, &config)
    }

    /// Signs a token with a key, for the cluster in the configuration.
    pub(in crate::cli) fn sign(
        key: &Obtained,
        source: &KeySource,
        call: &CallOptions,
        config: &ClientConfig,
    ) -> Result<Self, CommandFailure> {
        let extra_query = extra_query(source)?;
        let date = match call.no_cache {
            true => TokenDate::Exact,
            false => TokenDate::Shared,
        };
        let now = source.driver.now();
        let token = token::sign(
            key,
            &config.policy.cluster_id,
            &user_agent(),
            &extra_query,
            date,
            now,
        );
        let login = Self {
            token: token.map_err(CommandFailure::from_client)?,
            policy: TokenPolicy {
                // Which keys the server accepts is not known here.
                extra_query_keys: extra_query.into_iter().map(|(key, _)| key).collect(),
                // The limit of the server is not known here.
                max_token_bytes: usize::MAX,
                ..config.policy.clone()
            },
        };
        login.check_token(now)?;
        Ok(login)
    }

    /// Returns the bare token.
    pub(in crate::cli) fn token(&self) -> &Secret {
        &self.token.token
    }

    /// Returns the policy that the token meets.
    pub(in crate::cli) fn policy(&self) -> &TokenPolicy {
        &self.policy
    }

    /// Checks the token as a server of the cluster does. A token that the server would refuse must not be printed.
    fn check_token(&self, now: UnixTime) -> Result<(), CommandFailure> {
        match login::begin(self.token().expose(), &self.policy, now) {
            Step::CallSts(_) => Ok(()),
            Step::Decided(decision) => Err(CommandFailure::Failed(format!(
                "the token would be refused: {}",
                decision
                    .public_message()
                    .unwrap_or_else(|| "it is not recognized as a token".to_owned())
            ))),
        }
    }

    /// Renders the token as an `ExecCredential`.
    pub(in crate::cli) fn render(&self, version: ApiVersion) -> Result<String, CommandFailure> {
        let text = exec_credential::render(self.token(), self.token.expires, version)?;
        // kubectl gives no useful error for an ExecCredential that it cannot read, so this checks the output.
        match inspect::extract_tokens(&text).as_deref() {
            Ok([found]) if found.token == *self.token() => Ok(text),
            _ => Err(CommandFailure::Failed(
                "the ExecCredential does not contain the token; report this as a bug".to_owned(),
            )),
        }
    }
}

fn extra_query(source: &KeySource) -> Result<Vec<(String, String)>, CommandFailure> {
    token::extra_query(source.environment())
        .map_err(|error| CommandFailure::from_client(error.into()))
}

/// Returns a user agent in the form of ack-ram-tool's: program, version, and Go's names of the system and processor.
fn user_agent() -> String {
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    format!(
        "ack-ram-authenticator/{} ({system}/{processor})",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use ack_ram_core::access_key::AccessKeyId;
    use ack_ram_core::cluster_id::ClusterId;
    use ack_ram_core::sign::AccessKey;
    use serde_json::Value;

    use super::*;

    /// Creates the token in `sample`, an output of ack-ram-tool, and compares the outputs.
    #[track_caller]
    fn check(sample: &str, security_token: Option<&str>, version: ApiVersion) {
        let printed: Value = serde_json::from_str(sample).unwrap();
        let expires = printed["status"]["expirationTimestamp"].as_str().unwrap();
        let signed = UnixTime::parse(expires).unwrap().plus_seconds(-600);
        let key = AccessKey {
            id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
            secret: Secret::new("FakeAccessKeySecret0000000001"),
            security_token: security_token.map(Secret::new),
        };
        let cluster = ClusterId::parse("c0123456789abcdef0123456789abcdef").unwrap();
        let user_agent = "ack-ram-tool/unknown (linux/amd64)";
        let key = Obtained {
            key,
            expires: None,
            session_name: None,
        };
        let token = token::sign(&key, &cluster, user_agent, &[], TokenDate::Exact, signed);
        let login = SignedLogin {
            token: token.unwrap(),
            policy: TokenPolicy::new(cluster),
        };
        assert_eq!(login.render(version).unwrap(), sample);
    }

    macro_rules! sample {
        ($name:literal) => {
            include_str!(concat!("../../../../tests/vectors/exec-credential-", $name))
        };
    }

    #[test]
    fn login_output_equals_ack_ram_tool() {
        check(sample!("v1.json"), None, ApiVersion::V1);
        check(sample!("v1beta1.json"), None, ApiVersion::V1beta1);
        check(
            sample!("security-token.json"),
            Some("CAISFakeSecurityToken/+=="),
            ApiVersion::V1beta1,
        );
    }
}
