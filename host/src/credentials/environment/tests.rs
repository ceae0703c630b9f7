use std::cmp::Ordering;

use super::*;

/// The ID, secret and security token of an access key.
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
    let not_supported = |variable, wanted| Err(CredentialError::NotSupported { variable, wanted });
    let oidc = not_supported(OIDC_TOKEN_FILE, "a role to assume with an OIDC token");
    check(&[ROLE, PROVIDER, TOKEN_FILE], oidc);
    check(&[ID, SECRET, ROLE, PROVIDER, TOKEN_FILE], oidc);
    check(
        &[ID, SECRET, ROLE],
        not_supported(ROLE_ARN, "a role to assume"),
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
            (format!("{value} {value}"), "contains white space"),
            (format!("{value}\n{value}"), "contains a line break"),
            (format!("{value}\"{value}"), "contains a quote"),
            (format!("{value}\0{value}"), "contains a control character"),
            (format!("{value}\u{7f}"), "ends with a control character"),
            (
                format!("\u{feff}{value}"),
                "begins with a character that is not ASCII",
            ),
            (
                format!("{value}\u{fffd}{value}"),
                "contains a character that is not ASCII",
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
            let expected = format!("`{variable}` {fault}; set it to only the value");
            assert!(error.to_string().starts_with(&expected), "{bad:?}: {error}");
            assert!(!format!("{error} {error:?}").contains(value), "{error:?}");
        }
    }
    // All other visible characters are accepted.
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
