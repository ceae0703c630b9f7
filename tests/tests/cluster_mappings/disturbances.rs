//! Disturbances: whatever happens between the servers and the API server, no mapping is lost, and none that was deleted
//! stays.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{
    DEFINITION, Login, Person, Replica, World, apply_deploy, eventually, wait_for_definition,
};

/// How often the watches are cut, a second apart.
const CUTS: u32 = 20;
const BACKENDS: [&str; 3] = ["CRD", "ACKConfigMap", "MountedFile"];
const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

#[test]
fn no_mapping_is_lost_and_none_that_was_deleted_stays() {
    let in_file = Person(0);
    let settings = json!({
        "backendMode": BACKENDS,
        "mapUsers": [in_file.entry("in-file")],
    });
    let mut world = World::start(2, &settings);
    let mut steady = BTreeMap::from([(in_file, "in-file".to_owned())]);
    for _ in 0..3 {
        let (object, config_map) = (world.person(), world.person());
        world.map(object, "steady-object");
        world
            .config_map
            .insert(config_map, "steady-config-map".to_owned());
        steady.insert(object, "steady-object".to_owned());
        steady.insert(config_map, "steady-config-map".to_owned());
    }
    world.write_config_map();
    for replica in world.running() {
        for (person, username) in &steady {
            replica.wait_for_login(*person, &Login::As(username.clone()));
        }
        replica.wait_for_readyz(200, "[+]backend CRD ok\n");
        assert_eq!(
            replica.log().matches("maps nobody: add").count(),
            0,
            "{}",
            replica.log()
        );
    }
    let disturbances: [(&str, fn(&mut World, &BTreeMap<Person, String>)); 7] = [
        ("the API server is killed", api_server_killed),
        ("what happened is no longer there", compacted),
        ("watches are cut", watches_cut),
        ("rights are removed", rights_removed),
        ("the definition is removed", definition_removed),
        (
            "the definition is another before that is seen",
            definition_replaced,
        ),
        ("the writer of statuses is killed", replica_killed),
    ];
    for (name, disturb) in disturbances {
        let start = std::time::Instant::now();
        disturb(&mut world, &steady);
        eprintln!("{name}: {:?}", start.elapsed());
    }
}

/// Edits of both sources that happen during a disturbance.
struct Edits {
    gone: [Person; 2],
    changed: [Person; 2],
    new: [Person; 2],
}

impl Edits {
    fn prepare(world: &mut World) -> Self {
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

    fn make(&self, world: &mut World) {
        world.unmap(self.gone[0]);
        world.remap(self.changed[0], "after");
        world.map(self.new[0], "after");
        world.config_map.remove(&self.gone[1]);
        world.config_map.insert(self.changed[1], "after".to_owned());
        world.config_map.insert(self.new[1], "after".to_owned());
        world.write_config_map();
    }

    /// The disturbance is over: what was edited is so, everywhere.
    fn check(&self, world: &mut World, steady: &BTreeMap<Person, String>) {
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
            for (person, username) in steady {
                assert_eq!(
                    replica.login(*person),
                    Login::As(username.clone()),
                    "{person:?}"
                );
            }
        }
        assert_eq!(world.review(self.gone[0]), Login::Denied);
        assert_eq!(world.review(self.gone[1]), Login::Denied);
        for person in [self.new[0], self.new[1], self.changed[0], self.changed[1]] {
            assert_eq!(world.review(person), Login::As("after".to_owned()));
        }
    }
}

