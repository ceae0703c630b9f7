//! The answers of this project.

use std::collections::BTreeSet;
use std::path::Path;

use ack_ram_client::environment::Environment;
use ack_ram_client::error::ClientError;
use ack_ram_client::files::{FileContent, FileError, Files};
use ack_ram_client::finding::{Findings, Level};
use ack_ram_client::flow::Obtained;
use ack_ram_client::origin::{Origin, Setting};
use ack_ram_client::plan::{Plan, RoleSessionName, RoleSettings};
use ack_ram_client::resolve::resolve;
use ack_ram_client::settings::{Settings, is_metadata_type};
use ack_ram_client::token::{TokenDate, extra_query, sign};
use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::sts::RoleArn;
use serde_json::{Map, Value, json};

use super::flow_here;
use super::{Client, ClientToken, PROGRAM, Question};
use crate::{CLUSTER_ID, NOW};

pub fn answer(client: &Client) -> Value {
    let environment = client.environment();
    let mut findings = Findings::default();
    let mut plan = || {
        let settings = client.settings(&environment);
        resolve(&settings, &environment, client, &mut findings)
    };
    match client.question {
        Question::Plan => match plan() {
            Ok(plan) => describe(&plan),
            Err(error) => describe_error(&error),
        },
        Question::Warnings => {
            plan().unwrap();
            let list = findings.list().iter();
            let warnings = list.filter(|finding| finding.level == Level::Warning);
            json!(warnings.map(|finding| &finding.text).collect::<Vec<_>>())
        }
        Question::ExtraKeys => match extra_query(&environment) {
            Ok(pairs) => json!(pairs.into_iter().map(|(key, _)| key).collect::<Vec<_>>()),
            Err(error) => describe_error(&error.into()),
        },
        Question::Calls | Question::Requests | Question::Forms | Question::Proxied => {
            flow_here::answer(client, plan().unwrap())
        }
    }
}

/// Returns the number of different tokens, and when the first one ends, in seconds from now.
pub fn tokens(case: &ClientToken) -> Value {
    let key = Obtained {
        key: AccessKey {
            id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
            secret: Secret::new("FakeSecret"),
            security_token: case.key_seconds.map(|_| Secret::new("FakeToken")),
        },
        expires: case.key_seconds.map(|seconds| NOW.plus_seconds(seconds)),
        session_name: None,
    };
    let cluster = ClusterId::parse(CLUSTER_ID).unwrap();
    let signed = case.commands.iter().map(|seconds| {
        let now = NOW.plus_seconds(*seconds);
        sign(&key, &cluster, "kubectl", &[], TokenDate::Shared, now).unwrap()
    });
    let signed: Vec<_> = signed.collect();
    let tokens: BTreeSet<_> = signed.iter().map(|token| token.token.expose()).collect();
    json!({ "tokens": tokens.len(), "ends": signed[0].expires.seconds_since(NOW) })
}

impl Client {
    fn environment(&self) -> Environment {
        let home = ("HOME", self.variable("HOME").unwrap());
        let variables = self.variables.iter();
        let variables = variables.map(|(name, value)| (name.as_str(), value.as_str()));
        let all = variables.chain([home]);
        all.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    fn settings(&self, environment: &Environment) -> Settings {
        fn setting<T>(name: &'static str, value: T) -> Setting<T> {
            Setting::new(value, Origin::Option(name))
        }
        let mut settings = Settings {
            default_session_name: PROGRAM.to_owned(),
            ..Settings::default()
        };
        for (name, value) in &self.options {
            let text = value.clone();
            match &**name {
                "--credential-type" => {
                    settings.only_metadata =
                        Some(setting("--credential-type", is_metadata_type(value)));
                }
                "--profile-file" => {
                    settings.profile_file = Some(setting("--profile-file", text.into()));
                }
                "--profile-name" => {
                    settings.profile_name = Some(setting("--profile-name", text));
                }
                "--ignore-aliyun-cli-credentials" => {
                    let option = Origin::Option("--ignore-aliyun-cli-credentials");
                    settings.ignore_cli_file = (value == "true").then_some(option);
                }
                "--role-arn" => {
                    let role = RoleArn::parse(value).unwrap();
                    settings.role = Some(setting("--role-arn", role));
                }
                "--sts-endpoint" => {
                    settings.sts_endpoint = Some(setting("--sts-endpoint", text));
                }
                "--region-id" => settings.region = Some(setting("--region-id", text)),
                _ => panic!("unknown option {name}"),
            }
        }
        settings.add_variables(environment);
        settings
    }
}

impl Files for Client {
    fn read(&self, path: &Path) -> Result<FileContent, FileError> {
        let text = self.file(path.to_str().unwrap());
        let text = text.ok_or(FileError::NotFound)?;
        FileContent::from_bytes(text.into_bytes(), None)
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        self.read(path)
    }
}

fn describe(plan: &Plan) -> Value {
    match plan {
        Plan::Key(plan) => json!({ "key": plan.key.id.as_str() }),
        Plan::Metadata(plan) => {
            json!({ "metadata": plan.role.as_ref().map_or("the only role", |role| &role.value) })
        }
        Plan::Url(plan) => json!({ "url": plan.url.expose() }),
        Plan::Process(plan) => {
            let words = plan.words.iter().map(Secret::expose);
            json!({ "process": words.collect::<Vec<_>>() })
        }
        Plan::CloudSso(plan) => json!({ "cloudSso": plan.profile.name }),
        Plan::OAuth(plan) => json!({ "oauth": plan.profile.name }),
        Plan::Oidc(plan) => {
            let mut answer = describe_role(&plan.session);
            answer.insert("session".into(), json!(plan.name.value.as_str()));
            answer.insert("oidcToken".into(), json!(plan.token_file.value));
            json!(answer)
        }
        Plan::AssumeRole(plan) => {
            let mut answer = describe_role(&plan.session);
            if let RoleSessionName::Given(name) = &plan.name {
                answer.insert("session".into(), json!(name.value.as_str()));
            }
            if let Some(id) = &plan.external_id {
                answer.insert("externalId".into(), json!(id.value.as_str()));
            }
            answer.insert("source".into(), describe(&plan.source));
            json!(answer)
        }
    }
}

fn describe_role(session: &RoleSettings) -> Map<String, Value> {
    let mut answer = Map::new();
    answer.insert("role".into(), json!(session.role.value.to_string()));
    answer.insert("endpoint".into(), json!(session.endpoint.value.to_string()));
    if let Some(seconds) = &session.seconds {
        answer.insert("seconds".into(), json!(seconds.value.get()));
    }
    if let Some(policy) = &session.policy {
        answer.insert("policy".into(), json!(policy.value.as_str()));
    }
    answer
}

/// Returns the kind of an error, or the command that signs in.
pub(super) fn describe_error(error: &ClientError) -> Value {
    let kind = match error {
        ClientError::SignIn(sign_in) => return json!({ "signIn": sign_in.command() }),
        ClientError::Setup(error) => format!("{error:?}"),
        ClientError::Refused(_) => "Refused".to_owned(),
        ClientError::Unavailable(_) => "Unavailable".to_owned(),
    };
    let end = kind.find(|c: char| !c.is_ascii_alphanumeric());
    json!({ "error": kind[..end.unwrap_or(kind.len())] })
}
