//! Disturbances: whatever happens between the servers and the API server, no mapping is lost, and none that was deleted
//! stays.

mod definition;
mod early;
mod edits;
mod prober;
mod restored;

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::disturbances::early::Early;
use crate::disturbances::edits::{BACKENDS, Edits};
use crate::disturbances::prober::Prober;
use crate::fixture::ClusterFixture;
use crate::people::Person;
use crate::replica::{Login, Replica};
use ack_ram_tests::eventually::block_until;

/// How often the watches are cut, a second apart.
const CUTS: usize = 60;
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// What happens to a fixture in which people have their usernames.
type Disturbance = fn(&mut ClusterFixture, &BTreeMap<Person, String>);

#[test]
fn disturbances_lose_no_mapping_and_keep_no_deleted_one() {
    let in_file = Person(0);
    let settings = json!({
        "backendMode": BACKENDS,
        "mapUsers": [in_file.entry("in-file")],
    });
    let mut fixture = ClusterFixture::start(2, &settings);
    let mut steady = BTreeMap::from([(in_file, "in-file".to_owned())]);
    for _ in 0..3 {
        let (object, config_map) = (fixture.person(), fixture.person());
        fixture.map(object, "steady-object");
        fixture
            .config_map
            .insert(config_map, "steady-config-map".to_owned());
        steady.insert(object, "steady-object".to_owned());
        steady.insert(config_map, "steady-config-map".to_owned());
    }
    fixture.write_config_map();
    for replica in fixture.running() {
        for (person, username) in &steady {
            replica.wait_for_login(*person, &Login::As(username.clone()));
        }
        replica.wait_for_readyz(200, "[+]backend CRD ok\n");
    }
    let disturbances: [(&str, Disturbance); 9] = [
        ("the API server is killed", api_server_killed),
        ("what happened is no longer there", compacted),
        ("what happened never did", restored::from_a_backup),
        ("watches are cut", watches_cut),
        ("rights are removed", rights_removed),
        ("the definition is removed", definition::removed),
        (
            "the definition is removed unseen",
            definition::removed_unseen,
        ),
        (
            "the definition is another before that is seen",
            definition::replaced,
        ),
        ("the writer of statuses is killed", replica_killed),
    ];
    for (name, disturb) in disturbances {
        let start = Instant::now();
        disturb(&mut fixture, &steady);
        eprintln!("{name}: {:?}", start.elapsed());
    }
}

fn failures(replica: &Replica) -> f64 {
    replica.metric("mapping_watch_failures_total", &[("backend", "CRD")])
}

fn trouble(replica: &Replica, backend: &str) -> f64 {
    replica.metric("backend_trouble", &[("backend", backend)])
}

fn api_server_killed(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(fixture);
    let prober = Prober::start(fixture, steady);
    let before: Vec<f64> = fixture.running().map(failures).collect();
    fixture.cluster.kill_apiserver();
    for (replica, before) in fixture.running().zip(before) {
        replica.wait_for_readyz(200, "[+]backend CRD ok: cannot read ");
        replica.wait_for_readyz(200, "[+]backend ACKConfigMap ok: cannot read ");
        assert_eq!(trouble(replica, "CRD"), 1.0);
        assert_eq!(trouble(replica, "ACKConfigMap"), 1.0);
        assert!(failures(replica) > before);
        let config_map = replica.metric("configmap_watch_failures_total", &[]);
        assert!(config_map > 0.0);
    }
    let early = Early::start(fixture);
    fixture.cluster.start_apiserver();
    fixture.api = fixture.cluster.api();
    edits.make(fixture);
    edits.check(fixture, steady);
    early.join(fixture, steady);
    prober.finish();
}

/// Neither the API server nor etcd knows what happened while the servers were cut off: 410 Gone.
fn compacted(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(fixture);
    let prober = Prober::start(fixture, steady);
    fixture.proxies.iter().for_each(|proxy| proxy.close());
    for replica in fixture.running() {
        replica.wait_for_readyz(200, "[+]backend CRD ok: cannot read ");
    }
    let expired = |replica: &Replica| replica.log().matches("too old resource version").count();
    let before: Vec<usize> = fixture.running().map(expired).collect();
    edits.make(fixture);
    fixture.cluster.compact_etcd();
    fixture.cluster.kill_apiserver();
    fixture.cluster.start_apiserver();
    fixture.api = fixture.cluster.api();
    fixture.cluster.compact_etcd();
    fixture.proxies.iter().for_each(|proxy| proxy.open());
    edits.check(fixture, steady);
    for (replica, before) in fixture.running().zip(before) {
        assert!(expired(replica) > before, "{}", replica.log());
    }
    prober.finish();
}

