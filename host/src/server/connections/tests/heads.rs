//! Requests whose heads are too large.

use super::*;

#[tokio::test(start_paused = true)]
async fn head_over_the_limit_is_refused_with_a_reason_and_counted() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let many = "x: y\r\n".repeat(201);
    let long = format!("x: {}\r\n", "y".repeat(17 * 1024));
    let short = format!("x: {}\r\n", "y".repeat(1_024));
    for (path, headers, status) in [
        ("/", &many, 431),
        ("/", &long, 431),
        ("/", &short, 200),
        ("/small", &short, 431),
        (&*format!("/{}", "y".repeat(17 * 1024)), &String::new(), 431),
    ] {
        let before = fixture.metrics.large_heads.get();
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{headers}\r\n");
        let answer = read_to_close(fixture.connect_and_send(request.as_bytes()).await).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        let is_refused = status == 431;
        let has_reason = answer.contains("\"message\"") && answer.contains("; send ");
        assert_eq!(has_reason, is_refused, "{answer}");
        let counted = fixture.metrics.large_heads.get() - before;
        assert_eq!(counted, u64::from(is_refused));
    }
    let mut http2 = fixture.http2().await;
    let mut request = get("/");
    let long = "y".repeat(17 * 1024).parse().unwrap();
    request.headers_mut().insert("x", long);
    let before = fixture.metrics.large_heads.get();
    let (status, body) = read_response(http2.send_request(request).await.unwrap()).await;
    assert_eq!(status, 431);
    assert!(body.contains("; send "), "{body}");
    assert_eq!(fixture.metrics.large_heads.get(), before + 1);
    assert_eq!(http2.send_request(get("/")).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn head_beyond_hyper_limits_is_counted() {
    let fixture = ListenerFixture::new(BOUNDS).await;
    let many = "x: y\r\n".repeat(257);
    let long = format!("x: {}\r\n", "y".repeat(1 << 20));
    let url = "y".repeat(1 << 16);
    for (path, headers, statuses) in [
        ("/", &many, [431, 431]),
        ("/", &long, [431, 431]),
        (&*format!("/{url}"), &String::new(), [414, 431]),
    ] {
        let before = fixture.metrics.large_heads.get();
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\n{headers}\r\n");
        let mut stream = fixture.connect().await;
        // The server may respond before everything is sent.
        let _sent = stream.write_all(request.as_bytes()).await;
        let answer = read_to_close(stream).await;
        let expected = statuses.map(|status| format!("HTTP/1.1 {status} "));
        assert!(
            expected.iter().any(|start| answer.starts_with(start)),
            "{answer}"
        );
        fixture.until_open(0).await;
        assert_eq!(fixture.metrics.large_heads.get(), before + 1);
    }
}
