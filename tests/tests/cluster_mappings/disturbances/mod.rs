//! Failures between the servers and the API server do not lose any mapping and do not keep a deleted one.

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

/// The number of times that the watches are cut, a second apart.
const CUTS: usize = 60;
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// A disturbance of a fixture in which people have these usernames.
type Disturbance = fn(&mut ClusterFixture, &BTreeMap<Person, String>);

#[test]
fn disturbances_neither_lose_nor_revive_mappings() {
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
        ("the history is compacted", compacted),
        (
            "the cluster is restored from a backup",
            restored::from_a_backup,
        ),
        ("watches are cut", watches_cut),
        ("rights are removed", rights_removed),
        ("the definition is removed", definition::removed),
        (
            "the definition is removed while the servers are cut off",
            definition::removed_while_cut_off,
        ),
        (
            "the definition is replaced while the servers are cut off",
            definition::replaced_while_cut_off,
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
    edits.apply(fixture);
    edits.check(fixture, steady);
    early.join(fixture, steady);
    prober.finish();
}

/// Compacts the history, so that the events while the servers were cut off are lost: 410 Gone.
fn compacted(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(fixture);
    let prober = Prober::start(fixture, steady);
    fixture.proxies.iter().for_each(|proxy| proxy.close());
    for replica in fixture.running() {
        replica.wait_for_readyz(200, "[+]backend CRD ok: cannot read ");
    }
    let expired = |replica: &Replica| replica.log().matches("too old resource version").count();
    let before: Vec<usize> = fixture.running().map(expired).collect();
    edits.apply(fixture);
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

/// Cuts the watches while people are mapped and unmapped.
fn watches_cut(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(fixture);
    let prober = Prober::start(fixture, steady);
    let (mut mapped, mut unmapped) = (Vec::new(), Vec::new());
    let mut connections = vec![0; fixture.proxies.len()];
    for second in 0..CUTS {
        for turn in 0..4 {
            let [object, in_config_map] = [fixture.person(), fixture.person()];
            fixture.map(object, "there");
            fixture.config_map.insert(in_config_map, "there".to_owned());
            // Some of the earlier people are unmapped.
            if turn % 2 == 1 {
                let [object, in_config_map]: [Person; 2] = mapped.remove(mapped.len() / 2);
                fixture.unmap(object);
                fixture.config_map.remove(&in_config_map);
                unmapped.extend([object, in_config_map]);
            }
            fixture.write_config_map();
            mapped.push([object, in_config_map]);
            thread::sleep(Duration::from_millis(250));
            if turn == 2 {
                cut(fixture, &mut connections);
            }
        }
        if second == CUTS / 2 {
            edits.apply(fixture);
        }
    }
    edits.check(fixture, steady);
    for replica in fixture.running() {
        for person in mapped.iter().flatten() {
            assert_eq!(
                replica.login(*person),
                Login::As("there".to_owned()),
                "{person:?}"
            );
        }
        for person in &unmapped {
            assert_eq!(replica.login(*person), Login::Denied, "{person:?}");
        }
    }
    prober.finish();
}

/// Cuts the connections of each proxy that are new since the last time. `connections` has the last count of each proxy.
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
            let is_reported = status == 200
                && text.contains("[+]backend CRD ok: no permission to ")
                && text.contains("[+]backend ACKConfigMap ok: no permission to ");
            if is_reported {
                return Ok(());
            }
            // An existing watch continues, and the API server may still grant the right for a moment.
            proxy.cut();
            thread::sleep(Duration::from_millis(300));
            Err(text)
        });
        assert_eq!(trouble(replica, "CRD"), 1.0);
    }
    edits.apply(fixture);
    fixture.cluster.apply_deploy("example.yaml");
    edits.check(fixture, steady);
    prober.finish();
    // The writer of statuses continues, too.
    fixture.wait_for_condition(&edits.new[0].name(), "Accepted", "True", "in effect");
}

/// Kills the leader. Another replica takes over, and the restarted one learns what happened in the meantime.
fn replica_killed(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let leads = |replica: &Replica| replica.metric("status_writer_leading", &[]) == 1.0;
    let mut leader = None;
    block_until("a leader", || {
        leader = fixture.replicas.iter().position(leads);
        leader
            .map(drop)
            .ok_or_else(|| "there is no leader".to_owned())
    });
    let leader = leader.unwrap();
    let edits = Edits::prepare(fixture);
    fixture.replicas[leader].kill();
    let prober = Prober::start(fixture, steady);
    edits.apply(fixture);
    fixture.wait_for_condition(&edits.new[0].name(), "Accepted", "True", "in effect");
    let remaining = fixture.running().next().unwrap();
    for person in edits.new {
        remaining.wait_for_login(person, &Login::As("after".to_owned()));
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
