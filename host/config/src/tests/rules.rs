//! Settings about tokens and rules.

use ack_ram_core::rules::{Backend, ReservedPrefixes, Rule, WildcardMode};

use super::*;

#[test]
fn rule_settings_are_parsed() {
    let config = load_yaml(
        r#"
clusterID: c1
server:
  acceptTokenV1: true
  extraQueryKeys: [team]
  maxTokenBytes: 8192
  globs: true
  reservedPrefixConfig:
    - backendMode: CRD
      usernamePrefixReserveList: ["aws:"]
      groupPrefixReserveList: ["system:"]
  userValidationRules:
    - expression: "!user.groups.exists(g, g == 'system:masters')"
      message: ask for a break-glass account
  mapRoles:
    - { roleARN: "acs:ram::1:role/dev-*", username: dev }
  mapRules:
    - arnPattern: acs:ram::1:role/**
      match: identity.sessionName.endsWith('@example.com')
      usernameExpression: "'sso:' + identity.sessionName"
      groups: [sso]
      groupsExpression: "[identity.roleName]"
      groupsExpressionMayAdd: ["system:node-proxier"]
    - { userID: "2", username: b }
    - { roleID: "3", username: c }
    - { arn: "acs:ram::1:role/x", username: d }
"#,
    )
    .unwrap();
    assert_eq!(config.warnings, []);
    assert!(config.policy.accept_v1);
    assert_eq!(config.policy.max_token_bytes, 8192);
    assert!(config.policy.extra_query_keys.contains("team"));
    assert_eq!(
        config.rules.reserved[&Backend::Crd],
        ReservedPrefixes {
            usernames: vec!["aws:".into()],
            groups: vec!["system:".into()],
        }
    );
    assert_eq!(config.rules.validations.len(), 1);
    assert_eq!(config.rules.globs, WildcardMode::Enabled);
    let mappings: Vec<_> = config
        .mappings
        .mappings
        .iter()
        .map(|given| &given.value)
        .collect();
    assert!(
        mappings
            .iter()
            .all(|mapping| mapping.wildcards == WildcardMode::Enabled)
    );
    assert_eq!(mappings[1].source.position, "server.mapRules[0]");
    assert_eq!(
        mappings[1].spec.arn_pattern.as_deref(),
        Some("acs:ram::1:role/**")
    );
    assert_eq!(mappings[1].spec.groups, ["sso"]);
    assert_eq!(
        mappings[1].spec.groups_expression_may_add,
        ["system:node-proxier"]
    );
    assert!(mappings[1].spec.condition.is_some() && mappings[1].spec.username_expression.is_some());
    assert_eq!(mappings[2].spec.user_id.as_deref(), Some("2"));
    assert_eq!(mappings[3].spec.role_id.as_deref(), Some("3"));
    assert_eq!(mappings[4].spec.arn, "acs:ram::1:role/x");
    for mapping in mappings {
        Rule::compile(mapping.clone()).unwrap();
    }
}

#[test]
fn rule_with_misspelled_or_empty_condition_is_omitted() {
    for (entry, message) in [
        (
            "{arnPattern: 'acs:ram::1:**', matches: 'false', username: root}",
            "unknown key `matches`",
        ),
        (
            "{arnPattern: 'acs:ram::1:**', match: , username: root}",
            "has no value",
        ),
        (
            "{arnPattern: 'acs:ram::1:**', match: ~, username: root}",
            "has no value",
        ),
    ] {
        let yaml = format!("clusterID: c1\nserver:\n  mapRules:\n    - {entry}\n");
        let config = load_yaml(&yaml).unwrap();
        assert!(config.mappings.mappings.is_empty(), "{entry}");
        let warnings = messages(&yaml).join("\n");
        assert!(warnings.contains(message), "{entry}: {warnings}");
        assert!(warnings.contains("left out"), "{entry}: {warnings}");
    }
}
