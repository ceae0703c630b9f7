//! The life of an emulator from start to drop: connections, names, clocks, and cleanup.

use std::path::PathBuf;

use ack_ram_core::time::UnixTime;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::sts::{Emulator, Fault, StartError, demo};
use tokio::net::TcpStream;

use crate::client::{Call, PATIENCE, StsConnection, Symptom, send};

fn good_call(sts: &Emulator) -> Call {
    Call::acs3("GetCallerIdentity", &[], &demo::user_key(), sts.now())
}

#[tokio::test]
async fn connections_stay_open_between_requests() {
    let sts = Emulator::builder().demo().start().unwrap();
    let mut connection = StsConnection::open(&sts, "localhost", PATIENCE)
        .await
        .unwrap();
    let bad = good_call(&sts).without_header("x-acs-date");
    for call in [good_call(&sts), bad, good_call(&sts)] {
        connection.send(&call, PATIENCE).await.unwrap();
    }
    assert_eq!((sts.connections(), sts.requests().len()), (1, 3));

    send(&sts, &good_call(&sts), PATIENCE).await.unwrap();
    assert_eq!((sts.connections(), sts.requests().len()), (2, 4));
    sts.clear_requests();
    assert!(sts.requests().is_empty());
}

#[tokio::test]
async fn certificate_has_the_given_names() {
    let sts = Emulator::builder()
        .demo()
        .name("sts.aliyuncs.com")
        .start()
        .unwrap();
    for (name, expected) in [
        ("localhost", None),
        ("127.0.0.1", None),
        ("sts.aliyuncs.com", None),
        ("sts.cn-hangzhou.aliyuncs.com", Some(Symptom::NoHandshake)),
    ] {
        let connection = StsConnection::open(&sts, name, PATIENCE).await;
        assert_eq!(connection.err(), expected, "{name}");
    }
}

#[tokio::test]
async fn plain_http_is_served() {
    let sts = Emulator::builder().demo().plain_http().start().unwrap();
    assert_eq!(sts.url(), format!("http://{}", sts.endpoint()));
    let reply = send(&sts, &good_call(&sts), PATIENCE).await.unwrap();
    assert_eq!(reply.text("Arn"), demo::USER_ARN);
}

#[tokio::test]
async fn set_clock_decides_token_age() {
    let past = UnixTime::parse("2001-02-03T04:05:06Z").unwrap();
    let sts = Emulator::builder().demo().now(past).start().unwrap();
    let reply = send(&sts, &good_call(&sts), PATIENCE).await.unwrap();
    assert_eq!(reply.status, 200);
    assert!((0..60).contains(&sts.now().seconds_since(past)));

    sts.advance(-3600);
    assert!((0..60).contains(&sts.now().seconds_since(past.plus_seconds(-3600))));
}

#[tokio::test]
async fn disabled_key_is_enabled_again() {
    let sts = Emulator::builder().demo().start().unwrap();
    let id = demo::user_key().id;
    assert!(sts.disable_key(&id) && sts.enable_key(&id));
    let reply = send(&sts, &good_call(&sts), PATIENCE).await.unwrap();
    assert_eq!(reply.status, 200);
}

#[test]
fn taken_address_fails_start() {
    let first = Emulator::builder().start().unwrap();
    let error = Emulator::builder()
        .listen(first.address())
        .start()
        .unwrap_err();
    assert!(matches!(error, StartError::Listen { address, .. } if address == first.address()));
}

#[test]
fn invalid_certificate_name_fails_start() {
    let error = Emulator::builder().name("caf\u{e9}").start().unwrap_err();
    assert!(matches!(error, StartError::Certificate(_)), "{error}");
}

/// The drop also ends stalled and endless replies.
#[tokio::test]
async fn drop_closes_port_and_connections() {
    for (fault, symptom) in [
        (Fault::Hang, Symptom::NoHead),
        (Fault::EndlessBody, Symptom::TooLong),
        (Fault::ContentLengthTooLong, Symptom::BrokenBody),
    ] {
        let sts = Emulator::builder().demo().start().unwrap();
        let address = sts.address();

        sts.set_fault(Some(fault));
        let call = good_call(&sts);
        let mut connection = StsConnection::open(&sts, "localhost", PATIENCE)
            .await
            .unwrap();
        let threads = threads_named(&format!("sts-{}", address.port()));
        assert!(!threads.is_empty());
        let waiting = tokio::spawn(async move { connection.send(&call, PATIENCE).await.err() });
        eventually("the request arrives", async || !sts.requests().is_empty()).await;
        drop(sts);

        // The kernel removes the entry of a thread from `/proc` after it wakes the thread that joins.
        eventually("the threads end", async || {
            !threads.iter().any(|thread| thread.exists())
        })
        .await;
        // Processes that other tests start at the same time inherit the listener for a moment.
        eventually("the port closes", async || {
            TcpStream::connect(address).await.is_err()
        })
        .await;
        let ended = waiting.await.unwrap();
        // An endless body may reach the limit of the client before the drop closes the connection.
        let closed = [Some(Symptom::NoHead), Some(Symptom::BrokenBody)];
        assert!(
            ended == Some(symptom) || closed.contains(&ended),
            "{ended:?}"
        );
    }
}

/// Returns the folders in `/proc` of the threads of this process that have this name.
fn threads_named(name: &str) -> Vec<PathBuf> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| Some(task.ok()?.path()))
        .filter(|task| {
            std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        })
        .collect()
}
