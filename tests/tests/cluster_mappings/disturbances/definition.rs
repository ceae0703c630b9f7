//! The definition of the objects goes, and comes back.

use std::collections::BTreeMap;

use crate::disturbances::edits::{check_steady, settle};
use crate::disturbances::prober::Prober;
use crate::disturbances::trouble;
use crate::people::Person;
use crate::replica::Login;
use crate::wait::eventually;
use crate::world::{DEFINITION, World, apply_deploy, wait_for_definition};

pub fn removed(world: &mut World, steady: &BTreeMap<Person, String>) {
    let (objects, others): (BTreeMap<_, _>, BTreeMap<_, _>) = steady
        .clone()
        .into_iter()
        .partition(|(_, username)| username == "steady-object");
    let stays_away = world.person();
    world.map(stays_away, "before");
    settle(world);
    // Those of the other backends are nobody's concern here.
    let prober = Prober::start(world, &others);
    world.api.delete(DEFINITION).ok();
    for replica in world.running() {
        for person in objects.keys().chain([&stays_away]) {
            replica.wait_for_login(*person, &Login::Denied);
        }
        replica.wait_for_readyz(200, "[+]backend CRD ok: the CustomResourceDefinition ");
        assert_eq!(trouble(replica, "CRD"), 1.0);
    }
    restore_definition(world, steady);
    settle(world);
    for replica in world.running() {
        assert_eq!(replica.login(stays_away), Login::Denied);
        check_steady(replica, steady);
    }
    prober.finish();
}

/// The servers are cut off while all objects go with their definition: nothing but its absence tells.
pub fn removed_unseen(world: &mut World, steady: &BTreeMap<Person, String>) {
    let [stays_away, new] = [world.person(), world.person()];
    world.map(stays_away, "before");
    settle(world);
    let mut others = steady.clone();
    others.retain(|_, username| username != "steady-object");
    let prober = Prober::start(world, &others);
    world.proxies.iter().for_each(|proxy| proxy.close());
    remove_definition(world);
    for replica in world.running() {
        assert_eq!(replica.login(stays_away), Login::As("before".to_owned()));
    }
    world.proxies.iter().for_each(|proxy| proxy.open());
    for replica in world.running() {
        replica.wait_for_login(stays_away, &Login::Denied);
        replica.wait_for_readyz(200, "[+]backend CRD ok: the CustomResourceDefinition ");
    }
    restore_definition(world, steady);
    world.map(new, "after");
    settle(world);
    for replica in world.running() {
        assert_eq!(replica.login(stays_away), Login::Denied);
        assert_eq!(replica.login(new), Login::As("after".to_owned()));
        check_steady(replica, steady);
    }
    prober.finish();
}

/// Removes the definition, with all objects, and waits until it is gone.
fn remove_definition(world: &World) {
    world.api.delete(DEFINITION).ok();
    eventually("the end of the definition", || {
        match world.api.get(DEFINITION) {
            answer if answer.status == 404 => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
}

/// Brings the definition back, and the objects of those who are there all the time.
fn restore_definition(world: &World, steady: &BTreeMap<Person, String>) {
    apply_deploy(&world.cluster, "ramidentitymapping.yaml");
    wait_for_definition(&world.cluster);
    for (person, username) in steady {
        if username == "steady-object" {
            world.map(*person, username);
        }
    }
}

/// The servers are cut off while all objects go with their definition, and others come with a new one.
pub fn replaced(world: &mut World, steady: &BTreeMap<Person, String>) {
    let [gone, new] = [world.person(), world.person()];
    world.map(gone, "before");
    settle(world);
    let prober = Prober::start(world, steady);
    world.proxies.iter().for_each(|proxy| proxy.close());
    remove_definition(world);
    restore_definition(world, steady);
    world.map(new, "after");
    world.proxies.iter().for_each(|proxy| proxy.open());
    settle(world);
    for replica in world.running() {
        assert_eq!(replica.login(gone), Login::Denied);
        assert_eq!(replica.login(new), Login::As("after".to_owned()));
        check_steady(replica, steady);
    }
    prober.finish();
}
