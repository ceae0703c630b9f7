use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Mutex;

use ack_ram_core::rules::{Backend, BackendRules, RuleSet};
use ack_ram_core::time::UnixTime;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use serde_json::{Value, json};

use super::*;
use crate::backends::live::LiveRules;

/// An answer of the API server. After the last answer, the API server does not answer.
enum Answer {
    /// The objects with these names, in a list.
    List(&'static [&'static str]),
    /// These events, on a watch that stays open.
    Watch(Vec<Value>),
    /// These events, on a watch whose connection then ends.
    Cut(Vec<Value>),
    /// An error.
    Error(u16),
    /// The error for a watch from a future revision.
    Restored,
    /// The error of an API server that is starting.
    Starting,
}
use Answer::{Cut, List, Watch};

fn object(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "uid": name, "generation": 1, "resourceVersion": "7"},
        "spec": {"arn": format!("acs:ram::1000000000000001:user/{name}"), "username": name},
    })
}

fn event(kind: &str, object: &Value) -> Value {
    json!({"type": kind, "object": object})
}

fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

fn respond(answer: Answer) -> Response<BoxBody<Bytes, Infallible>> {
    let (status, body) = match answer {
        List(names) => {
            let items: Vec<Value> = names.iter().map(|name| object(name)).collect();
            let list = json!({"metadata": {"resourceVersion": "7"}, "items": items});
            (200, Full::from(list.to_string()).boxed())
        }
        Watch(events) => {
            let events = Ok(Frame::data(Bytes::from(lines(&events))));
            let events = futures_util::stream::iter([events]);
            let open = events.chain(futures_util::stream::pending());
            (200, BodyExt::boxed(StreamBody::new(open)))
        }
        Cut(events) => (200, Full::from(lines(&events)).boxed()),
        Answer::Error(code) => {
            let status = json!({"kind": "Status", "code": code, "message": "no", "reason": ""});
            (code, Full::from(status.to_string()).boxed())
        }
        // The answer of kube-apiserver 1.35 to a list from a future revision.
        Answer::Restored => {
            let causes = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
            let status = json!({
                "kind": "Status", "code": 504, "reason": "Timeout",
                "message": "Timeout: Too large resource version: 7, current: 3",
                "details": {"causes": causes, "retryAfterSeconds": 1},
            });
            (504, Full::from(status.to_string()).boxed())
        }
        Answer::Starting => {
            let status = json!({"kind": "Status", "code": 429, "message": "storage is (re)initializing", "reason": "TooManyRequests"});
            (429, Full::from(status.to_string()).boxed())
        }
    };
    Response::builder().status(status).body(body).unwrap()
}

/// The duration of a test with an API server that no longer answers.
const WATCHED: Duration = Duration::from_secs(25);

/// Returns the time since the first confirmation, by tokio's clock.
fn uptime() -> Duration {
    thread_local! {
        static START: std::cell::OnceCell<Instant> = const { std::cell::OnceCell::new() };
    }
    START.with(|start| start.get_or_init(Instant::now).elapsed())
}

/// Returns the objects in effect, the trouble and the requests, after an API server gave `answers`.
async fn watched(answers: Vec<Answer>) -> (String, Option<String>, String) {
    let watched = watched_within(None, answers).await;
    (watched.names, watched.trouble, watched.requests)
}

/// The result of a watch.
struct Watched {
    names: String,
    trouble: Option<String>,
    /// The requests that the API server answered.
    requests: String,
    /// The time from the start to the last of these requests.
    last_request: Duration,
    /// The age of the last confirmation.
    age: Option<Duration>,
}

