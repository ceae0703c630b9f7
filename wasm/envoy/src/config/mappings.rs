//! Mappings as they are written, and the rules that they are.

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{
    Age, Backend, BackendRules, Globs, Mapping, Rule, RuleSet, Source, Validation,
};

use crate::config::document::{self, Document};
use crate::config::{ConfigError, bad};

/// Of the names that `server.backendMode` has, the one for what stands in a configuration.
const BACKEND: Backend = Backend::MountedFile;

/// The rules of `document`. Unlike a server, which goes on with what is good of a file, the filter refuses all when one
/// entry is bad: Envoy goes on with the configuration before.
pub(super) fn rules(document: &Document) -> Result<RuleSet, ConfigError> {
    let mut rules = BackendRules::new(BACKEND);
    for mapping in mappings(document) {
        let position = mapping.source.position.clone();
        if let Some(group) = mapping.groups.iter().position(|group| group.contains(',')) {
            let key = format!("{position}.groups[{group}]");
            return Err(bad(
                key,
                "has a comma, and proxies join headers of groups by commas; name another group",
            ));
        }
        let has_space = |name: &String| name.trim() != name;
        if has_space(&mapping.username) || mapping.groups.iter().any(has_space) {
            return Err(bad(
                position,
                "has a name with a space around it, which no header keeps; remove the space",
            ));
        }
        let rule = Rule::compile(mapping)
            .map_err(|error| bad(position, format_args!("is refused: {error}")))?;
        rules.apply(rule);
    }
    if let Some(conflict) = rules.conflicts().first() {
        return Err(bad(
            conflict.loser.position.clone(),
            format_args!(
                "is about the same identity as `{}`; leave one",
                conflict.winner.position
            ),
        ));
    }
    for account in accounts("mapAccounts", &document.map_accounts)? {
        rules.apply_account(account);
    }
    if rules.is_empty() && document.map_accounts.is_empty() {
        return Err(bad(
            "mapUsers",
            "and `mapRoles`, `mapRules` and `mapAccounts` map nobody, so that nobody could log in",
        ));
    }
    let scrubbed = accounts("scrubbedAccounts", &document.scrubbed_accounts)?;
    let validations = document.user_validation_rules.iter().enumerate();
    let validations = validations.map(|(index, validation)| {
        Validation::compile(&validation.expression, &validation.message).map_err(|error| {
            let key = format!("userValidationRules[{index}].expression");
            bad(key, format_args!("is refused: {error}"))
        })
    });
    let rules = RuleSet::new(vec![rules], scrubbed);
    Ok(rules.with_validations(validations.collect::<Result<_, _>>()?))
}

fn mappings(document: &Document) -> impl Iterator<Item = Mapping> {
    let globs = if document.globs {
        Globs::Wildcards
    } else {
        Globs::Literal
    };
    let users = document.map_users.iter().enumerate();
    let users = users
        .map(|(index, user)| exact("mapUsers", index, &user.arn, &user.username, &user.groups));
    let roles = document.map_roles.iter().enumerate();
    let roles = roles
        .map(|(index, role)| exact("mapRoles", index, &role.arn, &role.username, &role.groups));
    let rules = document.map_rules.iter().enumerate();
    let rules = rules.map(|(index, rule)| by_rule(index, rule));
    users
        .chain(roles)
        .map(move |mapping| Mapping { globs, ..mapping })
        .chain(rules)
        .enumerate()
        .map(|(place, mapping)| Mapping {
            age: Age::Place(place),
            ..mapping
        })
}

fn source(list: &str, index: usize) -> Source {
    Source {
        backend: BACKEND,
        position: format!("{list}[{index}]"),
    }
}

fn exact(list: &str, index: usize, arn: &str, username: &str, groups: &[String]) -> Mapping {
    Mapping::exact(
        source(list, index),
        Age::Place(index),
        arn,
        username,
        groups.to_vec(),
    )
}

fn by_rule(index: usize, rule: &document::Rule) -> Mapping {
    Mapping {
        arn_pattern: rule.arn_pattern.clone(),
        user_id: rule.user_id.clone(),
        role_id: rule.role_id.clone(),
        condition: rule.condition.clone(),
        username_expression: rule.username_expression.clone(),
        groups_expression: rule.groups_expression.clone(),
        groups_expression_may_add: rule.groups_expression_may_add.clone(),
        ..exact("mapRules", index, &rule.arn, &rule.username, &rule.groups)
    }
}

fn accounts(key: &str, texts: &[String]) -> Result<Vec<AccountId>, ConfigError> {
    let accounts = texts.iter().enumerate().map(|(index, text)| {
        AccountId::parse(text).ok_or_else(|| {
            bad(
                format!("{key}[{index}]"),
                "is no account; write its digits, in quotes",
            )
        })
    });
    accounts.collect()
}
