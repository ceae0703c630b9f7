//! How much memory the process may have, and which limits fit into it.
//!
//! The worst case is arithmetic. Strangers can make the server hold, each number at its limit at once:
//!
//! | what | each | why |
//! |---|---|---|
//! | a connection | [`connection`] | a TLS record and its plain text (2 x 16 KiB), the head of a request that has not arrived in full (twice its limit, in a buffer that doubles), the state of TLS, HTTP and HPACK (16 KiB), an answer that is not read (16 KiB); during the handshake a message of 64 KiB in place of these |
//! | a body | [`BODY`] | 64 KiB, and as much again while it grows |
//! | a call to STS | [`CALL`] | a connection, and an answer of 64 KiB |
//! | a login that waits | [`WAITING`] | a token of 16 KiB, and what is sent for it |
//!
//! With `server.extAuthz`, a head may have 64 KiB in place of 16 KiB, so that fewer connections fit. The heads of several
//! requests in one connection of HTTP/2 are in memory only until the task of each runs, which is when it is refused or its
//! token is taken out of it. The rest of a body that nobody reads is discarded as it comes.
//!
//! Half of the memory is for this. The other half is for the program, its mappings, what it remembers, and what the
//! allocator has not given back. Of the first half, the two thirds that bodies and connections may take are apart from
//! the third of STS, since the settings of STS change while the server runs.

use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::config::{ServerLimits, StsLimits};
use crate::server::connections::head::HEAD_MARGIN;
use crate::server::health;

const KIB: u64 = 1_024;
/// What a connection may hold beside the head of a request.
const CONNECTION_STATE: u64 = 64 * KIB;
/// What a body may hold that is on its way.
const BODY: u64 = 128 * KIB;
/// What a call to STS may hold.
const CALL: u64 = 160 * KIB;
/// What a login may hold that waits for a call.
const WAITING: u64 = 32 * KIB;
/// No limit that nobody chose is lowered below this.
const MIN_LIMIT: usize = 16;

/// The file system of control groups.
const CGROUPS: &str = "/sys/fs/cgroup";
/// More than this is what the system writes where there is no limit.
const UNLIMITED: u64 = 1 << 60;

/// Returns the least memory that a control group of this process allows, in bytes, if any has a limit.
pub(super) fn limit_of_this_process() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    least_limit(&groups, Path::new(CGROUPS))
}

/// Returns the least limit of the control groups in `groups`, the text of `/proc/<pid>/cgroup`, and of their parents.
///
/// In a container the paths may be those of the host, of which only the root is mounted: that is the container's own.
fn least_limit(groups: &str, mounted: &Path) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let is_memory = controllers.split(',').any(|name| name == "memory");
        let (root, file) = match (controllers, is_memory) {
            ("", _) => (mounted.to_owned(), "memory.max"),
            (_, true) => (mounted.join("memory"), "memory.limit_in_bytes"),
            _ => return None,
        };
        let names = Path::new(path).components().filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        });
        let own: PathBuf = names.collect();
        let limits = own.ancestors().filter_map(|group| {
            let text = fs::read_to_string(root.join(group).join(file)).ok()?;
            // "max" is no number.
            text.trim().parse().ok().filter(|limit| *limit < UNLIMITED)
        });
        limits.min()
    });
    limits.min()
}

/// A limit that takes memory.
#[derive(Debug)]
struct MemoryDemand<'a> {
    key: &'static str,
    value: &'a mut usize,
    each: u64,
    is_chosen: bool,
}

impl MemoryDemand<'_> {
    fn bytes(&self) -> u64 {
        self.each
            .saturating_mul(u64::try_from(*self.value).unwrap_or(u64::MAX))
    }
}

/// What became of a limit, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Adjustment {
    /// Nobody chose it, and it is lower now.
    Lowered {
        key: &'static str,
        from: usize,
        to: usize,
        memory: u64,
    },
    /// What somebody chose stays, and does not fit.
    TooHigh {
        key: &'static str,
        value: usize,
        needs: u64,
        memory: u64,
    },
}

