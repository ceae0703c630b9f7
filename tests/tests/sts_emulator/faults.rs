//! The effect of each fault on a client, and the end of each fault.

use std::time::{Duration, Instant};

use ack_ram_tests::sts::{Emulator, Fault, Handshake, Wire, demo};

use crate::client::{Call, PATIENCE, Place, Reply, StsConnection, Symptom, send};

/// How long to wait where no more data is expected.
const SHORT: Duration = Duration::from_millis(300);

fn good_call(sts: &Emulator) -> Call {
    Call::acs3("GetCallerIdentity", &[], &demo::user_key(), sts.now())
}

async fn replies_correctly(sts: &Emulator) -> bool {
    let reply = send(sts, &good_call(sts), PATIENCE).await;
    reply.is_ok_and(|reply| reply.text("Arn") == demo::USER_ARN)
}

/// Returns the result of a call while `fault` is set. Checks that the emulator replies correctly afterwards.
async fn call_under_fault(fault: Fault) -> Result<Reply, Symptom> {
    call_under_fault_until(fault, None).await
}

/// Returns the result of a call as [`call_under_fault`] does, for a fault that stalls at the place `end`. The deadline
/// is short only at that place.
async fn call_under_fault_until(fault: Fault, end: Option<Place>) -> Result<Reply, Symptom> {
    let sts = Emulator::builder().demo().start().unwrap();
    sts.set_fault(Some(fault.clone()));
    let deadline = |place| if end == Some(place) { SHORT } else { PATIENCE };
    let result = async {
        let mut connection =
            StsConnection::open(&sts, "localhost", deadline(Place::Handshake)).await?;
        let [head, body] = [Place::Head, Place::Body].map(deadline);
        connection.send_within(&good_call(&sts), head, body).await
    }
    .await;
    let recorded = match fault {
        Fault::CloseOnAccept
        | Fault::StallOnAccept
        | Fault::ResetOnAccept
        | Fault::InHandshake(_) => None,
        _ => Some(Some(fault.clone())),
    };
    // The client may have timed out before the emulator recorded the request.
    let has_come = async {
        while sts.requests().len() < recorded.iter().len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, has_come).await.unwrap();
    sts.set_fault(None);
    assert!(replies_correctly(&sts).await, "after {fault:?}");

    let faults: Vec<_> = sts
        .requests()
        .into_iter()
        .map(|request| request.fault)
        .collect();
    let recorded: Vec<_> = recorded.into_iter().chain([None]).collect();
    assert_eq!(faults, recorded);
    result
}

#[tokio::test]
async fn fault_gives_no_reply() {
    for (fault, symptom) in [
        (Fault::CloseOnAccept, Symptom::NoHandshake),
        (Fault::StallOnAccept, Symptom::TimedOut(Place::Handshake)),
        (Fault::Hang, Symptom::TimedOut(Place::Head)),
        (Fault::Delay(PATIENCE), Symptom::TimedOut(Place::Head)),
        (Fault::CloseBeforeHeaders, Symptom::NoHead),
        (Fault::HugeHeaders, Symptom::NoHead),
        (Fault::CloseInBody, Symptom::BrokenBody),
        (Fault::ContentLengthTooLong, Symptom::TimedOut(Place::Body)),
        (Fault::EndlessBody, Symptom::TooLong),
        (
            Fault::InHandshake(Handshake::Stall),
            Symptom::TimedOut(Place::Handshake),
        ),
        (Fault::InHandshake(Handshake::Close), Symptom::NoHandshake),
        (Fault::InHandshake(Handshake::Alert), Symptom::NoHandshake),
        (
            Fault::InHandshake(Handshake::PlainText),
            Symptom::NoHandshake,
        ),
        (
            Fault::InHandshake(Handshake::OtherAuthority),
            Symptom::NoHandshake,
        ),
        (
            Fault::InHandshake(Handshake::OtherName),
            Symptom::NoHandshake,
        ),
        (Fault::InHandshake(Handshake::Expired), Symptom::NoHandshake),
        (Fault::OnWire(Wire::ResetBeforeHead), Symptom::NoHead),
        (
            Fault::OnWire(Wire::SlowHead),
            Symptom::TimedOut(Place::Head),
        ),
        (Fault::OnWire(Wire::EndlessHead), Symptom::NoHead),
        (Fault::OnWire(Wire::NoHttp), Symptom::NoHead),
        (
            Fault::OnWire(Wire::EndlessHints),
            Symptom::TimedOut(Place::Head),
        ),
        (Fault::OnWire(Wire::TwoLengths), Symptom::NoHead),
        (Fault::OnWire(Wire::ResetInBody), Symptom::BrokenBody),
        (
            Fault::OnWire(Wire::SlowBody),
            Symptom::TimedOut(Place::Body),
        ),
        (Fault::OnWire(Wire::BrokenChunk), Symptom::BrokenBody),
        (Fault::OnWire(Wire::EndlessWithoutLength), Symptom::TooLong),
    ] {
        let end = match &symptom {
            Symptom::TimedOut(place) => Some(place.clone()),
            _ => None,
        };
        let result = call_under_fault_until(fault.clone(), end).await;
        assert_eq!(result.map(|reply| reply.status), Err(symptom), "{fault:?}");
    }
}

/// The place at which the client notices the reset depends on timing.
#[tokio::test]
async fn fault_resets_the_connection() {
    let result = call_under_fault(Fault::ResetOnAccept).await;
    let symptom = result.map(|reply| reply.status).unwrap_err();
    assert!(
        [Symptom::Refused, Symptom::NoHandshake].contains(&symptom),
        "{symptom:?}"
    );
}

