//! All vectors, valid and hostile: the filter in Envoy decides like native code.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::LazyLock;

use ack_ram_core::gateway::extract_bearer;
use ack_ram_core::time::UnixTime;
use ack_ram_envoy::Settings;
use ack_ram_tests::dates::now;
use ack_ram_tests::envoy::{
    Envoy, EnvoyReply, Filter, Listener, Module, Protocol, ReceivedRequest, Upstream,
    plain_cluster, service_cluster,
};
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::vectors::{LoginCase, SentRequest, logins, tokens};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HeaderValue;
use regex::{Captures, Regex};
use serde_json::{Map, Value, json};

use crate::replies::{RecordedCall, Replies, Reply};

const ALICE: &str = r#"{"IdentityType":"RAMUser","AccountId":"1234567890123456","RequestId":"R","PrincipalId":"200000000000000001","UserId":"200000000000000001","Arn":"acs:ram::1234567890123456:user/alice"}"#;

/// Vectors have fixed dates, and Envoy's clock cannot be set back, so the dates are moved to the present.
struct DateShift(i64);

impl DateShift {
    /// Moves `then` to the present.
    fn from(then: &str) -> Self {
        let then = UnixTime::parse(then).unwrap();
        Self(now().seconds() - then.seconds())
    }

    /// Returns `text` with all dates moved.
    fn text(&self, text: &str) -> String {
        static DATE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap());
        let moved = DATE.replace_all(text, |found: &Captures<'_>| {
            match UnixTime::parse(&found[0]) {
                Some(date) => date.plus_seconds(self.0).to_string(),
                None => found[0].to_owned(),
            }
        });
        moved.into_owned()
    }

    /// Returns `token` with its dates moved. A token whose content is not text is unchanged.
    fn token(&self, token: &str) -> String {
        let moved = || {
            let encoded = token.strip_prefix("k8s-ack-v2.")?;
            let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            Some(format!("k8s-ack-v2.{}", STANDARD.encode(self.text(&text))))
        };
        moved().unwrap_or_else(|| token.to_owned())
    }
}

fn start_envoy(service: &Upstream, sts: &Replies, listeners: &[Listener]) -> Envoy {
    let clusters = [
        service_cluster(service.address()),
        plain_cluster("sts", sts.address),
    ];
    Envoy::start(&clusters, listeners).unwrap_or_else(|error| panic!("{error}"))
}

/// The result of a login in native code.
#[derive(Debug, PartialEq)]
struct Native {
    code: String,
    /// The status of the answer to an API server.
    status: u64,
    /// The answer to an API server.
    answer: Value,
    explanation: Value,
}

fn native(mut login: Map<String, Value>) -> Native {
    login.insert("now".to_owned(), json!(now().to_string()));
    let input = serde_json::to_vec(&login).unwrap();
    let output: Value = serde_json::from_slice(&ack_ram_core_wasm::run(&input)).unwrap();
    let text = |name: &str| output[name].as_str().unwrap_or_else(|| panic!("{output}"));
    Native {
        code: text("code").to_owned(),
        status: output["status"].as_u64().unwrap(),
        answer: serde_json::from_str(text("answer")).unwrap(),
        explanation: output["explanation"].clone(),
    }
}

/// Returns the identity headers of `user` in a TokenReview, or `None` if a header cannot express one of the values.
fn identity_headers(user: &Value) -> Option<BTreeMap<String, Vec<String>>> {
    let texts = |value: &Value| -> Vec<String> {
        let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect()
    };
    let one = |name: &str| vec![user[name].as_str().unwrap().to_owned()];
    let mut headers = BTreeMap::from([
        ("x-remote-user".to_owned(), one("username")),
        ("x-remote-uid".to_owned(), one("uid")),
    ]);
    let groups = texts(&user["groups"]);
    if groups.iter().any(|group| group.contains(',')) {
        return None;
    }
    if !groups.is_empty() {
        headers.insert("x-remote-group".to_owned(), groups);
    }
    for (key, values) in user["extra"].as_object().into_iter().flatten() {
        let mut values = texts(values);
        values.retain(|value| !value.is_empty());
        if !values.is_empty() {
            headers.insert(format!("x-remote-extra-{}", key.to_lowercase()), values);
        }
    }
    let is_sendable = |value: &String| {
        !value.is_empty() && !value.chars().any(char::is_control) && value.trim() == value
    };
    headers
        .values()
        .flatten()
        .all(is_sendable)
        .then_some(headers)
}

