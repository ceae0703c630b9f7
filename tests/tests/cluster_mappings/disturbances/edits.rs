//! Edits during a disturbance, and the check that they take effect afterwards.

use std::collections::BTreeMap;

use crate::fixture::ClusterFixture;
use crate::people::Person;
use crate::replica::{Login, Replica};

pub const BACKENDS: [&str; 3] = ["CRD", "ACKConfigMap", "MountedFile"];

/// Edits of both sources during a disturbance.
pub struct Edits {
    pub removed: [Person; 2],
    pub changed: [Person; 2],
    pub new: [Person; 2],
}

impl Edits {
    pub fn prepare(fixture: &mut ClusterFixture) -> Self {
        let mut pair = || [fixture.person(), fixture.person()];
        let edits = Self {
            removed: pair(),
            changed: pair(),
            new: pair(),
        };
        for [object, in_config_map] in [edits.removed, edits.changed] {
            fixture.map(object, "before");
            fixture
                .config_map
                .insert(in_config_map, "before".to_owned());
        }
        fixture.write_config_map();
        for replica in fixture.running() {
            for person in edits.removed.into_iter().chain(edits.changed) {
                replica.wait_for_login(person, &Login::As("before".to_owned()));
            }
        }
        edits
    }

    pub fn apply(&self, fixture: &mut ClusterFixture) {
        fixture.unmap(self.removed[0]);
        fixture.remap(self.changed[0], "after");
        fixture.map(self.new[0], "after");
        fixture.config_map.remove(&self.removed[1]);
        fixture
            .config_map
            .insert(self.changed[1], "after".to_owned());
        fixture.config_map.insert(self.new[1], "after".to_owned());
        fixture.write_config_map();
    }

    /// Checks that all edits are in effect on all servers after the disturbance.
    pub fn check(&self, fixture: &mut ClusterFixture, steady: &BTreeMap<Person, String>) {
        settle(fixture);
        for replica in fixture.running() {
            for person in self.removed {
                assert_eq!(replica.login(person), Login::Denied, "{person:?}");
            }
            for person in self.changed.into_iter().chain(self.new) {
                assert_eq!(
                    replica.login(person),
                    Login::As("after".to_owned()),
                    "{person:?}"
                );
            }
            check_steady(replica, steady);
        }
        assert_eq!(fixture.review(self.removed[0]), Login::Denied);
        assert_eq!(fixture.review(self.removed[1]), Login::Denied);
        for person in [self.new[0], self.new[1], self.changed[0], self.changed[1]] {
            assert_eq!(fixture.review(person), Login::As("after".to_owned()));
        }
    }
}

/// Waits until both watches deliver a new mapping. They have then delivered all earlier changes, too.
pub fn settle(fixture: &mut ClusterFixture) {
    let [object, in_config_map] = [fixture.person(), fixture.person()];
    fixture.map(object, "marker");
    fixture
        .config_map
        .insert(in_config_map, "marker".to_owned());
    fixture.write_config_map();
    for replica in fixture.running() {
        for person in [object, in_config_map] {
            replica.wait_for_login(person, &Login::As("marker".to_owned()));
        }
        for backend in BACKENDS {
            replica.wait_for_readyz(200, &format!("[+]backend {backend} ok\n"));
            let trouble = replica.metric("backend_trouble", &[("backend", backend)]);
            assert_eq!(trouble, 0.0, "{backend}");
        }
    }
}

pub fn check_steady(replica: &Replica, steady: &BTreeMap<Person, String>) {
    for (person, username) in steady {
        assert_eq!(
            replica.login(*person),
            Login::As(username.clone()),
            "{person:?}"
        );
    }
}
