//! Limits that follow from the memory of the process.
//!
//! The worst case can be computed. Strangers can make the server hold all of these at their limits at the same time:
//!
//! | what | each | why |
//! |---|---|---|
//! | a connection | [`connection`] | a TLS record and its plain text (2 x 16 KiB), the head of an incomplete request (twice its limit, in a buffer that doubles), the state of TLS, HTTP and HPACK (16 KiB), an unread response (16 KiB); during the handshake, a message of 64 KiB instead |
//! | a body | [`BODY`] | 64 KiB, and as much again while the buffer grows |
//! | a call to STS | [`CALL`] | a connection, and a response of 64 KiB |
//! | a login that waits | [`WAITING`] | a token of 16 KiB, and the request for it |
//!
//! With `server.extAuthz`, a head may have 64 KiB instead of 16 KiB, so fewer connections fit. The heads of several
//! requests in one HTTP/2 connection are in memory only until the task of each request runs, which refuses the request
//! or extracts its token. The rest of an unread body is discarded as it arrives.
//!
//! Half of the memory is for these. The other half is for the program, its mappings, its caches, and freed memory that
//! the allocator has not returned. Of the first half, two thirds are for bodies and connections, and one third is for
//! STS. The parts are separate, because the STS settings may change while the server runs.

use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::config::{ServerLimits, StsLimits};
use crate::server::connections::head::HEAD_MARGIN;
use crate::server::health;

const KIB: u64 = 1_024;
/// Maximum memory of a connection, without the head of a request.
const CONNECTION_STATE: u64 = 64 * KIB;
/// Maximum memory of a body in transit.
const BODY: u64 = 128 * KIB;
/// Maximum memory of a call to STS.
const CALL: u64 = 160 * KIB;
/// Maximum memory of a login that waits for a call.
const WAITING: u64 = 32 * KIB;
/// Minimum for limits that are lowered.
const MIN_LIMIT: usize = 16;

/// Mount point of the control group file system.
const CGROUPS: &str = "/sys/fs/cgroup";
/// Lower bound of the values that the system reports if there is no limit.
const UNLIMITED: u64 = 1 << 60;

/// Returns the lowest memory limit of the control groups of this process, in bytes, or `None` if there is no limit.
pub(super) fn limit_of_this_process() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    least_limit(&groups, Path::new(CGROUPS))
}

/// Returns the lowest limit of the control groups in `groups`, the text of `/proc/<pid>/cgroup`, and of their parents.
///
/// In a container, the paths may be those of the host, of which only the root is mounted. The root is then the group of
/// the container.
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
            // "max" is not a number.
            text.trim().parse().ok().filter(|limit| *limit < UNLIMITED)
        });
        limits.min()
    });
    limits.min()
}

/// A configured limit, and the memory that it may need.
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

/// How a limit was adjusted, for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Adjustment {
    /// The limit was lowered, because the configuration does not set it.
    Lowered {
        key: &'static str,
        from: usize,
        to: usize,
        memory: u64,
    },
    /// The limit stays although it does not fit, because the configuration sets it or because it is never lowered.
    TooHigh {
        key: &'static str,
        value: usize,
        needs: u64,
        memory: u64,
    },
}

impl Adjustment {
    /// Logs the adjustment.
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
                "`{key}` is {value}, which may need {} MiB, too much of the {} MiB of memory that the control group allows; set a lower value, or raise the memory limit",
                mib(needs),
                mib(memory)
            ),
        }
    }
}

/// Returns the maximum memory of a connection whose requests may have heads of `max_head` bytes.
fn connection(max_head: usize) -> u64 {
    let head = u64::try_from(max_head + HEAD_MARGIN).unwrap_or(u64::MAX);
    CONNECTION_STATE.saturating_add(head.saturating_mul(2))
}

/// Lowers the limits on connections and bodies to what fits into `memory`, unless the configuration sets them. The head
/// of a request to the webhook may have `max_head` bytes.
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
            // The number is small, so it is not lowered.
            is_chosen: true,
        },
    ];
    fit_demands(demands, memory, memory / 3)
}

/// Lowers the limits on calls to STS and on waiting logins to what fits into `memory`, unless the configuration sets
/// them.
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

/// Lowers `demands` proportionally to fit into `budget`, except those that are set in the configuration.
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
