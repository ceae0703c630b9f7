//! Faults between the server and STS: no listener, lost packets, and failing name resolution.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{io, thread};

use ack_ram_tests::proxy::Proxy;
use ack_ram_tests::sts::Emulator;
use ack_ram_tests::{isolation, ports};
use tokio::net::TcpSocket;

use crate::fixture::Meanwhile::{self, Granted, Unavailable};
use crate::fixture::{FaultFixture, PATIENCE, Plan, SHORT_TIMEOUTS};
use crate::matrix::{Fail, Figures, Matrix};
use crate::resolver::{Answer, Resolver};

pub fn rows(matrix: &mut Matrix) {
    matrix.row("connect: no listener", no_listener);
    matrix.row("connect: packets are lost", packets_are_lost);
    matrix.row("connect: cut repeatedly", repeated_cuts);
    matrix.row("DNS: no such name", || {
        dns("missing", Answer::NoSuchName, Unavailable)
    });
    matrix.row("DNS: the resolver fails", || {
        dns("failing", Answer::Failure, Unavailable)
    });
    matrix.row("DNS: the resolver is silent", || {
        dns("silent", Answer::Silence, Unavailable)
    });
    matrix.row("DNS: an address without a listener", || {
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

/// A loopback address without a listener.
const DEAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 99);

/// Starts a server that reaches STS through a proxy. The address of the proxy does not change, and stays reserved while
/// no proxy listens.
async fn start_behind_proxy() -> Result<(FaultFixture, Proxy), Fail> {
    let sts = Emulator::builder().demo().start()?;
    let proxy = Proxy::start_at(address(ports::free_port()), sts.address())?;
    let plan = Plan {
        endpoint: Some(format!("https://{}", proxy.address())),
        timeouts: SHORT_TIMEOUTS,
        ..Plan::default()
    };
    Ok((FaultFixture::start_with(sts, plan).await?, proxy))
}

/// Starts a proxy at the `address` of one that has stopped. Processes that are just starting may hold the old listener
/// a little longer.
fn restart_proxy(address: SocketAddr, server: SocketAddr) -> Result<Proxy, Fail> {
    bind_when_free(|| Proxy::start_at(address, server))
}

fn bind_when_free<T>(bind: impl Fn() -> io::Result<T>) -> Result<T, Fail> {
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

async fn no_listener() -> Result<Figures, Fail> {
    let (fixture, proxy) = start_behind_proxy().await?;
    let address = proxy.address();
    drop(proxy);
    let mut restarted = None;
    let over = |fixture: &FaultFixture| {
        restarted = Some(restart_proxy(address, fixture.sts.address())?);
        Ok(())
    };
    fixture.run(Unavailable, over).await
}

/// Fills the backlog of a listener. It then does not answer, because the kernel drops the packets that would open a
/// connection.
async fn packets_are_lost() -> Result<Figures, Fail> {
    let (fixture, proxy) = start_behind_proxy().await?;
    let address = proxy.address();
    drop(proxy);
    let listener = bind_when_free(|| {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(0)
    })?;
    let mut waiting = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
    }
    let mut restarted = None;
    let over = |fixture: &FaultFixture| {
        drop((listener, waiting));
        restarted = Some(restart_proxy(address, fixture.sts.address())?);
        Ok(())
    };
    fixture.run(Unavailable, over).await
}

async fn repeated_cuts() -> Result<Figures, Fail> {
    let (fixture, proxy) = start_behind_proxy().await?;
    let cutting = async {
        loop {
            tokio::time::sleep(Duration::from_millis(30)).await;
            proxy.cut();
        }
    };
    let tally = tokio::select! {
        tally = fixture.run_traffic() => tally,
        () = cutting => return Err("the cuts ended".into()),
    };
    Meanwhile::Some.check(&tally)?;
    let recovered = fixture.recovered().await?;
    fixture.end(tally, recovered).await
}

/// Returns the name server of this test program.
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
            // The mount keeps the file.
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
        timeouts: SHORT_TIMEOUTS,
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