#[tokio::test]
async fn fault_answers_with_an_error() {
    for (fault, status, code) in [
        (Fault::ThrottleUser, 400, "Throttling.User"),
        (Fault::ThrottleApi, 400, "Throttling.Api"),
        (Fault::InternalError, 500, "InternalError"),
        (Fault::ServiceUnavailable, 503, "ServiceUnavailable"),
    ] {
        let reply = call_under_fault(fault).await.unwrap();
        assert_eq!((reply.status, reply.text("Code").as_str()), (status, code));
        assert!(!reply.text("RequestId").is_empty());
    }
}

#[tokio::test]
async fn fault_answers_with_invalid_identity() {
    for fault in [Fault::Garbage, Fault::ContentLengthTooShort] {
        let reply = call_under_fault(fault.clone()).await.unwrap();
        assert_eq!(reply.status, 200);
        assert!(!reply.body.is_empty());
        assert!(reply.json().is_null(), "{fault:?}: {:?}", reply.body);
    }

    let elsewhere = "https://elsewhere.test/";
    let reply = call_under_fault(Fault::Redirect(elsewhere.to_owned()))
        .await
        .unwrap();
    assert_eq!(
        (reply.status, &reply.headers["location"]),
        (302, &elsewhere.parse().unwrap())
    );

    let canned = Fault::Reply {
        status: 418,
        body: "short and stout".into(),
    };
    let reply = call_under_fault(canned).await.unwrap();
    assert_eq!(
        (reply.status, &reply.body[..]),
        (418, &b"short and stout"[..])
    );
}

#[tokio::test]
async fn delayed_reply_is_correct() {
    let delay = Duration::from_millis(50);
    let sent = Instant::now();
    let reply = call_under_fault(Fault::Delay(delay)).await.unwrap();
    assert!(sent.elapsed() >= delay);
    assert_eq!(reply.text("Arn"), demo::USER_ARN);
}

#[tokio::test]
async fn held_request_gets_reply_when_fault_changes() {
    let sts = Emulator::builder().demo().start().unwrap();
    for next in [None, Some(Fault::Garbage), Some(Fault::Hold)] {
        sts.clear_requests();
        sts.set_fault(Some(Fault::Hold));
        let call = good_call(&sts);
        let mut held = Box::pin(send(&sts, &call, PATIENCE));
        assert!(tokio::time::timeout(SHORT, &mut held).await.is_err());
        let others = async {
            while sts.requests().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            sts.set_fault(next);
        };
        let (reply, ()) = tokio::join!(held, others);
        assert_eq!(reply.unwrap().text("Arn"), demo::USER_ARN);
    }
}

#[tokio::test]
async fn fault_without_effect_on_content_keeps_the_reply() {
    for (fault, kind) in [
        (Fault::ContentType("text/html"), "text/html"),
        (
            Fault::OnWire(Wire::EarlyHints),
            "application/json;charset=utf-8",
        ),
        (
            Fault::OnWire(Wire::Http10),
            "application/json;charset=utf-8",
        ),
        (
            Fault::OnWire(Wire::CloseAfterwards),
            "application/json;charset=utf-8",
        ),
    ] {
        let reply = call_under_fault(fault.clone()).await.unwrap();
        assert_eq!(reply.text("Arn"), demo::USER_ARN, "{fault:?}");
        assert_eq!(reply.headers["content-type"], kind, "{fault:?}");
    }
    let switched = call_under_fault(Fault::OnWire(Wire::SwitchingProtocols))
        .await
        .unwrap();
    assert_eq!(
        (switched.status, switched.text("Arn")),
        (101, String::new())
    );
}

#[tokio::test]
async fn cut_connections_are_closed() {
    let sts = Emulator::builder().demo().start().unwrap();
    sts.set_fault(Some(Fault::Hang));
    let call = good_call(&sts);
    let cutting = async {
        while sts.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sts.cut_connections();
    };
    let (result, ()) = tokio::join!(send(&sts, &call, PATIENCE), cutting);
    assert_eq!(result.err(), Some(Symptom::NoHead));
    sts.set_fault(None);
    assert!(replies_correctly(&sts).await);
}

#[tokio::test]
async fn fault_for_next_requests_ends_after_them() {
    for (fault, symptom) in [
        (Fault::CloseBeforeHeaders, Symptom::NoHead),
        (Fault::CloseOnAccept, Symptom::NoHandshake),
    ] {
        let sts = Emulator::builder().demo().start().unwrap();
        sts.fault_next(2, fault);
        for _ in 0..2 {
            let result = send(&sts, &good_call(&sts), PATIENCE).await;
            assert_eq!(result.err(), Some(symptom.clone()));
        }
        assert!(replies_correctly(&sts).await);
    }
}

/// A test can check whether the request under the fault was valid.
#[tokio::test]
async fn requests_under_a_fault_are_verified() {
    let sts = Emulator::builder().demo().start().unwrap();
    sts.set_fault(Some(Fault::ThrottleUser));
    let good = good_call(&sts);
    let bad = good.clone().header("content-type", "text/plain");
    for call in [&good, &bad] {
        let reply = send(&sts, call, PATIENCE).await.unwrap();
        assert_eq!(reply.text("Code"), "Throttling.User");
    }
    let errors: Vec<_> = sts
        .requests()
        .into_iter()
        .map(|request| request.error)
        .collect();
    assert_eq!(errors, [None, Some("SignatureDoesNotMatch".to_owned())]);
}
