//! Keys that end soon.

use crate::fixture::{Fixture, LIFETIME, START, key_reply, secret};

#[test]
fn one_process_renews_while_others_use_the_old_key() {
    let later = START.plus_seconds(LIFETIME - 600);
    let (fixture, gate) = Fixture::with_gate(2, move |call| {
        key_reply(call.number, if call.number == 1 { START } else { later })
    });
    assert_eq!(fixture.client(START).run(), secret(1));
    let before = fixture.client(START.plus_seconds(LIFETIME - 601));
    assert_eq!(before.run(), secret(1));
    assert_eq!(fixture.server.calls(), 1);

    let client = fixture.client(later);
    let renewing = client.start();
    fixture.server.wait_for_call(2);
    for _ in 0..3 {
        assert_eq!(client.run(), secret(1));
    }
    gate.add();
    assert_eq!(renewing.finish(), secret(2));
    assert_eq!(client.run(), secret(2));
    assert_eq!(fixture.server.calls(), 2);
}

#[test]
fn killed_renewal_leaves_the_old_key() {
    let later = START.plus_seconds(LIFETIME - 600);
    let (fixture, _closed) = Fixture::with_gate(2, move |call| {
        key_reply(call.number, if call.number == 1 { START } else { later })
    });
    assert_eq!(fixture.client(START).run(), secret(1));
    let client = fixture.client(later);
    let renewing = client.start();
    fixture.server.wait_for_call(2);
    renewing.kill();
    // The next process renews the key.
    assert_eq!(client.run(), secret(3));

    let much_later = later.plus_seconds(LIFETIME - 300);
    let client = fixture.client(much_later);
    client.clone().killed_at_write().start().wait_for_signal();
    assert_eq!(fixture.server.calls(), 4);
    let result = client.run();
    assert!(result == secret(5) || result == secret(3), "{result:?}");
}

#[test]
fn failed_renewal_harms_nobody_before_the_last_minute() {
    let fixture = Fixture::new(|call| match call.number {
        1 => key_reply(1, START),
        2 => (500, String::new()),
        3..=5 => (403, String::new()),
        number => key_reply(number, START.plus_seconds(LIFETIME)),
    });
    let client = |left: i64| fixture.client(START.plus_seconds(LIFETIME - left));
    assert_eq!(fixture.client(START).run(), secret(1));
    for (left, expected, calls) in [
        // The renewal fails, and starts again half a minute later.
        (600, secret(1), 2),
        (599, secret(1), 2),
        (571, secret(1), 2),
        (570, secret(1), 3),
        (569, secret(1), 3),
        (61, secret(1), 4),
        // The last minute: the refusal of the renewal is remembered, but not longer than five seconds.
        (60, Err(String::new()), 4),
        (57, Err(String::new()), 4),
        (56, Err(String::new()), 5),
        (55, Err(String::new()), 5),
        (51, secret(6), 6),
    ] {
        let result = client(left).run();
        match expected {
            Ok(_) => assert_eq!(result, expected, "{left}"),
            Err(_) => {
                let error = result.unwrap_err();
                assert!(error.contains("HTTP status 403"), "{left} {error}");
            }
        }
        assert_eq!(fixture.server.calls(), calls, "{left}");
    }
}
