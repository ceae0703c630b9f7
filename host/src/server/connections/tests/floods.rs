//! Floods that start no request, and ordinary traffic.

use super::*;

#[tokio::test]
async fn flood_of_frames_without_request_ends_connection() {
    let get = frame(HEADERS, END_STREAM_AND_HEADERS, 1, &GET_ROOT);
    for (name, before, flood) in [
        ("PING", &[][..], frame(6, 0, 0, &[0; 8])),
        ("PING answers", &[], frame(6, 1, 0, &[0; 8])),
        ("SETTINGS", &[], frame(SETTINGS, 0, 0, &[])),
        ("PRIORITY", &[], frame(2, 0, 3, &[0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE", &[], frame(8, 0, 0, &[0, 0, 0, 1])),
        ("RST_STREAM", &get, frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])),
        ("an unknown type", &[], frame(0x42, 0, 0, b"x")),
    ] {
        let fixture = ListenerFixture::new(BOUNDS).await;
        let mut stream = fixture
            .connect_and_send(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), before].concat())
            .await;
        fixture.until_open(1).await;
        let flood = flood.repeat(100);
        // Responses are read, so that unread responses do not end the connection.
        let (mut reading, mut writing) = stream.split();
        let mut answers = Vec::new();
        let reads = reading.read_to_end(&mut answers);
        let writes = async {
            let mut sent = 0;
            while fixture.metrics.open.get() > 0 && writing.write_all(&flood).await.is_ok() {
                sent += 100;
                assert!(sent < 1_000_000, "{name}");
                tokio::task::yield_now().await;
            }
        };
        let _ended = tokio::join!(reads, writes);
        fixture.until_open(0).await;
        assert_eq!(fixture.metrics.floods.get(), 1, "{name}: {answers:?}");
    }
}

/// Frames that clients send on long-lived connections.
#[tokio::test]
async fn frames_between_requests_are_not_a_flood() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let mut stream = fixture
        .connect_and_send(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat())
        .await;
    let mut reader = FrameReader;
    for stream_id in (1..2_001).step_by(2) {
        let around = [
            frame(6, 0, 0, &[0; 8]),
            frame(8, 0, 0, &[0, 0, 0, 1]),
            frame(6, 0, 0, &[0; 8]),
            frame(HEADERS, END_STREAM_AND_HEADERS, stream_id, &GET_ROOT),
            frame(8, 0, 0, &[0, 0, 0, 1]),
            frame(SETTINGS, 0, 0, &[]),
        ];
        stream.write_all(&around.concat()).await.unwrap();
        loop {
            let (kind, id, _) = reader.read_frame(&mut stream).await;
            if (kind, id) == (0, stream_id) {
                break;
            }
        }
    }
    assert_eq!(fixture.metrics.floods.get(), 0);
}
