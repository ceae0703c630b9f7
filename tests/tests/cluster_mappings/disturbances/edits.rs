//! Edits that happen during a disturbance, and how its end is known.

use std::collections::BTreeMap;

use crate::people::Person;
use crate::replica::{Login, Replica};
use crate::world::World;

pub const BACKENDS: [&str; 3] = ["CRD", "ACKConfigMap", "MountedFile"];

/// Edits of both sources that happen during a disturbance.
pub struct Edits {
    pub gone: [Person; 2],
    pub changed: [Person; 2],
    pub new: [Person; 2],
}

impl Edits {
    pub fn prepare(world: &mut World) -> Self {
        let mut pair = || [world.person(), world.person()];
        let edits = Self {
            gone: pair(),
            changed: pair(),
            new: pair(),
        };
        for [object, in_config_map] in [edits.gone, edits.changed] {
            world.map(object, "before");
            world.config_map.insert(in_config_map, "before".to_owned());
        }
        world.write_config_map();
        for replica in world.running() {
            for person in edits.gone.into_iter().chain(edits.changed) {
                replica.wait_for_login(person, &Login::As("before".to_owned()));
            }
        }
        edits
    }

    pub fn make(&self, world: &mut World) {
        world.unmap(self.gone[0]);
        world.remap(self.changed[0], "after");
        world.map(self.new[0], "after");
        world.config_map.remove(&self.gone[1]);
        world.config_map.insert(self.changed[1], "after".to_owned());
        world.config_map.insert(self.new[1], "after".to_owned());
        world.write_config_map();
    }

    /// The disturbance is over: what was edited is so, everywhere.
    pub fn check(&self, world: &mut World, steady: &BTreeMap<Person, String>) {
        settle(world);
        for replica in world.running() {
            for person in self.gone {
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
        assert_eq!(world.review(self.gone[0]), Login::Denied);
        assert_eq!(world.review(self.gone[1]), Login::Denied);
        for person in [self.new[0], self.new[1], self.changed[0], self.changed[1]] {
            assert_eq!(world.review(person), Login::As("after".to_owned()));
        }
    }
}

/// Waits until both watches prove alive: something new takes effect. What was before that, they have seen, too.
pub fn settle(world: &mut World) {
    let [object, in_config_map] = [world.person(), world.person()];
    world.map(object, "marker");
    world.config_map.insert(in_config_map, "marker".to_owned());
    world.write_config_map();
    for replica in world.running() {
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
