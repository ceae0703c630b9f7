//! Keys that end soon.

use std::fs;

use crate::fixture::{Fixture, LIFETIME, START, key_reply, role_reply, secret};

#[test]
fn one_process_renews_while_others_use_the_old_key() {
    let later = START.plus_seconds(LIFETIME - 600);
    let (fixture, gate) = Fixture::with_gate(2, move |call| {
        role_reply(call.number, if call.number == 1 { START } else { later })
    });
    assert_eq!(fixture.role_client(START).run(), secret(1));
    let before = fixture.role_client(START.plus_seconds(LIFETIME - 601));
    assert_eq!(before.run(), secret(1));
    assert_eq!(fixture.server.calls(), 1);

    let client = fixture.role_client(later);
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
        role_reply(call.number, if call.number == 1 { START } else { later })
    });
    assert_eq!(fixture.role_client(START).run(), secret(1));
    let client = fixture.role_client(later);
    let renewing = client.start();
    fixture.server.wait_for_call(2);
    renewing.kill();
    // The next process renews the key.
    assert_eq!(client.run(), secret(3));

    let much_later = later.plus_seconds(LIFETIME - 300);
    let client = fixture.role_client(much_later);
    client.clone().killed_at_write().start().wait_for_signal();
    assert_eq!(fixture.server.calls(), 4);
    let result = client.run();
    assert!(result == secret(5) || result == secret(3), "{result:?}");
}

#[test]
fn failed_renewal_harms_nobody_before_the_last_minute() {
    let fixture = Fixture::new(|call| match call.number {
        1 => role_reply(1, START),
        2 => (302, String::new()),
        3..=5 => (403, r#"{"Code": "NoPermission"}"#.to_owned()),
        number => role_reply(number, START.plus_seconds(LIFETIME)),
    });
    let client = |left: i64| fixture.role_client(START.plus_seconds(LIFETIME - left));
    assert_eq!(fixture.role_client(START).run(), secret(1));
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
                assert!(error.contains("`NoPermission`"), "{left} {error}");
            }
        }
        assert_eq!(fixture.server.calls(), calls, "{left}");
    }
}

/// The person who uses a program or a service can change, so its keys, and those of roles after them, are used for 15
/// minutes only.
#[test]
fn process_or_url_is_asked_again_after_15_minutes() {
    const AGE: i64 = 15 * 60;

    let fixture = Fixture::new(|call| match (&*call.path, call.number) {
        (_, 3 | 6) => (404, String::new()),
        ("/key", number) => key_reply(number, START),
        (_, number) => role_reply(number, START),
    });
    let url = |seconds| fixture.client(START.plus_seconds(seconds));
    assert_eq!(url(0).run(), secret(1));
    assert_eq!(url(AGE - 1).run(), secret(1));
    assert_eq!(url(AGE).run(), secret(2));
    assert_eq!(url(2 * AGE - 1).run(), secret(2));
    // The key lives, but nobody knows whose it would be now.
    let error = url(2 * AGE).run().unwrap_err();
    assert!(error.contains("HTTP status 404"), "{error}");
    assert_eq!(fixture.server.calls(), 3);

    let role = |seconds| fixture.with_role(url(seconds));
    assert_eq!(role(0).run(), secret(5));
    assert_eq!(role(AGE - 1).run(), secret(5));
    let error = role(AGE).run().unwrap_err();
    assert!(error.contains("HTTP status 404"), "{error}");
    assert_eq!(role(AGE + 5).run(), secret(8));
    assert_eq!(fixture.server.calls(), 8);

    let file = fixture.home().join("number");
    let config = fixture.home().join(".aliyun/config.json");
    fs::create_dir_all(config.parent().unwrap()).unwrap();
    let script = fixture.home().join("get-key");
    let end = START.plus_seconds(LIFETIME).seconds();
    let text = format!(
        r#"read -r number < {}
echo '{{"mode": "StsToken", "access_key_id": "STS.FakeAccessKeyId001", "access_key_secret": "FakeSecret'$number'",
"sts_token": "FakeToken1", "sts_expiration": {end}}}'
"#,
        file.display()
    );
    fs::write(&script, text).unwrap();
    let text = format!(
        r#"{{"current": "p", "profiles": [{{"name": "p", "mode": "External", "process_command": "/bin/sh {}"}}]}}"#,
        script.display()
    );
    fs::write(config, text).unwrap();
    let process = |seconds| fixture.client_without_source(START.plus_seconds(seconds));
    for (number, after, expected) in [(1, 0, 1), (2, AGE - 1, 1), (3, AGE, 3)] {
        fs::write(&file, format!("{number}\n")).unwrap();
        assert_eq!(process(after).run(), secret(expected), "{after}");
    }
    // A role that the process obtains is one key with the process.
    let role = |seconds| fixture.with_role(process(seconds));
    assert_eq!(role(0).run(), secret(9));
    assert_eq!(role(AGE - 1).run(), secret(9));
    assert_eq!(role(AGE).run(), secret(10));
}
