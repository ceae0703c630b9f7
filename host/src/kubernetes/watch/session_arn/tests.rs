use std::collections::BTreeMap;

use ack_ram_core::rules::{Backend, BackendRules, RuleSet};
use ack_ram_core::time::UnixTime;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use crate::backends::live::LiveRules;
use crate::kubernetes::crd::object::MappingObject;
use crate::kubernetes::status::desired::DesiredStatus;
use crate::kubernetes::status::events::EventRecord;
use crate::kubernetes::watch::objects::ObjectStore;

const NOW: UnixTime = UnixTime::from_seconds(1_767_323_045);
const SESSION: &str = "acs:ram::1:assumed-role/r3/bob";
const ROLE: &str = "acs:ram::1:role/r3";

/// The objects of a cluster, and a server that watches them.
#[derive(Default)]
struct Cluster {
    objects: BTreeMap<String, Value>,
    /// The number of objects created so far.
    created: u32,
    server: Option<WatchingServer>,
}

struct WatchingServer {
    live: LiveRules,
    objects: ObjectStore,
    is_watching: bool,
}

impl WatchingServer {
    fn new() -> Self {
        let rules = RuleSet::new(vec![BackendRules::new_unsynced(Backend::Crd)], []);
        Self {
            live: LiveRules::new(rules, NOW),
            objects: ObjectStore::default(),
            is_watching: false,
        }
    }

    fn apply_events(&mut self, events: Vec<Event<MappingObject>>) {
        self.objects.apply_events(events, &self.live, NOW);
    }
}

fn typed(object: &Value) -> MappingObject {
    serde_json::from_value(object.clone()).unwrap()
}

impl Cluster {
    /// Creates a cluster with `objects`, as name and ARN, that existed before the first server.
    fn of_go(objects: &[(&str, &str)]) -> Self {
        let mut cluster = Self::default();
        for (name, arn) in objects {
            cluster.create(name, arn);
        }
        cluster
    }

    fn create(&mut self, name: &str, arn: &str) {
        self.created += 1;
        let object = json!({
            "metadata": {
                "name": name,
                "uid": format!("uid-{}", self.created),
                "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
            },
            "spec": {"arn": arn, "username": name},
        });
        self.objects.insert(name.to_owned(), object);
        self.send(name);
    }

    /// Sets `field` of the object's `spec`, as a new generation.
    fn edit(&mut self, name: &str, field: &str, text: &str) {
        let object = self.objects.get_mut(name).unwrap();
        object["spec"][field] = json!(text);
        let generation = object["metadata"]["generation"].as_i64().unwrap();
        object["metadata"]["generation"] = json!(generation + 1);
        self.send(name);
    }

    fn delete(&mut self, name: &str) {
        let object = self.objects.remove(name).unwrap();
        if let Some(server) = self.server.as_mut().filter(|server| server.is_watching) {
            server.apply_events(vec![Event::Delete(typed(&object))]);
        }
    }

    fn send(&mut self, name: &str) {
        let object = typed(&self.objects[name]);
        if let Some(server) = self.server.as_mut().filter(|server| server.is_watching) {
            server.apply_events(vec![Event::Apply(object)]);
        }
    }

    /// Replaces the server by a new one without state.
    fn restart(&mut self) {
        self.server = Some(WatchingServer::new());
        self.list();
    }

    /// Ends the watch: the server misses events until the next list.
    fn drop_watch(&mut self) {
        self.server.as_mut().unwrap().is_watching = false;
    }

    fn list(&mut self) {
        let mut events = vec![Event::Init];
        events.extend(self.objects.values().map(typed).map(Event::InitApply));
        events.push(Event::InitDone);
        let server = self.server.as_mut().unwrap();
        server.apply_events(events);
        server.is_watching = true;
    }

    /// Sends a list that is interrupted after its objects were read.
    fn break_off_list(&mut self) {
        let mut events = vec![Event::Init];
        events.extend(self.objects.values().map(typed).map(Event::InitApply));
        self.server.as_mut().unwrap().apply_events(events);
    }

    fn desired_status(&self, name: &str) -> DesiredStatus {
        let server = self.server.as_ref().unwrap();
        let known = server.objects.get(name).unwrap();
        let desired_status =
            |rules: &BackendRules, notes: &_| DesiredStatus::new(name, known, rules, notes);
        server.live.inspect(desired_status).remove(0)
    }

    /// Writes the status of every object. Returns the type and reason of each event.
    fn write_statuses(&mut self) -> Vec<(&'static str, &'static str)> {
        let names: Vec<String> = self.objects.keys().cloned().collect();
        let mut events = Vec::new();
        for name in names {
            let known = self.server.as_ref().unwrap().objects.get(&name).unwrap();
            let (uid, generation, before) = (
                known.uid().to_owned(),
                known.generation,
                known.observed_status,
            );
            let desired_status = self.desired_status(&name);
            let after = desired_status.to_observed(generation, &before, NOW);
            if after.equals_ignoring_times(&before) {
                continue;
            }
            let records = EventRecord::new(&desired_status, &before, &after);
            events.extend(records.iter().map(EventRecord::type_and_reason));
            let status = desired_status.patch(&name, &uid, &after)["status"].clone();
            self.set_status(&name, status);
        }
        events
    }

