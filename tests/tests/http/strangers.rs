//! Floods of unauthenticated clients that take every connection slot.

use std::collections::VecDeque;

use ack_ram_core::secret::Secret;
use ack_ram_tests::fixture::Fixture;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::fixture::{
    LIMIT, connect, connect_with_certificate, http1_answer, http1_review, start,
    start_with_client_ca,
};

const SLOTS: usize = 16;

/// Sends a review of `token` on `stream`, and returns whether it is granted.
async fn log_in(stream: &mut TlsStream<TcpStream>, token: &Secret) -> bool {
    let (head, body) = http1_review(token);
    let request = format!("{head}{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (status, review) = http1_answer(stream).await;
    status == 200 && review["status"]["authenticated"] == true
}

/// Opens four times as many connections as there are slots, and sends a request on each: idle connections would be easy
/// to distinguish.
async fn flood(fixture: &Fixture) {
    let mut strangers = Vec::new();
    for _ in 0..4 * SLOTS {
        let mut stranger = connect(fixture, b"http/1.1").await;
        let request = b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n";
        stranger.write_all(request).await.unwrap();
        let mut answer = [0; 12];
        stranger.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        strangers.push(stranger);
    }
}

#[tokio::test]
async fn strangers_do_not_evict_connection_with_granted_login() {
    let fixture = start(&json!({ "maxConnections": SLOTS }), &json!({}));
    let mut kept = connect(&fixture, b"http/1.1").await;
    assert!(log_in(&mut kept, &fixture.token()).await);
    flood(&fixture).await;
    assert!(log_in(&mut kept, &fixture.token()).await);
}

#[tokio::test]
async fn strangers_do_not_evict_connection_with_client_certificate() {
    let fixture = start_with_client_ca(&json!({ "maxConnections": SLOTS }));
    let mut kept = connect_with_certificate(&fixture).await;
    // No login was granted on this connection.
    assert!(!log_in(&mut kept, &Secret::new("k8s-ack-v2.e30=")).await);
    flood(&fixture).await;
    assert!(log_in(&mut kept, &fixture.token()).await);
}

#[tokio::test]
async fn full_health_port_still_answers_probes() {
    let fixture = start(&json!({ "maxHealthConnections": SLOTS }), &json!({}));
    let connect = async |host: &str| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{host}:0").parse().unwrap()).unwrap();
        let connecting = socket.connect(([127, 0, 0, 1], fixture.health_port).into());
        tokio::time::timeout(LIMIT, connecting)
            .await
            .unwrap()
            .unwrap()
    };
    let mut strangers = VecDeque::new();
    for probe in 0..20 {
        let mut stream = connect("127.0.0.2").await;
        // All earlier strangers, and most of the later ones, are evicted before this connection sends its request.
        for _ in 0..3 * SLOTS {
            strangers.push_back(connect("127.0.0.1").await);
        }
        while strangers.len() > SLOTS {
            let mut oldest = strangers.pop_front().unwrap();
            let closed = tokio::time::timeout(LIMIT, oldest.read_u8()).await.unwrap();
            assert!(closed.is_err());
        }
        let request = b"GET /livez HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        let answered = stream.read_to_string(&mut answer);
        tokio::time::timeout(LIMIT, answered)
            .await
            .unwrap()
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{probe}: {answer}");
    }
}