/// Compares the result of a request with the native decision. `log` is Envoy's log of the request.
fn compare(
    name: &str,
    native: &Native,
    answer: &EnvoyReply,
    received: &[ReceivedRequest],
    log: &str,
) {
    let context = || format!("{name}: {native:?}, {answer:?}, {received:?}\n{log}");
    let problem = answer.json();
    let user = &native.answer["status"]["user"];
    let headers = if user.is_null() {
        None
    } else {
        identity_headers(user)
    };
    let status = match (&*native.code, &headers) {
        ("granted", Some(_)) => 200,
        ("granted", None) => 403,
        _ if native.status == 200 => 401,
        _ => 503,
    };
    assert_eq!(answer.status.as_u16(), status, "{}", context());
    if let (200, Some(headers)) = (status, headers) {
        assert_eq!(received.len(), 1, "{}", context());
        let mut found = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &received[0].headers {
            if name.as_str().starts_with("x-remote-") {
                let values = found.entry(name.to_string()).or_default();
                values.push(String::from_utf8(value.as_bytes().to_vec()).unwrap());
            }
        }
        assert_eq!(found, headers, "{}", context());
        assert!(received[0].all("authorization").is_empty(), "{}", context());
    } else {
        assert!(received.is_empty(), "{}", context());
    }
    // The message for the client.
    let message = match native.status {
        200 => &native.answer["status"]["error"],
        _ => &native.answer["message"],
    };
    if let (Some(message), 401 | 503) = (message.as_str(), status) {
        let detail = problem["detail"].as_str().unwrap();
        assert!(message.contains(detail), "{}", context());
    }
    // The log for the operator.
    let code = match status {
        403 => "forbidden",
        _ => &native.code,
    };
    let logged = format!(" result={code}");
    let line = log.lines().find(|line| line.contains(" result="));
    let is_logged = line.is_some_and(|line| {
        let rest = line.split_once(&logged).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    assert!(is_logged, "no {logged}: {}", context());
    if native.explanation["scrubbed"] == true {
        let (_, rest) = line.unwrap().split_once(&logged).unwrap();
        assert_eq!(rest, "", "{}", context());
    }
}

/// Sends `value` as the only `Authorization` header and compares the result with the native decision about `login`.
/// Returns the decision, and the calls to STS for the compared request.
async fn send_and_compare(
    name: &str,
    login: &Map<String, Value>,
    value: &HeaderValue,
    listener: &str,
    programs: (&mut Envoy, &Upstream, &Replies),
) -> (Native, Vec<RecordedCall>) {
    send_and_compare_after(name, login, value, listener, programs, async |_| {}).await
}

/// Does the same as [`send_and_compare`]. Between each native decision and its request, waits for `pause`.
async fn send_and_compare_after(
    name: &str,
    login: &Map<String, Value>,
    value: &HeaderValue,
    listener: &str,
    (envoy, service, sts): (&mut Envoy, &Upstream, &Replies),
    mut pause: impl AsyncFnMut(&Native),
) -> (Native, Vec<RecordedCall>) {
    // HTTP/1 and HTTP/2 alternate.
    let protocol = match value.len() % 2 {
        0 => Protocol::Http1,
        _ => Protocol::Http2,
    };
    loop {
        let before = native(login.clone());
        pause(&before).await;
        envoy.forget_log();
        let request = Request::get("/").header("authorization", value);
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let answer = envoy.client(listener, protocol).send(request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}: {}", envoy.log()));
        let logged = envoy.wait_for_log(" result=");
        logged.unwrap_or_else(|error| panic!("{name}: {error}"));
        // If the request is sent again, only its own calls count.
        let (received, calls) = (service.take(), sts.take());
        // The first or the last second of a token may have passed in the meantime.
        if native(login.clone()) == before {
            compare(name, &before, &answer, &received, &envoy.log());
            return (before, calls);
        }
    }
}

/// A filter that calls STS for each token, and grants Alice.
struct TokenPrograms {
    envoy: Envoy,
    service: Upstream,
    sts: Replies,
}

impl TokenPrograms {
    fn start(cluster_id: &str) -> Self {
        let alice = Reply::Response {
            status: 200,
            body: ALICE.to_owned(),
        };
        let sts = Replies::start(HashMap::from([("sts.test".to_owned(), alice)]));
        let service = Upstream::start().unwrap();
        let mapping =
            json!({ "userARN": "acs:ram::1234567890123456:user/alice", "username": "alice" });
        let settings = json!({
            "clusterID": cluster_id,
            // The timeout is long enough for a slow machine.
            "sts": { "cluster": "sts", "authority": "sts.test", "timeoutMilliseconds": 30_000 },
            // Without a cache, there is a call for each token.
            "cache": { "size": 0 },
            "mapUsers": [mapping],
            "logLevel": "debug",
        });
        let filter = Filter::new(Module::Small, &settings);
        let listeners = [Listener::new("tokens", vec![filter.to_config()])];
        let envoy = start_envoy(&service, &sts, &listeners);
        Self {
            envoy,
            service,
            sts,
        }
    }
}

/// Returns the native login with `token` that corresponds to [`TokenPrograms`].
fn login_of(token: &str, cluster_id: &str) -> Map<String, Value> {
    let login = json!({
        "token": token,
        "clusterId": cluster_id,
        "sts": { "response": { "status": 200, "body": ALICE }},
        "backends": [{ "backend": "MountedFile", "mappings": [{
            "arn": "acs:ram::1234567890123456:user/alice",
            "username": "alice",
        }]}],
    });
    login.as_object().unwrap().clone()
}

#[tokio::test]
async fn token_that_becomes_valid_before_its_request_is_sent_again_and_calls_once() {
    let vectors = tokens();
    let mut programs = TokenPrograms::start(&vectors.cluster_id);
    let mut cases = vectors.cases.iter();
    let name = "one second too far in the future";
    let case = cases.find(|case| case.name == name).unwrap();
    let mut has_waited = false;
    // On a slow machine, the token is valid before the first decision.
    while !has_waited {
        let token = DateShift::from(&case.now).token(&case.token());
        let login = login_of(&token, &vectors.cluster_id);
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        let pause = async |before: &Native| {
            if before.code == "token_not_yet_valid" {
                let is_over = async || native(login.clone()) != *before;
                eventually("the next second", is_over).await;
                has_waited = true;
            }
        };
        let TokenPrograms {
            envoy,
            service,
            sts,
        } = &mut programs;
        let to = (envoy, &*service, &*sts);
        let (native, calls) =
            send_and_compare_after(name, &login, &value, "tokens", to, pause).await;
        assert_eq!((&*native.code, calls.len()), ("granted", 1));
    }
}

#[tokio::test]
async fn token_vectors_match_native_decisions() {
    let vectors = tokens();
    let TokenPrograms {
        mut envoy,
        service,
        sts,
    } = TokenPrograms::start(&vectors.cluster_id);
    let (mut compared, mut sent, mut late, mut unsendable) = (0, 0, 0, Vec::new());
    let mut cases: VecDeque<_> = vectors.cases.iter().collect();
    while let Some(case) = cases.pop_front() {
        let name = &case.name;
        let redate = DateShift::from(&case.now);
        let token = redate.token(&case.token());
        let value = format!("Bearer {token}");
        let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) else {
            unsendable.push(name);
            continue;
        };
        // A header value has no spaces around it.
        let Ok(token) = extract_bearer([value.as_bytes().trim_ascii()], true) else {
            unsendable.push(name);
            continue;
        };
        let login = login_of(token.expose(), &vectors.cluster_id);
        let login = &login;
        let to = (&mut envoy, &service, &sts);
        let (native, calls) = send_and_compare(name, login, &value, "tokens", to).await;
        compared += 1;

        let is_by_default = !case.accept_v1 && case.extra_query_keys.is_empty();
        match (&case.request, is_by_default) {
            // The token expired before it was sent: try again.
            (Some(_), true) if native.code == "token_expired" => {
                cases.push_back(case);
                compared -= 1;
                late += 1;
                assert!(late < 100, "{name} has always expired");
            }
            (Some(request), true) => {
                assert_eq!(calls.len(), 1, "{name}");
                let headers = calls[0].headers.iter().filter(|(name, _)| {
                    let name = name.as_str();
                    let of_envoy = name.starts_with("x-envoy-")
                        || ["host", "user-agent", "content-length"].contains(&name);
                    !of_envoy
                });
                let found = SentRequest {
                    method: calls[0].method.to_string(),
                    path_and_query: calls[0].target.clone(),
                    headers: headers
                        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                        .collect(),
                };
                let expected = SentRequest {
                    method: request.method.clone(),
                    path_and_query: request.path_and_query.clone(),
                    headers: request
                        .headers
                        .iter()
                        .map(|(name, value)| (name.clone(), redate.text(value)))
                        .collect(),
                };
                assert_eq!(found, expected, "{name}");
                sent += 1;
            }
            _ if native.code == "granted" => assert_eq!(calls.len(), 1, "{name}"),
            _ => assert!(calls.is_empty(), "{name}: {calls:?}"),
        }
    }
    println!("tokens: {compared} compared, {sent} of them with what STS was sent");
    println!("tokens that are not valid in a header: {unsendable:?}");
    assert!(compared >= 305 && sent >= 13, "{compared}, {sent}");
}

/// Returns the configuration of the filter for `case` and the reply of STS, or the reason why there is none.
fn configured(case: &LoginCase, authority: &str) -> Result<(Value, Reply), String> {
    let login = &case.login;
    // A long timeout, unless STS does not answer in this case.
    let timeout = if login["sts"] == "timedOut" {
        1_000
    } else {
        30_000
    };
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let backends = list(login.get("backends"));
    let [backend] = backends.as_slice() else {
        return Err(format!("{} backends", backends.len()));
    };
    let mut settings = json!({
        "clusterID": login["clusterId"],
        "sts": { "cluster": "sts", "authority": authority, "timeoutMilliseconds": timeout },
        "logLevel": "debug",
    });
    for (from, to) in [
        ("scrubbedAccounts", "scrubbedAccounts"),
        ("userValidationRules", "userValidationRules"),
    ] {
        if let Some(value) = login.get(from) {
            settings[to] = value.clone();
        }
    }
    let known = ["backend", "mappings", "accounts"];
    let unknown = backend
        .as_object()
        .unwrap()
        .keys()
        .find(|key| !known.contains(&key.as_str()));
    if let Some(unknown) = unknown {
        return Err(format!("`{unknown}`"));
    }
    if let Some(accounts) = backend.get("accounts") {
        settings["mapAccounts"] = accounts.clone();
    }
    // Wildcards in ARNs are for `mapUsers` and `mapRoles`. `mapRules` has patterns.
    let (mut users, mut rules) = (Vec::new(), Vec::new());
    for mut rule in list(backend.get("mappings")) {
        let globs = rule.as_object_mut().unwrap().remove("globs") == Some(json!(true));
        let is_plain = |key: &String| ["arn", "username", "groups"].contains(&key.as_str());
        if !globs {
            rules.push(rule);
        } else if rule.as_object().unwrap().keys().all(is_plain) {
            let arn = rule.as_object_mut().unwrap().remove("arn").unwrap();
            rule["userARN"] = arn;
            users.push(rule);
        } else {
            return Err("wildcards in the ARN of a rule".to_owned());
        }
    }
    settings["globs"] = json!(!users.is_empty());
    settings["mapUsers"] = Value::Array(users);
    settings["mapRules"] = Value::Array(rules);
    Settings::parse(settings.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let status = login["sts"]["response"]["status"].as_u64();
    if status.is_some_and(|status| !(200..600).contains(&status)) {
        return Err("a status that does not end an HTTP exchange".to_owned());
    }
    let body = login["sts"]["response"]["body"].as_str();
    if let (Some(503 | 504), Some(body)) = (status, body)
        && !body.trim_ascii_start().starts_with('{')
    {
        return Err(
            "a text with 503 or 504, which is Envoy's own (tests/tests/sts_errors.rs)".to_owned(),
        );
    }
    let reply = match &login["sts"] {
        Value::String(name) if name == "unreachable" => Reply::Unreachable,
        Value::String(name) if name == "timedOut" => Reply::TimedOut,
        reply => Reply::Response {
            status: u16::try_from(reply["response"]["status"].as_u64().unwrap()).unwrap(),
            body: reply["response"]["body"].as_str().unwrap().to_owned(),
        },
    };
    Ok((settings, reply))
}

#[tokio::test]
async fn login_vectors_match_native_decisions() {
    let (mut listeners, mut replies, mut cases) = (Vec::new(), HashMap::new(), Vec::new());
    let mut left_out = BTreeMap::<String, usize>::new();
    for (number, case) in logins().into_iter().enumerate() {
        let name = format!("case-{number}");
        match configured(&case, &name) {
            Ok((settings, reply)) => {
                let filter = Filter::new(Module::WithCel, &settings);
                listeners.push(Listener::new(&name, vec![filter.to_config()]));
                replies.insert(name.clone(), reply);
                cases.push((name, case));
            }
            Err(reason) => *left_out.entry(reason).or_default() += 1,
        }
    }
    let sts = Replies::start(replies);
    let service = Upstream::start().unwrap();
    let mut envoy = start_envoy(&service, &sts, &listeners);
    for (listener, case) in &cases {
        let mut login = case.login.clone();
        let redate = DateShift::from(login["now"].as_str().unwrap());
        let token = redate.token(login["token"].as_str().unwrap());
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        login.insert("token".to_owned(), token.into());
        let to = (&mut envoy, &service, &sts);
        let (native, _) = send_and_compare(&case.name, &login, &value, listener, to).await;
        assert_eq!(native.code, case.code, "{}", case.name);
    }
    println!("logins: {} compared", cases.len());
    println!("logins without an equivalent configuration of the filter: {left_out:#?}");
    assert!(cases.len() >= 250, "{}", cases.len());
}
