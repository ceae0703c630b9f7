//! Credentials from environment variables, with the precedence that ack-ram-tool uses.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;

use crate::credentials::error::{CredentialError, ValueFault};
use crate::environment::Variables;

/// The variables that one generation of tools uses for an access key.
#[derive(Debug)]
struct VariableFamily {
    id: &'static str,
    secret: &'static str,
    security_token: &'static str,
}

const VARIABLE_FAMILIES: &[VariableFamily] = &[
    VariableFamily {
        id: "ALIBABA_CLOUD_ACCESS_KEY_ID",
        secret: "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
        security_token: "ALIBABA_CLOUD_SECURITY_TOKEN",
    },
    VariableFamily {
        id: "ALICLOUD_ACCESS_KEY",
        secret: "ALICLOUD_SECRET_KEY",
        security_token: "ALICLOUD_ACCESS_KEY_STS_TOKEN",
    },
    VariableFamily {
        id: "ALIBABACLOUD_ACCESS_KEY_ID",
        secret: "ALIBABACLOUD_ACCESS_KEY_SECRET",
        security_token: "ALIBABACLOUD_SECURITY_TOKEN",
    },
    VariableFamily {
        id: "ALICLOUD_ACCESS_KEY_ID",
        secret: "ALICLOUD_ACCESS_KEY_SECRET",
        security_token: "ALICLOUD_SECURITY_TOKEN",
    },
    VariableFamily {
        id: "ACCESS_KEY_ID",
        secret: "ACCESS_KEY_SECRET",
        security_token: "SECURITY_TOKEN",
    },
];

const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
const OIDC_PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const OIDC_TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";

/// Sources with a lower precedence than access keys, and a description of each.
const UNSUPPORTED_SOURCES: &[(&str, &str)] = &[
    ("ALIBABA_CLOUD_CREDENTIALS_URI", "credentials from a URL"),
    (
        "ALIBABA_CLOUD_ECS_METADATA",
        "credentials of the ECS instance's role",
    ),
    ("ALIBABA_CLOUD_CREDENTIALS_FILE", "credentials from a file"),
];

/// Returns the access key in the environment. As in ack-ram-tool, each part comes from the first variable that is set.
///
/// # Errors
/// When no key is set or a value is malformed, or when ack-ram-tool would use a source that this version does not
/// support.
pub fn from_environment(variables: &Variables<'_>) -> Result<AccessKey, CredentialError> {
    let id = first_set(variables, |family| family.id);
    let secret = first_set(variables, |family| family.secret);
    let security_token = first_set(variables, |family| family.security_token);
    if let (Some((family, id)), Some((secret_family, secret))) = (id.as_ref(), secret.as_ref()) {
        if security_token.is_none() {
            refuse_oidc(variables)?;
            refuse_if_set(variables, ROLE_ARN, "a role to assume")?;
        }
        let variable = family.id;
        check_value(variable, id)?;
        check_value(secret_family.secret, secret)?;
        if let Some((family, token)) = &security_token {
            check_value(family.security_token, token)?;
        }
        return Ok(AccessKey {
            id: AccessKeyId::parse(id).ok_or(CredentialError::MalformedId { variable })?,
            secret: Secret::new(secret.as_str()),
            security_token: security_token.map(|(_, token)| Secret::new(token)),
        });
    }
    refuse_oidc(variables)?;
    for (variable, source) in UNSUPPORTED_SOURCES {
        refuse_if_set(variables, variable, source)?;
    }
    let half = |present, missing| CredentialError::IncompleteKey { present, missing };
    Err(match (id, secret) {
        (Some((family, _)), _) => half(family.id, family.secret),
        (_, Some((family, _))) => half(family.secret, family.id),
        (None, None) => CredentialError::NotSet,
    })
}

/// Refuses a value with characters that no credential contains. Otherwise STS would refuse the signature, without
/// saying why.
fn check_value(variable: &'static str, value: &str) -> Result<(), CredentialError> {
    match ValueFault::find(value) {
        Some(fault) => Err(CredentialError::Malformed { variable, fault }),
        None => Ok(()),
    }
}

/// Returns the first family whose `part` is set, and its value.
fn first_set(
    variables: &Variables<'_>,
    part: fn(&VariableFamily) -> &'static str,
) -> Option<(&'static VariableFamily, String)> {
    VARIABLE_FAMILIES
        .iter()
        .find_map(|family| Some((family, non_empty_value(variables, part(family))?)))
}

fn non_empty_value(variables: &Variables<'_>, name: &str) -> Option<String> {
    variables(name).filter(|value| !value.is_empty())
}

/// Refuses a login with OIDC. ack-ram-tool uses OIDC if all three variables are set, and prefers it to a permanent key.
fn refuse_oidc(variables: &Variables<'_>) -> Result<(), CredentialError> {
    let is_requested = [ROLE_ARN, OIDC_PROVIDER_ARN, OIDC_TOKEN_FILE]
        .iter()
        .all(|name| non_empty_value(variables, name).is_some());
    if is_requested {
        refuse_if_set(
            variables,
            OIDC_TOKEN_FILE,
            "a role to assume with an OIDC token",
        )?;
    }
    Ok(())
}

fn refuse_if_set(
    variables: &Variables<'_>,
    variable: &'static str,
    wanted: &'static str,
) -> Result<(), CredentialError> {
    match non_empty_value(variables, variable) {
        Some(_) => Err(CredentialError::NotSupported { variable, wanted }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
