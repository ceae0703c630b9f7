//! Calls to STS: waiting streams, limits, retries, and failures.

use super::*;

fn seconds_later(seconds: u64) -> Duration {
    NOW + Duration::from_secs(seconds)
}

#[test]
fn call_for_equal_tokens_survives_first_stream() {
    let mut worker = worker("");
    for stream in 1..=4 {
        assert!(matches!(
            log_in(&mut worker, stream, "LTAI1").action,
            RequestAction::Wait
        ));
    }
    call(&mut worker, 7);
    assert!(worker.next_call().is_none());
    worker.close_stream(1);
    let resumed = answer(&mut worker, 7, 200, ALICE);
    let streams: Vec<_> = resumed.iter().map(|resumed| resumed.stream).collect();
    assert_eq!(streams, [2, 3, 4]);
    assert!(
        resumed
            .iter()
            .all(|resumed| admitted_or_refusal_kind(&resumed.action).is_ok())
    );
    assert_eq!(worker.sizes(), (0, 1));
    // The reply is cached even if all streams are closed.
    let _waits = log_in(&mut worker, 5, "LTAI2");
    call(&mut worker, 8);
    worker.close_stream(5);
    assert!(answer(&mut worker, 8, 200, ALICE).is_empty());
    assert!(admitted_or_refusal_kind(&log_in(&mut worker, 6, "LTAI2").action).is_ok());
    // An unsent call is dropped if its only stream is closed.
    let _waits = log_in(&mut worker, 7, "LTAI3");
    worker.close_stream(7);
    assert!(worker.next_call().is_none());
    assert_eq!(worker.sizes().0, 0);
}

#[test]
fn unexpected_reply_is_ignored() {
    let mut worker = worker("");
    assert!(answer(&mut worker, 9, 200, ALICE).is_empty());
    let _waits = log_in(&mut worker, 1, "LTAI1");
    call(&mut worker, 7);
    assert!(answer(&mut worker, 8, 200, ALICE).is_empty());
    assert!(worker.is_waiting(1));
    assert_eq!(answer(&mut worker, 7, 200, ALICE).len(), 1);
    assert!(answer(&mut worker, 7, 200, ALICE).is_empty());
}

#[test]
fn calls_and_waiting_streams_are_limited() {
    let mut worker = worker("");
    worker.settings.sts.max_calls = 2;
    worker.settings.sts.max_waiting = 8;
    // A flood of one token leaves half of the free slots.
    let flood: Vec<_> = (1..=8)
        .map(|stream| log_in(&mut worker, stream, "LTAI1"))
        .collect();
    let waiting = flood
        .iter()
        .filter(|plan| matches!(plan.action, RequestAction::Wait));
    assert_eq!(waiting.count(), 4);
    assert_eq!(
        admitted_or_refusal_kind(&flood[7].action).unwrap_err(),
        RefusalKind::Unavailable
    );
    for (stream, key) in [(11, "LTAI2"), (12, "LTAI3"), (13, "LTAI4"), (14, "LTAI5")] {
        assert!(matches!(
            log_in(&mut worker, stream, key).action,
            RequestAction::Wait
        ));
    }
    assert_eq!(
        admitted_or_refusal_kind(&log_in(&mut worker, 15, "LTAI6").action).unwrap_err(),
        RefusalKind::Unavailable
    );
    call(&mut worker, 1);
    call(&mut worker, 2);
    assert!(worker.next_call().is_none());
    let _resumed = answer(&mut worker, 1, 200, ALICE);
    call(&mut worker, 3);
    assert!(worker.next_call().is_none());
    // A call that waited too long is not sent.
    let _resumed = answer(&mut worker, 2, 200, ALICE);
    let late = worker.next_call().unwrap();
    assert!(worker.prepare(late, NOW + Duration::from_secs(6)).is_none());
    let resumed = worker.fail_call(late, &Unavailable::Overloaded);
    assert_eq!(
        admitted_or_refusal_kind(&resumed[0].action).unwrap_err(),
        RefusalKind::Unavailable
    );
}

#[test]
fn new_configuration_ends_all_waiting_streams() {
    let mut worker = worker("");
    for (stream, key) in [(1, "LTAI1"), (2, "LTAI1"), (3, "LTAI2")] {
        let _waits = log_in(&mut worker, stream, key);
    }
    call(&mut worker, 7);
    let resumed = worker.fail_all();
    assert_eq!(resumed.len(), 3);
    for resumed in &resumed {
        assert_eq!(
            admitted_or_refusal_kind(&resumed.action).unwrap_err(),
            RefusalKind::Unavailable
        );
    }
    assert!(answer(&mut worker, 7, 200, ALICE).is_empty());
}

