use std::net::Ipv4Addr;

use super::ClientStanding::{Certified, Granted, Stranger};
use super::ConnectionState::{Answering, Idle, Receiving};
use super::*;

/// The current time in milliseconds, a minute after the arrival of all connections except newcomers.
const NOW: u64 = 60_000;

/// Returns a connection from 10.0.0.`host` that arrived a minute ago and has been in its state since `last`.
fn snapshot(
    host: u8,
    standing: ClientStanding,
    state: ConnectionState,
    last: u64,
) -> ConnectionSnapshot {
    ConnectionSnapshot {
        origin: Origin::from_address(Ipv4Addr::new(10, 0, 0, host).into()),
        standing,
        state,
        arrived: Duration::ZERO,
        last: Duration::from_millis(last),
        is_leaving: false,
    }
}

/// Returns a newcomer from 10.0.0.`host` that arrived `ago` milliseconds ago.
fn newcomer(host: u8, ago: u64) -> ConnectionSnapshot {
    let arrived = Duration::from_millis(NOW - ago);
    ConnectionSnapshot {
        arrived,
        last: arrived,
        ..snapshot(host, Stranger, Idle, 0)
    }
}

fn leaving(snapshot: ConnectionSnapshot) -> ConnectionSnapshot {
    ConnectionSnapshot {
        is_leaving: true,
        ..snapshot
    }
}

fn wait(milliseconds: u64) -> EvictionChoice {
    EvictionChoice::Wait(Duration::from_millis(milliseconds))
}

#[test]
fn connections_are_evicted_in_order() {
    let choose =
        |snapshots: &[ConnectionSnapshot]| choose(snapshots, 32, Duration::from_millis(NOW));
    let evict = |position| EvictionChoice::Evict(vec![position]);
    for (case, snapshots, choice) in [
        ("no connections", vec![], wait(2_000)),
        (
            "strangers are evicted before granted logins and certificates",
            vec![
                snapshot(1, Certified, Idle, 0),
                snapshot(1, Granted, Idle, 0),
                snapshot(2, Stranger, Answering, 50_000),
            ],
            evict(2),
        ),
        (
            "granted logins are evicted before certificates",
            vec![
                snapshot(1, Certified, Idle, 0),
                snapshot(1, Granted, Answering, 50_000),
            ],
            evict(1),
        ),
        (
            "a stranger with grace protects a granted login",
            vec![snapshot(1, Granted, Idle, 0), newcomer(2, 500)],
            wait(1_500),
        ),
        (
            "a closing stranger protects a granted login",
            vec![
                snapshot(1, Granted, Idle, 0),
                leaving(snapshot(2, Stranger, Idle, 0)),
            ],
            EvictionChoice::Leaving,
        ),
        (
            "a closing granted login protects another one",
            vec![
                snapshot(1, Granted, Idle, 0),
                leaving(snapshot(2, Granted, Idle, 0)),
            ],
            EvictionChoice::Leaving,
        ),
        (
            "the address with the most strangers loses one, even a busy one",
            vec![
                snapshot(1, Stranger, Idle, 0),
                snapshot(2, Stranger, Answering, 59_000),
                snapshot(2, Stranger, Answering, 58_000),
            ],
            evict(2),
        ),
        (
            "connections of other standings do not count for an address",
            vec![
                snapshot(1, Granted, Idle, 0),
                snapshot(1, Granted, Idle, 0),
                snapshot(1, Stranger, Idle, 9),
                snapshot(2, Stranger, Idle, 8),
            ],
            evict(3),
        ),
        (
            "within an address, idle connections are first",
            vec![
                snapshot(1, Stranger, Answering, 1),
                snapshot(1, Stranger, Receiving, 2),
                snapshot(1, Stranger, Idle, 9),
            ],
            evict(2),
        ),
        (
            "connections with an unfinished request are second",
            vec![
                snapshot(1, Stranger, Answering, 1),
                snapshot(1, Stranger, Receiving, 2),
            ],
            evict(1),
        ),
        (
            "connections that wait for a response are third, longest wait first",
            vec![
                snapshot(1, Stranger, Answering, 2),
                snapshot(1, Stranger, Answering, 1),
            ],
            evict(1),
        ),
        (
            "within an address, newcomers are last",
            vec![
                newcomer(1, 1_999),
                snapshot(1, Stranger, Answering, 59_999),
                newcomer(1, 1),
            ],
            evict(1),
        ),
        (
            "the grace of two seconds is over",
            vec![newcomer(1, 1_999), newcomer(1, 2_000)],
            evict(1),
        ),
        (
            "an address with a sixteenth of the slots has grace",
            vec![newcomer(1, 700), newcomer(1, 200)],
            wait(1_300),
        ),
        (
            "an address with more slots has no grace, and its first newcomer is evicted",
            vec![newcomer(1, 300), newcomer(1, 400), newcomer(1, 200)],
            evict(1),
        ),
        (
            "closing connections do not count for their address",
            vec![
                leaving(newcomer(1, 300)),
                newcomer(1, 400),
                newcomer(1, 200),
            ],
            EvictionChoice::Leaving,
        ),
        (
            "an address whose newcomers have grace does not protect a smaller one",
            vec![
                newcomer(1, 300),
                newcomer(1, 400),
                snapshot(2, Stranger, Answering, 59_999),
            ],
            evict(2),
        ),
    ] {
        assert_eq!(choose(&snapshots), choice, "{case}");
    }
}

#[test]
fn addresses_take_turns_in_a_batch() {
    let now = Duration::from_millis(NOW);
    let many: Vec<ConnectionSnapshot> = (0..256)
        .map(|number| match number {
            0..200 => snapshot(1, Stranger, Idle, number),
            200..254 => snapshot(2, Stranger, Idle, number),
            _ => snapshot(3, Stranger, Idle, 0),
        })
        .collect();
    assert_eq!(
        choose(&many, 256, now),
        EvictionChoice::Evict(vec![0, 1, 2, 3])
    );
    // The address is reduced to the size of the next one; then they take turns.
    let equal: Vec<ConnectionSnapshot> = (0..256)
        .map(|number| snapshot(u8::try_from(number % 2).unwrap(), Stranger, Idle, number))
        .collect();
    assert_eq!(
        choose(&equal, 256, now),
        EvictionChoice::Evict(vec![0, 1, 2, 3])
    );
}

#[test]
fn origin_is_address_or_ipv6_prefix() {
    let origin = |address: &str| Origin::from_address(address.parse().unwrap());
    for (one, other, is_same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("2001:db8::1", "2001:db8::ffff:0:0:1", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("::1", "127.0.0.1", false),
    ] {
        assert_eq!(origin(one) == origin(other), is_same, "{one} {other}");
    }
}
