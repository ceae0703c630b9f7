//! Faults of one of two STS endpoints, or of both.

use ack_ram_tests::sts::{Emulator, Fault, Handshake};

use crate::fixture::Meanwhile::{self, Granted, Unavailable};
use crate::fixture::{FaultFixture, Plan, SHORT_TIMEOUTS};
use crate::matrix::{Fail, Figures, Matrix};

pub fn rows(matrix: &mut Matrix) {
    for (name, fault) in [
        (
            "fallback: the first endpoint closes connections",
            Fault::CloseOnAccept,
        ),
        (
            "fallback: the first endpoint is silent",
            Fault::StallOnAccept,
        ),
        (
            "fallback: the first endpoint has a certificate of another CA",
            Fault::InHandshake(Handshake::OtherAuthority),
        ),
        ("fallback: the first endpoint does not answer", Fault::Hang),
        (
            "fallback: the first endpoint answers 500",
            Fault::InternalError,
        ),
    ] {
        matrix.row(name, move || row(fault, None, Granted));
    }
    matrix.row("fallback: both endpoints answer 500", || {
        row(
            Fault::InternalError,
            Some(Fault::InternalError),
            Unavailable,
        )
    });
    matrix.row("fallback: only the second endpoint fails", || {
        row_of_second(Fault::StallOnAccept)
    });
}

fn sts() -> Result<Emulator, Fail> {
    Ok(Emulator::builder().demo().start()?)
}

async fn fixture() -> Result<FaultFixture, Fail> {
    let plan = Plan {
        fallbacks: vec![sts()?],
        timeouts: SHORT_TIMEOUTS,
        ..Plan::default()
    };
    FaultFixture::start_with(sts()?, plan).await
}

fn clear_faults(fixture: &FaultFixture) -> Result<(), Fail> {
    for sts in fixture.fallbacks.iter().chain([&*fixture.sts]) {
        sts.set_fault(None);
    }
    Ok(())
}

async fn row(first: Fault, second: Option<Fault>, meanwhile: Meanwhile) -> Result<Figures, Fail> {
    let fixture = fixture().await?;
    fixture.fallbacks[0].set_fault(second);
    fixture.sts.set_fault(Some(first));
    fixture.sts.cut_connections();
    fixture.run(meanwhile, clear_faults).await
}

async fn row_of_second(fault: Fault) -> Result<Figures, Fail> {
    let fixture = fixture().await?;
    fixture.fallbacks[0].set_fault(Some(fault));
    fixture.run(Granted, clear_faults).await
}
