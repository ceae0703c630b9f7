use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Mutex;

use ack_ram_core::rules::{BackendRules, RuleSet};
use ack_ram_core::time::UnixTime;
use hyper::{Method, Request, Response};
use kube::client::Body;
use kube::core::Status;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;
use crate::backends::live::LiveRules;

#[test]
fn write_errors_are_classified_by_remedy() {
    let seconds = Duration::from_secs;
    let old =
        "failed to create typed patch object: .status.conditions: field not declared in schema";
    for (code, message, wanted, expected) in [
        (404, "gone", 0, "dropped"),
        (409, "another uid", 0, "changed"),
        (422, "invalid", 0, "dropped"),
        (
            429,
            "too many requests",
            3,
            "failed, 3s, HTTP 429 from the API server: too many requests",
        ),
        (
            500,
            "no leader",
            0,
            "failed, 0ns, HTTP 500 from the API server: no leader",
        ),
        (
            403,
            "not allowed",
            0,
            "failed, 10s, not allowed; bind the ClusterRole `ack-ram-authenticator` in deploy/example.yaml to this server",
        ),
        (
            500,
            old,
            0,
            "failed, 10s, the CustomResourceDefinition is older than this server; apply deploy/ramidentitymapping.yaml, or start the server with --install-crd (failed to create typed patch object: .status.conditions: field not declared in schema)",
        ),
    ] {
        let details = kube::core::response::StatusDetails {
            retry_after_seconds: wanted,
            ..serde_json::from_str("{}").unwrap()
        };
        let status = Status::failure(message, "Reason")
            .with_code(code)
            .with_details(details);
        let got = match WriteOutcome::from_error("x", &kube::Error::Api(status.boxed())) {
            WriteOutcome::Written => "written".to_owned(),
            WriteOutcome::Dropped => "dropped".to_owned(),
            WriteOutcome::Changed => "changed".to_owned(),
            WriteOutcome::Failed { error, pause, .. } => {
                format!("failed, {:?}, {error}", pause.unwrap_or(seconds(999)))
            }
        };
        assert_eq!(got, expected, "{code}");
    }
}

const OBJECT: &str =
    "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings/a/status";

fn object(generation: i64, status: &Value) -> Value {
    json!({
        "metadata": {"name": "a", "uid": "1", "generation": generation, "resourceVersion": "7"},
        "spec": {"arn": "acs:ram::1000000000000001:user/a", "username": format!("a{generation}")},
        "status": status,
    })
}

/// Another program reverts each status. In the meantime, a user edits the object once.
#[tokio::test(start_paused = true)]
async fn undone_status_is_rewritten_at_intervals() {
    let now = Arc::new(Mutex::new(object(1, &json!({}))));
    let written = Arc::new(Mutex::new(Vec::new()));
    let (stored, writes) = (Arc::clone(&now), Arc::clone(&written));
    let client = Client::new(
        tower::service_fn(move |request: Request<Body>| {
            let (stored, writes) = (Arc::clone(&stored), Arc::clone(&writes));
            async move {
                let answer = if request.method() == Method::PATCH {
                    assert_eq!(request.uri().path(), OBJECT);
                    let patch = request.into_body().collect_bytes().await.unwrap();
                    let patch: Value = serde_json::from_slice(&patch).unwrap();
                    let mut stored = stored.lock().unwrap();
                    stored["status"] = patch["status"].clone();
                    let generation = patch["status"]["observedGeneration"].as_i64();
                    writes.lock().unwrap().push(generation.unwrap());
                    stored.clone()
                } else {
                    json!({})
                };
                let answer = Response::new(Body::from(answer.to_string().into_bytes()));
                Ok::<_, Infallible>(answer)
            }
        }),
        "default",
    );
    let clock = || UnixTime::from_seconds(1_767_323_045);
    let rules = RuleSet::new(
        vec![BackendRules::new_unsynced(Backend::Crd)],
        BTreeSet::new(),
    );
    let live = Arc::new(LiveRules::new(rules, clock()));
    let mapping_controller = MappingController::new(live, clock, Box::new(|_| {}));
    let observe = |events: Vec<Event<Value>>| {
        let events = events.into_iter().map(|event| match event {
            Event::Apply(object) => Event::Apply(serde_json::from_value(object).unwrap()),
            Event::InitApply(object) => Event::InitApply(serde_json::from_value(object).unwrap()),
            Event::Init => Event::Init,
            Event::InitDone => Event::InitDone,
            Event::Delete(_) => unreachable!(),
        });
        let touched =
            mapping_controller
                .objects()
                .apply_events(events, &mapping_controller.live, clock());
        mapping_controller.status_queue.add(touched);
    };
    mapping_controller.status_queue.open(TouchedNames::new());
    let first = now.lock().unwrap().clone();
    observe(vec![Event::Init, Event::InitApply(first), Event::InitDone]);
    let events = EventRecorder::new(client.clone(), "test");
    let undo = async {
        for turn in 0..600 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let generation = if turn < 305 { 1 } else { 2 };
            observe(vec![Event::Apply(now.lock().unwrap().clone())]);
            let undone = object(generation, &json!({"canonicalARN": "of another program"}));
            *now.lock().unwrap() = undone.clone();
            observe(vec![Event::Apply(undone)]);
        }
    };
    tokio::select! {
        () = undo => {}
        () = mapping_controller.write_queued(&client, &events) => {}
    }
    // One write every ten seconds, and one immediately after the edit.
    assert_eq!(*written.lock().unwrap(), [1, 1, 1, 1, 2, 2, 2]);
}
