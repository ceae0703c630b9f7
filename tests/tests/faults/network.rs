//! The way to STS at fault: nobody listens, packets are lost, names are not resolved.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{io, thread};

use ack_ram_tests::proxy::Proxy;
use ack_ram_tests::sts::Emulator;
use ack_ram_tests::{isolation, ports};
use tokio::net::TcpSocket;

use crate::fixture::Meanwhile::{self, Granted, Unavailable};
use crate::fixture::{FaultFixture, IMPATIENT, PATIENCE, Plan};
use crate::matrix::{Fail, Figures, Matrix};
use crate::resolver::{Answer, Resolver};

pub fn rows(matrix: &mut Matrix) {
    matrix.row("connect: nobody listens", nobody_listens);
    matrix.row("connect: packets are lost", packets_are_lost);
    matrix.row("connect: cut again and again", cut_again_and_again);
    matrix.row("DNS: no such name", || {
        dns("missing", Answer::NoSuchName, Unavailable)
    });
    matrix.row("DNS: the resolver fails", || {
        dns("failing", Answer::Failure, Unavailable)
    });
    matrix.row("DNS: the resolver is silent", || {
        dns("silent", Answer::Silence, Unavailable)
    });
    matrix.row("DNS: an address where nobody listens", || {
        dns("wrong", Answer::Addresses(vec![DEAD]), Unavailable)
    });
    matrix.row("DNS: one of two addresses is dead", || {
        dns(
            "half",
            Answer::Addresses(vec![DEAD, Ipv4Addr::LOCALHOST]),
            Granted,
        )
    });
}

/// On loopback, too, and nobody listens there.
const DEAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 99);

/// A server that reaches its STS by a proxy, at an address that stays.
async fn by_proxy() -> Result<(FaultFixture, Proxy), Fail> {
    let sts = Emulator::builder().demo().start()?;
    let proxy = Proxy::start_at(address(ports::free_port()), sts.address())?;
    let plan = Plan {
        endpoint: Some(format!("https://{}", proxy.address())),
        patience: IMPATIENT,
        ..Plan::default()
    };
    Ok((FaultFixture::start_with(sts, plan).await?, proxy))
}

/// A proxy at the `address` of one that has ended. Its listener lives a little longer in processes that are just being
/// started.
fn restart_proxy(address: SocketAddr, server: SocketAddr) -> Result<Proxy, Fail> {
    patiently(|| Proxy::start_at(address, server))
}

fn patiently<T>(bind: impl Fn() -> io::Result<T>) -> Result<T, Fail> {
    let start = Instant::now();
    loop {
        match bind() {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && start.elapsed() < PATIENCE =>
            {
                thread::sleep(Duration::from_millis(10));
            }
            bound => return Ok(bound?),
        }
    }
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn nobody_listens() -> Result<Figures, Fail> {
    let (fixture, proxy) = by_proxy().await?;
    let address = proxy.address();
    drop(proxy);
    let mut back = None;
    let over = |fixture: &FaultFixture| {
        back = Some(restart_proxy(address, fixture.sts.address())?);
        Ok(())
    };
    fixture.run(Unavailable, over).await
}

/// A listener whose backlog is full does not answer: the kernel drops what would begin a connection.
async fn packets_are_lost() -> Result<Figures, Fail> {
    let (fixture, proxy) = by_proxy().await?;
    let address = proxy.address();
    drop(proxy);
    let listener = patiently(|| {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(0)
    })?;
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    let mut back = None;
    let over = |fixture: &FaultFixture| {
        drop((listener, waiting));
        back = Some(restart_proxy(address, fixture.sts.address())?);
        Ok(())
    };
    fixture.run(Unavailable, over).await
}

async fn cut_again_and_again() -> Result<Figures, Fail> {
    let (fixture, proxy) = by_proxy().await?;
    let cutting = async {
        loop {
            tokio::time::sleep(Duration::from_millis(30)).await;
            proxy.cut();
        }
    };
    let tally = tokio::select! {
        tally = fixture.run_traffic() => tally,
        () = cutting => return Err("it cuts for ever".into()),
    };
    Meanwhile::Some.check(&tally)?;
    let recovered = fixture.recovered().await?;
    fixture.end(tally, recovered).await
}

/// The name server of this test program.
fn resolver() -> Result<&'static Resolver, Fail> {
    static RESOLVER: OnceLock<Result<Resolver, String>> = OnceLock::new();
    let started = RESOLVER.get_or_init(|| {
        let resolver = Resolver::start().map_err(|error| error.to_string())?;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        for (path, text) in [
            ("/etc/resolv.conf", resolver.configuration()),
            ("/etc/nsswitch.conf", "hosts: files dns\n".to_owned()),
        ] {
            let file = folder.path().join("file");
            std::fs::write(&file, text).map_err(|error| error.to_string())?;
            isolation::replace_file(path, &file).map_err(|error| format!("{path}: {error}"))?;
            // The mount keeps what it shows.
            std::fs::remove_file(&file).map_err(|error| error.to_string())?;
        }
        Ok(resolver)
    });
    started.as_ref().map_err(|error| error.clone().into())
}

async fn dns(label: &str, answer: Answer, meanwhile: Meanwhile) -> Result<Figures, Fail> {
    let resolver = resolver()?;
    let name = format!("{label}.sts.test");
    let right = Answer::Addresses(vec![Ipv4Addr::LOCALHOST]);
    resolver.set(&name, right.clone());
    let sts = Emulator::builder().demo().name(&name).start()?;
    let plan = Plan {
        endpoint: Some(format!("https://{name}:{}", sts.address().port())),
        patience: IMPATIENT,
        ..Plan::default()
    };
    let fixture = FaultFixture::start_with(sts, plan).await?;
    resolver.set(&name, answer);
    fixture.sts.cut_connections();
    let over = |_: &FaultFixture| {
        resolver.set(&name, right);
        Ok(())
    };
    fixture.run(meanwhile, over).await
}
