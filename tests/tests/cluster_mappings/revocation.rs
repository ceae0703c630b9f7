//! The time until access ends that an administrator removed in the cluster, or that no source confirms any more: rows
//! of the table in SECURITY.md.

use std::fs;
use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_tests::uptime::MovedUptime;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::fixture::{ClusterFixture, MAPPINGS, of_spec, path};
use crate::people::Person;
use crate::replica::{Login, Replica};
use ack_ram_tests::eventually::block_until;

const CONFIG_MAP: &str = "/api/v1/namespaces/kube-system/configmaps/alibabacloud-auth";
const LIMIT: Duration = Duration::from_secs(3 * 60);

type Step = fn(&mut ClusterFixture);

#[test]
fn revoked_access_ends() {
    let settings = json!({ "backendMode": ["CRD", "ACKConfigMap"] });
    let mut fixture = ClusterFixture::start(1, &settings);
    let steps: [(&str, Step); 3] = [
        ("removed", access_ends_when_mappings_are_taken_away),
        ("system:masters", system_masters_from_an_object),
        ("stale", stale_mappings_answer_503),
    ];
    for (name, step) in steps {
        let start = Instant::now();
        step(&mut fixture);
        eprintln!("{name}: {:?}", start.elapsed());
    }
}

/// Waits until `token` logs in as a user with these groups, or is denied if there are none.
#[track_caller]
fn wait_for_groups(replica: &Replica, token: &Secret, expected: &[&str]) {
    block_until("groups", || {
        let user = replica.login_client.user(token);
        let groups = user["groups"].as_array().cloned().unwrap_or_default();
        let is_expected = groups == expected && user.is_null() == expected.is_empty();
        is_expected
            .then_some(())
            .ok_or_else(|| format!("{user}, not {expected:?}"))
    });
}

fn groups(groups: &[&str]) -> Value {
    json!({ "spec": { "groups": groups } })
}

/// Checks edits of both sources. All logins use the same token, whose identity is cached after the first login.
fn access_ends_when_mappings_are_taken_away(fixture: &mut ClusterFixture) {
    let (object, config_map) = (fixture.person(), fixture.person());
    let replica = fixture.replicas.first().unwrap();
    let users = |groups: &[&str]| {
        let mut entry = config_map.entry("c");
        entry["groups"] = json!(groups);
        json!({ "mapUsers": json!([entry]).to_string() })
    };
    let token = object.token();
    fixture.map(object, "o");
    let both = ["mapped", "ops"];
    fixture
        .api
        .merge(&path(&object.name()), &groups(&both))
        .ok();
    wait_for_groups(replica, &token, &both);
    let narrowed = groups(&["mapped"]);
    fixture.api.merge(&path(&object.name()), &narrowed).ok();
    wait_for_groups(replica, &token, &["mapped"]);
    fixture.unmap(object);
    wait_for_groups(replica, &token, &[]);

    let token = config_map.token();
    fixture.write_config_map_data(&users(&both));
    wait_for_groups(replica, &token, &both);
    fixture.write_config_map_data(&users(&["mapped"]));
    wait_for_groups(replica, &token, &["mapped"]);
    fixture.write_config_map_data(&json!({ "mapUsers": "[]" }));
    wait_for_groups(replica, &token, &[]);
    fixture.write_config_map_data(&users(&both));
    wait_for_groups(replica, &token, &both);
    fixture.api.delete(CONFIG_MAP).ok();
    wait_for_groups(replica, &token, &[]);
}

/// Checks that the author of an object can choose every name, unless names are reserved.
fn system_masters_from_an_object(fixture: &mut ClusterFixture) {
    let author = fixture.person();
    let reserved = json!([{
        "backendMode": "CRD",
        "usernamePrefixReserveList": ["system:"],
        "groupPrefixReserveList": ["system:"],
    }]);
    let settings = json!({ "backendMode": ["CRD"], "reservedPrefixConfig": reserved });
    let careful = fixture.add_replica("careful", &settings);
    let masters = ["mapped", "system:masters"];
    let spec = json!({ "arn": author.arn(), "username": "eve", "groups": masters });
    let object = of_spec(&author.name(), &spec);
    fixture.api.post(MAPPINGS, &object).ok();
    let token = author.token();
    let careless = fixture.replicas.first().unwrap();
    wait_for_groups(careless, &token, &masters);
    // Once the server serves a later object, it has read this object, too.
    let later = fixture.person();
    fixture.map(later, "later");
    careful.wait_for_login(later, &Login::As("later".to_owned()));
    wait_for_groups(&careful, &token, &[]);
    block_until("the log", || {
        let log = careful.log();
        let is_refused = log.contains("result=\"name_refused\"");
        is_refused.then_some(()).ok_or(log)
    });
    fixture.unmap(author);
    fixture.unmap(later);
}

/// The people of a fixture whose mappings become stale.
struct People {
    object: Person,
    config_map: Person,
    /// Mapped by an object and by the file.
    both: Person,
    /// Mapped by both, and protected.
    protected: Person,
    file: Person,
    unmapped: Person,
}

impl People {
    fn map(fixture: &mut ClusterFixture) -> Self {
        let people = Self {
            object: fixture.person(),
            config_map: fixture.person(),
            both: fixture.person(),
            protected: fixture.person(),
            file: fixture.person(),
            unmapped: fixture.person(),
        };
        for person in [people.object, people.both, people.protected] {
            fixture.map(person, "object");
        }
        let config_map = "config-map".to_owned();
        fixture.config_map.insert(people.config_map, config_map);
        fixture.write_config_map();
        people
    }

