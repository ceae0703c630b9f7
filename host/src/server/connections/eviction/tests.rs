use std::net::Ipv4Addr;

use super::Occupation::{Answering, Idle, Receiving};
use super::Standing::{Certified, Granted, Stranger};
use super::*;

/// A minute: everybody below came before, unless it is said.
const NOW: u64 = 60_000;

/// A connection from 10.0.0.`host`, that came a minute ago and has been at it since `last`.
fn occupant(host: u8, standing: Standing, occupation: Occupation, last: u64) -> Occupant {
    Occupant {
        origin: Origin::of(Ipv4Addr::new(10, 0, 0, host).into()),
        standing,
        occupation,
        arrived: Duration::ZERO,
        last: Duration::from_millis(last),
        is_leaving: false,
    }
}

/// A newcomer from 10.0.0.`host`, that came so many milliseconds ago.
fn newcomer(host: u8, ago: u64) -> Occupant {
    let arrived = Duration::from_millis(NOW - ago);
    Occupant {
        arrived,
        last: arrived,
        ..occupant(host, Stranger, Idle, 0)
    }
}

fn leaving(occupant: Occupant) -> Occupant {
    Occupant {
        is_leaving: true,
        ..occupant
    }
}

fn wait(milliseconds: u64) -> Choice {
    Choice::Wait(Duration::from_millis(milliseconds))
}

#[test]
fn eviction_order() {
    let choose = |occupants: &[Occupant]| choose(occupants, 32, Duration::from_millis(NOW));
    let evict = |position| Choice::Evict(vec![position]);
    for (case, occupants, choice) in [
        ("nobody is there", vec![], wait(2_000)),
        (
            "strangers leave before granted logins and certificates",
            vec![
                occupant(1, Certified, Idle, 0),
                occupant(1, Granted, Idle, 0),
                occupant(2, Stranger, Answering, 50_000),
            ],
            evict(2),
        ),
        (
            "granted logins leave before certificates",
            vec![
                occupant(1, Certified, Idle, 0),
                occupant(1, Granted, Answering, 50_000),
            ],
            evict(1),
        ),
        (
            "a stranger that may not leave yet protects a granted login",
            vec![occupant(1, Granted, Idle, 0), newcomer(2, 500)],
            wait(1_500),
        ),
        (
            "a stranger that is leaving protects a granted login",
            vec![
                occupant(1, Granted, Idle, 0),
                leaving(occupant(2, Stranger, Idle, 0)),
            ],
            Choice::Leaving,
        ),
        (
            "a granted login that is leaving protects another",
            vec![
                occupant(1, Granted, Idle, 0),
                leaving(occupant(2, Granted, Idle, 0)),
            ],
            Choice::Leaving,
        ),
        (
            "the address with the most strangers gives one up, busy as it is",
            vec![
                occupant(1, Stranger, Idle, 0),
                occupant(2, Stranger, Answering, 59_000),
                occupant(2, Stranger, Answering, 58_000),
            ],
            evict(2),
        ),
        (
            "connections of another standing do not count for an address",
            vec![
                occupant(1, Granted, Idle, 0),
                occupant(1, Granted, Idle, 0),
                occupant(1, Stranger, Idle, 9),
                occupant(2, Stranger, Idle, 8),
            ],
            evict(3),
        ),
        (
            "of one address, idle connections leave first",
            vec![
                occupant(1, Stranger, Answering, 1),
                occupant(1, Stranger, Receiving, 2),
                occupant(1, Stranger, Idle, 9),
            ],
            evict(2),
        ),
        (
            "then those with an unfinished request",
            vec![
                occupant(1, Stranger, Answering, 1),
                occupant(1, Stranger, Receiving, 2),
            ],
            evict(1),
        ),
        (
            "then those that wait for an answer, longest first",
            vec![
                occupant(1, Stranger, Answering, 2),
                occupant(1, Stranger, Answering, 1),
            ],
            evict(1),
        ),
        (
            "of one address, newcomers leave after the others",
            vec![
                newcomer(1, 1_999),
                occupant(1, Stranger, Answering, 59_999),
                newcomer(1, 1),
            ],
            evict(1),
        ),
        (
            "two seconds are over",
            vec![newcomer(1, 1_999), newcomer(1, 2_000)],
            evict(1),
        ),
        (
            "an address with a sixteenth of the places has its two seconds",
            vec![newcomer(1, 700), newcomer(1, 200)],
            wait(1_300),
        ),
        (
            "an address with more has not, and the first to come leaves",
            vec![newcomer(1, 300), newcomer(1, 400), newcomer(1, 200)],
            evict(1),
        ),
        (
            "those that are leaving count no longer for their address",
            vec![
                leaving(newcomer(1, 300)),
                newcomer(1, 400),
                newcomer(1, 200),
            ],
            Choice::Leaving,
        ),
        (
            "an address whose newcomers may not leave does not protect a smaller one",
            vec![
                newcomer(1, 300),
                newcomer(1, 400),
                occupant(2, Stranger, Answering, 59_999),
            ],
            evict(2),
        ),
    ] {
        assert_eq!(choose(&occupants), choice, "{case}");
    }
}

#[test]
fn addresses_take_turns_in_a_batch() {
    let now = Duration::from_millis(NOW);
    let many: Vec<Occupant> = (0..256)
        .map(|number| match number {
            0..200 => occupant(1, Stranger, Idle, number),
            200..254 => occupant(2, Stranger, Idle, number),
            _ => occupant(3, Stranger, Idle, 0),
        })
        .collect();
    assert_eq!(choose(&many, 256, now), Choice::Evict(vec![0, 1, 2, 3]));
    // Down to the size of the next address, and then in turn.
    let equal: Vec<Occupant> = (0..256)
        .map(|number| occupant(u8::try_from(number % 2).unwrap(), Stranger, Idle, number))
        .collect();
    assert_eq!(choose(&equal, 256, now), Choice::Evict(vec![0, 1, 2, 3]));
}

#[test]
fn origins() {
    let origin = |address: &str| Origin::of(address.parse().unwrap());
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
