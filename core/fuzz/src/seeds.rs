//! The seeds of the targets, taken from the test vectors.

use std::path::PathBuf;
use std::{env, fs};

use ack_ram_core::rules::MappingField;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::rules::line_fields;

const LOGINS: &str = include_str!("../../../tests/vectors/logins.json");
const STS_ERRORS: &str = include_str!("../../../tests/vectors/sts-errors.json");
const TOKENS: &str = include_str!("../../../tests/vectors/tokens.json");
const PROXIES: &str = include_str!("../../../tests/vectors/proxy.json");
const EXPRESSIONS: &str = include_str!("../../../tests/vectors/cel.json");
const CONFIGURATIONS: [&str; 4] = [
    include_str!("../configurations/as-for-go.yaml"),
    include_str!("../configurations/minimal.yaml"),
    include_str!("../configurations/mistakes.yaml"),
    include_str!("../configurations/rules.yaml"),
];
const REVIEW: &str = r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{"creationTimestamp":null},"spec":{"token":"k8s-ack-v2.e30=","audiences":["https://kubernetes.default.svc"]},"status":{"user":{}}}"#;

/// Writes the seeds of `target` to the folder `ACK_RAM_FUZZ_SEEDS`, if that variable is set.
///
/// # Panics
/// The seeds cannot be written.
pub fn write_seeds(target: &str) {
    let Some(folder) = env::var_os("ACK_RAM_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    fs::create_dir_all(&folder).unwrap();
    for (number, seed) in seeds(target).iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
    }
}

fn seeds(target: &str) -> Vec<String> {
    match target {
        "token" => tokens(),
        "sts_reply" => replies(),
        "token_review" => reviews(),
        "rules" => mappings().chain(expressions()).collect(),
        "configuration" => CONFIGURATIONS.map(str::to_owned).into(),
        "edits" => edits(),
        "proxy" => proxies(),
        "client_files" => client_files(),
        "client_replies" => client_replies(),
        other => panic!("unknown target `{other}`"),
    }
}