    fn settings(&self, backends: &[&str]) -> Value {
        let in_file = [self.both, self.protected, self.file];
        json!({
            "backendMode": backends,
            "mapUsers": in_file.map(|person| person.entry("file")),
            "protect": [self.protected.arn()],
            "maxStaleness": "3m",
        })
    }

    /// Checks the logins of all people. `expected` has the results of the first three.
    #[track_caller]
    fn check(&self, replica: &Replica, expected: [&str; 3], case: &str) {
        let [object, config_map, both] = expected;
        for (person, expected) in [
            (self.object, object),
            (self.config_map, config_map),
            (self.both, both),
            (self.protected, "file"),
            (self.file, "file"),
            (self.unmapped, "denied"),
        ] {
            let login = match replica.login(person) {
                Login::As(username) => username,
                Login::Denied => "denied".to_owned(),
                Login::Unavailable(message) => {
                    assert!(message.contains("`server.maxStaleness`"), "{message}");
                    let named = ["CRD", "ACKConfigMap"];
                    let named = named.map(|name| message.contains(&format!("backend {name} ")));
                    format!("stale {named:?}")
                }
            };
            assert_eq!(login, expected, "{case}: {person:?}");
        }
    }
}

/// Checks that stale mappings are answered as if they were confirmed while the limit is removed, and not after it is
/// restored.
fn limit_is_live(people: &People, replica: &Replica, confirmed: [&str; 3], stale: [&str; 3]) {
    let text = fs::read_to_string(replica.config()).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    config["server"]
        .as_object_mut()
        .unwrap()
        .remove("maxStaleness");
    let new = replica.config().with_extension("new");
    for (config, expected, is_stale) in [
        (config.to_string(), confirmed, false),
        (text.clone(), stale, true),
    ] {
        fs::write(&new, config).unwrap();
        fs::rename(&new, replica.config()).unwrap();
        block_until("the limit", || {
            let (_, text) = replica.readyz();
            let is_reported = text.contains("[+]confirmation of CRD ok: stale") == is_stale;
            is_reported.then_some(()).ok_or(text)
        });
        people.check(replica, expected, "the limit is edited");
    }
}

/// Checks logins with stale mappings. In front of a stale backend, the file answers for the identities that it maps.
/// Behind a stale backend, it does not. When the API server is back, all mappings are answered.
fn stale_mappings_answer_503(fixture: &mut ClusterFixture) {
    let people = People::map(fixture);
    let mut uptime = MovedUptime::start(fixture.folder.path()).unwrap();
    let (crd, config_map) = ("stale [true, false]", "stale [false, true]");
    let orders: [(&str, &[&str], &str, &str); 2] = [
        (
            "last",
            &["CRD", "ACKConfigMap", "MountedFile"],
            "object",
            crd,
        ),
        (
            "first",
            &["MountedFile", "CRD", "ACKConfigMap"],
            "file",
            "file",
        ),
    ];
    let replicas = orders.map(|(name, order, both, stale_both)| {
        let settings = people.settings(order);
        let name = format!("file-{name}");
        let replica = fixture.add_replica_at(&name, &settings, &uptime);
        (
            replica,
            ["object", "config-map", both],
            [crd, config_map, stale_both],
        )
    });
    for (replica, confirmed, _) in &replicas {
        for (person, username) in [(people.object, "object"), (people.config_map, "config-map")] {
            replica.wait_for_login(person, &Login::As(username.to_owned()));
        }
        people.check(replica, *confirmed, "confirmed");
    }
    for case in ["stopped", "killed"] {
        let pid = Pid::from_raw(fixture.cluster.pids()[1].try_into().unwrap());
        match case {
            "stopped" => kill(pid, Signal::SIGSTOP).unwrap(),
            _ => fixture.cluster.kill_apiserver(),
        }
        // The mappings are not confirmed any more, but not stale yet.
        people.check(&replicas[0].0, replicas[0].1, case);
        uptime.advance(LIMIT + Duration::from_secs(1)).unwrap();
        for (replica, _, stale) in &replicas {
            people.check(replica, *stale, case);
            let (status, text) = replica.readyz();
            assert_eq!(status, 200, "{text}");
            for backend in ["CRD", "ACKConfigMap"] {
                let expected = format!("[+]confirmation of {backend} ok: stale, so ");
                assert!(text.contains(&expected), "{text}");
                let labels = [("backend", backend)];
                let age = replica.metric("backend_confirmed_age_seconds", &labels);
                assert!(age > LIMIT.as_secs_f64(), "{backend}: {age}");
            }
        }
        limit_is_live(&people, &replicas[0].0, replicas[0].1, replicas[0].2);
        match case {
            "stopped" => kill(pid, Signal::SIGCONT).unwrap(),
            _ => fixture.cluster.start_apiserver(),
        }
        for (replica, confirmed, _) in &replicas {
            for (person, username) in [(people.object, "object"), (people.config_map, "config-map")]
            {
                replica.wait_for_login(person, &Login::As(username.to_owned()));
            }
            people.check(replica, *confirmed, "confirmed again");
        }
    }
}
