//! Processes that find no key.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};

use nix::unistd::Uid;

use crate::fixture::{Fixture, START, key_reply, secret};
use crate::process::ClientProcess;

const PROCESSES: usize = 50;
const OTHER_USER: u32 = 12_345;

#[test]
fn fifty_cold_processes_make_one_call() {
    let (fixture, gate) = Fixture::with_gate(1, |call| key_reply(call.number, START));
    let client = fixture.client(START);
    let processes: Vec<ClientProcess> = (0..PROCESSES).map(|_| client.start()).collect();
    fixture.server.wait_for_call(1);
    gate.add();
    for process in processes {
        assert_eq!(process.finish(), secret(1));
    }
    assert_eq!(fixture.server.calls(), 1);
    // A process that starts later makes no call, either.
    assert_eq!(client.run(), secret(1));
    assert_eq!(fixture.server.calls(), 1);
    assert_eq!(fixture.cache_files(".json").len(), 1);
    assert!(fixture.cache_files(".new").is_empty());
}

#[test]
fn fifty_refused_processes_make_one_call() {
    let (fixture, gate) = Fixture::with_gate(1, |_| (403, String::new()));
    let client = fixture.client(START);
    let processes: Vec<ClientProcess> = (0..PROCESSES).map(|_| client.start()).collect();
    fixture.server.wait_for_call(1);
    gate.add();
    for process in processes {
        let error = process.finish().unwrap_err();
        assert!(error.contains("HTTP status 403"), "{error}");
    }
    assert_eq!(fixture.server.calls(), 1);
}

#[test]
fn process_continues_after_the_holder_of_the_lock_is_killed() {
    let (fixture, _closed) = Fixture::with_gate(1, |call| key_reply(call.number, START));
    let client = fixture.client(START);
    let holder = client.start();
    fixture.server.wait_for_call(1);
    // This process finds no entry, and waits for the lock.
    let waiting = client.start();
    holder.kill();
    assert_eq!(waiting.finish(), secret(2));
    assert_eq!(client.run(), secret(2));
    assert_eq!(fixture.server.calls(), 2);
}

#[test]
fn process_killed_while_it_writes_leaves_a_usable_cache() {
    let fixture = Fixture::new(|call| key_reply(call.number, START));
    let client = fixture.client(START);
    // The process is killed after it has created a file and before the file has its name.
    client.clone().killed_at_write().start().wait_for_signal();
    assert_eq!(fixture.server.calls(), 1);
    assert!(fixture.cache_files(".json").is_empty());
    let files = fs::read_dir(fixture.cache_folder()).unwrap().count();
    assert_eq!(files, 2, "the lock and a temporary file");

    assert_eq!(client.run(), secret(2));
    assert_eq!(client.run(), secret(2));
    assert_eq!(fixture.server.calls(), 2);
}

#[test]
fn damaged_entry_is_replaced() {
    let fixture = Fixture::new(|call| key_reply(call.number, START));
    let client = fixture.client(START);
    assert_eq!(client.run(), secret(1));
    let entry = fixture.cache_files(".json").remove(0);
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(client.run(), secret(2));
    let text = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, &text[..100]).unwrap();
    assert_eq!(client.run(), secret(3));
    assert_eq!(client.run(), secret(3));
}

#[test]
fn client_without_a_cache_carries_on_silently() {
    let fixture = Fixture::new(|call| key_reply(call.number, START));
    let client = fixture.client(START);
    // A file in place of a folder.
    let file = fixture.home().join("file");
    fs::write(&file, "").unwrap();
    // A folder into which others can write.
    let shared = fixture.home().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let own = "ACK_RAM_AUTHENTICATOR_CACHE_DIR";
    let mut calls = 0;
    for client in [
        client.clone().without("HOME"),
        client.clone().variable("HOME", "/proc/1"),
        client.clone().variable("HOME", file.to_str().unwrap()),
        client.clone().variable("KUBECACHEDIR", "relative"),
        client.clone().variable(own, shared.to_str().unwrap()),
    ] {
        for _ in 0..2 {
            calls += 1;
            assert_eq!(client.run(), secret(calls));
        }
    }
    assert_eq!(fs::read_dir(shared).unwrap().count(), 0);
}

#[test]
fn full_disk_costs_only_calls() {
    let fixture = Fixture::new(|call| key_reply(call.number, START));
    let folder = fixture.home().join("full");
    fs::create_dir(&folder).unwrap();
    let client = fixture
        .client(START)
        .variable("ACK_RAM_AUTHENTICATOR_CACHE_DIR", folder.to_str().unwrap())
        .on_full_disk(&folder);
    if let Some(result) = client.run_if_possible() {
        assert_eq!(result, secret(1));
        assert_eq!(client.run(), secret(2));
    }
}

#[test]
fn cache_of_another_user_is_not_used() {
    if !Uid::effective().is_root() {
        return;
    }
    let fixture = Fixture::new(|call| key_reply(call.number, START));
    let client = fixture.client(START);
    assert_eq!(client.run(), secret(1));
    // Another user with the same home directory can read nothing.
    for path in [".", ".kube", ".kube/cache"] {
        let path = fixture.home().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    assert_eq!(client.clone().for_user(OTHER_USER).run(), secret(2));
    assert_eq!(client.run(), secret(1));

    // A folder and an entry that another user has made are not used.
    let entry = fixture.cache_files(".json").remove(0);
    chown(&entry, Some(OTHER_USER), None).unwrap();
    assert_eq!(client.run(), secret(3));
    chown(fixture.cache_folder(), Some(OTHER_USER), None).unwrap();
    assert_eq!(client.run(), secret(4));
    assert_eq!(client.run(), secret(5));
    chown(fixture.cache_folder(), Some(0), None).unwrap();
    assert_eq!(client.run(), secret(3));
}
