//! A hundred broken edits of the ConfigMap, through a real API server.

use ack_ram_tests::broken_edits;
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::broken::{self, Lists};
use crate::fixture::{ClusterFixture, run};
use crate::people::Person;
use crate::replica::Login;
use ack_ram_tests::eventually::block_until;

const BACKEND: (&str, &str) = ("backend", "ACKConfigMap");
/// The number of edits that have an event each. The rate limit may drop the events of further edits.
const EVENTS: usize = 40;

pub fn broken_edits_keep_all_mappings(fixture: &mut ClusterFixture) {
    let people = [fixture.person(), fixture.person()];
    let good = broken::good(people);
    let mut edits: Vec<(String, Value)> = broken::edits(people)
        .into_iter()
        .map(|(name, lists)| (name, json!(lists)))
        .collect();
    for (key, other) in broken_edits::table().config_map_keys {
        let mut data = json!(good);
        let text = data.as_object_mut().unwrap().remove(&key).unwrap();
        data[other.as_str()] = text;
        edits.push((format!("{key} is called {other}"), data));
    }
    fixture.write_config_map_data(&json!(good));
    let replica = &fixture.replicas[0];
    replica.wait_for_login(people[0], &Login::As(people[0].name()));
    check_logins(fixture, people, "at first");
    for (number, (name, data)) in edits.into_iter().enumerate() {
        let mark = replica.log().len();
        let written = fixture.write_config_map_data(&data);
        block_until(&name, || {
            let log = replica.log();
            let is_reported = log[mark..].lines().any(|line| {
                line.contains("; kept: ")
                    && line.contains("ConfigMap kube-system/alibabacloud-auth")
            });
            let is_counted = replica.metric("rules", &[BACKEND, ("state", "kept")]) > 0.0;
            (is_reported && is_counted)
                .then_some(())
                .ok_or_else(|| log[mark..].to_owned())
        });
        check_logins(fixture, people, &name);
        check_listed(fixture, &name, &good);
        if number < EVENTS {
            wait_for_event(fixture, &name, &written);
        }
        if number == 0 {
            check_described(fixture);
        }
        fixture.write_config_map_data(&json!(good));
        block_until(&name, || {
            match replica.metric("rules", &[BACKEND, ("state", "kept")]) {
                0.0 => Ok(()),
                kept => Err(format!("undone: {kept}")),
            }
        });
    }
    check_logins(fixture, people, "at last");
    replica.wait_for_readyz(200, "[+]backend ACKConfigMap ok\n");
}

fn check_logins(fixture: &ClusterFixture, people: [Person; 2], when: &str) {
    let login_client = &fixture.replicas[0].login_client;
    for person in people {
        assert_eq!(
            login_client.login(person),
            Login::As(person.name()),
            "{when}"
        );
    }
    assert_eq!(
        login_client.login_with(&demo::session_key()),
        Login::As("dev".to_owned()),
        "{when}"
    );
    let other = Person::of_other_account();
    assert_eq!(login_client.login(other), Login::As(other.arn()), "{when}");
}

/// Waits for an event about the edit after which the ConfigMap is `written`.
fn wait_for_event(fixture: &ClusterFixture, name: &str, written: &Value) {
    let version = written["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!(
        "/api/v1/namespaces/kube-system/events?fieldSelector=involvedObject.resourceVersion={version}"
    );
    block_until(name, || {
        let found = fixture.api.get(&path).ok();
        let mut events = found["items"].as_array().unwrap().iter();
        let is_reported = events.any(|event| {
            let note = event["message"].as_str().unwrap();
            event["type"] == "Warning" && note.contains("; kept: ")
        });
        is_reported.then_some(()).ok_or_else(|| found.to_string())
    });
}

/// Checks that `kubectl describe` shows the problem.
fn check_described(fixture: &ClusterFixture) {
    let args = [
        "describe",
        "--namespace=kube-system",
        "configmap",
        "alibabacloud-auth",
    ];
    let described = fixture.cluster.admin_kubectl(&args);
    assert!(described.success, "{}", described.stderr);
    let (_, events) = described.stdout.split_once("Events:").unwrap();
    assert!(events.contains("Refused"), "{events}");
    assert!(events.contains("mapRoles:1:"), "{events}");
}

/// Checks that `list` shows the problem to the author of the edit.
fn check_listed(fixture: &ClusterFixture, name: &str, good: &Lists) {
    let ran = run(fixture.command(&["list", "--backend", "configmap", "--output", "json"]));
    assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
    let listed: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mappings = listed["mappings"].as_array().unwrap();
    let mut problems = mappings.iter().filter_map(|mapping| {
        let problem = mapping["problem"].as_str()?;
        Some((mapping["position"].as_str()?, problem))
    });
    let key = good.keys().find(|key| name.starts_with(**key)).unwrap();
    assert!(
        problems.any(|(position, problem)| position.starts_with(key) && problem.len() > 10),
        "{name}: {}",
        ran.stdout
    );
}