/// Watches an API server that gives `answers`, with the maximum age `max_age` of confirmations.
async fn watched_within(max_age: Option<Duration>, answers: Vec<Answer>) -> Watched {
    let start = Instant::now();
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    let requests = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&requests);
    let client = Client::new(
        tower::service_fn(move |request: Request<Body>| {
            let request_kind = |what| {
                let mut query = request.uri().query().into_iter();
                query.any(|query| query.contains(what))
            };
            let is_watch = request_kind("watch=true");
            let answer = match &mut *answers.lock().unwrap() {
                answers if !request_kind("NotOlderThan") => answers.next(),
                // Before a watch, a list checks whether the API server has the revision.
                answers => match answers.as_slice().first() {
                    Some(Answer::Restored | Answer::Starting) => answers.next(),
                    _ => Some(List(&[])),
                },
            };
            if answer.is_some() && !request_kind("NotOlderThan") {
                let verb = if is_watch { "watch" } else { "list" };
                recorded.lock().unwrap().push((verb, start.elapsed()));
            }
            async move {
                match answer {
                    Some(answer) => Ok::<_, Infallible>(respond(answer)),
                    None => std::future::pending().await,
                }
            }
        }),
        "default",
    );
    let clock = || UnixTime::from_seconds(1_767_323_045);
    let rules = RuleSet::new(
        vec![BackendRules::new_unsynced(Backend::Crd)],
        BTreeSet::new(),
    );
    let live = Arc::new(LiveRules::new(rules, clock()).with_uptime(uptime));
    live.confirmations().set_max_age(max_age);
    let mapping_controller = MappingController::new(Arc::clone(&live), clock, Box::new(|_| {}));
    let (_stop, stopped) = watch::channel(false);
    // Tokio's clock advances only while tasks wait. All pauses after the answers end before this timeout.
    let _ = tokio::time::timeout(WATCHED, mapping_controller.watch(client, stopped)).await;
    let rules = live.snapshot();
    let rules = rules.backends().first().unwrap();
    let names = rules
        .rules()
        .into_iter()
        .map(|rule| rule.source().position.clone());
    let names = if rules.is_synced() {
        names.collect::<Vec<_>>().join(" ")
    } else {
        "not synced".to_owned()
    };
    let trouble = live.inspect(|_, notes| notes.trouble.clone()).remove(0);
    let requests = requests.lock().unwrap();
    let verbs: Vec<_> = requests.iter().map(|(verb, _)| *verb).collect();
    Watched {
        names,
        trouble,
        requests: verbs.join(" "),
        last_request: requests.last().map_or(Duration::ZERO, |(_, at)| *at),
        age: live.confirmations().age(Backend::Crd),
    }
}

