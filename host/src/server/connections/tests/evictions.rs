//! Connections that are evicted for others.

use super::*;

/// The clock does not advance by itself, so no deadline makes room.
#[tokio::test]
async fn strangers_are_evicted_before_granted_clients() {
    let fixture = ListenerFixture::new(ConnectionLimits {
        connections: 4,
        ..BOUNDS
    })
    .await;
    let mut guard = fixture.http2().await;
    guard.send_request(get("/login")).await.unwrap();
    let waiting = tokio::spawn(guard.send_request(get("/wait")));
    fixture.answers.arrived.acquire().await.unwrap().forget();
    let mut kept = fixture.http1().await;
    kept.send_request(get("/login")).await.unwrap();
    // An incomplete request does not protect a connection from eviction.
    let half = b"POST /wait HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nx";
    let slow = fixture.connect_and_send(half).await;
    fixture.answers.arrived.acquire().await.unwrap().forget();
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(fixture.connect().await);
    }
    let before = tokio::time::Instant::now();
    let answer = fixture.get("/").await;
    assert!(answer.contains(" 200 "), "{answer}");
    assert!(before.elapsed() < BOUNDS.header_timeout);
    assert!(fixture.metrics.evicted.get() >= 49);
    assert_eq!(read_to_close(slow).await, "");
    kept.ready().await.unwrap();
    let answer = kept.send_request(get("/")).await.unwrap();
    assert_eq!(answer.status(), 200);
    fixture.answers.may_answer.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn evicted_client_that_keeps_asking_is_disconnected() {
    let fixture = ListenerFixture::new(ConnectionLimits {
        connections: 1,
        ..BOUNDS
    })
    .await;
    // The client never acknowledges the shutdown, and hyper accepts its requests until it does.
    let mut stubborn = fixture
        .connect_and_send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())
        .await;
    let sending = tokio::spawn(async move {
        for stream in (1..).step_by(2) {
            let request = frame(HEADERS, END_STREAM_AND_HEADERS, stream, &GET_ROOT);
            if stubborn.write_all(&request).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    while fixture.metrics.open.get() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut next = fixture
        .connect_and_send(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        .await;
    let answered = tokio::time::timeout(FOREVER, next.read_u8()).await;
    assert!(answered.is_ok(), "the new connection gets no slot");
    sending.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn newcomer_waits_while_granted_login_is_answered() {
    let fixture = ListenerFixture::new(ConnectionLimits {
        connections: 1,
        ..BOUNDS
    })
    .await;
    let mut guard = fixture.http1().await;
    guard.send_request(get("/login")).await.unwrap();
    guard.ready().await.unwrap();
    let waiting = tokio::spawn(guard.send_request(get("/wait")));
    fixture.answers.arrived.acquire().await.unwrap().forget();
    let mut next = fixture
        .connect_and_send(b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
        .await;
    let answered = tokio::time::timeout(FOREVER, next.read_u8()).await;
    assert!(answered.is_err(), "the new connection got a slot");
    fixture.answers.may_answer.add_permits(1);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    assert!(read_to_close(next).await.contains(" 200 "));
    fixture.until_open(0).await;
}
