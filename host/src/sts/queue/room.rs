//! The waiting room: its limits, and the choice of a waiter to drop when it is full.
//!
//! There are four kinds of callers: granted ones, whose last login was granted, and unproven ones, each from the API
//! server and from proxies. One limit applies to all kinds together, and lower limits apply to groups of kinds, so that
//! each kind finds room.

use ack_ram_core::access_key::CredentialId;
use fastrand::Rng;
use tokio::sync::oneshot;

use super::lane::{Lane, WaitResult};
use crate::sts::{CredentialStanding, Requester};

/// A kind of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallerKind {
    pub(super) standing: CredentialStanding,
    pub(super) requester: Requester,
}

/// One value for each kind of caller.
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

impl CallerKind {
    /// All kinds. Of kinds with equally many waiters, the earlier one makes room first.
    pub(super) const ALL: [Self; 4] = [
        Self::new(CredentialStanding::Unproven, Requester::Proxy),
        Self::new(CredentialStanding::Unproven, Requester::ApiServer),
        Self::new(CredentialStanding::Granted, Requester::Proxy),
        Self::new(CredentialStanding::Granted, Requester::ApiServer),
    ];

    pub(super) const fn new(standing: CredentialStanding, requester: Requester) -> Self {
        Self {
            standing,
            requester,
        }
    }
}

impl<T> PerKind<T> {
    pub(super) fn get(&self, kind: CallerKind) -> &T {
        let requesters = match kind.standing {
            CredentialStanding::Granted => &self.granted,
            CredentialStanding::Unproven => &self.unproven,
        };
        match kind.requester {
            Requester::ApiServer => &requesters.api_server,
            Requester::Proxy => &requesters.proxies,
        }
    }

    pub(super) fn get_mut(&mut self, kind: CallerKind) -> &mut T {
        let requesters = match kind.standing {
            CredentialStanding::Granted => &mut self.granted,
            CredentialStanding::Unproven => &mut self.unproven,
        };
        match kind.requester {
            Requester::ApiServer => &mut requesters.api_server,
            Requester::Proxy => &mut requesters.proxies,
        }
    }
}

/// A limit, and the kinds of callers that share it.
type SharedLimit = (usize, fn(CallerKind) -> bool);

/// The limits for all kinds of callers and for groups of kinds.
pub(super) struct KindLimits {
    all: usize,
    unproven: usize,
    proxies: usize,
    unproven_proxies: usize,
    /// Limit for all kinds except granted callers of the API server.
    unproven_and_proxies: usize,
}

impl KindLimits {
    /// Divides the permits for calls. Of two or three permits, proxies have one. A single permit is for all kinds.
    pub(super) fn for_calls(all: usize) -> Self {
        Self::new(all, (all / 2).max(1))
    }

    /// Divides the room for waiters. If only one may wait, proxies get no room.
    pub(super) fn for_waiters(all: usize) -> Self {
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

    /// Returns whether there is room for another caller of `kind` besides `counts`.
    pub(super) fn has_room(&self, kind: CallerKind, counts: impl Fn(CallerKind) -> usize) -> bool {
        self.groups()
            .iter()
            .filter(|(_, contains)| contains(kind))
            .all(|(limit, contains)| sum(*contains, &counts) < *limit)
    }

    /// Returns the kind that has to drop a waiter if `counts` exceed a limit of `kind`: the most numerous kind that
    /// shares every exceeded limit. Returns `None` if no limit is exceeded.
    fn kind_to_drop(
        &self,
        kind: CallerKind,
        counts: impl Fn(CallerKind) -> usize,
    ) -> Option<CallerKind> {
        let groups = self.groups();
        let exceeded: Vec<_> = groups
            .iter()
            .filter(|(limit, contains)| contains(kind) && sum(*contains, &counts) > *limit)
            .collect();
        if exceeded.is_empty() {
            return None;
        }
        CallerKind::ALL
            .into_iter()
            .filter(|kind| exceeded.iter().all(|(_, contains)| contains(*kind)))
            // `max_by_key` returns the last of several maximums, so the order is reversed.
            .rev()
            .max_by_key(|kind| counts(*kind))
    }

    fn groups(&self) -> [SharedLimit; 5] {
        let is_unproven = |kind: CallerKind| kind.standing == CredentialStanding::Unproven;
        let is_proxy = |kind: CallerKind| kind.requester == Requester::Proxy;
        [
            (self.all, |_| true),
            (self.unproven, is_unproven),
            (self.proxies, is_proxy),
            (self.unproven_proxies, |kind| {
                kind.standing == CredentialStanding::Unproven && kind.requester == Requester::Proxy
            }),
            (self.unproven_and_proxies, |kind| {
                kind.standing == CredentialStanding::Unproven || kind.requester == Requester::Proxy
            }),
        ]
    }
}

fn sum(contains: fn(CallerKind) -> bool, counts: impl Fn(CallerKind) -> usize) -> usize {
    let kinds = CallerKind::ALL.into_iter().filter(|kind| contains(*kind));
    kinds.map(counts).sum()
}

/// The waiters of all kinds.
pub(super) struct WaitingRoom {
    limits: KindLimits,
    lanes: PerKind<Lane>,
    arrivals: u64,
    random: Rng,
}

/// Identifies a waiter in the room.
#[derive(Clone, Copy)]
pub(super) struct WaiterId {
    pub(super) kind: CallerKind,
    credential: CredentialId,
    number: u64,
}

impl WaitingRoom {
    pub(super) fn new(size: usize, random: Rng) -> Self {
        Self {
            limits: KindLimits::for_waiters(size),
            lanes: PerKind::default(),
            arrivals: 0,
            random,
        }
    }

    /// Adds a waiter. Also returns the waiter that is dropped to make room, which may be the new one.
    pub(super) fn push(
        &mut self,
        kind: CallerKind,
        credential: CredentialId,
        notify: oneshot::Sender<WaitResult>,
    ) -> (WaiterId, Option<oneshot::Sender<WaitResult>>) {
        let number = self.arrivals;
        self.arrivals += 1;
        self.lanes.get_mut(kind).push(credential, number, notify);
        let kind_to_drop = self.limits.kind_to_drop(kind, |kind| self.waiting_of(kind));
        let dropped = kind_to_drop.and_then(|kind_to_drop| {
            let lane = self.lanes.get_mut(kind_to_drop);
            lane.drop_one(&mut self.random)
        });
        let id = WaiterId {
            kind,
            credential,
            number,
        };
        (id, dropped)
    }

    /// Removes the waiter of `kind` whose turn it is.
    pub(super) fn pop(&mut self, kind: CallerKind) -> Option<oneshot::Sender<WaitResult>> {
        self.lanes.get_mut(kind).pop()
    }

    /// Removes a waiter. Returns whether it existed.
    pub(super) fn remove(&mut self, id: &WaiterId) -> bool {
        let lane = self.lanes.get_mut(id.kind);
        lane.remove(&id.credential, id.number)
    }

    pub(super) fn waiting_of(&self, kind: CallerKind) -> usize {
        self.lanes.get(kind).waiting()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        CallerKind::ALL
            .iter()
            .all(|kind| self.lanes.get(*kind).is_empty())
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        CallerKind::ALL
            .map(|kind| self.waiting_of(kind))
            .iter()
            .sum()
    }
}
