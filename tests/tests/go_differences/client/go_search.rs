//! The search of ack-ram-tool: its order of sources, and the environment.

use serde_json::{Value, json};

use super::go_sources::{plan_of_profile, plan_of_section};
use super::{Client, PROGRAM};

/// The default name of a session of `ALIBABA_CLOUD_CREDENTIALS_FILE` and of the mode `RamRoleArnWithRoleName`.
pub const OTHER_NAME: &str = "default-session-name";

/// The role of an instance whose name is not given.
pub const ANY_ROLE: &str = "the only role";

/// A plan, in the form of the answer.
pub struct Found {
    pub plan: Value,
    /// Whether a variable of the environment configures the source.
    pub from_environment: bool,
}

/// Which settings decide about the STS endpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum EndpointFrom {
    /// The options, the variables and the region.
    All,
    /// `ALIBABA_CLOUD_STS_ENDPOINT` only.
    Variable,
}

type Plan = Result<Value, &'static str>;

pub fn search(client: &Client) -> Result<Found, &'static str> {
    let mut from_environment = false;
    let plan = if is_only_metadata(client) {
        json!({ "metadata": ANY_ROLE })
    } else if let Some(plan) = from_profile_file(client) {
        plan?
    } else if let Some(plan) = from_variables(client) {
        from_environment = true;
        plan?
    } else {
        from_default_files(client)?
    };
    let plan = match client.option("--role-arn") {
        Some(role) => assume_role(client, role, plan, EndpointFrom::All, PROGRAM),
        None => plan,
    };
    Ok(Found {
        plan,
        from_environment,
    })
}

/// The variable `ACK_RAM_TOOL_CREDENTIAL_TYPE` has no effect, because the default of the option hides it.
fn is_only_metadata(client: &Client) -> bool {
    matches!(
        client.option("--credential-type"),
        Some("imds" | "ecs-role")
    )
}

fn from_profile_file(client: &Client) -> Option<Plan> {
    let path = client.option("--profile-file")?;
    let ignores_cli = client.option("--ignore-aliyun-cli-credentials") == Some("true");
    Some(match (path.ends_with(".json"), ignores_cli) {
        (true, true) => from_ini_file(client),
        (true, false) => plan_of_profile(client, &client.file(path).unwrap()),
        (false, _) => plan_of_section(
            client,
            &client.file(path).unwrap(),
            EndpointFrom::All,
            PROGRAM,
        ),
    })
}

fn from_default_files(client: &Client) -> Plan {
    match client.file("/home/me/.aliyun/config.json") {
        Some(file) => plan_of_profile(client, &file),
        None => from_ini_file(client),
    }
}

fn from_ini_file(client: &Client) -> Plan {
    match client.file("/home/me/.alibabacloud/credentials") {
        Some(file) => plan_of_section(client, &file, EndpointFrom::All, PROGRAM),
        None => Err("NotConfigured"),
    }
}

fn from_variables(client: &Client) -> Option<Plan> {
    let id = first(
        client,
        &["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALICLOUD_ACCESS_KEY"],
    );
    let secret = first(
        client,
        &["ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALICLOUD_SECRET_KEY"],
    );
    let key = id
        .filter(|_| secret.is_some())
        .map(|id| json!({ "key": id }));
    let has_token = client.variable("ALIBABA_CLOUD_SECURITY_TOKEN").is_some();
    let role = client.variable("ALIBABA_CLOUD_ROLE_ARN");
    let token_file = client.variable("ALIBABA_CLOUD_OIDC_TOKEN_FILE");
    Some(Ok(match (key, role, token_file) {
        (Some(key), _, _) if has_token => key,
        (_, Some(role), Some(file)) => json!({
            "role": role,
            "endpoint": endpoint(client, EndpointFrom::All),
            "session": session_name(client, PROGRAM),
            "oidcToken": file,
        }),
        (Some(key), Some(role), None) => {
            assume_role(client, role, key, EndpointFrom::Variable, PROGRAM)
        }
        (Some(key), None, _) => key,
        (None, _, _) => return from_other_variables(client),
    }))
}

fn from_other_variables(client: &Client) -> Option<Plan> {
    if let Some(url) = client.variable("ALIBABA_CLOUD_CREDENTIALS_URI") {
        return Some(Ok(json!({ "url": url })));
    }
    if let Some(role) = client.variable("ALIBABA_CLOUD_ECS_METADATA") {
        return Some(Ok(json!({ "metadata": role })));
    }
    let path = client.variable("ALIBABA_CLOUD_CREDENTIALS_FILE")?;
    // The next source is taken if the file cannot be read.
    let file = client.file(path)?;
    Some(plan_of_section(
        client,
        &file,
        EndpointFrom::Variable,
        OTHER_NAME,
    ))
}

pub fn first<'a>(client: &'a Client, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| client.variable(name))
}

pub fn assume_role(
    client: &Client,
    role: &str,
    source: Value,
    endpoint_from: EndpointFrom,
    default_name: &str,
) -> Value {
    json!({
        "role": role,
        "endpoint": endpoint(client, endpoint_from),
        "session": session_name(client, default_name),
        "source": source,
    })
}

pub fn session_name<'a>(client: &'a Client, default: &'a str) -> &'a str {
    const NAMES: [&str; 2] = [
        "ALIBABA_CLOUD_ROLE_SESSION_NAME",
        "ALICLOUD_ROLE_SESSION_NAME",
    ];
    first(client, &NAMES).unwrap_or(default)
}

pub fn endpoint(client: &Client, from: EndpointFrom) -> String {
    let options = |name, twin| {
        let option = client.option(name).or(client.variable(twin));
        option.filter(|_| from == EndpointFrom::All)
    };
    let host = options("--sts-endpoint", "ACK_RAM_TOOL_STS_ENDPOINT")
        .or(client.variable("ALIBABA_CLOUD_STS_ENDPOINT"));
    let region = options("--region-id", "ACK_RAM_TOOL_REGION_ID");
    let host = match (host, region) {
        (Some(host), _) => host.to_owned(),
        (None, Some(region)) => format!("sts.{region}.aliyuncs.com"),
        (None, None) => "sts.aliyuncs.com".to_owned(),
    };
    let scheme = client.variable("ALIBABA_CLOUD_STS_HTTP_SCHEME");
    match host.contains("://") {
        true => host,
        false => format!("{}://{host}", scheme.unwrap_or("https")),
    }
}
