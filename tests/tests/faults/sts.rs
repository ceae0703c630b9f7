//! Faults of STS: in the connection, in the handshake, and in the head and body of its answers.

use std::time::Duration;

use ack_ram_tests::sts::{Emulator, Fault, Handshake, Wire};
use bytes::Bytes;

use crate::fixture::Meanwhile::{self, Granted, Unavailable};
use crate::fixture::{FaultFixture, Plan, SHORT_TIMEOUTS};
use crate::matrix::{Fail, Figures, Matrix};

pub fn rows(matrix: &mut Matrix) {
    for (name, fault, meanwhile) in faults() {
        matrix.row(name, move || row(fault, meanwhile));
    }
    matrix.row("head: a redirect to an STS that would accept all", redirect);
}

/// Longer than the timeout of the server.
const LONG: Duration = Duration::from_secs(120);

fn faults() -> Vec<(&'static str, Fault, Meanwhile)> {
    use Fault::{InHandshake, OnWire};
    let reply = |status, body: Vec<u8>| Fault::Reply {
        status,
        body: Bytes::from(body),
    };
    let html = || b"<html>gateway</html>".to_vec();
    let twice = br#"{"IdentityType":"RAMUser","AccountId":"1234567890123456","PrincipalId":"200000000000000001","UserId":"200000000000000001","Arn":"acs:ram::1234567890123456:user/alice","Arn":"acs:ram::1234567890123456:user/alice"}"#;
    let unavailable = vec![
        ("connect: closed on accept", Fault::CloseOnAccept),
        ("connect: reset on accept", Fault::ResetOnAccept),
        ("connect: accepted and silent", Fault::StallOnAccept),
        ("TLS: stalls", InHandshake(Handshake::Stall)),
        (
            "TLS: closed in the handshake",
            InHandshake(Handshake::Close),
        ),
        ("TLS: an alert", InHandshake(Handshake::Alert)),
        ("TLS: plain text", InHandshake(Handshake::PlainText)),
        (
            "TLS: a certificate of another CA",
            InHandshake(Handshake::OtherAuthority),
        ),
        (
            "TLS: a certificate for another name",
            InHandshake(Handshake::OtherName),
        ),
        (
            "TLS: a certificate that has expired",
            InHandshake(Handshake::Expired),
        ),
        ("head: closed before it", Fault::CloseBeforeHeaders),
        ("head: reset before it", OnWire(Wire::ResetBeforeHead)),
        ("head: never arrives", Fault::Hang),
        ("head: two minutes late", Fault::Delay(LONG)),
        ("head: a byte at a time", OnWire(Wire::SlowHead)),
        ("head: without end", OnWire(Wire::EndlessHead)),
        ("head: a megabyte", Fault::HugeHeaders),
        ("head: another protocol", OnWire(Wire::NoHttp)),
        (
            "head: switches to another protocol",
            OnWire(Wire::SwitchingProtocols),
        ),
        ("head: early hints without end", OnWire(Wire::EndlessHints)),
        ("head: two lengths", OnWire(Wire::TwoLengths)),
        ("head: 502 and HTML", reply(502, html())),
        ("head: 403 and HTML", reply(403, html())),
        ("head: 200 and HTML", reply(200, html())),
        ("head: 204", reply(204, Vec::new())),
        ("body: closed in it", Fault::CloseInBody),
        ("body: reset in it", OnWire(Wire::ResetInBody)),
        ("body: shorter than announced", Fault::ContentLengthTooLong),
        (
            "body: announced shorter than its JSON",
            Fault::ContentLengthTooShort,
        ),
        ("body: a byte at a time", OnWire(Wire::SlowBody)),
        ("body: chunks without end", Fault::EndlessBody),
        (
            "body: no length and no end",
            OnWire(Wire::EndlessWithoutLength),
        ),
        ("body: a broken chunk", OnWire(Wire::BrokenChunk)),
        ("body: garbage", Fault::Garbage),
        ("body: empty", reply(200, Vec::new())),
        ("body: 30,000 brackets", reply(200, vec![b'['; 30_000])),
        ("body: the ARN twice", reply(200, twice.to_vec())),
        ("STS: throttles the user", Fault::ThrottleUser),
        ("STS: throttles the API", Fault::ThrottleApi),
        ("STS: 500", Fault::InternalError),
        ("STS: 503", Fault::ServiceUnavailable),
    ];
    let granted = vec![
        (
            "head: half a second late",
            Fault::Delay(Duration::from_millis(500)),
        ),
        ("head: early hints first", OnWire(Wire::EarlyHints)),
        ("head: HTTP/1.0", OnWire(Wire::Http10)),
        (
            "head: another content type",
            Fault::ContentType("text/html"),
        ),
        (
            "after the body: closed without notice",
            OnWire(Wire::CloseAfterwards),
        ),
    ];
    let with = |meanwhile| move |(name, fault)| (name, fault, meanwhile);
    let unavailable = unavailable.into_iter().map(with(Unavailable));
    let granted = granted.into_iter().map(with(Granted));
    unavailable.chain(granted).collect()
}

async fn row(fault: Fault, meanwhile: Meanwhile) -> Result<Figures, Fail> {
    let mut plan = Plan::default();
    if matches!(meanwhile, Unavailable) {
        plan.timeouts = SHORT_TIMEOUTS;
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
        count => Err(format!("{count} connections to the target of the redirect").into()),
    }
}
