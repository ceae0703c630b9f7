//! Who may be in, and who has to leave when there are too many.
//!
//! There are four kinds of callers: those whose last login was granted and those unproven, each from the API server and
//! from proxies. A limit holds for all of them, and lower ones for some of them together, so that others find room.

use ack_ram_core::access_key::CredentialId;
use fastrand::Rng;
use tokio::sync::oneshot;

use super::lane::{Lane, Turn};
use crate::sts::{AskedBy, Standing};

/// A kind of callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) standing: Standing,
    pub(super) asked_by: AskedBy,
}

/// Something for each kind of callers.
#[derive(Default)]
pub(super) struct PerKind<T> {
    granted: PerRequester<T>,
    unproven: PerRequester<T>,
}

#[derive(Default)]
struct PerRequester<T> {
    api_server: T,
    proxies: T,
}

impl Kind {
    /// All kinds, in the order in which they make room for each other where they are as many.
    pub(super) const ALL: [Self; 4] = [
        Self::of(Standing::Unproven, AskedBy::Proxy),
        Self::of(Standing::Unproven, AskedBy::ApiServer),
        Self::of(Standing::Granted, AskedBy::Proxy),
        Self::of(Standing::Granted, AskedBy::ApiServer),
    ];

    pub(super) const fn of(standing: Standing, asked_by: AskedBy) -> Self {
        Self { standing, asked_by }
    }
}

impl<T> PerKind<T> {
    pub(super) fn get(&self, kind: Kind) -> &T {
        let requesters = match kind.standing {
            Standing::Granted => &self.granted,
            Standing::Unproven => &self.unproven,
        };
        match kind.asked_by {
            AskedBy::ApiServer => &requesters.api_server,
            AskedBy::Proxy => &requesters.proxies,
        }
    }

    pub(super) fn get_mut(&mut self, kind: Kind) -> &mut T {
        let requesters = match kind.standing {
            Standing::Granted => &mut self.granted,
            Standing::Unproven => &mut self.unproven,
        };
        match kind.asked_by {
            AskedBy::ApiServer => &mut requesters.api_server,
            AskedBy::Proxy => &mut requesters.proxies,
        }
    }
}

/// A limit, and the kinds that it holds for together.
type Group = (usize, fn(Kind) -> bool);

/// How many there may be, of all kinds and of some.
pub(super) struct Shares {
    all: usize,
    unproven: usize,
    proxies: usize,
    unproven_proxies: usize,
    /// All but the granted callers of the API server.
    unproven_and_proxies: usize,
}

impl Shares {
    /// Shares out the places for calls. Proxies have one of two or three, and a single place is for everybody.
    pub(super) fn of_calls(all: usize) -> Self {
        Self::new(all, (all / 2).max(1))
    }

    /// Shares out the room for those who wait. Where only one may wait, no proxy does.
    pub(super) fn of_room(all: usize) -> Self {
        Self::new(all, all / 2)
    }

    fn new(all: usize, proxies: usize) -> Self {
        Self {
            all,
            unproven: all.div_ceil(2),
            proxies,
            unproven_proxies: (all / 4).max(1).min(proxies),
            unproven_and_proxies: (all - all.div_ceil(4)).max(all.min(1)),
        }
    }

    /// Returns whether there may be one more of `kind` beside `counts`.
    pub(super) fn admit_one_more(&self, kind: Kind, counts: impl Fn(Kind) -> usize) -> bool {
        self.groups()
            .iter()
            .filter(|(_, contains)| contains(kind))
            .all(|(limit, contains)| sum(*contains, &counts) < *limit)
    }

    /// Returns which kind has to give up one, where one of `kind` too many is among `counts`: the most numerous of those
    /// whose leaving helps.
    fn loser(&self, kind: Kind, counts: impl Fn(Kind) -> usize) -> Option<Kind> {
        let groups = self.groups();
        let exceeded: Vec<_> = groups
            .iter()
            .filter(|(limit, contains)| contains(kind) && sum(*contains, &counts) > *limit)
            .collect();
        if exceeded.is_empty() {
            return None;
        }
        Kind::ALL
            .into_iter()
            .filter(|kind| exceeded.iter().all(|(_, contains)| contains(*kind)))
            // Of equal ones, the last is the maximum.
            .rev()
            .max_by_key(|kind| counts(*kind))
    }

    fn groups(&self) -> [Group; 5] {
        let is_unproven = |kind: Kind| kind.standing == Standing::Unproven;
        let is_proxy = |kind: Kind| kind.asked_by == AskedBy::Proxy;
        [
            (self.all, |_| true),
            (self.unproven, is_unproven),
            (self.proxies, is_proxy),
            (self.unproven_proxies, |kind| {
                kind.standing == Standing::Unproven && kind.asked_by == AskedBy::Proxy
            }),
            (self.unproven_and_proxies, |kind| {
                kind.standing == Standing::Unproven || kind.asked_by == AskedBy::Proxy
            }),
        ]
    }
}

fn sum(contains: fn(Kind) -> bool, counts: impl Fn(Kind) -> usize) -> usize {
    let kinds = Kind::ALL.into_iter().filter(|kind| contains(*kind));
    kinds.map(counts).sum()
}

/// Those who wait, of all kinds.
pub(super) struct Room {
    shares: Shares,
    lanes: PerKind<Lane>,
    arrivals: u64,
    random: Rng,
}

/// A waiter's place in a room.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) kind: Kind,
    credential: CredentialId,
    number: u64,
}

impl Room {
    pub(super) fn new(size: usize, random: Rng) -> Self {
        Self {
            shares: Shares::of_room(size),
            lanes: PerKind::default(),
            arrivals: 0,
            random,
        }
    }

    /// Adds a waiter. Whoever has to make room for that, maybe the new waiter, is returned.
    pub(super) fn push(
        &mut self,
        kind: Kind,
        credential: CredentialId,
        told: oneshot::Sender<Turn>,
    ) -> (Spot, Option<oneshot::Sender<Turn>>) {
        let number = self.arrivals;
        self.arrivals += 1;
        self.lanes.get_mut(kind).push(credential, number, told);
        let loser = self.shares.loser(kind, |kind| self.waiting_of(kind));
        let dropped = loser.and_then(|loser| {
            let lane = self.lanes.get_mut(loser);
            lane.drop_one(&mut self.random)
        });
        let spot = Spot {
            kind,
            credential,
            number,
        };
        (spot, dropped)
    }

    /// Removes the waiter of `kind` whose turn it is.
    pub(super) fn pop(&mut self, kind: Kind) -> Option<oneshot::Sender<Turn>> {
        self.lanes.get_mut(kind).pop()
    }

    /// Removes a waiter. Returns whether it was there.
    pub(super) fn remove(&mut self, spot: &Spot) -> bool {
        let lane = self.lanes.get_mut(spot.kind);
        lane.remove(&spot.credential, spot.number)
    }

    pub(super) fn waiting_of(&self, kind: Kind) -> usize {
        self.lanes.get(kind).waiting()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        Kind::ALL
            .iter()
            .all(|kind| self.lanes.get(*kind).is_empty())
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        Kind::ALL.map(|kind| self.waiting_of(kind)).iter().sum()
    }
}
