//! A signed login: a token that is signed with the access key in the environment.

use ack_ram_analysis::inspect;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::login::{self, Step};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey, TOKEN_LIFETIME_SECONDS};
use ack_ram_core::time::UnixTime;

use crate::cli::args::Globals;
use crate::cli::exec_credential::{self, ApiVersion};
use crate::cli::failure::CommandFailure;
use crate::clock;
use crate::config::{self, ClientConfig, Overrides};
use crate::credentials;
use crate::environment;

/// A token, and the time at which the client requests a new one.
pub(super) struct SignedLogin {
    token: Secret,
    expires: UnixTime,
}

impl SignedLogin {
    /// Creates a token for the cluster in the configuration, with the access key in the environment.
    pub(super) fn new(globals: &Globals, overrides: Overrides) -> Result<Self, CommandFailure> {
        let config = globals.configuration(config::load_client, overrides)?;
        for warning in &config.warnings {
            tracing::warn!("{}", warning.warning_text());
        }
        refuse_default_role(&config)?;
        let key = credentials::from_environment(&environment::variable)?;
        let login = Self::sign(&key, &config.policy.cluster_id, &user_agent(), clock::now())?;
        login.check_token(config.policy, clock::now())?;
        Ok(login)
    }

    /// Returns the bare token.
    pub(super) fn token(&self) -> &Secret {
        &self.token
    }

    /// Checks the token as a server of the cluster does. A token that the server would refuse must not be printed.
    fn check_token(&self, policy: TokenPolicy, now: UnixTime) -> Result<(), CommandFailure> {
        let policy = TokenPolicy {
            // The limit of the server is not known here.
            max_token_bytes: usize::MAX,
            ..policy
        };
        match login::begin(self.token.expose(), &policy, now) {
            Step::CallSts(_) => Ok(()),
            Step::Decided(decision) => Err(CommandFailure::Failed(format!(
                "the token would be refused: {}",
                decision
                    .public_message()
                    .unwrap_or_else(|| "it is not recognized as a token".to_owned())
            ))),
        }
    }

    fn sign(
        key: &AccessKey,
        cluster: &ClusterId,
        user_agent: &str,
        now: UnixTime,
    ) -> Result<Self, CommandFailure> {
        let token = sign::sign_token_v2(key, cluster, user_agent, now).ok_or_else(|| {
            CommandFailure::Failed("cannot sign with this access key secret".to_owned())
        })?;
        Ok(Self {
            token,
            expires: now.plus_seconds(TOKEN_LIFETIME_SECONDS),
        })
    }

    /// Renders the token as an `ExecCredential`.
    pub(super) fn render(&self, version: ApiVersion) -> Result<String, CommandFailure> {
        let text = exec_credential::render(&self.token, self.expires, version)?;
        // kubectl gives no useful error for an ExecCredential that it cannot read, so this checks the output.
        match inspect::extract_tokens(&text).as_deref() {
            Ok([found]) if found.token == self.token => Ok(text),
            _ => Err(CommandFailure::Failed(
                "the ExecCredential does not contain the token; report this as a bug".to_owned(),
            )),
        }
    }
}

/// Refuses a configuration with `defaultRole`, since a token of the key alone would have another identity.
fn refuse_default_role(config: &ClientConfig) -> Result<(), CommandFailure> {
    match &config.default_role {
        None => Ok(()),
        Some(role) => Err(CommandFailure::Failed(format!(
            "`defaultRole` in the configuration file selects the role `{role}`, and this version cannot assume roles; remove the key, or use a file without it"
        ))),
    }
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
        let login = SignedLogin::sign(&key, &cluster, user_agent, signed).unwrap();
        assert_eq!(login.render(version).unwrap(), sample);
    }

    macro_rules! sample {
        ($name:literal) => {
            include_str!(concat!("../../../tests/vectors/exec-credential-", $name))
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
