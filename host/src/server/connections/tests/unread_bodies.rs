//! Bodies that are not read completely before the response.

use super::*;

/// Builds an HTTP/1.1 request to a path that does not read the body.
fn refused(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST /refuse HTTP/1.1\r\nhost: h\r\n{head}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn http_1_client_still_sending_unread_body_gets_answer() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    for length in [64 * 1024 + 1, 1 << 20, 3 << 20] {
        let body = vec![b'x'; length];
        let whole = refused(&format!("content-length: {length}"), &body);
        let chunk = [
            format!("{length:x}\r\n").as_bytes(),
            &body,
            b"\r\n0\r\n\r\n",
        ]
        .concat();
        let chunked = refused("transfer-encoding: chunked", &chunk);
        for request in [whole, chunked] {
            let mut stream = fixture.connect().await;
            // Send everything before reading the response.
            stream.write_all(&request).await.unwrap();
            let answer = read_to_close(stream).await;
            assert!(answer.starts_with("HTTP/1.1 413 "), "{length}: {answer}");
            assert!(answer.contains("connection: close"), "{answer}");
            assert!(answer.contains("too long"), "{answer}");
        }
    }
    fixture.until_open(0).await;
}

#[tokio::test]
async fn client_waiting_for_continue_is_refused_immediately() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let head = "content-length: 100000\r\nexpect: 100-continue";
    let answer = read_to_close(fixture.connect_and_send(&refused(head, b"")).await).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn client_sending_without_end_is_disconnected() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    for (name, piece) in [("slowly", 1), ("fast", 1 << 16)] {
        let mut stream = fixture
            .connect_and_send(&refused("content-length: 99999999999", b""))
            .await;
        let started = tokio::time::Instant::now();
        fixture.until_open(1).await;
        let piece = vec![b'x'; piece];
        let mut sent = 0;
        while fixture.metrics.open.get() > 0 {
            // The server may close the connection in between.
            let _sent =
                tokio::time::timeout(Duration::from_secs(1), stream.write_all(&piece)).await;
            sent += piece.len();
            tokio::time::sleep(Duration::from_millis(1)).await;
            assert!(started.elapsed() < Duration::from_secs(60), "{name}");
            assert!(sent < 1 << 30, "{name}");
        }
    }
}

/// The clock does not advance by itself, so no deadline makes room.
#[tokio::test]
async fn client_whose_body_is_discarded_makes_room() {
    let fixture = ListenerFixture::new(ConnectionLimits {
        connections: 1,
        ..BOUNDS
    })
    .await;
    let post = [
        0x83, 0x86, 0x04, 7, b'/', b'r', b'e', b'f', b'u', b's', b'e', 0x41, 1, b'h',
    ];
    let start = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let http2 = [start, frame(HEADERS, 4, 1, &post)].concat();
    for request in [refused("content-length: 100000", b"x"), http2] {
        let mut slow = fixture.connect_and_send(&request).await;
        // The response, or its start, has arrived.
        let mut answer = [0; 12];
        slow.read_exact(&mut answer).await.unwrap();
        let answer = fixture.get("/").await;
        assert!(answer.contains(" 200 "), "{answer}");
        drop(slow);
    }
    assert!(fixture.metrics.evicted.get() >= 1);
}

/// A body in chunks, for HTTP/2.
type Pieces = http_body_util::combinators::BoxBody<Bytes, std::convert::Infallible>;

fn pieces(length: usize) -> Pieces {
    let pieces = (0..length).step_by(10_000).map(move |start| {
        let piece = vec![b'x'; (length - start).min(10_000)];
        Ok(hyper::body::Frame::data(Bytes::from(piece)))
    });
    http_body_util::StreamBody::new(futures_util::stream::iter(pieces)).boxed()
}

#[tokio::test]
async fn http_2_client_still_sending_gets_answer_and_no_reset() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let stream = TokioIo::new(fixture.connect().await);
    let handshake = http2::handshake::<_, _, Pieces>(TokioExecutor::new(), stream).await;
    let (mut sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    for length in [64 * 1024 + 1, 1 << 20, 3 << 20] {
        let request = Request::post("http://h/refuse").body(pieces(length));
        let response = sender.send_request(request.unwrap()).await.unwrap();
        let (status, body) = read_response(response).await;
        assert_eq!(status, 413, "{length}");
        assert!(body.contains("too long"), "{body}");
    }
    // Raw frames: the stream ends with the response and is not reset, although most of the body is sent after the
    // response.
    let length = 1 << 18;
    let post = [
        0x83, 0x86, 0x04, 7, b'/', b'r', b'e', b'f', b'u', b's', b'e', 0x41, 1, b'h',
    ];
    let mut stream = fixture
        .connect_and_send(
            &[
                PREFACE,
                &frame(SETTINGS, 0, 0, &[]),
                &frame(HEADERS, 4, 1, &post),
            ]
            .concat(),
        )
        .await;
    let mut reader = FrameReader;
    // Bytes that the client may send before the server allows more: on the connection, and on the stream.
    let mut windows = [65_535_i64; 2];
    let mut sent = 0;
    let mut is_answered = false;
    while sent < length {
        while !is_answered || windows.iter().any(|window| *window < 16_384) {
            let (kind, id, payload) = reader.read_frame(&mut stream).await;
            assert_ne!(
                kind, RST_STREAM,
                "after {sent} bytes: {payload:?} {windows:?}"
            );
            if kind == 8 {
                let increment = u32::from_be_bytes(payload.try_into().unwrap());
                windows[id as usize] += i64::from(increment);
            } else if kind == 0 {
                is_answered = true;
            }
        }
        sent += 16_384;
        windows.iter_mut().for_each(|window| *window -= 16_384);
        let is_last = u8::from(sent >= length);
        let data = frame(0, is_last, 1, &[b'x'; 16_384]);
        stream.write_all(&data).await.unwrap();
    }
    // The connection is still usable.
    stream
        .write_all(&frame(HEADERS, END_STREAM_AND_HEADERS, 3, &GET_ROOT))
        .await
        .unwrap();
    loop {
        let (kind, id, _) = reader.read_frame(&mut stream).await;
        assert_ne!(kind, RST_STREAM);
        if kind == HEADERS && id == 3 {
            break;
        }
    }
}
