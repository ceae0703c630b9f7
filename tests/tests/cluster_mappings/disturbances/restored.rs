//! The cluster is restored from a backup of etcd: what happened since then never did, and the revisions that the watches
//! have seen are yet to come.

use std::collections::BTreeMap;

use crate::disturbances::edits::{Edits, check_steady, settle};
use crate::disturbances::prober::Prober;
use crate::people::Person;
use crate::replica::Login;
use crate::world::World;

/// So many more writes than the cluster makes until the watches are back.
const WRITES: usize = 100;

pub fn from_a_backup(world: &mut World, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(world);
    let config_map = world.config_map.clone();
    let prober = Prober::start(world, steady);
    world.cluster.back_up();
    world.api = world.cluster.api();
    settle(world);
    let since = [world.person(), world.person()];
    for turn in 0..WRITES {
        world.map(since[turn % 2], "since");
        world.unmap(since[turn % 2]);
    }
    world.map(since[0], "since");
    edits.make(world);
    for replica in world.running() {
        replica.wait_for_login(since[0], &Login::As("since".to_owned()));
        for person in edits.new {
            replica.wait_for_login(person, &Login::As("after".to_owned()));
        }
        for person in edits.gone {
            replica.wait_for_login(person, &Login::Denied);
        }
    }
    world.cluster.restore();
    world.api = world.cluster.api();
    world.config_map = config_map;
    for replica in world.running() {
        for person in edits.new.into_iter().chain([since[0]]) {
            replica.wait_for_login(person, &Login::Denied);
        }
        for person in edits.gone.into_iter().chain(edits.changed) {
            replica.wait_for_login(person, &Login::As("before".to_owned()));
        }
        check_steady(replica, steady);
    }
    // What happens from now on is seen, although its revisions have been there before.
    edits.make(world);
    edits.check(world, steady);
    prober.finish();
}
