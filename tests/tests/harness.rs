//! The cluster harness itself: it works, and it leaves nothing behind.

use std::path::PathBuf;
use std::sync::mpsc;
use std::{panic, thread};

use ack_ram_tests::cluster::Cluster;

#[test]
fn cluster_admin_lists_namespaces() {
    let cluster = Cluster::builder().start();
    let seen = cluster.admin_kubectl(&["get", "namespaces", "--output=name"]);
    assert!(seen.success, "{}", seen.stderr);
    assert!(
        seen.stdout.contains("namespace/kube-system"),
        "{}",
        seen.stdout
    );
}

#[test]
fn panic_leaves_no_process_and_no_file() {
    let (tell, told) = mpsc::channel::<([u32; 2], PathBuf)>();
    let test = thread::spawn(move || {
        let cluster = Cluster::builder().start();
        assert!(cluster.pids().into_iter().all(is_running));
        tell.send((cluster.pids(), cluster.folder().to_owned()))
            .unwrap();
        panic::resume_unwind(Box::new("a test that fails"));
    });
    let failure = test.join().expect_err("the thread panicked");
    assert_eq!(failure.downcast_ref(), Some(&"a test that fails"));
    let (pids, folder) = told.recv().expect("the cluster started");
    assert_eq!(pids.map(is_running), [false; 2]);
    assert!(!folder.exists());
}

fn is_running(pid: u32) -> bool {
    let pid = i32::try_from(pid).expect("a process id");
    // Signal 0 is sent to nobody; only whether it could be is told.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
}
