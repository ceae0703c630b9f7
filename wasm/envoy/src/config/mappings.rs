//! Compiles the mappings of a configuration into rules.

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source, Validation, WildcardMode,
};

use crate::config::document::ConfigDocument;
use crate::config::{ConfigError, invalid_value};

/// The backend for mappings in a configuration file, among the backends of `server.backendMode`.
const BACKEND: Backend = Backend::MountedFile;

/// Compiles the rules of `document`.
///
/// A server ignores invalid entries and applies the others. The filter refuses the whole configuration, because Envoy
/// then keeps the previous one.
pub(super) fn rules(document: &ConfigDocument) -> Result<RuleSet, ConfigError> {
    let mut rules = BackendRules::new(BACKEND);
    for mapping in mappings(document) {
        let position = mapping.source.position.clone();
        if let Some(group) = mapping
            .spec
            .groups
            .iter()
            .position(|group| group.contains(','))
        {
            let key = format!("{position}.groups[{group}]");
            return Err(invalid_value(
                key,
                "has a comma, but proxies join group headers with commas; use another group",
            ));
        }
        let has_space = |name: &String| name.trim() != name;
        if has_space(&mapping.spec.username) || mapping.spec.groups.iter().any(has_space) {
            return Err(invalid_value(
                position,
                "has a name that starts or ends with a space, which headers do not keep; remove the space",
            ));
        }
        let rule = Rule::compile(mapping)
            .map_err(|error| invalid_value(position, format_args!("is not valid: {error}")))?;
        rules.apply(rule);
    }
    if let Some(conflict) = rules.conflicts().first() {
        return Err(invalid_value(
            conflict.shadowed.position.clone(),
            format_args!(
                "maps the same identity as `{}`; keep only one of them",
                conflict.shadowed_by.position
            ),
        ));
    }
    for account in accounts("mapAccounts", &document.map_accounts)? {
        rules.apply_account(account);
    }
    if rules.is_empty() && document.map_accounts.is_empty() {
        return Err(invalid_value(
            "mapUsers",
            "is empty, and so are `mapRoles`, `mapRules` and `mapAccounts`: no identity could log in; add a mapping",
        ));
    }
    let scrubbed = accounts("scrubbedAccounts", &document.scrubbed_accounts)?;
    let validations = document.user_validation_rules.iter().enumerate();
    let validations = validations.map(|(index, validation)| {
        Validation::compile(&validation.expression, &validation.message).map_err(|error| {
            let key = format!("userValidationRules[{index}].expression");
            invalid_value(key, format_args!("is not valid: {error}"))
        })
    });
    let rules = RuleSet::new(vec![rules], scrubbed);
    Ok(rules.with_validations(validations.collect::<Result<_, _>>()?))
}

fn mappings(document: &ConfigDocument) -> impl Iterator<Item = Mapping> {
    let globs = if document.globs {
        WildcardMode::Enabled
    } else {
        WildcardMode::Disabled
    };
    let users = document.map_users.iter().enumerate();
    let users = users.map(|(index, user)| {
        exact_mapping("mapUsers", index, &user.arn, &user.username, &user.groups)
    });
    let roles = document.map_roles.iter().enumerate();
    let roles = roles.map(|(index, role)| {
        exact_mapping("mapRoles", index, &role.arn, &role.username, &role.groups)
    });
    let rules = document.map_rules.iter().enumerate();
    let rules = rules.map(|(index, spec)| {
        let source = source("mapRules", index);
        Mapping::new(source, Precedence::ListIndex(index), spec.clone())
    });
    users
        .chain(roles)
        .map(move |mapping| Mapping {
            wildcards: globs,
            ..mapping
        })
        .chain(rules)
        .enumerate()
        .map(|(index, mapping)| Mapping {
            precedence: Precedence::ListIndex(index),
            ..mapping
        })
}

fn source(list: &str, index: usize) -> Source {
    Source {
        backend: BACKEND,
        position: format!("{list}[{index}]"),
    }
}

fn exact_mapping(
    list: &str,
    index: usize,
    arn: &str,
    username: &str,
    groups: &[String],
) -> Mapping {
    Mapping::for_arn(
        source(list, index),
        Precedence::ListIndex(index),
        arn,
        username,
        groups.to_vec(),
    )
}

fn accounts(key: &str, texts: &[String]) -> Result<Vec<AccountId>, ConfigError> {
    let accounts = texts.iter().enumerate().map(|(index, text)| {
        AccountId::parse(text).ok_or_else(|| {
            invalid_value(
                format!("{key}[{index}]"),
                "is not a valid account ID; write its digits in quotes",
            )
        })
    });
    accounts.collect()
}
