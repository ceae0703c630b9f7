//! Refusals, and clocks that jump.

use crate::fixture::{Fixture, LIFETIME, START, key_reply, secret};

#[test]
fn refusal_is_remembered_and_forgotten() {
    let fixture = Fixture::new(|call| match call.number {
        1 => (403, String::new()),
        number => key_reply(number, START),
    });
    let first = fixture.client(START).run().unwrap_err();
    for seconds in 0..5 {
        let again = fixture.client(START.plus_seconds(seconds)).run();
        assert_eq!(again, Err(first.clone()), "{seconds}");
    }
    assert_eq!(fixture.server.calls(), 1);
    assert_eq!(fixture.client(START.plus_seconds(5)).run(), secret(2));
}

#[test]
fn missing_answer_is_not_remembered() {
    let fixture = Fixture::new(|call| match call.number {
        1 | 2 => (500, String::new()),
        number => key_reply(number, START),
    });
    let client = fixture.client(START);
    for calls in 1..=2 {
        client.run().unwrap_err();
        assert_eq!(fixture.server.calls(), calls);
    }
    assert_eq!(client.run(), secret(3));
}

#[test]
fn refusal_of_one_source_does_not_concern_another() {
    let fixture = Fixture::new(|call| match &*call.path {
        "/key" => (403, String::new()),
        _ => key_reply(call.number, START),
    });
    fixture.client(START).run().unwrap_err();
    let url = format!("http://127.0.0.1:{}/other", fixture.server.port);
    let other = fixture
        .client(START)
        .variable("ALIBABA_CLOUD_CREDENTIALS_URI", &url);
    assert_eq!(other.run(), secret(2));
}

#[test]
fn entry_survives_small_clock_jumps_and_no_others() {
    for (jump, is_used) in [
        (-1, true),
        (-60, true),
        (-61, false),
        (-86_400, false),
        (LIFETIME - 61, true),
        (LIFETIME - 60, false),
        (86_400, false),
    ] {
        let now = START.plus_seconds(jump);
        let fixture = Fixture::new(move |call| match call.number {
            2 => key_reply(2, now),
            number => key_reply(number, START),
        });
        assert_eq!(fixture.client(START).run(), secret(1), "{jump}");
        let result = fixture.client(now).run();
        // The key that ends soon is renewed.
        let is_renewed = jump == LIFETIME - 61;
        let expected = if is_used && !is_renewed { 1 } else { 2 };
        assert_eq!(result, secret(expected), "{jump}");
        assert_eq!(fixture.server.calls(), expected, "{jump}");
        // Back at the right time, there is a key again.
        let result = fixture.client(START).run();
        assert!(result.is_ok(), "{jump} {result:?}");
    }
}