/// Returns inputs of each source of a key, in the format of [`crate::client_files`].
fn client_files() -> Vec<String> {
    const KEY: &str =
        "ALIBABA_CLOUD_ACCESS_KEY_ID=LTAI5tFakeAccessKeyId001\nALICLOUD_SECRET_KEY=FakeSecret1";
    const ROLE: &str = "acs:ram::1234567890123456:role/dev";
    let variables = [
        KEY.to_owned(),
        format!("{KEY}\nALIBABA_CLOUD_SECURITY_TOKEN=FakeToken"),
        format!("{KEY}\nALIBABA_CLOUD_ROLE_ARN={ROLE}\nALIBABA_CLOUD_EXTERNAL_ID=partner"),
        format!(
            "ALIBABA_CLOUD_ROLE_ARN={ROLE}\nALIBABA_CLOUD_OIDC_PROVIDER_ARN=acs:ram::1:oidc-provider/p\n\
             ALIBABA_CLOUD_OIDC_TOKEN_FILE=/token"
        ),
        "ALIBABA_CLOUD_CREDENTIALS_URI=http://user:pass@127.0.0.1/key?FakeQuery".to_owned(),
        "ALIBABA_CLOUD_ECS_METADATA=ecs\nALIBABA_CLOUD_IMDSV1_DISABLED=true".to_owned(),
        "ALIBABA_CLOUD_CREDENTIALS_FILE=/ini\nALIBABA_CLOUD_PROFILE=role".to_owned(),
        "ALIBABA_CLOUD_STS_REGION=cn-hangzhou\nALIBABA_CLOUD_VPC_ENDPOINT_ENABLED=true".to_owned(),
        "ACK_RAM_TOOL_PROFILE_NAME=chain\nDEBUG=sdk".to_owned(),
    ];
    const PROFILE: &str = r#"{"current":"default","profiles":[{"name":"default","mode":"AK","access_key_id":"LTAI5tFakeAccessKeyId001",
"access_key_secret":"FakeSecret1","sts_token":"FakeToken","sts_expiration":1800000000,"ram_role_name":"r",
"ram_role_arn":"acs:ram::1:role/r","ram_session_name":"s","external_id":"partner","expired_seconds":900,"policy":"{}",
"source_profile":"chain","process_command":"tool FakeArgument","credentials_uri":"http://127.0.0.1/","oidc_provider_arn":
"acs:ram::1:oidc-provider/p","oidc_token_file":"/token","cloud_sso_sign_in_url":"https://h.example/","cloud_sso_account_id":"1",
"cloud_sso_access_config":"ac-1","access_token":"FakeToken","cloud_sso_access_token_expire":1800000000,"oauth_site_type":"CN",
"oauth_access_token":"FakeToken","oauth_access_token_expire":1800000000,"oauth_refresh_token":"FakeToken","sts_region":"cn-beijing"},
{"name":"chain","mode":"External","process_command":"tool 'FakeArgument'"}],"meta_path":""}"#;
    const SECTION: &str = "[default]\ntype = access_key # a comment\naccess_key_id = LTAI5tFakeAccessKeyId001\n\
        access_key_secret = 'FakeSecret1'\nsecurity_token = FakeToken\nrole_arn = acs:ram::1:role/r\n\
        role_session_name = s\nrole_session_expiration = 900\nrole_name = r\nprocess_command = tool FakeArgument\n\
        credentials_uri = http://127.0.0.1/\n";
    let options = format!("--role-arn={ROLE}\n--forward-session-name=1\n--sts-endpoint=h:443");
    let modes = [
        "AK",
        "StsToken",
        "RamRoleArn",
        "EcsRamRole",
        "RamRoleArnWithRoleName",
        "ChainableRamRoleArn",
        "External",
        "CredentialsURI",
        "OIDC",
        "CloudSSO",
        "OAuth",
        "Anonymous",
    ];
    let types = [
        "access_key",
        "sts",
        "ram_role_arn",
        "ecs_ram_role",
        "external",
        "credentials_uri",
        "bearer",
    ];
    let by_variables =
        variables.map(|variables| [&*variables, "", PROFILE, SECTION].join("\u{1e}"));
    let by_mode = modes.iter().flat_map(|mode| {
        let file = PROFILE.replacen("AK", mode, 1);
        [
            format!("\u{1e}\u{1e}{file}"),
            format!("\u{1e}{options}\u{1e}{file}"),
        ]
    });
    let by_type = types.iter().map(|name| {
        let file = SECTION.replacen("access_key", name, 1);
        format!("\u{1e}--profile-file=/ini\u{1e}\u{1e}{file}")
    });
    by_variables
        .into_iter()
        .chain(by_mode)
        .chain(by_type)
        .collect()
}

