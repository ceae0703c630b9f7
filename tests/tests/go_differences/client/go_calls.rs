//! The calls of ack-ram-tool.

use ack_ram_core::time::UnixTime;
use serde_json::{Value, json};

use super::go_search::{ANY_ROLE, search};
use super::go_sources::plan_of_mode;
use super::{Client, Question, Reply, text};
use crate::NOW;

/// A key that ends earlier is requested once more, in seconds.
const TOO_SHORT_SECONDS: i64 = 11 * 60;
/// How often ack-ram-tool asks the metadata service.
const METADATA_TRIES: usize = 4;

/// The calls so far.
pub struct Calls<'a> {
    client: &'a Client,
    replies: std::slice::Iter<'a, Reply>,
    from_environment: bool,
    calls: Vec<Call>,
    result: Option<Value>,
}

#[derive(Clone)]
struct Call {
    /// The name, or the program that runs.
    name: Value,
    /// The parts of a request of AssumeRole, by name.
    request: Value,
    form: Value,
}

struct Key {
    id: String,
    has_token: bool,
    ends: Option<i64>,
}

/// Why there is no key.
enum Stop {
    /// The replies are used up.
    Waits,
    /// The answer.
    Failed(Value),
}

impl<'a> Calls<'a> {
    pub fn run(client: &'a Client) -> Self {
        let found = search(client).unwrap();
        let mut calls = Self {
            client,
            replies: client.replies.iter(),
            from_environment: found.from_environment,
            calls: Vec::new(),
            result: None,
        };
        calls.result = match calls.obtain(&found.plan) {
            Ok(key) => Some(json!({ "key": key.id })),
            Err(Stop::Failed(answer)) => Some(answer),
            Err(Stop::Waits) => None,
        };
        calls
    }

    pub fn answer(self, question: Question) -> Value {
        let calls = self.calls.into_iter();
        match question {
            Question::Requests => json!(calls.map(|call| call.request).collect::<Vec<_>>()),
            Question::Forms => json!(calls.map(|call| call.form).collect::<Vec<_>>()),
            // Each request goes by the proxy of the environment.
            Question::Proxied => {
                let calls = calls.map(|call| json!({ "call": call.name, "byProxy": true }));
                json!(calls.collect::<Vec<_>>())
            }
            _ => {
                let calls = calls.map(|call| call.name);
                json!(calls.chain(self.result).collect::<Vec<_>>())
            }
        }
    }

    fn obtain(&mut self, plan: &Value) -> Result<Key, Stop> {
        if let Some(id) = plan["key"].as_str() {
            let has_token = self.client.variable("ALIBABA_CLOUD_SECURITY_TOKEN");
            return Ok(Key {
                id: id.to_owned(),
                has_token: has_token.is_some(),
                ends: None,
            });
        }
        if let Some(role) = plan["metadata"].as_str() {
            return self.ask_metadata(role);
        }
        if plan["url"].is_string() {
            return self.call_for_key(Call::new("Url", Value::Null), |body| body);
        }
        if plan["process"].is_array() {
            return self.run_process(plan);
        }
        if let Some(path) = plan["oidcToken"].as_str() {
            let token = self.client.file(path).unwrap();
            let call = Call {
                form: json!({ "OIDCToken": token }),
                ..Call::new("AssumeRoleWithOidc", Value::Null)
            };
            return self.call_for_key(call, |body| &body["Credentials"]);
        }
        if plan["cloudSso"].is_string() || plan["oauth"].is_string() {
            return self.use_session(plan);
        }
        let source = self.obtain(&plan["source"])?;
        let call = Call::new("AssumeRole", assume_role_request(&source));
        self.call_for_key(call, |body| &body["Credentials"])
    }

    /// Makes a call whose reply is a key. A call that the environment configures is made twice if it fails, or if its key
    /// ends soon. The HTTP status and `Code` do not matter.
    fn call_for_key(&mut self, call: Call, key_in: fn(&Value) -> &Value) -> Result<Key, Stop> {
        let tries = if self.from_environment { 2 } else { 1 };
        let mut result = Err(Stop::Waits);
        for _ in 0..tries {
            self.calls.push(call.clone());
            let body = match self.replies.next() {
                None => return Err(Stop::Waits),
                Some(Reply::Http { body, .. }) => body,
                Some(Reply::Timeout | Reply::Process(_)) => &Value::Null,
            };
            result = read_key(key_in(body)).ok_or(Stop::Failed(json!({ "error": "Refused" })));
            let is_long = |key: &Key| key.ends.is_none_or(|ends| ends >= TOO_SHORT_SECONDS);
            if result.as_ref().is_ok_and(is_long) {
                break;
            }
        }
        result
    }