/// Waits until both watches prove alive: something new takes effect. What was before that, they have seen, too.
fn settle(world: &mut World) {
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

/// Somebody logs in all the time, at every server.
struct Prober {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Prober {
    fn start(world: &World, people: &BTreeMap<Person, String>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = world.running().map(|replica| {
            let (door, stop, people) = (replica.another_door(), Arc::clone(&stop), people.clone());
            thread::spawn(move || {
                let mut wrong = Vec::new();
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    for (person, username) in &people {
                        let login = door.login(*person);
                        if login != Login::As(username.clone()) {
                            wrong.push(format!("{person:?}: {login:?}"));
                        }
                        count += 1;
                        // Others want the processor, too.
                        thread::sleep(Duration::from_millis(10));
                    }
                }
                (count, wrong)
            })
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    /// Every login was as it should be.
    fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let (count, wrong) = thread.join().unwrap();
            assert!(count > 0);
            assert!(wrong.is_empty(), "{} of {count}: {wrong:?}", wrong.len());
            eprintln!("    {count} logins");
        }
    }
}

fn failures(replica: &Replica) -> f64 {
    replica.metric("mapping_watch_failures_total", &[("backend", "CRD")])
}

fn trouble(replica: &Replica, backend: &str) -> f64 {
    replica.metric("backend_trouble", &[("backend", backend)])
}

fn api_server_killed(world: &mut World, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(world);
    let prober = Prober::start(world, steady);
    let before: Vec<f64> = world.running().map(failures).collect();
    world.cluster.kill_apiserver();
    for (replica, before) in world.running().zip(before) {
        replica.wait_for_readyz(200, "[+]backend CRD ok: the API server cannot be asked for");
        replica.wait_for_readyz(
            200,
            "[+]backend ACKConfigMap ok: the API server cannot be asked for",
        );
        assert_eq!(trouble(replica, "CRD"), 1.0);
        assert_eq!(trouble(replica, "ACKConfigMap"), 1.0);
        assert!(failures(replica) > before);
        let config_map = replica.metric("configmap_watch_failures_total", &[]);
        assert!(config_map > 0.0);
    }
    let early = Early::start(world);
    world.cluster.start_apiserver();
    edits.make(world);
    edits.check(world, steady);
    early.join(world, steady);
    prober.finish();
}

/// Servers that are there before the API server is.
struct Early {
    file_first: Replica,
    file_last: Replica,
    without_kubeconfig: Replica,
    in_file: Person,
    protected: Person,
}

impl Early {
    fn start(world: &mut World) -> Self {
        let [in_file, protected] = [world.person(), world.person()];
        let settings = |backends: &[&str]| {
            json!({
                "backendMode": backends,
                "mapUsers": [in_file.entry("in-file"), protected.entry("protected")],
                "protect": [protected.arn()],
            })
        };
        let mut later = settings(&["MountedFile", "CRD"]);
        later["kubeconfig"] = json!(world.folder.path().join("later.kubeconfig"));
        let early = Self {
            file_first: world.add_replica("file-first", &settings(&["MountedFile", "CRD"])),
            file_last: world.add_replica("file-last", &settings(&["CRD", "MountedFile"])),
            without_kubeconfig: world.add_replica("without-kubeconfig", &later),
            in_file,
            protected,
        };
        early.check_alone(world);
        early
    }

    fn check_alone(&self, world: &mut World) {
        let nobody = world.person();
        let unable = |login| matches!(login, Login::Unable(why) if why.contains("CRD"));
        for replica in [&self.file_first, &self.without_kubeconfig] {
            assert_eq!(replica.login(self.in_file), Login::As("in-file".to_owned()));
            assert_eq!(
                replica.login(self.protected),
                Login::As("protected".to_owned())
            );
            assert!(unable(replica.login(nobody)));
        }
        let last = &self.file_last;
        assert_eq!(
            last.login(self.protected),
            Login::As("protected".to_owned())
        );
        assert!(
            unable(last.login(self.in_file)),
            "{:?}",
            last.login(self.in_file)
        );
        assert!(unable(last.login(nobody)));
        for replica in [&self.file_first, &self.file_last] {
            replica.wait_for_readyz(
                503,
                "[-]backend CRD failed: the API server cannot be asked for",
            );
        }
        let later = &self.without_kubeconfig;
        later.wait_for_readyz(503, "[-]backend CRD failed: the kubeconfig ");
    }

    /// The API server is there now.
    fn join(self, world: &mut World, steady: &BTreeMap<Person, String>) {
        let kubeconfig = world.folder.path().join("later.kubeconfig");
        std::fs::copy(
            world
                .cluster
                .folder()
                .join("kubeconfig-server-without-kubeconfig.json"),
            kubeconfig,
        )
        .unwrap();
        // An object does not take whom the file protects, and takes whom it does not, where it is asked first.
        for (person, username) in [(self.in_file, "taken"), (self.protected, "taken")] {
            world.map(person, username);
        }
        let marker = world.person();
        world.map(marker, "marker");
        for (replica, in_file) in [
            (&self.file_first, "in-file"),
            (&self.without_kubeconfig, "in-file"),
            (&self.file_last, "taken"),
        ] {
            replica.wait_for_login(marker, &Login::As("marker".to_owned()));
            replica.wait_for_readyz(200, "[+]backend CRD ok\n");
            assert_eq!(
                replica.login(self.protected),
                Login::As("protected".to_owned())
            );
            assert_eq!(replica.login(self.in_file), Login::As(in_file.to_owned()));
            for (person, username) in steady {
                let expected = match username.as_str() {
                    "steady-object" => Login::As(username.clone()),
                    _ => Login::Denied,
                };
                assert_eq!(replica.login(*person), expected, "{person:?}");
            }
        }
        world.unmap(self.in_file);
        world.unmap(self.protected);
        self.file_last
            .wait_for_login(self.in_file, &Login::As("in-file".to_owned()));
        world.proxies.truncate(world.replicas.len());
    }
}

/// Neither the API server nor etcd knows what happened while the servers were cut off: 410 Gone.
fn compacted(world: &mut World, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(world);
    let prober = Prober::start(world, steady);
    world.proxies.iter().for_each(|proxy| proxy.close());
    for replica in world.running() {
        replica.wait_for_readyz(200, "[+]backend CRD ok: the API server cannot be asked for");
    }
    let expired = |replica: &Replica| replica.log().matches("too old resource version").count();
    let before: Vec<usize> = world.running().map(expired).collect();
    edits.make(world);
    world.cluster.compact_etcd();
    world.cluster.kill_apiserver();
    world.cluster.start_apiserver();
    world.cluster.compact_etcd();
    world.proxies.iter().for_each(|proxy| proxy.open());
    edits.check(world, steady);
    for (replica, before) in world.running().zip(before) {
        assert!(expired(replica) > before, "{}", replica.log());
    }
    prober.finish();
}

/// People come and go all the while.
fn watches_cut(world: &mut World, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(world);
    let prober = Prober::start(world, steady);
    let before: Vec<f64> = world.running().map(failures).collect();
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    for second in 0..CUTS {
        for turn in 0..4 {
            let [object, in_config_map] = [world.person(), world.person()];
            world.map(object, "there");
            world.config_map.insert(in_config_map, "there".to_owned());
            // Some of before go.
            if turn % 2 == 1 {
                let [object, in_config_map]: [Person; 2] = there.remove(there.len() / 2);
                world.unmap(object);
                world.config_map.remove(&in_config_map);
                gone.extend([object, in_config_map]);
            }
            world.write_config_map();
            there.push([object, in_config_map]);
            thread::sleep(Duration::from_millis(200));
            if turn == 2 {
                world.proxies.iter().for_each(|proxy| proxy.cut());
            }
        }
        if second == CUTS / 2 {
            edits.make(world);
        }
    }
    edits.check(world, steady);
    for (replica, before) in world.running().zip(before) {
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
        assert!(failures(replica) >= before + f64::from(CUTS) / 2.0);
    }
    prober.finish();
}

fn rights_removed(world: &mut World, steady: &BTreeMap<Person, String>) {
    let edits = Edits::prepare(world);
    let prober = Prober::start(world, steady);
    let name = "ack-ram-authenticator";
    let bindings = [
        format!("{RBAC}/clusterrolebindings/{name}"),
        format!("{RBAC}/namespaces/kube-system/rolebindings/{name}"),
    ];
    for binding in &bindings {
        world.api.delete(binding).ok();
    }
    for (replica, proxy) in world.running().zip(&world.proxies) {
        eventually("forbidden", || {
            let (status, text) = replica.readyz();
            let is_told = status == 200
                && text.contains("[+]backend CRD ok: no right to ")
                && text.contains("[+]backend ACKConfigMap ok: no right to ");
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
    edits.make(world);
    apply_deploy(&world.cluster, "example.yaml");
    edits.check(world, steady);
    prober.finish();
    // The writer of statuses goes on, too.
    world.wait_for_condition(&edits.new[0].name(), "Accepted", "True", "in effect");
}

fn definition_removed(world: &mut World, steady: &BTreeMap<Person, String>) {
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
    apply_deploy(&world.cluster, "ramidentitymapping.yaml");
    wait_for_definition(&world.cluster);
    for (person, username) in &objects {
        world.map(*person, username);
    }
    settle(world);
    for replica in world.running() {
        assert_eq!(replica.login(stays_away), Login::Denied);
        for (person, username) in steady {
            assert_eq!(
                replica.login(*person),
                Login::As(username.clone()),
                "{person:?}"
            );
        }
    }
    prober.finish();
}

/// The servers are cut off while all objects go with their definition, and others come with a new one.
fn definition_replaced(world: &mut World, steady: &BTreeMap<Person, String>) {
    let [gone, new] = [world.person(), world.person()];
    world.map(gone, "before");
    settle(world);
    let prober = Prober::start(world, steady);
    world.proxies.iter().for_each(|proxy| proxy.close());
    world.api.delete(DEFINITION).ok();
    eventually("the end of the definition", || {
        match world.api.get(DEFINITION) {
            answer if answer.status == 404 => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
    apply_deploy(&world.cluster, "ramidentitymapping.yaml");
    wait_for_definition(&world.cluster);
    for (person, username) in steady {
        if username == "steady-object" {
            world.map(*person, username);
        }
    }
    world.map(new, "after");
    world.proxies.iter().for_each(|proxy| proxy.open());
    settle(world);
    for replica in world.running() {
        assert_eq!(replica.login(gone), Login::Denied);
        assert_eq!(replica.login(new), Login::As("after".to_owned()));
        for (person, username) in steady {
            assert_eq!(
                replica.login(*person),
                Login::As(username.clone()),
                "{person:?}"
            );
        }
    }
    prober.finish();
}

/// The other one takes over; the one that starts again knows what happened meanwhile.
fn replica_killed(world: &mut World, steady: &BTreeMap<Person, String>) {
    let leads = |replica: &Replica| replica.metric("status_writer_leading", &[]) == 1.0;
    let mut leader = None;
    eventually("a leader", || {
        leader = world.replicas.iter().position(leads);
        leader.map(drop).ok_or_else(|| "nobody leads".to_owned())
    });
    let leader = leader.unwrap();
    let edits = Edits::prepare(world);
    world.replicas[leader].kill();
    let prober = Prober::start(world, steady);
    edits.make(world);
    world.wait_for_condition(&edits.new[0].name(), "Accepted", "True", "in effect");
    let left = world.running().next().unwrap();
    assert!(leads(left));
    for person in edits.new {
        left.wait_for_login(person, &Login::As("after".to_owned()));
    }
    world.replicas[leader].start_again();
    edits.check(world, steady);
    prober.finish();
    let leading: Vec<bool> = world.replicas.iter().map(leads).collect();
    assert_eq!(
        leading.iter().filter(|leads| **leads).count(),
        1,
        "{leading:?}"
    );
    world.wait_for_condition(&edits.changed[0].name(), "Accepted", "True", "in effect");
    let status: Value = world.status(&edits.changed[0].name());
    assert_eq!(status["canonicalARN"], json!(edits.changed[0].arn()));
}
