use super::*;

/// Returns a valid configuration with `more` members.
pub(crate) fn config(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(
        r#"{{"clusterID": "c1", "sts": {{"cluster": "sts"}},
            "mapUsers": [{{"userARN": "acs:ram::1:user/alice", "username": "alice", "groups": ["dev"]}}]{comma}{more}}}"#
    )
}

#[test]
fn minimal_configuration_has_defaults() {
    let settings = Settings::parse(config("").as_bytes()).unwrap();
    assert_eq!(settings.token.header.as_str(), "authorization");
    assert!(!settings.token.is_forwarded && !settings.allows_preflights);
    assert_eq!(settings.sts.authority, "sts.aliyuncs.com");
    assert_eq!(settings.sts.timeout, Duration::from_secs(5));
    assert_eq!(
        (settings.sts.max_calls, settings.sts.max_waiting),
        (128, 1_024)
    );
    assert_eq!(
        (settings.cache.size, settings.cache.ttl_seconds),
        (10_000, 120)
    );
    assert_eq!(settings.policy.max_token_bytes, 16 * 1024);
    assert_eq!(settings.log_level(), LogLevel::Info);
}

#[test]
fn invalid_configuration_is_refused_with_key_and_reason() {
    for (json, part) in [
        ("", "not valid JSON at line 1"),
        ("{", "not valid JSON at line 1"),
        ("[]", "not a JSON object"),
        ("{}", "`clusterID` is required"),
        (
            &config("\"color\": 1"),
            "`color` is an unknown key; known keys are `clusterID`, `sts`, ",
        ),
        (&config("\"mapusers\": []"), "duplicate key `mapusers`"),
        (&config("\"globs\": \"yes\""), "`globs` must be `true` or"),
        (
            &config("\"globs\": true, \"globs\": false"),
            "duplicate key `globs`",
        ),
        (&(config("") + "x"), "not valid JSON at line 2"),
        (
            &config("").replace("c1", ""),
            "`clusterID` is not a valid cluster ID",
        ),
        (
            &config("").replace("\"groups\"", "\"uid\": \"0\", \"groups\""),
            "`mapUsers[0].uid` is an unknown key; known keys are `userARN`, `username`, `groups`",
        ),
        (
            &config("").replace("user/alice", "usr/alice"),
            "`mapUsers[0]` is not valid",
        ),
        (
            &config("").replace("\"dev\"", "\"a,b\""),
            "`mapUsers[0].groups[0]` has a comma",
        ),
        (
            &config("").replace("\"alice\"", "\" alice\""),
            "`mapUsers[0]` has a name that starts or ends with a space",
        ),
        (
            &config("").replace("\"dev\"", "\"dev\\u00a0\""),
            "`mapUsers[0]` has a name that starts or ends with a space",
        ),
        (
            &config(r#""mapRules": [{"arn": "acs:ram::1:user/ALICE", "username": "a"}]"#),
            "`mapRules[0]` maps the same identity as `mapUsers[0]`",
        ),
        (
            &config(r#""mapRoles": [{"roleARN": "acs:ram::1:role/r", "username": "{{Nobody}}"}]"#),
            "`mapRoles[0]` is not valid",
        ),
        (
            &config("\"mapAccounts\": [\"x\"]"),
            "`mapAccounts[0]` is not a valid account ID",
        ),
        (
            &config("\"mapAccounts\": [1]"),
            "`mapAccounts[0]` must be text",
        ),
        (
            &config("\"scrubbedAccounts\": [\"\"]"),
            "`scrubbedAccounts[0]`",
        ),
        (
            r#"{"clusterID": "c1", "sts": {"cluster": "sts"}}"#,
            "no identity could log in",
        ),
        (&config("\"requiredGroups\": [\"\"]"), "`requiredGroups`"),
        (&config("\"requiredGroups\": [\" a\"]"), "`requiredGroups`"),
        (
            &config("\"bypass\": [\"/a/../b\"]"),
            "`bypass` has the invalid entry `/a/../b`",
        ),
        (
            &config("\"bypass\": [\"healthz\"]"),
            "`bypass` has the invalid entry `healthz`",
        ),
        (
            &config("\"bypass\": [\"/healthz\", \"/*\"]"),
            "`bypass` has the invalid entry `/*`; write a path such as",
        ),
        (
            &config("\"token\": {\"header\": \"cookie\"}"),
            "`token.header` cannot carry",
        ),
        (
            &config("\"token\": {\"header\": \"\"}"),
            "`token.header` cannot carry",
        ),
        (
            &config("\"token\": {\"header\": \":path\"}"),
            "`token.header` cannot carry",
        ),
        (
            &config("\"token\": {\"header\": \"x-remote-user\"}"),
            "`token.header` is also a header",
        ),
        (
            &config("\"upstream\": {\"userHeader\": \"host\"}"),
            "`upstream` has an invalid identity header",
        ),
        (
            &config("\"upstream\": {\"userHeader\": \"x-remote-uid\"}"),
            "`upstream` has an invalid identity header",
        ),
        (
            &config("\"maxTokenBytes\": 1"),
            "`maxTokenBytes` is 1; it must be a number from 1024 to 49152",
        ),
        (
            &config("\"maxTokenBytes\": -1"),
            "`maxTokenBytes` must be a whole number",
        ),
        (
            &config("\"maxTokenBytes\": 4294968320"),
            "`maxTokenBytes` must be a whole number",
        ),
        (
            &config("\"maxTokenBytes\": 2048.5"),
            "`maxTokenBytes` must be a whole number",
        ),
        (&config("\"globs\": null"), "`globs` must be `true` or"),
        (&config("\"token\": true"), "`token` must be an object"),
        (&config("\"bypass\": \"/a\""), "`bypass` must be a list"),
        (
            &config("\"mapRules\": [{\"groups\": [\"a\", 1]}]"),
            "`mapRules[0].groups[1]` must be text",
        ),
        (
            &config("").replace("\"sts\"}", "\"sts\", \"color\": 1}"),
            "`sts.color` is an unknown key",
        ),
        (
            &config("\"cache\": {\"ttlSeconds\": 901}"),
            "`cache.ttlSeconds` is 901",
        ),
        (
            &config("\"cache\": {\"size\": 1000001}"),
            "`cache.size` is 1000001",
        ),
        (
            &config("").replace("\"sts\"}", "\"\"}"),
            "`sts.cluster` is empty",
        ),
        (
            &config("").replace("\"sts\"}", "\"sts\", \"authority\": \"a/b\"}"),
            "`sts.authority` is not a valid host",
        ),
        (
            &config("").replace("\"sts\"}", "\"sts\", \"timeoutMilliseconds\": 0}"),
            "`sts.timeoutMilliseconds` is 0",
        ),
        (&config("\"logLevel\": \"trace\""), "`logLevel` must be"),
    ] {
        let error = Settings::parse(json.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{json}\n{error}\nexpected: {part}");
    }
}

#[test]
fn absent_rule_member_may_be_null() {
    let json = config(
        r#""mapRules": [{"roleID": "300000000000000001", "arnPattern": null, "match": null, "username": "r"}]"#,
    );
    Settings::parse(json.as_bytes()).unwrap();
}

#[test]
#[cfg(feature = "cel")]
fn condition_requires_build_with_cel() {
    let json = config(
        r#""mapRules": [{"arnPattern": "acs:ram::1:role/*", "match": "identity.type == 'role'", "username": "r"}]"#,
    );
    Settings::parse(json.as_bytes()).unwrap();
}

#[test]
#[cfg(feature = "cel")]
fn reserved_group_from_expression_requires_exact_name_in_list() {
    use ack_ram_analysis::placeholder;
    use ack_ram_core::arn::Arn;
    let rule = |more: &str| {
        config(&format!(
            r#""mapRules": [{{"arnPattern": "acs:ram::1:role/*", "username": "r", "groups": ["dev"], {more}}}]"#
        ))
    };
    let alice = Arn::parse("acs:ram::1:assumed-role/r/s").unwrap();
    let alice = placeholder::identity_for_arn(alice).unwrap();
    for (more, groups) in [
        (r#""groupsExpression": "['system:a']""#, None),
        (
            r#""groupsExpression": "['system:a']", "groupsExpressionMayAdd": ["system:b"]"#,
            None,
        ),
        (
            r#""groupsExpression": "['system:a']", "groupsExpressionMayAdd": ["system:a"]"#,
            Some(vec!["dev", "system:a"]),
        ),
        (
            r#""groupsExpression": "['b']", "groupsExpressionMayAdd": ["system:a"]"#,
            Some(vec!["dev", "b"]),
        ),
    ] {
        let settings = Settings::parse(rule(more).as_bytes()).unwrap();
        let (_, user) = settings.rules.explain(&alice);
        let got = user.ok().map(|user| user.groups);
        let expected = groups.map(|groups| groups.into_iter().map(str::to_owned).collect());
        assert_eq!(got, expected, "{more}");
    }
    for (more, expected) in [
        (
            r#""groupsExpressionMayAdd": ["system:a"]"#,
            "requires `groupsExpression`",
        ),
        (
            r#""groupsExpression": "['b']", "groupsExpressionMayAdd": ["b"]"#,
            "does not start with `system:`",
        ),
        (
            r#""groupsExpression": "['b']", "groupsExpressionMayAdd": "b""#,
            "`mapRules[0].groupsExpressionMayAdd`",
        ),
    ] {
        let error = Settings::parse(rule(more).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn arn_of_one_session_is_refused() {
    let session = "acs:ram::1:assumed-role/r/s";
    for (more, key) in [
        (
            format!(r#""mapRoles": [{{"roleARN": "{session}", "username": "r"}}]"#),
            "`mapRoles[0]`",
        ),
        (
            format!(r#""mapRules": [{{"arn": "{session}", "username": "r"}}]"#),
            "`mapRules[0]`",
        ),
        (
            format!(r#""mapRules": [{{"arnPattern": "{session}", "username": "r"}}]"#),
            "`mapRules[0]`",
        ),
        (
            r#""mapRules": [{"arnPattern": "acs:ram::1:assumed-role/r/*", "username": "r"}]"#
                .to_owned(),
            "`mapRules[0]`",
        ),
    ] {
        let error = Settings::parse(config(&more).as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(key) && error.contains("of a role"),
            "{error}"
        );
    }
}

#[test]
fn invalid_expression_is_refused_by_every_build() {
    let json =
        config(r#""userValidationRules": [{"expression": "user.username !=", "message": "no"}]"#);
    let error = Settings::parse(json.as_bytes()).unwrap_err().to_string();
    assert!(
        error.contains("`userValidationRules[0].expression` is not valid"),
        "{error}"
    );
}
