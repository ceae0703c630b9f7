//! Decides which connections are evicted when there are too many. The decision uses no clock and no sockets.
//!
//! Strangers are evicted first, then connections on which a login was granted, then connections with a client
//! certificate. A connection is never evicted while there is one of a lower standing, even if that one may not be
//! evicted yet. So strangers never evict an API server, however many connect.
//!
//! Within a standing, the address with the most connections loses one. Among its connections, those that are older than
//! [`GRACE`] are evicted first: idle ones, then those with an unfinished request, then those that wait for a response,
//! because otherwise strangers with open requests could hold all slots. Within each state, the connection that has been
//! in it for the longest time is first. Newcomers follow in the order of their arrival: one of them stays for as long
//! as its address needs to fill all slots again.
//!
//! The reasons are in [`crate::manual::connections`].

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Time that a newcomer has for its first request, unless its address has more than its [`SHARE`].
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// An address with more connections than the number of slots divided by this has no grace for its newcomers.
const SHARE: usize = 16;
/// One of this many strangers is evicted at a time, because choosing connections is expensive.
const BATCH: usize = 64;

/// Origin of a connection: an IPv4 address, or the /64 of an IPv6 address, because a client with one address of a /64
/// usually has all of them.
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

/// The standing of the client of a connection. Connections of the lowest standing are evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in crate::server) enum ClientStanding {
    /// The client has not authenticated in any way.
    Stranger,
    /// A login was granted on the connection.
    Granted,
    /// The client has a certificate of the client CA.
    Certified,
}

/// What a connection is doing. Connections in the lowest state are evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConnectionState {
    /// No request is open.
    Idle,
    /// The rest of a request has not arrived.
    Receiving,
    /// A request is being answered.
    Answering,
}

/// A snapshot of a connection. Times are relative to a common start.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionSnapshot {
    pub(super) origin: Origin,
    pub(super) standing: ClientStanding,
    pub(super) state: ConnectionState,
    pub(super) arrived: Duration,
    /// Time when a request was last received or answered, initially `arrived`.
    pub(super) last: Duration,
    /// Whether the connection was evicted and is still closing.
    pub(super) is_leaving: bool,
}

/// How to make room for a new connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum EvictionChoice {
    /// Evict the connections at these positions.
    Evict(Vec<usize>),
    /// No connection may be evicted for this time.
    Wait(Duration),
    /// Some connections are closing already.
    Leaving,
}

/// Chooses which of `snapshots` to evict at the time `now` for a new connection. `snapshots` has all connections by
/// arrival, and `limit` is the number of slots.
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
        // They finish their requests first, which takes a while, so they are evicted one at a time.
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

/// The connections of one origin, in reverse order of eviction.
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

    /// Returns the sort key of this origin, or `None` if none of its connections may be evicted. The highest key is
    /// first.
    fn next(&self, limit: usize) -> Option<(usize, Reverse<Member>)> {
        let (count, first) = (self.members.len(), self.members.last()?);
        // Newcomers are last: if the first member is a newcomer, all members are.
        let may_leave = !first.is_newcomer || count > limit / SHARE;
        may_leave.then_some((count, Reverse(*first)))
    }
}

#[cfg(test)]
mod tests;
