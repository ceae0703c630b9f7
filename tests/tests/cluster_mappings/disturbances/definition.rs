//! The definition of the objects goes, and comes back.

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
    let stays_away = fixture.person();
    fixture.map(stays_away, "before");
    settle(fixture);
    // Those of the other backends are nobody's concern here.
    let prober = Prober::start(fixture, &others);
    fixture.api.delete(DEFINITION).ok();
    for replica in fixture.running() {
        for person in objects.keys().chain([&stays_away]) {
            replica.wait_for_login(*person, &Login::Denied);
        }
        replica.wait_for_readyz(200, "[+]backend CRD ok: the CustomResourceDefinition ");
        assert_eq!(trouble(replica, "CRD"), 1.0);
    }
    restore_definition(fixture, steady);
    settle(fixture);
    for replica in fixture.running() {
        assert_eq!(replica.login(stays_away), Login::Denied);
        check_steady(replica, steady);
    }
    prober.finish();
}

/// The servers are cut off while all objects go with their definition: nothing but its absence tells.
pub fn removed_unseen(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let [stays_away, new] = [fixture.person(), fixture.person()];
    fixture.map(stays_away, "before");
    settle(fixture);
    let mut others = steady.clone();
    others.retain(|_, username| username != "steady-object");
    let prober = Prober::start(fixture, &others);
    fixture.proxies.iter().for_each(|proxy| proxy.close());
    remove_definition(fixture);
    for replica in fixture.running() {
        assert_eq!(replica.login(stays_away), Login::As("before".to_owned()));
    }
    fixture.proxies.iter().for_each(|proxy| proxy.open());
    for replica in fixture.running() {
        replica.wait_for_login(stays_away, &Login::Denied);
        replica.wait_for_readyz(200, "[+]backend CRD ok: the CustomResourceDefinition ");
    }
    restore_definition(fixture, steady);
    fixture.map(new, "after");
    settle(fixture);
    for replica in fixture.running() {
        assert_eq!(replica.login(stays_away), Login::Denied);
        assert_eq!(replica.login(new), Login::As("after".to_owned()));
        check_steady(replica, steady);
    }
    prober.finish();
}

/// Removes the definition, with all objects, and waits until it is gone.
fn remove_definition(fixture: &ClusterFixture) {
    fixture.api.delete(DEFINITION).ok();
    block_until("the end of the definition", || {
        match fixture.api.get(DEFINITION) {
            answer if answer.status == 404 => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
}

/// Brings the definition back, and the objects of those who are there all the time.
fn restore_definition(fixture: &ClusterFixture, steady: &BTreeMap<Person, String>) {
    fixture.cluster.apply_definition();
    for (person, username) in steady {
        if username == "steady-object" {
            fixture.map(*person, username);
        }
    }
}

/// The servers are cut off while all objects go with their definition, and others come with a new one.
pub fn replaced(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let [gone, new] = [fixture.person(), fixture.person()];
    fixture.map(gone, "before");
    settle(fixture);
    let prober = Prober::start(fixture, steady);
    fixture.proxies.iter().for_each(|proxy| proxy.close());
    remove_definition(fixture);
    restore_definition(fixture, steady);
    fixture.map(new, "after");
    fixture.proxies.iter().for_each(|proxy| proxy.open());
    settle(fixture);
    for replica in fixture.running() {
        assert_eq!(replica.login(gone), Login::Denied);
        assert_eq!(replica.login(new), Login::As("after".to_owned()));
        check_steady(replica, steady);
    }
    prober.finish();
}