impl Adjustment {
    /// Writes it to the log.
    pub(super) fn log(&self) {
        match self {
            Self::Lowered { .. } => tracing::info!("{self}"),
            Self::TooHigh { .. } => tracing::warn!("{self}"),
        }
    }
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: &u64| bytes / (KIB * KIB);
        match self {
            Self::Lowered {
                key,
                from,
                to,
                memory,
            } => write!(
                f,
                "`{key}` is {to} instead of {from}: the control group allows {} MiB of memory; set the key to override",
                mib(memory)
            ),
            Self::TooHigh {
                key,
                value,
                needs,
                memory,
            } => write!(
                f,
                "`{key}` is {value}, which may take {} MiB, too much of the {} MiB of memory that the control group allows; lower it, or allow more",
                mib(needs),
                mib(memory)
            ),
        }
    }
}

/// Returns what a connection may hold on which the head of a request may have `max_head` bytes.
fn connection(max_head: usize) -> u64 {
    let head = u64::try_from(max_head + HEAD_MARGIN).unwrap_or(u64::MAX);
    CONNECTION_STATE.saturating_add(head.saturating_mul(2))
}

/// Lowers the limits on connections and bodies that nobody chose to what fits into `memory`. The head of a request to the
/// webhook may have `max_head` bytes.
pub(super) fn fit(limits: &mut ServerLimits, max_head: usize, memory: u64) -> Vec<Adjustment> {
    let mut health_connections = limits.max_health_connections;
    let demands = [
        MemoryDemand {
            key: "server.limits.maxConnections",
            value: &mut limits.max_connections,
            each: connection(max_head),
            is_chosen: limits.explicit.connections,
        },
        MemoryDemand {
            key: "server.limits.maxBodies",
            value: &mut limits.max_bodies,
            each: BODY,
            is_chosen: limits.explicit.bodies,
        },
        MemoryDemand {
            key: "server.limits.maxHealthConnections",
            value: &mut health_connections,
            each: connection(health::MAX_HEAD),
            // There are few.
            is_chosen: true,
        },
    ];
    fit_demands(demands, memory, memory / 3)
}

/// Lowers the limits on calls to STS, and on logins that wait for them, that nobody chose to what fits into `memory`.
pub(super) fn fit_sts(limits: &mut StsLimits, memory: u64) -> Vec<Adjustment> {
    let demands = [
        MemoryDemand {
            key: "server.sts.maxCalls",
            value: &mut limits.max_calls,
            each: CALL,
            is_chosen: limits.explicit.calls,
        },
        MemoryDemand {
            key: "server.sts.maxWaiting",
            value: &mut limits.max_waiting,
            each: WAITING,
            is_chosen: limits.explicit.waiting,
        },
        MemoryDemand {
            key: "server.sts.maxSharing",
            value: &mut limits.max_sharing,
            each: WAITING,
            is_chosen: limits.explicit.sharing,
        },
    ];
    fit_demands(demands, memory, memory / 6)
}

/// Lowers `demands` to `budget`, in the proportion that they have, but for those that somebody chose.
fn fit_demands<const N: usize>(
    demands: [MemoryDemand<'_>; N],
    memory: u64,
    budget: u64,
) -> Vec<Adjustment> {
    let sum = |is_chosen| {
        let some = demands
            .iter()
            .filter(|demand| demand.is_chosen == is_chosen);
        some.map(MemoryDemand::bytes).fold(0, u64::saturating_add)
    };
    let (chosen, standard) = (sum(true), sum(false));
    let left = budget.saturating_sub(chosen);
    let mut adjustments = Vec::new();
    for demand in demands {
        let (key, needs, from) = (demand.key, demand.bytes(), *demand.value);
        if demand.is_chosen {
            if chosen > budget && needs > budget / 2 {
                adjustments.push(Adjustment::TooHigh {
                    key,
                    value: from,
                    needs,
                    memory,
                });
            }
            continue;
        }
        if standard <= left {
            continue;
        }
        let share = u128::from(left) * u128::from(needs) / u128::from(standard.max(1));
        let to = share / u128::from(demand.each);
        let to = usize::try_from(to).unwrap_or(from).max(MIN_LIMIT).min(from);
        if to < from {
            *demand.value = to;
            adjustments.push(Adjustment::Lowered {
                key,
                from,
                to,
                memory,
            });
        }
    }
    adjustments
}

#[cfg(test)]
mod tests;