    fn set_status(&mut self, name: &str, status: Value) {
        self.objects.get_mut(name).unwrap()["status"] = status;
        self.send(name);
    }

    /// Returns the username and the subject of each rule in effect.
    fn mapped(&self) -> Vec<String> {
        let rules = self.server.as_ref().unwrap().live.snapshot();
        let mut mapped: Vec<String> = rules.backends()[0]
            .rules()
            .into_iter()
            .map(|rule| format!("{} {}", rule.raw_names().0, rule.subject()))
            .collect();
        mapped.sort();
        mapped
    }

    /// Returns the status and the reason of the condition `Accepted`.
    fn accepted(&self, name: &str) -> (bool, &'static str) {
        let accepted = self.desired_status(name).accepted;
        (accepted.is_true, accepted.reason)
    }
}

const ACCEPTED_AS_IN_GO: (bool, &str) = (true, "MapsEverySession");
const REFUSED: (bool, &str) = (false, "NamesOneSession");

#[test]
fn go_object_stays_in_effect_with_condition_and_one_event() {
    let mut cluster = Cluster::of_go(&[("ann", ROLE), ("bob", SESSION)]);
    cluster.restart();
    let both = [format!("ann {ROLE}"), format!("bob {ROLE}")];
    assert_eq!(cluster.mapped(), both);
    assert_eq!(cluster.accepted("bob"), ACCEPTED_AS_IN_GO);
    assert_eq!(cluster.accepted("ann"), (true, "InEffect"));
    let message = cluster.desired_status("bob").accepted.message;
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("object_of_go", message);
    });
    let warnings: Vec<_> = cluster.write_statuses();
    let about_session = warnings
        .iter()
        .filter(|(_, reason)| *reason == ACCEPTED_AS_IN_GO.1);
    assert_eq!(
        about_session.collect::<Vec<_>>(),
        [&("Warning", ACCEPTED_AS_IN_GO.1)]
    );
    assert_eq!(cluster.objects["bob"]["status"]["canonicalARN"], ROLE);
    for _ in 0..2 {
        cluster.restart();
        assert_eq!(cluster.mapped(), both);
        assert_eq!(cluster.write_statuses(), [], "no second event");
    }
    cluster.drop_watch();
    cluster.list();
    assert_eq!(cluster.mapped(), both);
}

#[test]
fn created_object_is_refused_across_restarts() {
    let mut cluster = Cluster::of_go(&[]);
    cluster.restart();
    cluster.create("bob", SESSION);
    assert_eq!(cluster.mapped(), [""; 0]);
    assert_eq!(cluster.accepted("bob"), REFUSED);
    let message = cluster.desired_status("bob").accepted.message;
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("object_that_is_created", message);
    });
    assert_eq!(cluster.write_statuses(), [("Warning", REFUSED.1)]);
    assert_eq!(cluster.objects["bob"]["status"].get("canonicalARN"), None);
    for _ in 0..2 {
        cluster.restart();
        assert_eq!(cluster.mapped(), [""; 0]);
        assert_eq!(cluster.accepted("bob"), REFUSED);
        assert_eq!(cluster.write_statuses(), []);
    }
    cluster.edit("bob", "username", "other");
    assert_eq!(cluster.accepted("bob"), REFUSED);
    cluster.edit("bob", "arn", ROLE);
    assert_eq!(cluster.mapped(), [format!("other {ROLE}")]);
    assert_eq!(cluster.accepted("bob"), (true, "InEffect"));
}

#[test]
fn edit_with_session_arn_keeps_no_last_good_form() {
    for (case, arn, edits) in [
        ("another username", SESSION, vec![("username", "other")]),
        (
            "another session",
            SESSION,
            vec![("arn", "acs:ram::1:assumed-role/r3/eve")],
        ),
        (
            "an edit that is undone",
            SESSION,
            vec![("username", "other"), ("username", "bob")],
        ),
        ("a role before", ROLE, vec![("arn", SESSION)]),
        (
            "an empty ARN in between",
            SESSION,
            vec![("arn", ""), ("arn", SESSION)],
        ),
        ("a broken username", SESSION, vec![("username", "{{Nope}}")]),
    ] {
        for is_missed in [false, true] {
            let mut cluster = Cluster::of_go(&[("bob", arn)]);
            cluster.restart();
            cluster.write_statuses();
            assert_eq!(cluster.mapped(), [format!("bob {ROLE}")], "{case}");
            if is_missed {
                cluster.drop_watch();
            }
            for (field, text) in &edits {
                cluster.edit("bob", field, text);
            }
            if is_missed {
                cluster.list();
            }
            assert_eq!(cluster.mapped(), [""; 0], "{case}, missed: {is_missed}");
            assert_eq!(
                cluster.accepted("bob"),
                REFUSED,
                "{case}, missed: {is_missed}"
            );
            cluster.write_statuses();
            cluster.restart();
            assert_eq!(cluster.mapped(), [""; 0], "{case}, after a restart");
        }
    }
}

