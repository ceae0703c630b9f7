//! The definition of the objects is removed and restored.

use std::collections::BTreeMap;

use crate::disturbances::edits::{check_steady, settle};
use crate::disturbances::prober::Prober;
use crate::disturbances::trouble;
use crate::fixture::{ClusterFixture, DEFINITION};
use crate::people::Person;
use crate::replica::Login;
use ack_ram_tests::eventually::block_until;

pub fn removed(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let (objects, others): (BTreeMap<_, _>, BTreeMap<_, _>) = steady
        .clone()
        .into_iter()
        .partition(|(_, username)| username == "steady-object");
    let not_restored = fixture.person();
    fixture.map(not_restored, "before");
    settle(fixture);
    // The prober covers only the other backends.
    let prober = Prober::start(fixture, &others);
    fixture.api.delete(DEFINITION).ok();
    for replica in fixture.running() {
        for person in objects.keys().chain([&not_restored]) {
            replica.wait_for_login(*person, &Login::Denied);
        }
        replica.wait_for_readyz(200, "[+]backend CRD ok: the CustomResourceDefinition ");
        assert_eq!(trouble(replica, "CRD"), 1.0);
    }
    restore_definition(fixture, steady);
    settle(fixture);
    for replica in fixture.running() {
        assert_eq!(replica.login(not_restored), Login::Denied);
        check_steady(replica, steady);
    }
    prober.finish();
}

/// Removes the definition and all objects while the servers are cut off, so that they only see that it is missing.
pub fn removed_while_cut_off(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let [not_restored, new] = [fixture.person(), fixture.person()];
    fixture.map(not_restored, "before");
    settle(fixture);
    let mut others = steady.clone();
    others.retain(|_, username| username != "steady-object");
    let prober = Prober::start(fixture, &others);
    fixture.proxies.iter().for_each(|proxy| proxy.close());
    remove_definition(fixture);
    for replica in fixture.running() {
        assert_eq!(replica.login(not_restored), Login::As("before".to_owned()));
    }
    fixture.proxies.iter().for_each(|proxy| proxy.open());
    for replica in fixture.running() {
        replica.wait_for_login(not_restored, &Login::Denied);
        replica.wait_for_readyz(200, "[+]backend CRD ok: the CustomResourceDefinition ");
    }
    restore_definition(fixture, steady);
    fixture.map(new, "after");
    settle(fixture);
    for replica in fixture.running() {
        assert_eq!(replica.login(not_restored), Login::Denied);
        assert_eq!(replica.login(new), Login::As("after".to_owned()));
        check_steady(replica, steady);
    }
    prober.finish();
}

/// Removes the definition with all objects and waits until it is deleted.
fn remove_definition(fixture: &ClusterFixture) {
    fixture.api.delete(DEFINITION).ok();
    block_until("deletion of the definition", || {
        match fixture.api.get(DEFINITION) {
            answer if answer.status == 404 => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
}

/// Restores the definition, and the objects of the people in `steady`.
fn restore_definition(fixture: &ClusterFixture, steady: &BTreeMap<Person, String>) {
    fixture.cluster.apply_definition();
    for (person, username) in steady {
        if username == "steady-object" {
            fixture.map(*person, username);
        }
    }
}

/// Removes the definition and all objects while the servers are cut off, and creates a new definition and other
/// objects.
pub fn replaced_while_cut_off(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let [removed, new] = [fixture.person(), fixture.person()];
    fixture.map(removed, "before");
    settle(fixture);
    let prober = Prober::start(fixture, steady);
    fixture.proxies.iter().for_each(|proxy| proxy.close());
    remove_definition(fixture);
    restore_definition(fixture, steady);
    fixture.map(new, "after");
    fixture.proxies.iter().for_each(|proxy| proxy.open());
    settle(fixture);
    for replica in fixture.running() {
        assert_eq!(replica.login(removed), Login::Denied);
        assert_eq!(replica.login(new), Login::As("after".to_owned()));
        check_steady(replica, steady);
    }
    prober.finish();
}
