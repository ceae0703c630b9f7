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
    pub(in crate::server) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let prefix = address.to_bits() & !u128::from(u64::MAX);
                Self(Ipv6Addr::from_bits(prefix).into())
            }
        }
    }
}

/// What is known of the client of a connection. The lowest leave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(in crate::server) enum Standing {
    /// Nothing.
    Stranger,
    /// A login was granted on the connection.
    Granted,
    /// It has a client certificate of the CA of clients.
    Certified,
}

/// What a connection is doing. The lowest leave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Occupation {
    /// No request is open.
    Idle,
    /// The rest of a request has not arrived.
    Receiving,
    /// A request is being answered.
    Answering,
}

/// A connection, as it is now. Times are counted from any one start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Occupant {
    pub(super) origin: Origin,
    pub(super) standing: Standing,
    pub(super) occupation: Occupation,
    pub(super) arrived: Duration,
    /// When a request began or ended last, or the connection was made.
    pub(super) last: Duration,
    /// It was told to leave before.
    pub(super) is_leaving: bool,
}

/// What makes room.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// The connections at these positions leave.
    Evict(Vec<usize>),
    /// None may leave for so long.
    Wait(Duration),
    /// Some are leaving.
    Leaving,
}

/// Chooses who of `occupants`, all that there are by arrival, leaves at the time `now` for a newcomer. There are places for
/// `limit`.
pub(super) fn choose(occupants: &[Occupant], limit: usize, now: Duration) -> Choice {
    let Some(lowest) = occupants.iter().map(|occupant| occupant.standing).min() else {
        return Choice::Wait(GRACE);
    };
    let peers = || {
        let all = occupants.iter().enumerate();
        all.filter(move |(_, occupant)| occupant.standing == lowest)
    };
    let batch = match lowest {
        Standing::Stranger => (limit / BATCH).max(1),
        // They finish what they are doing, which takes a while: one at a time.
        Standing::Granted | Standing::Certified => 1,
    };
    let leaving = peers().filter(|(_, occupant)| occupant.is_leaving).count();
    if leaving >= batch {
        return Choice::Leaving;
    }
    let mut groups: HashMap<Origin, Vec<(usize, &Occupant)>> = HashMap::new();
    for (position, occupant) in peers().filter(|(_, occupant)| !occupant.is_leaving) {
        let group = groups.entry(occupant.origin).or_default();
        group.push((position, occupant));
    }
    let mut groups: Vec<Group> = groups
        .into_values()
        .map(|members| Group::new(members, now))
        .collect();
    let next = |(index, group): (usize, &Group)| Some((group.next(limit)?, index));
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
        return Choice::Evict(evicted);
    }
    let graces = peers().map(|(_, occupant)| (occupant.arrived + GRACE).saturating_sub(now));
    match (leaving, graces.min()) {
        (0, grace) => Choice::Wait(grace.unwrap_or(GRACE)),
        _ => Choice::Leaving,
    }
}

/// The connections of one origin, the last of which leaves first.
struct Group {
    members: Vec<Member>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    is_newcomer: bool,
    occupation: Occupation,
    since: Duration,
    position: usize,
}

impl Group {
    fn new(members: Vec<(usize, &Occupant)>, now: Duration) -> Self {
        let mut members: Vec<Member> = members
            .into_iter()
            .map(|(position, occupant)| {
                let is_newcomer = now.saturating_sub(occupant.arrived) < GRACE;
                Member {
                    is_newcomer,
                    occupation: if is_newcomer {
                        Occupation::Idle
                    } else {
                        occupant.occupation
                    },
                    since: if is_newcomer {
                        occupant.arrived
                    } else {
                        occupant.last
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