#[test]
fn edit_without_running_server_is_refused_by_old_status() {
    let mut cluster = Cluster::of_go(&[("bob", SESSION), ("eve", SESSION)]);
    cluster.restart();
    cluster.write_statuses();
    cluster.server = None;
    cluster.edit("eve", "username", "other");
    cluster.restart();
    assert_eq!(cluster.mapped(), [format!("bob {ROLE}")]);
    assert_eq!(cluster.accepted("eve"), REFUSED);
}

#[test]
fn relist_after_lost_watch_finds_new_objects() {
    let mut cluster = Cluster::of_go(&[("bob", SESSION), ("eve", SESSION), ("gil", SESSION)]);
    cluster.restart();
    cluster.drop_watch();
    cluster.create("dan", SESSION);
    cluster.delete("eve");
    cluster.create("eve", SESSION);
    cluster.delete("gil");
    cluster.list();
    assert_eq!(cluster.mapped(), [format!("bob {ROLE}")]);
    assert_eq!(cluster.accepted("dan"), REFUSED, "created meanwhile");
    assert_eq!(
        cluster.accepted("eve"),
        REFUSED,
        "another object with the same name"
    );
    cluster.create("gil", SESSION);
    assert_eq!(cluster.accepted("gil"), REFUSED, "created again");
}

#[test]
fn backup_restore_revives_no_session_arn() {
    let mut cluster = Cluster::of_go(&[("bob", SESSION), ("eve", SESSION), ("gil", SESSION)]);
    let backup = cluster.objects.clone();
    cluster.restart();
    cluster.write_statuses();
    cluster.edit("eve", "arn", ROLE);
    cluster.delete("gil");
    cluster.drop_watch();
    cluster.objects = backup;
    cluster.list();
    assert_eq!(cluster.mapped(), [format!("bob {ROLE}")]);
    assert_eq!(
        cluster.accepted("eve"),
        REFUSED,
        "corrected after the backup"
    );
    assert_eq!(cluster.accepted("gil"), REFUSED, "deleted after the backup");
}

#[test]
fn backup_with_smaller_generations_keeps_access() {
    let mut cluster = Cluster::of_go(&[("bob", ROLE)]);
    cluster.edit("bob", "username", "robert");
    cluster.edit("bob", "arn", SESSION);
    cluster.restart();
    assert_eq!(cluster.accepted("bob"), ACCEPTED_AS_IN_GO);
    cluster.drop_watch();
    cluster.objects.get_mut("bob").unwrap()["metadata"]["generation"] = json!(1);
    cluster.list();
    assert_eq!(cluster.mapped(), [format!("robert {ROLE}")]);
}

#[test]
fn refusal_by_another_replica_is_respected() {
    let mut cluster = Cluster::of_go(&[]);
    cluster.restart();
    cluster.create("bob", SESSION);
    let first = cluster.server.take();
    // The second server starts before the first has written statuses.
    cluster.restart();
    assert_eq!(cluster.mapped(), [format!("bob {ROLE}")]);
    let second = std::mem::replace(&mut cluster.server, first);
    cluster.write_statuses();
    cluster.server = second;
    cluster.send("bob");
    assert_eq!(cluster.mapped(), [""; 0]);
    assert_eq!(cluster.accepted("bob"), REFUSED);
}

#[test]
fn interrupted_first_list_keeps_access() {
    let mut cluster = Cluster::of_go(&[("bob", SESSION), ("eve", SESSION)]);
    cluster.server = Some(WatchingServer::new());
    cluster.break_off_list();
    cluster.create("gil", SESSION);
    cluster.edit("eve", "username", "other");
    cluster.list();
    let expected = [format!("bob {ROLE}"), format!("gil {ROLE}")];
    assert_eq!(
        cluster.mapped(),
        expected,
        "an edit that this server observed is refused"
    );
}

#[test]
fn foreign_statuses_keep_access() {
    let condition = |status: &str, reason: &str| {
        json!({
            "observedGeneration": 1,
            "conditions": [{
                "type": "Accepted",
                "status": status,
                "reason": reason,
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        })
    };
    for (case, status) in [
        ("Go", json!({"canonicalARN": ROLE})),
        ("an earlier version", condition("True", "InEffect")),
        (
            "an earlier version, of a broken form",
            condition("False", "Refused"),
        ),
        (
            "an earlier version, of a kept form",
            condition("False", "LastGoodInEffect"),
        ),
        ("nonsense", json!({"conditions": 7})),
    ] {
        let is_of_earlier_version = case.starts_with("an earlier");
        for is_edited in [false, true] {
            let mut cluster = Cluster::of_go(&[("bob", SESSION)]);
            cluster.set_status("bob", status.clone());
            if is_edited {
                cluster.edit("bob", "username", "bob");
            }
            cluster.restart();
            // An edit that no server has observed may have introduced the ARN of a session.
            let expected = match is_edited && is_of_earlier_version {
                true => Vec::new(),
                false => vec![format!("bob {ROLE}")],
            };
            assert_eq!(cluster.mapped(), expected, "{case}, edited: {is_edited}");
        }
    }
}
