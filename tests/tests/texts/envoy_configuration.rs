//! Errors of configurations of the filter for Envoy.

use std::fmt::Write as _;

use ack_ram_envoy::Settings;

use crate::snapshot;

/// Returns a valid configuration with additional members `more`.
pub(crate) fn config(more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(
        r#"{{"clusterID": "c1", "sts": {{"cluster": "sts"}},
            "mapUsers": [{{"userARN": "acs:ram::1:user/alice", "username": "alice", "groups": ["dev"]}}]{comma}{more}}}"#
    )
}

#[test]
fn configuration_errors_of_the_filter_have_these_texts() {
    let broken = [
        &"".to_owned(),
        &"{".to_owned(),
        &"[]".to_owned(),
        &"{}".to_owned(),
        &config("\"color\": 1"),
        &config("\"mapusers\": []"),
        &config("\"globs\": \"yes\""),
        &config("\"globs\": true, \"globs\": false"),
        &(config("") + "x"),
        &config("").replace("c1", ""),
        &config("").replace("\"groups\"", "\"uid\": \"0\", \"groups\""),
        &config("").replace("user/alice", "usr/alice"),
        &config("").replace("\"dev\"", "\"a,b\""),
        &config("").replace("\"alice\"", "\" alice\""),
        &config("").replace("\"dev\"", "\"dev\\u00a0\""),
        &config(r#""mapRules": [{"arn": "acs:ram::1:user/ALICE", "username": "a"}]"#),
        &config(r#""mapRoles": [{"roleARN": "acs:ram::1:role/r", "username": "{{Nobody}}"}]"#),
        &config("\"mapAccounts\": [\"x\"]"),
        &config("\"mapAccounts\": [1]"),
        &config("\"scrubbedAccounts\": [\"\"]"),
        &r#"{"clusterID": "c1", "sts": {"cluster": "sts"}}"#.to_owned(),
        &config("\"requiredGroups\": [\"\"]"),
        &config("\"requiredGroups\": [\" a\"]"),
        &config("\"bypass\": [\"/a/../b\"]"),
        &config("\"bypass\": [\"healthz\"]"),
        &config("\"bypass\": [\"/healthz\", \"/*\"]"),
        &config("\"token\": {\"header\": \"cookie\"}"),
        &config("\"token\": {\"header\": \"\"}"),
        &config("\"token\": {\"header\": \":path\"}"),
        &config("\"token\": {\"header\": \"x-remote-user\"}"),
        &config("\"upstream\": {\"userHeader\": \"host\"}"),
        &config("\"upstream\": {\"userHeader\": \"x-remote-uid\"}"),
        &config("\"maxTokenBytes\": 1"),
        &config("\"maxTokenBytes\": -1"),
        &config("\"maxTokenBytes\": 4294968320"),
        &config("\"maxTokenBytes\": 2048.5"),
        &config("\"globs\": null"),
        &config("\"token\": true"),
        &config("\"bypass\": \"/a\""),
        &config("\"mapRules\": [{\"groups\": [\"a\", 1]}]"),
        &config("").replace("\"sts\"}", "\"sts\", \"color\": 1}"),
        &config("\"cache\": {\"ttlSeconds\": 901}"),
        &config("\"cache\": {\"size\": 1000001}"),
        &config("").replace("\"sts\"}", "\"\"}"),
        &config("").replace("\"sts\"}", "\"sts\", \"authority\": \"a/b\"}"),
        &config("").replace("\"sts\"}", "\"sts\", \"timeoutMilliseconds\": 0}"),
        &config("\"logLevel\": \"trace\""),
    ];
    let mut text = String::new();
    for json in broken {
        let error = Settings::parse(json.as_bytes()).unwrap_err();
        writeln!(text, "{json}\n  {error}\n").unwrap();
    }
    snapshot::check("envoy_configuration_errors", &text);
}