    fn ask_metadata(&mut self, role: &str) -> Result<Key, Stop> {
        // Without a token, requests are sent without one.
        self.ask_metadata_for("MetadataToken")?;
        if role == ANY_ROLE {
            self.ask_metadata_for("MetadataRole")?;
        }
        let body = self.ask_metadata_for("MetadataKey")?;
        read_key(&body).ok_or(Stop::Failed(
            json!({ "error": "the reply, with its secrets" }),
        ))
    }

    fn ask_metadata_for(&mut self, name: &'static str) -> Result<Value, Stop> {
        for _ in 0..METADATA_TRIES {
            self.calls.push(Call::new(name, Value::Null));
            match self.replies.next() {
                None => return Err(Stop::Waits),
                Some(Reply::Http { body, .. }) => return Ok(body.clone()),
                Some(Reply::Timeout | Reply::Process(_)) => {}
            }
        }
        Err(Stop::Failed(json!({ "error": "Unavailable" })))
    }

    fn run_process(&mut self, plan: &Value) -> Result<Key, Stop> {
        let program = json!({ "run": plan["process"][0] });
        self.calls.push(Call::new(program, Value::Null));
        let Some(Reply::Process(output)) = self.replies.next() else {
            return Err(Stop::Waits);
        };
        let profile = find_profile(&text(output));
        let profile = profile.ok_or(Stop::Failed(json!({ "error": "Refused" })))?;
        let plan = plan_of_mode(self.client, &profile, &Value::Null, 0).unwrap();
        self.obtain(&plan)
    }

    /// Uses the stored session of a profile. The Alibaba Cloud CLI wants the access token of CloudSSO to be alive, too.
    fn use_session(&mut self, plan: &Value) -> Result<Key, Stop> {
        let file = self.client.file("/home/me/.aliyun/config.json").unwrap();
        let file: Value = serde_json::from_str(&file).unwrap();
        let profile = &file["profiles"][0];
        let is_ahead = |name: &str| profile[name].as_i64() > Some(NOW.seconds());
        if plan["cloudSso"].is_string() && !is_ahead("cloud_sso_access_token_expire") {
            let command = "aliyun configure --mode CloudSSO --profile";
            let command = format!("{command} {}", plan["cloudSso"].as_str().unwrap());
            return Err(Stop::Failed(json!({ "signIn": command })));
        }
        if is_ahead("sts_expiration") {
            return Ok(Key {
                id: profile["access_key_id"].as_str().unwrap().to_owned(),
                has_token: true,
                ends: profile["sts_expiration"].as_i64(),
            });
        }
        // Without tokens, ack-ram-tool starts the sign-in itself. Its text goes to the standard output.
        self.calls
            .push(Call::new(json!({ "run": "aliyun" }), Value::Null));
        Err(Stop::Waits)
    }
}

impl Call {
    fn new(name: impl Into<Value>, request: Value) -> Self {
        Self {
            name: name.into(),
            request,
            form: json!({}),
        }
    }
}

/// Returns the profile in the output of a process. With other text, the profile is the text from the first `{` to the next
/// `}` that has a `mode` between them.
fn find_profile(output: &str) -> Option<Value> {
    serde_json::from_str(output).ok().or_else(|| {
        let mut starts = output.match_indices('{');
        let text = starts.find_map(|(start, _)| {
            let end = start + output[start..].find('}')?;
            let text = &output[start..=end];
            text.contains("\"mode\":").then_some(text)
        });
        serde_json::from_str(text?).ok()
    })
}

fn read_key(body: &Value) -> Option<Key> {
    let ends = body["Expiration"].as_str().and_then(UnixTime::parse);
    body["AccessKeySecret"].as_str()?;
    Some(Key {
        id: body["AccessKeyId"].as_str()?.to_owned(),
        has_token: body["SecurityToken"].is_string(),
        ends: ends.map(|ends| ends.seconds_since(NOW)),
    })
}

/// Returns the request in the older form of signatures: everything is in the query.
fn assume_role_request(source: &Key) -> Value {
    let mut query = vec![
        "AccessKeyId",
        "Action",
        "Format",
        "RoleArn",
        "RoleSessionName",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureVersion",
        "Timestamp",
        "Version",
    ];
    if source.has_token {
        query.push("SecurityToken");
    }
    query.sort_unstable();
    json!({ "method": "POST", "query": query, "headers": ["content-type"], "form": [] })
}