#[tokio::test(start_paused = true)]
async fn stale_mappings_are_confirmed_only_by_complete_list() {
    // Every pause before a retry is longer.
    let max_age = Some(Duration::from_millis(1));
    let created = event("ADDED", &object("b"));
    for (case, watch) in [
        ("the watch is answered", Watch(vec![])),
        ("the watch has events", Watch(vec![created])),
    ] {
        let answers = vec![
            List(&["a"]),
            Cut(vec![]),
            Answer::Error(500),
            watch,
            List(&["c"]),
            Watch(vec![event("ADDED", &object("d"))]),
        ];
        let watched = watched_within(max_age, answers).await;
        assert_eq!(
            watched.requests, "list watch watch watch list watch",
            "{case}"
        );
        assert_eq!(watched.names, "c d", "{case}");
        // The answer starts the list, not a later check for stale backends.
        assert!(watched.last_request < STALENESS_CHECK_INTERVAL, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn responses_confirm_mappings_and_failures_do_not() {
    let error = Answer::Error;
    for (case, answers, is_confirmed_later) in [
        (
            "a watch is answered",
            vec![List(&["a"]), error(500), Watch(vec![])],
            true,
        ),
        (
            "the API server is down",
            vec![List(&["a"]), Cut(vec![]), error(500), error(503)],
            false,
        ),
        (
            "the permission to watch is missing",
            vec![List(&["a"]), error(403), error(401)],
            false,
        ),
        ("no answer after the list", vec![List(&["a"])], false),
        (
            "it is certain that there is no definition",
            [List(&["a"])]
                .into_iter()
                .chain((0..8).map(|_| error(404)))
                .collect(),
            true,
        ),
    ] {
        let listed = uptime();
        let age = watched_within(None, answers).await.age;
        let since_list = uptime() - listed;
        assert_eq!(age.unwrap() < since_list, is_confirmed_later, "{case}");
    }
    let watched = watched_within(None, vec![error(500), error(403)]).await;
    assert_eq!(watched.age, None);
}

#[tokio::test(start_paused = true)]
async fn watch_resumes_after_any_end() {
    let expired = json!({"kind": "Status", "code": 410, "message": "too old", "reason": "Expired"});
    let bookmark = json!({"kind": "RAMIdentityMapping", "apiVersion": "x/v1", "metadata": {"resourceVersion": "9"}});
    let error = Answer::Error;
    for (case, answers, names, has_trouble, expected) in [
        (
            "no failure",
            vec![
                List(&["a", "b"]),
                Watch(vec![
                    event("DELETED", &object("a")),
                    event("ADDED", &object("c")),
                ]),
            ],
            "b c",
            false,
            "list watch",
        ),
        (
            "an interrupted watch is resumed",
            vec![
                List(&["a"]),
                Cut(vec![
                    event("ADDED", &object("b")),
                    event("BOOKMARK", &bookmark),
                ]),
                Watch(vec![event("DELETED", &object("a"))]),
            ],
            "b",
            false,
            "list watch watch",
        ),
        (
            "the revision is too old, as an event",
            vec![
                List(&["a"]),
                Cut(vec![event("ERROR", &expired)]),
                List(&["b"]),
                Watch(vec![]),
            ],
            "b",
            false,
            "list watch list watch",
        ),
        (
            "the revision is too old, as an answer",
            vec![List(&["a"]), error(410), List(&["b"]), Watch(vec![])],
            "b",
            false,
            "list watch list watch",
        ),
        (
            "the revision is in the future: etcd was restored from a backup",
            vec![
                List(&["a"]),
                Cut(vec![event("ADDED", &object("b"))]),
                Answer::Starting,
                Answer::Restored,
                List(&["c"]),
                Watch(vec![event("ADDED", &object("d"))]),
            ],
            "c d",
            false,
            "list watch list watch",
        ),
        (
            "the API server is down and returns without changes",
            vec![
                List(&["a"]),
                error(500),
                error(503),
                error(500),
                Watch(vec![]),
            ],
            "a",
            false,
            "list watch watch watch watch",
        ),
        (
            "the API server is down",
            vec![List(&["a"]), Cut(vec![]), error(500), error(503)],
            "a",
            true,
            "list watch watch watch",
        ),
        (
            "a single failure is not reported",
            vec![List(&["a"]), Cut(vec![]), error(500)],
            "a",
            false,
            "list watch watch",
        ),
        (
            "the permission to watch is missing",
            vec![List(&["a"]), error(403), error(403)],
            "a",
            true,
            "list watch watch",
        ),
        (
            "the permission to list is missing",
            vec![error(403), error(403)],
            "not synced",
            true,
            "list list",
        ),
        (
            "the permission to list is granted",
            vec![error(403), error(403), List(&["a"]), Watch(vec![])],
            "a",
            false,
            "list list list watch",
        ),
        (
            "a definition that is missing for a moment",
            vec![List(&["a"]), error(404), error(404), Watch(vec![])],
            "a",
            false,
            "list watch watch watch",
        ),
    ] {
        let (in_effect, trouble, requests) = watched(answers).await;
        assert_eq!(requests, expected, "{case}");
        assert_eq!(in_effect, names, "{case}");
        assert_eq!(trouble.is_some(), has_trouble, "{case}: {trouble:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silent_watch_is_relisted_once_stale() {
    let max_age = Some(Duration::from_millis(1));
    let answers = vec![List(&["a"]), Watch(vec![]), List(&["b"]), Watch(vec![])];
    let watched = watched_within(max_age, answers).await;
    assert_eq!(watched.requests, "list watch list watch");
    assert_eq!(watched.names, "b");
    assert_eq!(watched.last_request, STALENESS_CHECK_INTERVAL);
}
