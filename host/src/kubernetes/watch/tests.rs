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

/// What the API server answers, one after the other; to anything after that, nothing.
enum Answer {
    /// To a list, the objects with these names.
    List(&'static [&'static str]),
    /// To a watch, these events. Then it stays open.
    Watch(Vec<Value>),
    /// To a watch, these events. Then the connection ends.
    Cut(Vec<Value>),
    /// To either, an error.
    Error(u16),
    /// To a watch, that what it has seen is yet to come.
    Restored,
    /// To a watch, that what is there cannot be told yet.
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
        // As kube-apiserver 1.35 answers a list that must not be older than a revision of the future.
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

/// How long an API server is watched that answers no more.
const WATCHED: Duration = Duration::from_secs(25);

/// The time since the first confirmation, as tokio's clock has it.
fn uptime() -> Duration {
    thread_local! {
        static START: std::cell::OnceCell<Instant> = const { std::cell::OnceCell::new() };
    }
    START.with(|start| start.get_or_init(Instant::now).elapsed())
}

/// What is in effect after an API server has answered so, what is the trouble, and what it was asked.
async fn watched(answers: Vec<Answer>) -> (String, Option<String>, String) {
    let seen = watched_within(None, answers).await;
    (seen.names, seen.trouble, seen.requests)
}

/// What is seen of a watch.
struct Watched {
    names: String,
    trouble: Option<String>,
    /// What the API server was asked and has answered.
    requests: String,
    /// From the start to the last of these requests.
    last_asked: Duration,
    /// How long ago the last confirmation was.
    age: Option<Duration>,
}

/// The same with a limit to how old confirmations may be, and the age of the last one.
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
                // Before a watch it is asked whether it knows what that has seen.
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
    // The clock stands still but for waiting; every pause after all these answers is over by then.
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
        "unread".to_owned()
    };
    let trouble = live.inspect(|_, notes| notes.trouble.clone()).remove(0);
    let requests = requests.lock().unwrap();
    let verbs: Vec<_> = requests.iter().map(|(verb, _)| *verb).collect();
    Watched {
        names,
        trouble,
        requests: verbs.join(" "),
        last_asked: requests.last().map_or(Duration::ZERO, |(_, at)| *at),
        age: live.confirmations().age(Backend::Crd),
    }
}

#[tokio::test(start_paused = true)]
async fn stale_mappings_are_confirmed_only_by_whole_list() {
    // Each pause before the next try is longer.
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
        let seen = watched_within(max_age, answers).await;
        assert_eq!(seen.requests, "list watch watch watch list watch", "{case}");
        assert_eq!(seen.names, "c d", "{case}");
        // It is the answer that begins the list, and not a look at the clock after it.
        assert!(seen.last_asked < STALENESS_CHECK_INTERVAL, "{case}");
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
            "the right to watch is missing",
            vec![List(&["a"]), error(403), error(401)],
            false,
        ),
        ("nothing more is answered", vec![List(&["a"])], false),
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
    let seen = watched_within(None, vec![error(500), error(403)]).await;
    assert_eq!(seen.age, None);
}

#[tokio::test(start_paused = true)]
async fn watch_resumes_after_any_end() {
    let gone = json!({"kind": "Status", "code": 410, "message": "too old", "reason": "Expired"});
    let bookmark = json!({"kind": "RAMIdentityMapping", "apiVersion": "x/v1", "metadata": {"resourceVersion": "9"}});
    let error = Answer::Error;
    for (case, answers, names, has_trouble, expected) in [
        (
            "nothing goes wrong",
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
            "a watch that is cut is resumed",
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
            "what has happened meanwhile is no longer known, as an event",
            vec![
                List(&["a"]),
                Cut(vec![event("ERROR", &gone)]),
                List(&["b"]),
                Watch(vec![]),
            ],
            "b",
            false,
            "list watch list watch",
        ),
        (
            "what has happened meanwhile is no longer known, as an answer",
            vec![List(&["a"]), error(410), List(&["b"]), Watch(vec![])],
            "b",
            false,
            "list watch list watch",
        ),
        (
            "what has happened never did: etcd was restored from a backup",
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
            "the API server is down, and back, and nothing has changed",
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
            "one failure is no trouble",
            vec![List(&["a"]), Cut(vec![]), error(500)],
            "a",
            false,
            "list watch watch",
        ),
        (
            "the right to watch is missing",
            vec![List(&["a"]), error(403), error(403)],
            "a",
            true,
            "list watch watch",
        ),
        (
            "the right to list is missing",
            vec![error(403), error(403)],
            "unread",
            true,
            "list list",
        ),
        (
            "the right to list is given",
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
    let seen = watched_within(max_age, answers).await;
    assert_eq!(seen.requests, "list watch list watch");
    assert_eq!(seen.names, "b");
    assert_eq!(seen.last_asked, STALENESS_CHECK_INTERVAL);
}
