//! The files of ack-ram-tool: profiles of the Alibaba Cloud CLI, and sections of INI files.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Client;
use super::go_search::{ANY_ROLE, EndpointFrom, OTHER_NAME, assume_role, first, session_name};

type Plan = Result<Value, &'static str>;

/// Returns the plan of the profile that is selected.
pub fn plan_of_profile(client: &Client, file: &str) -> Plan {
    let file: Value = serde_json::from_str(file).unwrap();
    let selected = client
        .option("--profile-name")
        .or(first(
            client,
            &["ACK_RAM_TOOL_PROFILE_NAME", "ALIBABA_CLOUD_PROFILE"],
        ))
        .or(file["current"].as_str());
    named_profile(client, &file, selected.unwrap_or("default"), 0)
}

fn named_profile(client: &Client, file: &Value, name: &str, depth: usize) -> Plan {
    let profiles = file["profiles"].as_array().unwrap();
    if depth > profiles.len() {
        return Err("crash: profiles name each other without end");
    }
    let profile = profiles.iter().find(|profile| profile["name"] == name);
    plan_of_mode(client, profile.ok_or("NoProfile")?, file, depth)
}

/// Returns the plan of a profile. The settings `sts_region`, `sts_endpoint`, `expired_seconds` and `policy` have no
/// effect.
pub fn plan_of_mode(client: &Client, profile: &Value, file: &Value, depth: usize) -> Plan {
    let text = |name: &str| profile[name].as_str().unwrap_or_default().to_owned();
    let key = || json!({ "key": text("access_key_id") });
    let role = |source| {
        let mut plan = assume_role(
            client,
            &text("ram_role_arn"),
            source,
            EndpointFrom::All,
            OTHER_NAME,
        );
        if let Some(name) = profile["ram_session_name"].as_str() {
            plan["session"] = json!(name);
        }
        if let Some(id) = profile["external_id"].as_str() {
            plan["externalId"] = json!(id);
        }
        plan
    };
    let has_region = profile["region_id"].is_string();
    match &*text("mode") {
        "AK" | "StsToken" => Ok(key()),
        "RamRoleArn" => Ok(role(key())),
        "EcsRamRole" => {
            Ok(json!({ "metadata": profile["ram_role_name"].as_str().unwrap_or(ANY_ROLE) }))
        }
        "ChainableRamRoleArn" => {
            named_profile(client, file, &text("source_profile"), depth + 1).map(role)
        }
        "External" => {
            let command = text("process_command");
            let words: Vec<_> = command.split_whitespace().collect();
            Ok(json!({ "process": words }))
        }
        "CredentialsURI" => Ok(json!({ "url": text("credentials_uri") })),
        "OIDC" | "CloudSSO" | "OAuth" if !has_region => Err("no region_id"),
        "OIDC" => Ok(json!({
            "role": text("ram_role_arn"),
            // The option has no effect here, and neither have the variables.
            "endpoint": "not --sts-endpoint",
            "session": text("ram_session_name"),
            "seconds": 3600,
            "oidcToken": text("oidc_token_file"),
        })),
        "CloudSSO" => Ok(json!({ "cloudSso": text("name") })),
        "OAuth" => Ok(json!({ "oauth": text("name") })),
        mode => panic!("unknown mode {mode}"),
    }
}

/// Returns the plan of the section that is selected. `--profile-name` has no effect.
pub fn plan_of_section(
    client: &Client,
    file: &str,
    endpoint_from: EndpointFrom,
    default_name: &str,
) -> Plan {
    let sections = parse_ini(file);
    let name = client.variable("ALIBABA_CLOUD_PROFILE");
    let section = sections.get(name.unwrap_or("default")).ok_or("NoProfile")?;
    let text = |name: &str| {
        let value = section.get(name).filter(|value| !value.is_empty());
        value.cloned().ok_or("Missing")
    };
    let key = || {
        text("access_key_secret")?;
        Ok(json!({ "key": text("access_key_id")? }))
    };
    match &*text("type")? {
        "access_key" => key(),
        "sts" => {
            text("sts_token")?;
            key()
        }
        "ram_role_arn" => {
            let role = text("role_arn")?;
            let mut plan = assume_role(client, &role, key()?, endpoint_from, default_name);
            let name = text("role_session_name");
            let name = name.unwrap_or_else(|_| session_name(client, default_name).to_owned());
            plan["session"] = json!(name);
            Ok(plan)
        }
        kind => panic!("unknown type {kind}"),
    }
}

type Section = BTreeMap<String, String>;

/// Returns the sections. A value that starts with `[` is lost.
fn parse_ini(text: &str) -> BTreeMap<String, Section> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            name = section.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            let value = match value.trim() {
                value if value.starts_with('[') => String::new(),
                value => value.to_owned(),
            };
            let section = sections.entry(name.clone()).or_default();
            section.insert(key.trim().to_owned(), value);
        }
    }
    sections
}
