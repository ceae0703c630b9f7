//! Decides which connections are closed when there are too many. No clock, no sockets.
//!
//! Strangers leave first, then connections on which a login was granted, then those with a client certificate. A
//! connection never leaves while one of a lower standing is there, not even one that may not leave yet: so strangers who
//! keep coming never push out an API server.
//!
//! Among equals, the address with the most connections gives one up. Of that address, the connections that are older
//! than [`GRACE`] leave first: idle ones, then those with an unfinished request, then those that wait for an answer
//! (strangers who keep requests open would hold all places otherwise), each the one first that has been so for longest.
//! Newcomers follow in the order of their arrival: one of them stays for as long as it takes the address to fill all
//! places anew.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// How long a newcomer may take to ask, unless its address has more than its [`SHARE`].
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// An address with more than this part of all places has no grace for its newcomers.
const SHARE: usize = 16;
/// Of so many strangers, one leaves at a time: to choose is work.
const BATCH: usize = 64;

/// Where a connection comes from: an IPv4 address, or the /64 of an IPv6 address, since whoever has one address of it
/// commonly has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::server) struct Origin(IpAddr);

impl Origin {
    /// Returns the origin of a connection from `address`.
    pub(in crate::server) fn from_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let prefix = address.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(prefix).into())
            }
        }
    }
}

/// The standing of the client of a connection. The lowest are evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in crate::server) enum ClientStanding {
    /// Nothing.
    Stranger,
    /// A login was granted on the connection.
    Granted,
    /// It has a client certificate of the CA of clients.
    Certified,
}

/// What a connection is doing. The lowest are evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConnectionState {
    /// No request is open.
    Idle,
    /// The rest of a request has not arrived.
    Receiving,
    /// A request is being answered.
    Answering,
}

/// A snapshot of a connection. Times are counted from a common start.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionSnapshot {
    pub(super) origin: Origin,
    pub(super) standing: ClientStanding,
    pub(super) state: ConnectionState,
    pub(super) arrived: Duration,
    /// When a request began or ended last, or the connection was made.
    pub(super) last: Duration,
    /// It was evicted, and is still closing.
    pub(super) is_leaving: bool,
}

/// How to make room for a newcomer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EvictionChoice {
    /// The connections at these positions leave.
    Evict(Vec<usize>),
    /// None may leave for so long.
    Wait(Duration),
    /// Some are leaving.
    Leaving,
}

/// Chooses which of `snapshots`, all connections by arrival, to evict at the time `now` for a newcomer. There are `limit`
/// slots.
pub(super) fn choose(
    snapshots: &[ConnectionSnapshot],
    limit: usize,
    now: Duration,
) -> EvictionChoice {
    let Some(lowest) = snapshots.iter().map(|snapshot| snapshot.standing).min() else {
        return EvictionChoice::Wait(GRACE);
    };
    let peers = || {
        let all = snapshots.iter().enumerate();
        all.filter(move |(_, snapshot)| snapshot.standing == lowest)
    };
    let batch = match lowest {
        ClientStanding::Stranger => (limit / BATCH).max(1),
        // They finish what they are doing, which takes a while: one at a time.
        ClientStanding::Granted | ClientStanding::Certified => 1,
    };
    let leaving = peers().filter(|(_, snapshot)| snapshot.is_leaving).count();
    if leaving >= batch {
        return EvictionChoice::Leaving;
    }
    let mut groups: HashMap<Origin, Vec<(usize, &ConnectionSnapshot)>> = HashMap::new();
    for (position, snapshot) in peers().filter(|(_, snapshot)| !snapshot.is_leaving) {
        let group = groups.entry(snapshot.origin).or_default();
        group.push((position, snapshot));
    }
    let mut groups: Vec<OriginGroup> = groups
        .into_values()
        .map(|members| OriginGroup::new(members, now))
        .collect();
    let next = |(index, group): (usize, &OriginGroup)| Some((group.next(limit)?, index));
    let mut turns: BinaryHeap<_> = groups.iter().enumerate().filter_map(next).collect();
    let mut evicted = Vec::new();
    while evicted.len() < batch - leaving
        && let Some((_, index)) = turns.pop()
        && let Some(group) = groups.get_mut(index)
    {
        evicted.extend(group.members.pop().map(|member| member.position));
        turns.extend(next((index, group)));
    }
    if !evicted.is_empty() {
        return EvictionChoice::Evict(evicted);
    }
    let graces = peers().map(|(_, snapshot)| (snapshot.arrived + GRACE).saturating_sub(now));
    match (leaving, graces.min()) {
        (0, grace) => EvictionChoice::Wait(grace.unwrap_or(GRACE)),
        _ => EvictionChoice::Leaving,
    }
}

/// The connections of one origin, the last of which leaves first.
struct OriginGroup {
    members: Vec<Member>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    is_newcomer: bool,
    state: ConnectionState,
    since: Duration,
    position: usize,
}

impl OriginGroup {
    fn new(members: Vec<(usize, &ConnectionSnapshot)>, now: Duration) -> Self {
        let mut members: Vec<Member> = members
            .into_iter()
            .map(|(position, snapshot)| {
                let is_newcomer = now.saturating_sub(snapshot.arrived) < GRACE;
                Member {
                    is_newcomer,
                    state: if is_newcomer {
                        ConnectionState::Idle
                    } else {
                        snapshot.state
                    },
                    since: if is_newcomer {
                        snapshot.arrived
                    } else {
                        snapshot.last
                    },
                    position,
                }
            })
            .collect();
        members.sort_unstable_by_key(|member| Reverse(*member));
        Self { members }
    }

    /// Returns the turn of this origin, if one of its connections may leave: the highest is the first.
    fn next(&self, limit: usize) -> Option<(usize, Reverse<Member>)> {
        let (count, first) = (self.members.len(), self.members.last()?);
        // Newcomers come last: when the first is one, all are.
        let may_leave = !first.is_newcomer || count > limit / SHARE;
        may_leave.then_some((count, Reverse(*first)))
    }
}

#[cfg(test)]
mod tests;
