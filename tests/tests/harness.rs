//! The cluster harness itself: it starts a working cluster, and leaves no processes and no files.

use std::path::PathBuf;
use std::sync::mpsc;
use std::{panic, thread};

use ack_ram_tests::cluster::Cluster;

#[test]
fn cluster_admin_lists_namespaces() {
    let cluster = Cluster::builder().start();
    let output = cluster.admin_kubectl(&["get", "namespaces", "--output=name"]);
    assert!(output.success, "{}", output.stderr);
    assert!(
        output.stdout.contains("namespace/kube-system"),
        "{}",
        output.stdout
    );
}

#[test]
fn panic_leaves_no_process_and_no_file() {
    let (sender, receiver) = mpsc::channel::<([u32; 2], PathBuf)>();
    let test = thread::spawn(move || {
        let cluster = Cluster::builder().start();
        assert!(cluster.pids().into_iter().all(is_running));
        sender
            .send((cluster.pids(), cluster.folder().to_owned()))
            .unwrap();
        panic::resume_unwind(Box::new("a test that fails"));
    });
    let failure = test.join().expect_err("the thread panicked");
    assert_eq!(failure.downcast_ref(), Some(&"a test that fails"));
    let (pids, folder) = receiver.recv().expect("the cluster started");
    assert_eq!(pids.map(is_running), [false; 2]);
    assert!(!folder.exists());
}

fn is_running(pid: u32) -> bool {
    let pid = i32::try_from(pid).expect("a process ID");
    // Signal 0 is not delivered: the result only shows whether the process exists.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
}