#[test]
fn reply_made_up_by_envoy_is_unavailable() {
    let (unreachable, timed_out) = (StsReply::Unreachable, StsReply::TimedOut);
    for (status, body, expected) in [
        (
            503,
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            Some(&unreachable),
        ),
        (503, "no healthy upstream", Some(&unreachable)),
        (503, "", Some(&unreachable)),
        (504, "upstream request timeout", Some(&timed_out)),
        (504, "", Some(&timed_out)),
        (503, r#"{"Code":"ServiceUnavailable"}"#, None),
        (503, " \n{}", None),
        (504, "{}", None),
        (200, "", None),
        (200, "upstream connect error", None),
        (500, "upstream connect error", None),
    ] {
        let body = body.as_bytes();
        let response = StsReply::Response { status, body };
        let expected = expected.unwrap_or(&response);
        assert_eq!(classify_reply(status, body), *expected, "{status} {body:?}");
    }
}

#[test]
fn broken_call_is_retried_once() {
    let mut worker = worker("");
    worker.settings.sts.max_calls = 1;
    let _waits = log_in(&mut worker, 1, "LTAI1");
    let _waits = log_in(&mut worker, 2, "LTAI2");
    let first = call(&mut worker, 7);
    let broken_off = worker.complete_call(7, StsReply::Unreachable, seconds_later(1));
    assert!(broken_off.resumed.is_empty() && broken_off.elapsed.is_none());
    assert!(worker.is_waiting(1));
    // The retry takes precedence over other calls, sends the same bytes, and gets only the remaining time.
    let again = worker.next_call().unwrap();
    let second = worker.prepare(again, seconds_later(1)).unwrap();
    assert_eq!(second.headers, first.headers);
    assert_eq!(first.timeout, Duration::from_secs(5));
    assert_eq!(second.timeout, Duration::from_secs(4));
    worker.mark_sent(again, 8, seconds_later(1));
    assert!(worker.next_call().is_none());
    assert!(answer(&mut worker, 7, 200, ALICE).is_empty());
    let resumed = answer(&mut worker, 8, 200, ALICE);
    assert_eq!(
        admitted_or_refusal_kind(&resumed[0].action)
            .unwrap()
            .username,
        "alice"
    );
    // A call is retried only once.
    call(&mut worker, 9);
    assert!(
        worker
            .complete_call(9, StsReply::Unreachable, NOW)
            .resumed
            .is_empty()
    );
    call(&mut worker, 10);
    let resumed = worker.complete_call(10, StsReply::Unreachable, NOW).resumed;
    assert_eq!((resumed.len(), resumed[0].stream), (1, 2));
    assert_eq!(
        admitted_or_refusal_kind(&resumed[0].action).unwrap_err(),
        RefusalKind::Unavailable
    );
    assert!(worker.next_call().is_none());
}

#[test]
fn broken_call_is_not_retried_when_useless() {
    let ends = |worker: &mut Worker, reply: StsReply<'_>, milliseconds: u64| {
        let later = NOW + Duration::from_millis(milliseconds);
        let resumed = worker.complete_call(7, reply, later).resumed;
        assert!(worker.next_call().is_none());
        resumed
    };
    let busy = StsReply::Response {
        status: 503,
        body: b"{}",
    };
    for (reply, milliseconds) in [
        (StsReply::TimedOut, 1),
        (StsReply::TooLarge, 1),
        (busy, 1),
        // The time limit is reached, or almost reached.
        (StsReply::Unreachable, 5_000),
        (StsReply::Unreachable, 4_501),
    ] {
        let mut worker = worker("");
        let _waits = log_in(&mut worker, 1, "LTAI1");
        call(&mut worker, 7);
        let resumed = ends(&mut worker, reply, milliseconds);
        assert_eq!(
            admitted_or_refusal_kind(&resumed[0].action).unwrap_err(),
            RefusalKind::Unavailable
        );
    }
    // No stream waits for the call any more.
    let mut without_streams = worker("");
    let _waits = log_in(&mut without_streams, 1, "LTAI1");
    call(&mut without_streams, 7);
    without_streams.close_stream(1);
    assert!(ends(&mut without_streams, StsReply::Unreachable, 1).is_empty());
}

#[test]
fn closed_stream_drops_its_unsent_retry() {
    let mut worker = worker("");
    let _waits = log_in(&mut worker, 1, "LTAI1");
    call(&mut worker, 7);
    let _none = worker.complete_call(7, StsReply::Unreachable, NOW);
    worker.close_stream(1);
    assert!(worker.next_call().is_none());
    assert_eq!(worker.sizes(), (0, 0));
    // A later request starts a new call.
    let _waits = log_in(&mut worker, 2, "LTAI1");
    call(&mut worker, 8);
    assert_eq!(answer(&mut worker, 8, 200, ALICE).len(), 1);
}

#[test]
fn retry_has_remaining_time() {
    let ms = Duration::from_millis;
    let us = Duration::from_micros;
    for (limit, sent_after, broke_off_after, left) in [
        (ms(5_000), ms(0), ms(4_500), Some(ms(500))),
        (ms(5_000), ms(0), us(4_500_001), None),
        // The time in the queue does not count.
        (ms(5_000), ms(3_000), ms(1_000), Some(ms(4_000))),
        (ms(5), ms(0), ms(4), Some(ms(1))),
        // Envoy would treat less than a millisecond as no timeout.
        (ms(5), ms(0), us(4_300), None),
        (ms(1), ms(0), us(1), None),
    ] {
        let mut worker = worker("");
        worker.settings.sts.timeout = limit;
        let _waits = log_in(&mut worker, 1, "LTAI1");
        let next = worker.next_call().unwrap();
        let sent = NOW + sent_after;
        worker.mark_sent(next, 7, sent);
        let broke_off = sent + broke_off_after;
        let completed = worker.complete_call(7, StsReply::Unreachable, broke_off);
        let case = (limit, broke_off_after);
        assert_eq!(completed.resumed.is_empty(), left.is_some(), "{case:?}");
        let again = worker.next_call();
        let call = again.and_then(|again| worker.prepare(again, broke_off));
        assert_eq!(call.map(|call| call.timeout), left, "{case:?}");
    }
}
