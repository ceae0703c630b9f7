//! Credentials from environment variables, in the order in which ack-ram-tool reads them.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;

use crate::credentials::error::{CredentialError, ValueFault};
use crate::env::Variables;

/// The names that one generation of tools gave to a key.
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

/// Sources that come after keys, and what each asks for.
const UNSUPPORTED_SOURCES: &[(&str, &str)] = &[
    ("ALIBABA_CLOUD_CREDENTIALS_URI", "credentials from a URL"),
    (
        "ALIBABA_CLOUD_ECS_METADATA",
        "credentials of the ECS instance's role",
    ),
    ("ALIBABA_CLOUD_CREDENTIALS_FILE", "credentials from a file"),
];

/// The key that the environment holds: each part from the first variable that is set, as ack-ram-tool does it.
///
/// # Errors
/// When no key is set, or when ack-ram-tool would take an identity from a source that this version does not have.
pub fn from_environment(variables: &Variables<'_>) -> Result<AccessKey, CredentialError> {
    let id = first_set(variables, |family| family.id);
    let secret = first_set(variables, |family| family.secret);
    let security_token = first_set(variables, |family| family.security_token);
    if let (Some((family, id)), Some((secret_family, secret))) = (id.as_ref(), secret.as_ref()) {
        if security_token.is_none() {
            refuse_oidc(variables)?;
            refuse_if_set(variables, ROLE_ARN, "that role to be assumed")?;
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
    for (variable, wanted) in UNSUPPORTED_SOURCES {
        refuse_if_set(variables, variable, wanted)?;
    }
    let half = |present, missing| CredentialError::IncompleteKey { present, missing };
    Err(match (id, secret) {
        (Some((family, _)), _) => half(family.id, family.secret),
        (_, Some((family, _))) => half(family.secret, family.id),
        (None, None) => CredentialError::NotSet,
    })
}

/// A signature with a mistyped secret is as good as any until STS refuses it: what no credential holds is refused here.
fn check_value(variable: &'static str, value: &str) -> Result<(), CredentialError> {
    match ValueFault::find(value) {
        Some(fault) => Err(CredentialError::Malformed { variable, fault }),
        None => Ok(()),
    }
}

/// The first family whose `part` is set, and what it is set to.
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

/// All three variables together ask for a login by OIDC, which in ack-ram-tool comes before a permanent key.
fn refuse_oidc(variables: &Variables<'_>) -> Result<(), CredentialError> {
    let is_asked = [ROLE_ARN, OIDC_PROVIDER_ARN, OIDC_TOKEN_FILE]
        .iter()
        .all(|name| non_empty_value(variables, name).is_some());
    if is_asked {
        refuse_if_set(variables, OIDC_TOKEN_FILE, "a role by an OIDC token")?;
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
mod tests {
    use std::cmp::Ordering;

    use super::*;

    /// Id, secret and security token.
    type Parts = (&'static str, &'static str, Option<&'static str>);

    #[track_caller]
    fn check(set: &[(&str, &str)], expected: Result<Parts, CredentialError>) {
        let variables = |name: &str| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let outcome = from_environment(&variables);
        let parts = outcome.as_ref().map(|key| {
            let token = key.security_token.as_ref().map(Secret::expose);
            (key.id.as_str(), key.secret.expose(), token)
        });
        assert_eq!(parts, expected.as_ref().copied(), "{set:?}");
    }

    const ID: (&str, &str) = ("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI1");
    const SECRET: (&str, &str) = ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "s1");
    const TOKEN: (&str, &str) = ("ALIBABA_CLOUD_SECURITY_TOKEN", "CAIS1");
    const ROLE: (&str, &str) = (ROLE_ARN, "acs:ram::1:role/r");
    const PROVIDER: (&str, &str) = (OIDC_PROVIDER_ARN, "acs:ram::1:oidc-provider/p");
    const TOKEN_FILE: (&str, &str) = (OIDC_TOKEN_FILE, "/token");

    #[test]
    fn key_parts_follow_variable_order() {
        check(&[ID, SECRET], Ok(("LTAI1", "s1", None)));
        check(&[ID, SECRET, TOKEN], Ok(("LTAI1", "s1", Some("CAIS1"))));
        for number in 0..VARIABLE_FAMILIES.len() {
            let mut set = Vec::new();
            for (index, family) in VARIABLE_FAMILIES.iter().enumerate() {
                let [id, secret, token] = match index.cmp(&number) {
                    Ordering::Less => ["", "", ""],
                    Ordering::Equal => ["LTAI1", "s1", "CAIS1"],
                    Ordering::Greater => ["other", "other", "other"],
                };
                set.push((family.id, id));
                set.push((family.secret, secret));
                set.push((family.security_token, token));
            }
            check(&set, Ok(("LTAI1", "s1", Some("CAIS1"))));
        }
        check(
            &[("ACCESS_KEY_ID", "LTAI1"), ("ALICLOUD_SECRET_KEY", "s1")],
            Ok(("LTAI1", "s1", None)),
        );
    }

    #[test]
    fn temporary_key_overrides_role_and_other_sources() {
        let temporary = Ok(("LTAI1", "s1", Some("CAIS1")));
        check(&[ID, SECRET, TOKEN, ROLE], temporary);
        check(&[ID, SECRET, TOKEN, ROLE, PROVIDER, TOKEN_FILE], temporary);
        check(
            &[ID, SECRET, TOKEN, (UNSUPPORTED_SOURCES[0].0, "x")],
            temporary,
        );
    }

    #[test]
    fn unsupported_source_is_refused() {
        let not_supported =
            |variable, wanted| Err(CredentialError::NotSupported { variable, wanted });
        let oidc = not_supported(OIDC_TOKEN_FILE, "a role by an OIDC token");
        check(&[ROLE, PROVIDER, TOKEN_FILE], oidc);
        check(&[ID, SECRET, ROLE, PROVIDER, TOKEN_FILE], oidc);
        check(
            &[ID, SECRET, ROLE],
            not_supported(ROLE_ARN, "that role to be assumed"),
        );
        for (variable, wanted) in UNSUPPORTED_SOURCES {
            check(&[(variable, "x")], not_supported(variable, wanted));
            check(&[ID, (variable, "x")], not_supported(variable, wanted));
            check(&[ID, SECRET, (variable, "x")], Ok(("LTAI1", "s1", None)));
        }
        check(
            &[
                (UNSUPPORTED_SOURCES[2].0, "x"),
                (UNSUPPORTED_SOURCES[1].0, "x"),
                (UNSUPPORTED_SOURCES[0].0, "x"),
            ],
            not_supported(UNSUPPORTED_SOURCES[0].0, UNSUPPORTED_SOURCES[0].1),
        );
    }

    #[test]
    fn malformed_value_is_refused_with_its_variable() {
        let good = [ID, SECRET, TOKEN];
        for (place, (variable, value)) in good.into_iter().enumerate() {
            for (bad, fault) in [
                (format!("\"{value}\""), "begins with a quote"),
                (format!("'{value}"), "begins with a quote"),
                (format!("{value}'"), "ends with a quote"),
                (format!("{value}\n"), "ends with a line break"),
                (format!("{value}\r\n"), "ends with a line break"),
                (format!("\n{value}"), "begins with a line break"),
                (format!(" {value}"), "begins with white space"),
                (format!("{value}\t"), "ends with white space"),
                (format!("{value}\u{a0}"), "ends with white space"),
                (" ".to_owned(), "begins with white space"),
                (format!("{value} {value}"), "holds white space"),
                (format!("{value}\n{value}"), "holds a line break"),
                (format!("{value}\"{value}"), "holds a quote"),
                (format!("{value}\0{value}"), "holds a control character"),
                (format!("{value}\u{7f}"), "ends with a control character"),
                (
                    format!("\u{feff}{value}"),
                    "begins with a character that is not ASCII",
                ),
                (
                    format!("{value}\u{fffd}{value}"),
                    "holds a character that is not ASCII",
                ),
                (
                    format!("\u{201c}{value}\u{201d}"),
                    "begins with a character that is not ASCII",
                ),
            ] {
                let variables = |name: &str| {
                    let found = good.iter().position(|(known, _)| *known == name)?;
                    Some(if found == place {
                        bad.clone()
                    } else {
                        good[found].1.to_owned()
                    })
                };
                let error = from_environment(&variables).unwrap_err();
                let expected = format!("`{variable}` {fault}; set it to the value alone");
                assert!(error.to_string().starts_with(&expected), "{bad:?}: {error}");
                assert!(!format!("{error} {error:?}").contains(value), "{error:?}");
            }
        }
        // Everything else that is visible is left to STS.
        let all: String = ('!'..='~').filter(|c| !"\"'".contains(*c)).collect();
        let variables = |name: &str| match name {
            name if name == ID.0 => Some(ID.1.to_owned()),
            name if name == SECRET.0 || name == TOKEN.0 => Some(all.clone()),
            _ => None,
        };
        assert_eq!(from_environment(&variables).unwrap().secret.expose(), all);
    }

    #[test]
    fn missing_variable_is_named() {
        check(&[], Err(CredentialError::NotSet));
        check(&[TOKEN, ROLE], Err(CredentialError::NotSet));
        check(
            &[ID],
            Err(CredentialError::IncompleteKey {
                present: "ALIBABA_CLOUD_ACCESS_KEY_ID",
                missing: "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            }),
        );
        check(
            &[("ALICLOUD_SECRET_KEY", "s")],
            Err(CredentialError::IncompleteKey {
                present: "ALICLOUD_SECRET_KEY",
                missing: "ALICLOUD_ACCESS_KEY",
            }),
        );
        check(
            &[("ALICLOUD_ACCESS_KEY", "not=an=id"), SECRET],
            Err(CredentialError::MalformedId {
                variable: "ALICLOUD_ACCESS_KEY",
            }),
        );
    }
}
