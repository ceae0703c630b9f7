//! STS at fault: in the connection, in the handshake, in the head and in the body of its answers.

use std::time::Duration;

use ack_ram_tests::sts::{Emulator, Fault, Handshake, Wire};
use bytes::Bytes;

use crate::fixture::Meanwhile::{self, Granted, Unavailable};
use crate::fixture::{FaultFixture, IMPATIENT, Plan};
use crate::matrix::{Fail, Figures, Matrix};

pub fn rows(matrix: &mut Matrix) {
    for (name, fault, meanwhile) in faults() {
        matrix.row(name, move || row(fault, meanwhile));
    }
    matrix.row("head: a redirect to one who would let anybody in", redirect);
}

/// Longer than the server waits.
const LONG: Duration = Duration::from_secs(120);

fn faults() -> Vec<(&'static str, Fault, Meanwhile)> {
    use Fault::{InHandshake, OnWire};
    let reply = |status, body: Vec<u8>| Fault::Reply {
        status,
        body: Bytes::from(body),
    };
    let html = || b"<html>gateway</html>".to_vec();
    let twice = br#"{"IdentityType":"RAMUser","AccountId":"1234567890123456","PrincipalId":"200000000000000001","UserId":"200000000000000001","Arn":"acs:ram::1234567890123456:user/alice","Arn":"acs:ram::1234567890123456:user/alice"}"#;
    vec![
        ("connect: closed at once", Fault::CloseOnAccept, Unavailable),
        ("connect: reset at once", Fault::ResetOnAccept, Unavailable),
        (
            "connect: accepted and silent",
            Fault::StallOnAccept,
            Unavailable,
        ),
        ("TLS: stalls", InHandshake(Handshake::Stall), Unavailable),
        (
            "TLS: breaks off",
            InHandshake(Handshake::Close),
            Unavailable,
        ),
        ("TLS: an alert", InHandshake(Handshake::Alert), Unavailable),
        (
            "TLS: plain text",
            InHandshake(Handshake::PlainText),
            Unavailable,
        ),
        (
            "TLS: a stranger's certificate",
            InHandshake(Handshake::OtherAuthority),
            Unavailable,
        ),
        (
            "TLS: a certificate for another name",
            InHandshake(Handshake::OtherName),
            Unavailable,
        ),
        (
            "TLS: a certificate that has expired",
            InHandshake(Handshake::Expired),
            Unavailable,
        ),
        (
            "head: closed before it",
            Fault::CloseBeforeHeaders,
            Unavailable,
        ),
        (
            "head: reset before it",
            OnWire(Wire::ResetBeforeHead),
            Unavailable,
        ),
        ("head: never comes", Fault::Hang, Unavailable),
        ("head: two minutes late", Fault::Delay(LONG), Unavailable),
        (
            "head: half a second late",
            Fault::Delay(Duration::from_millis(500)),
            Granted,
        ),
        (
            "head: a byte at a time",
            OnWire(Wire::SlowHead),
            Unavailable,
        ),
        ("head: without end", OnWire(Wire::EndlessHead), Unavailable),
        ("head: a megabyte", Fault::HugeHeaders, Unavailable),
        ("head: another protocol", OnWire(Wire::NoHttp), Unavailable),
        (
            "head: switches to another protocol",
            OnWire(Wire::SwitchingProtocols),
            Unavailable,
        ),
        ("head: early hints first", OnWire(Wire::EarlyHints), Granted),
        (
            "head: early hints without end",
            OnWire(Wire::EndlessHints),
            Unavailable,
        ),
        ("head: HTTP/1.0", OnWire(Wire::Http10), Granted),
        ("head: two lengths", OnWire(Wire::TwoLengths), Unavailable),
        (
            "head: another content type",
            Fault::ContentType("text/html"),
            Granted,
        ),
        ("head: 502 and HTML", reply(502, html()), Unavailable),
        ("head: 403 and HTML", reply(403, html()), Unavailable),
        ("head: 200 and HTML", reply(200, html()), Unavailable),
        ("head: 204", reply(204, Vec::new()), Unavailable),
        ("body: closed in it", Fault::CloseInBody, Unavailable),
        ("body: reset in it", OnWire(Wire::ResetInBody), Unavailable),
        (
            "body: more announced than comes",
            Fault::ContentLengthTooLong,
            Unavailable,
        ),
        (
            "body: less than its JSON needs",
            Fault::ContentLengthTooShort,
            Unavailable,
        ),
        (
            "body: a byte at a time",
            OnWire(Wire::SlowBody),
            Unavailable,
        ),
        ("body: chunks without end", Fault::EndlessBody, Unavailable),
        (
            "body: no length and no end",
            OnWire(Wire::EndlessWithoutLength),
            Unavailable,
        ),
        (
            "body: a broken chunk",
            OnWire(Wire::BrokenChunk),
            Unavailable,
        ),
        ("body: garbage", Fault::Garbage, Unavailable),
        ("body: empty", reply(200, Vec::new()), Unavailable),
        (
            "body: 30,000 brackets",
            reply(200, vec![b'['; 30_000]),
            Unavailable,
        ),
        (
            "body: the ARN twice",
            reply(200, twice.to_vec()),
            Unavailable,
        ),
        (
            "after it: closed without notice",
            OnWire(Wire::CloseAfterwards),
            Granted,
        ),
        ("STS: throttles the user", Fault::ThrottleUser, Unavailable),
        ("STS: throttles everybody", Fault::ThrottleApi, Unavailable),
        ("STS: 500", Fault::InternalError, Unavailable),
        ("STS: 503", Fault::ServiceUnavailable, Unavailable),
    ]
}

async fn row(fault: Fault, meanwhile: Meanwhile) -> Result<Figures, Fail> {
    let mut plan = Plan::default();
    if matches!(meanwhile, Unavailable) {
        plan.patience = IMPATIENT;
    }
    let fixture = FaultFixture::start_with(Emulator::builder().demo().start()?, plan).await?;
    fixture.sts.set_fault(Some(fault));
    fixture.sts.cut_connections();
    let over = |fixture: &FaultFixture| {
        fixture.sts.set_fault(None);
        Ok(())
    };
    fixture.run(meanwhile, over).await
}

async fn redirect() -> Result<Figures, Fail> {
    let elsewhere = Emulator::builder().demo().start()?;
    let fixture =
        FaultFixture::start_with(Emulator::builder().demo().start()?, Plan::default()).await?;
    fixture
        .sts
        .set_fault(Some(Fault::Redirect(elsewhere.url())));
    let over = |fixture: &FaultFixture| {
        fixture.sts.set_fault(None);
        Ok(())
    };
    let figures = fixture.run(Unavailable, over).await?;
    match elsewhere.connections() {
        0 => Ok(figures),
        count => Err(format!("{count} connections to where it points").into()),
    }
}