/// People come and go all the while.
fn watches_cut(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(fixture);
    let prober = Prober::start(fixture, steady);
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    let mut connections = vec![0; fixture.proxies.len()];
    for second in 0..CUTS {
        for turn in 0..4 {
            let [object, in_config_map] = [fixture.person(), fixture.person()];
            fixture.map(object, "there");
            fixture.config_map.insert(in_config_map, "there".to_owned());
            // Some of before go.
            if turn % 2 == 1 {
                let [object, in_config_map]: [Person; 2] = there.remove(there.len() / 2);
                fixture.unmap(object);
                fixture.config_map.remove(&in_config_map);
                gone.extend([object, in_config_map]);
            }
            fixture.write_config_map();
            there.push([object, in_config_map]);
            thread::sleep(Duration::from_millis(250));
            if turn == 2 {
                cut(fixture, &mut connections);
            }
        }
        if second == CUTS / 2 {
            edits.make(fixture);
        }
    }
    edits.check(fixture, steady);
    for replica in fixture.running() {
        for person in there.iter().flatten() {
            assert_eq!(
                replica.login(*person),
                Login::As("there".to_owned()),
                "{person:?}"
            );
        }
        for person in &gone {
            assert_eq!(replica.login(*person), Login::Denied, "{person:?}");
        }
    }
    prober.finish();
}

/// Cuts what is new since the last time, which `connections` tells of each proxy.
fn cut(fixture: &ClusterFixture, connections: &mut [usize]) {
    for (proxy, last) in fixture.proxies.iter().zip(connections) {
        block_until("a connection to cut", || {
            let is_new = proxy.connections() > *last;
            is_new
                .then_some(())
                .ok_or_else(|| "there is none".to_owned())
        });
        *last = proxy.connections();
        proxy.cut();
    }
}

fn rights_removed(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(fixture);
    let prober = Prober::start(fixture, steady);
    let name = "ack-ram-authenticator";
    let bindings = [
        format!("{RBAC}/clusterrolebindings/{name}"),
        format!("{RBAC}/namespaces/kube-system/rolebindings/{name}"),
    ];
    for binding in &bindings {
        fixture.api.delete(binding).ok();
    }
    for (replica, proxy) in fixture.running().zip(&fixture.proxies) {
        block_until("forbidden", || {
            let (status, text) = replica.readyz();
            let is_told = status == 200
                && text.contains("[+]backend CRD ok: no permission to ")
                && text.contains("[+]backend ACKConfigMap ok: no permission to ");
            if is_told {
                return Ok(());
            }
            // A watch that was there goes on, and for a moment the right is still known.
            proxy.cut();
            thread::sleep(Duration::from_millis(300));
            Err(text)
        });
        assert_eq!(trouble(replica, "CRD"), 1.0);
    }
    edits.make(fixture);
    fixture.cluster.apply_deploy("example.yaml");
    edits.check(fixture, steady);
    prober.finish();
    // The writer of statuses goes on, too.
    fixture.wait_for_condition(&edits.new[0].name(), "Accepted", "True", "in effect");
}

/// The other one takes over; the one that starts again knows what happened meanwhile.
fn replica_killed(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let leads = |replica: &Replica| replica.metric("status_writer_leading", &[]) == 1.0;
    let mut leader = None;
    block_until("a leader", || {
        leader = fixture.replicas.iter().position(leads);
        leader.map(drop).ok_or_else(|| "nobody leads".to_owned())
    });
    let leader = leader.unwrap();
    let edits = Edits::prepare(fixture);
    fixture.replicas[leader].kill();
    let prober = Prober::start(fixture, steady);
    edits.make(fixture);
    fixture.wait_for_condition(&edits.new[0].name(), "Accepted", "True", "in effect");
    let left = fixture.running().next().unwrap();
    for person in edits.new {
        left.wait_for_login(person, &Login::As("after".to_owned()));
    }
    fixture.replicas[leader].start_again();
    edits.check(fixture, steady);
    prober.finish();
    block_until("one leader", || {
        let leading: Vec<bool> = fixture.replicas.iter().map(leads).collect();
        let count = leading.iter().filter(|leads| **leads).count();
        assert!(count < 2, "{leading:?}");
        (count == 1).then_some(()).ok_or_else(|| "none".to_owned())
    });
    fixture.wait_for_condition(&edits.changed[0].name(), "Accepted", "True", "in effect");
    let status: Value = fixture.status(&edits.changed[0].name());
    assert_eq!(status["canonicalARN"], json!(edits.changed[0].arn()));
}
