//! A hundred broken edits of the ConfigMap, through a real API server.

use ack_ram_tests::broken_edits;
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::broken::{self, Lists};
use crate::people::Person;
use crate::replica::Login;
use crate::wait::eventually;
use crate::world::{World, run};

const BACKEND: (&str, &str) = ("backend", "ACKConfigMap");
/// Of so many edits, there is an event each; of more that come as fast there need not be.
const EVENTS: usize = 40;

pub fn broken_edits_take_nothing_away(world: &mut World) {
    let people = [world.person(), world.person()];
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
    world.write_config_map_data(&json!(good));
    let replica = &world.replicas[0];
    replica.wait_for_login(people[0], &Login::As(people[0].name()));
    check_logins(world, people, "at first");
    for (number, (name, data)) in edits.into_iter().enumerate() {
        let mark = replica.log().len();
        let written = world.write_config_map_data(&data);
        eventually(&name, || {
            let log = replica.log();
            let is_told = log[mark..].lines().any(|line| {
                line.contains("; kept: ")
                    && line.contains("ConfigMap kube-system/alibabacloud-auth")
            });
            let is_counted = replica.metric("rules", &[BACKEND, ("state", "kept")]) > 0.0;
            (is_told && is_counted)
                .then_some(())
                .ok_or_else(|| log[mark..].to_owned())
        });
        check_logins(world, people, &name);
        check_listed(world, &name, &good);
        if number < EVENTS {
            wait_for_event(world, &name, &written);
        }
        if number == 0 {
            check_described(world);
        }
        world.write_config_map_data(&json!(good));
        eventually(&name, || {
            match replica.metric("rules", &[BACKEND, ("state", "kept")]) {
                0.0 => Ok(()),
                kept => Err(format!("undone: {kept}")),
            }
        });
    }
    check_logins(world, people, "at last");
    replica.wait_for_readyz(200, "[+]backend ACKConfigMap ok\n");
}

fn check_logins(world: &World, people: [Person; 2], when: &str) {
    let door = &world.replicas[0].door;
    for person in people {
        assert_eq!(door.login(person), Login::As(person.name()), "{when}");
    }
    assert_eq!(
        door.login_with(&demo::session_key()),
        Login::As("dev".to_owned()),
        "{when}"
    );
    let other = Person::of_other_account();
    assert_eq!(door.login(other), Login::As(other.arn()), "{when}");
}

/// There is an event about the edit that made `written` of the ConfigMap.
fn wait_for_event(world: &World, name: &str, written: &Value) {
    let version = written["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!(
        "/api/v1/namespaces/kube-system/events?fieldSelector=involvedObject.resourceVersion={version}"
    );
    eventually(name, || {
        let found = world.api.get(&path).ok();
        let mut events = found["items"].as_array().unwrap().iter();
        let is_told = events.any(|event| {
            let note = event["message"].as_str().unwrap();
            event["type"] == "Warning" && note.contains("; kept: ")
        });
        is_told.then_some(()).ok_or_else(|| found.to_string())
    });
}

/// What is wrong stands where `kubectl describe` shows it.
fn check_described(world: &World) {
    let args = [
        "describe",
        "--namespace=kube-system",
        "configmap",
        "alibabacloud-auth",
    ];
    let described = world.cluster.admin_kubectl(&args);
    assert!(described.success, "{}", described.stderr);
    let (_, events) = described.stdout.split_once("Events:").unwrap();
    assert!(events.contains("Refused"), "{events}");
    assert!(events.contains("mapRoles:1:"), "{events}");
}

/// `list` shows whoever made the edit what is wrong.
fn check_listed(world: &World, name: &str, good: &Lists) {
    let ran = run(world.command(&["list", "--backend", "configmap", "--output", "json"]));
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
