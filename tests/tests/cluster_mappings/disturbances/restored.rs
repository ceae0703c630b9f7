//! The cluster is restored from a backup of etcd: it has lost all events since the backup, and it will use the
//! revisions that the watches have seen again for new events.

use std::collections::BTreeMap;

use crate::disturbances::edits::{Edits, check_steady, settle};
use crate::disturbances::prober::Prober;
use crate::fixture::ClusterFixture;
use crate::people::Person;
use crate::replica::Login;

/// More writes than the cluster makes until the watches are back.
const WRITES: usize = 100;

pub fn from_a_backup(fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(fixture);
    let config_map = fixture.config_map.clone();
    let prober = Prober::start(fixture, steady);
    fixture.cluster.back_up();
    fixture.api = fixture.cluster.api();
    settle(fixture);
    let since = [fixture.person(), fixture.person()];
    for turn in 0..WRITES {
        fixture.map(since[turn % 2], "since");
        fixture.unmap(since[turn % 2]);
    }
    fixture.map(since[0], "since");
    edits.apply(fixture);
    for replica in fixture.running() {
        replica.wait_for_login(since[0], &Login::As("since".to_owned()));
        for person in edits.new {
            replica.wait_for_login(person, &Login::As("after".to_owned()));
        }
        for person in edits.removed {
            replica.wait_for_login(person, &Login::Denied);
        }
    }
    fixture.cluster.restore();
    fixture.api = fixture.cluster.api();
    fixture.config_map = config_map;
    for replica in fixture.running() {
        for person in edits.new.into_iter().chain([since[0]]) {
            replica.wait_for_login(person, &Login::Denied);
        }
        for person in edits.removed.into_iter().chain(edits.changed) {
            replica.wait_for_login(person, &Login::As("before".to_owned()));
        }
        check_steady(replica, steady);
    }
    // New events arrive, although the watches have seen their revisions before.
    edits.apply(fixture);
    edits.check(fixture, steady);
    prober.finish();
}