/// Returns replies of each service, in the format of [`crate::client_replies`].
fn client_replies() -> Vec<String> {
    const KEY: &str = r#""AccessKeyId":"STS.FakeAccessKeyId","AccessKeySecret":"FakeSecret1","SecurityToken":"FakeToken","Expiration":"2026-01-02T04:04:05Z""#;
    let replies = [
        format!(r#"{{"Code":"Success","LastUpdated":"2026-01-02T03:04:05Z",{KEY}}}"#),
        format!(r#"{{"Credentials":{{{KEY}}},"AssumedRoleUser":{{"Arn":"acs:ram::1:assumed-role/r/dev","AssumedRoleId":"3:dev"}}}}"#),
        format!(r#"{{"CloudCredential":{{{KEY}}},"RequestId":"1"}}"#),
        r#"{"access_token":"FakeToken","refresh_token":"FakeToken","expires_in":3600,"token_type":"Bearer"}"#.to_owned(),
        r#"{"accessKeyId":"STS.FakeAccessKeyId","accessKeySecret":"FakeSecret1","securityToken":"FakeToken","expiration":"2026-01-02T04:04:05Z","requestId":"1"}"#.to_owned(),
        r#"log {"mode":"StsToken","access_key_id":"STS.FakeAccessKeyId","access_key_secret":"FakeSecret1","sts_token":"FakeToken","expiration":"2026-01-02T04:04:05Z"}"#.to_owned(),
        r#"{"mode":"RamRoleArn","access_key_id":"LTAI5t1","access_key_secret":"FakeSecret1","ram_role_arn":"acs:ram::1:role/r"}"#.to_owned(),
        r#"{"AccountId":"1","Arn":"acs:ram::1:assumed-role/r/dev","IdentityType":"AssumedRoleUser","PrincipalId":"3:dev","RoleId":"3","RequestId":"1"}"#.to_owned(),
        "ecs-role".to_owned(),
    ];
    let errors = [
        r#"{"Code":"Throttling.User","Message":"a message","RequestId":"1"}"#,
        r#"{"ErrorCode":"InvalidAccessToken","ErrorMessage":"a message"}"#,
        r#"{"error":"invalid_grant","error_description":"a message","requestId":"1"}"#,
        r#"{"Code":"NoPermission","Message":"a message","Recommend":"https://h.example/"}"#,
        "<html>",
    ];
    let once = replies.iter().map(|body| format!("200\n{body}"));
    let twice = replies.iter().flat_map(|first| {
        let pair = move |second: &String| format!("200\n{first}\u{1e}200\n{second}");
        replies.iter().map(pair)
    });
    let instance = format!(
        "200\nFakeMetadataToken\u{1e}200\necs-role\u{1e}200\n{}",
        replies[0]
    );
    let failed = errors.iter().flat_map(|body| {
        let good = &replies[1];
        [400, 401, 403, 404, 429, 503].map(|status| format!("{status}\n{body}\u{1e}200\n{good}"))
    });
    once.chain(twice)
        .chain([
            instance,
            "failed\n".to_owned(),
            "failed\ntimeout".to_owned(),
        ])
        .chain(failed)
        .collect()
}

/// Returns each value for which the result of Go is known.
fn proxies() -> Vec<String> {
    let answers: Value = serde_json::from_str(PROXIES).unwrap();
    let values = |list: &str| -> Vec<String> {
        let cases = answers[list].as_array().unwrap().iter();
        cases
            .map(|case| case["value"].as_str().unwrap().to_owned())
            .collect()
    };
    let hosts: Vec<&str> = ["destinations", "alwaysDirect"]
        .iter()
        .flat_map(|list| answers[*list].as_array().unwrap())
        .map(|host| host.as_str().unwrap())
        .collect();
    let urls = values("httpsProxy")
        .into_iter()
        .map(|url| format!("{url}\u{1e}\u{1e}"));
    let lists = values("noProxy").into_iter().zip(hosts.iter().cycle());
    urls.chain(lists.map(|(list, host)| format!("proxy:1\u{1e}{list}\u{1e}{host}")))
        .collect()
}

fn tokens() -> Vec<String> {
    let cases = cases(TOKENS).into_iter();
    let seeds = cases.filter_map(|case| match (&case["json"], &case["token"]) {
        (Value::String(json), _) => Some(format!("2:{json}")),
        (_, Value::String(token)) => Some(from_token(token)),
        _ => None,
    });
    seeds.collect()
}

/// Returns the decoded payload of a token v1: base64 is opaque to a fuzzer, so the payload is the better seed.
fn from_token(token: &str) -> String {
    let payload = token.strip_prefix("k8s-ack-v1.");
    let decoded = payload.and_then(|text| {
        let url = STANDARD.decode(text).ok()?;
        String::from_utf8(url).ok()
    });
    decoded.map_or_else(|| token.to_owned(), |url| format!("1:{url}"))
}

fn replies() -> Vec<String> {
    let logins = cases(LOGINS).into_iter();
    let replies = logins.map(|case| case["login"]["sts"]["response"].clone());
    let replies = replies.chain(cases(STS_ERRORS));
    let seeds = replies
        .filter_map(|reply| Some(format!("{}\n{}", reply["status"], reply["body"].as_str()?)));
    seeds.collect()
}

fn reviews() -> Vec<String> {
    let beta = REVIEW.replace("io/v1", "io/v1beta1");
    let status = r#"{"kind":"Status","apiVersion":"v1","code":400}"#.to_owned();
    vec![
        REVIEW.to_owned(),
        beta,
        status,
        REVIEW.replace("TokenReview", "\\u0054okenReview"),
    ]
}

/// Returns the mappings of all logins, in the format of [`crate::rules`].
fn mappings() -> impl Iterator<Item = String> {
    let mappings = cases(LOGINS).into_iter().flat_map(|case| {
        let reply = case["login"]["sts"]["response"]["body"]
            .as_str()
            .unwrap_or_default();
        let reply: Value = serde_json::from_str(reply).unwrap_or_default();
        let arn = reply["Arn"].as_str().unwrap_or_default().to_owned();
        let backends = case["login"]["backends"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mappings = backends
            .into_iter()
            .filter_map(|backend| backend["mappings"].as_array().cloned())
            .flatten();
        mappings
            .map(move |mapping| (arn.clone(), mapping))
            .collect::<Vec<_>>()
    });
    mappings.map(|(arn, mapping)| {
        let mut lines = vec![arn];
        lines.extend(line_names().map(|name| {
            let value = &mapping[name];
            let text = value.as_str().or_else(|| value[0].as_str());
            text.unwrap_or_default().to_owned()
        }));
        let groups = mapping["groups"].as_array().into_iter().flatten();
        lines.extend(groups.filter_map(|group| group.as_str().map(str::to_owned)));
        lines.join("\n")
    })
}

/// Returns the names of the lines before the groups.
fn line_names() -> impl Iterator<Item = &'static str> {
    line_fields().map(MappingField::name).chain(["validation"])
}

/// Returns a mapping for each expression, with the expression in the field of its kind.
fn expressions() -> impl Iterator<Item = String> {
    cases(EXPRESSIONS).into_iter().filter_map(|case| {
        let source = case["expression"]
            .as_str()
            .filter(|source| !source.contains('\n'))?;
        let field = match case["kind"].as_str()? {
            "condition" => "match",
            "username" => "usernameExpression",
            "groups" => "groupsExpression",
            _ => "validation",
        };
        let lines = line_names().map(|name| match name {
            _ if name == field => source,
            "arnPattern" => "acs:ram::1234567890123456:**",
            "username" if field != "usernameExpression" => "dev:{{SessionName}}",
            _ => "",
        });
        let lines: Vec<&str> = lines.collect();
        let arn = "acs:ram::1234567890123456:assumed-role/Dev-Admins/alice@example.com";
        Some(format!("{arn}\n{}\ndev", lines.join("\n")))
    })
}

/// Returns sequences of a valid document and two edits of it.
fn edits() -> Vec<String> {
    const GOOD: &str = r#"{"mapUsers": [{"userARN": "acs:ram::1:user/alice", "username": "people:alice", "groups": ["ops", "dev"]},
{"userARN": "acs:ram::1:user/b*", "username": "people:b", "groups": ["dev"]}], "mapAccounts": ["77"]}"#;
    let edits = [
        ("", ""),
        ("acs:ram::1:user/alice", "acs:ram:1:user/alice"),
        ("acs:ram::1:user/alice", "acs:ram::1:usr/alice"),
        ("acs:ram::1:user/alice", "DISABLED-acs:ram::1:user/alice"),
        ("acs:ram::1:user/b*", "acs:ram:1:user/b*"),
        ("\"ops\", ", ""),
        ("\"ops\"", "\"{{No}}\""),
        ("people:alice", "people:{{"),
        ("people:alice", "people:alic{"),
        ("userARN", "uesrARN"),
        ("mapUsers", "mapUser"),
        ("mapUsers", "_mapUsers"),
        ("[\"77\"]", "77"),
        ("}]", "}"),
        (
            "\"groups\": [\"ops\", \"dev\"]",
            "\"groups\": \"dev, {{No}}\"",
        ),
        (
            "\"username\": \"people:alice\"",
            "\"match\": \"true\", \"username\": \"\"",
        ),
    ];
    let mut seeds = Vec::new();
    for (from, to) in edits {
        let once = GOOD.replacen(from, to, usize::from(!from.is_empty()));
        for (other, then) in [
            ("\"dev\"", "\"{{\""),
            ("acs:ram::", "acs:ram:"),
            ("{", "{{"),
        ] {
            let twice = once.replacen(other, then, 1);
            seeds.push([GOOD, &once, &twice].join("\n=====\n"));
        }
    }
    seeds
}

fn cases(vectors: &str) -> Vec<Value> {
    let mut vectors: Value = serde_json::from_str(vectors).unwrap();
    match vectors["cases"].take() {
        Value::Array(cases) => cases,
        other => panic!("`cases` is {other}"),
    }
}
