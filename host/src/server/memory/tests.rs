use tempfile::TempDir;

use super::*;
use crate::fixture::load_config;

const MIB: u64 = KIB * KIB;

fn groups(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

#[test]
fn least_limit_of_a_control_group_and_its_parents_applies() {
    for (case, own, files, limit) in [
        ("no control groups", "", &[][..], None),
        (
            "version 2",
            "0::/a/b\n",
            &[("a/b/memory.max", "1024\n")],
            Some(1_024),
        ),
        (
            "version 2, a parent allows less",
            "0::/a/b\n",
            &[("a/b/memory.max", "1024\n"), ("a/memory.max", "512\n")],
            Some(512),
        ),
        (
            "version 2, without a limit",
            "0::/a\n",
            &[("a/memory.max", "max\n")],
            None,
        ),
        (
            "version 2, in a container with a namespace",
            "0::/\n",
            &[("memory.max", "268435456\n")],
            Some(256 * MIB),
        ),
        (
            "version 2, a path of the host",
            "0::/../../kubepods/pod1\n",
            &[("memory.max", "268435456\n")],
            Some(256 * MIB),
        ),
        (
            "version 1",
            "9:cpu,cpuacct:/x\n4:memory:/a\n0::/\n",
            &[("memory/a/memory.limit_in_bytes", "2048\n")],
            Some(2_048),
        ),
        (
            "version 1, a path of the host",
            "4:memory:/docker/abc\n",
            &[("memory/memory.limit_in_bytes", "4096\n")],
            Some(4_096),
        ),
        (
            "version 1, without a limit",
            "4:memory:/\n",
            &[("memory/memory.limit_in_bytes", "9223372036854771712\n")],
            None,
        ),
        (
            "other text",
            "memory\n0:memory\n::\n",
            &[("memory.max", "-1")],
            None,
        ),
    ] {
        let root = groups(files);
        assert_eq!(least_limit(own, root.path()), limit, "{case}");
    }
}

/// Head limits of a server without and with `/ext-authz`.
const MAX_HEADS: [usize; 2] = [16 * 1024, 64 * 1024];

/// Returns the maximum memory of connections and bodies.
fn worst_case(limits: &ServerLimits, max_head: usize) -> u64 {
    limits.max_connections as u64 * connection(max_head)
        + limits.max_health_connections as u64 * connection(health::MAX_HEAD)
        + limits.max_bodies as u64 * BODY
}

#[test]
fn default_limits_follow_from_memory() {
    let standard = ServerLimits::default();
    for max_head in MAX_HEADS {
        for memory in [128, 256, 512, 1_024, 2_048].map(|mib| mib * MIB) {
            let mut limits = standard;
            fit(&mut limits, max_head, memory);
            let needs = worst_case(&limits, max_head);
            assert!(needs <= memory / 3, "{memory}: {limits:?}");
            let is_standard = limits == standard;
            let fits = worst_case(&standard, max_head) <= memory / 3;
            assert_eq!(is_standard, fits, "{memory}");
            // The limits use all available memory except for rounding.
            let rounded = connection(max_head) + BODY;
            assert!(is_standard || needs + rounded >= memory / 3, "{memory}");
        }
    }
    let mut limits = standard;
    fit(&mut limits, MAX_HEADS[1], 256 * MIB);
    assert_eq!((limits.max_connections, limits.max_bodies), (338, 84));
    let mut limits = standard;
    let adjustments = fit(&mut limits, MAX_HEADS[0], 256 * MIB);
    assert_eq!((limits.max_connections, limits.max_bodies), (564, 141));
    let text: Vec<String> = adjustments.iter().map(ToString::to_string).collect();
    assert_eq!(
        text[0],
        "`server.limits.maxConnections` is 564 instead of 4096: the control group allows 256 MiB of memory; set the key to override"
    );
    assert_eq!(text.len(), 2);
}

#[test]
fn chosen_limit_stays_with_warning() {
    let mut limits = ServerLimits {
        max_connections: 4_000,
        ..ServerLimits::default()
    };
    limits.explicit.connections = true;
    let adjustments = fit(&mut limits, MAX_HEADS[0], 256 * MIB);
    assert_eq!(
        (limits.max_connections, limits.max_bodies),
        (4_000, MIN_LIMIT)
    );
    let text: Vec<String> = adjustments.iter().map(ToString::to_string).collect();
    assert_eq!(
        text[0],
        "`server.limits.maxConnections` is 4000, which may need 437 MiB, too much of the 256 MiB of memory that the control group allows; set a lower value, or raise the memory limit"
    );
    // A limit that fits is not mentioned, and the rest of the memory is for the others.
    let mut limits = ServerLimits {
        max_connections: 100,
        ..ServerLimits::default()
    };
    limits.explicit.connections = true;
    assert_eq!(fit(&mut limits, MAX_HEADS[0], 256 * MIB).len(), 1);
    assert_eq!(limits.max_connections, 100);
    assert!(worst_case(&limits, MAX_HEADS[0]) <= 256 * MIB / 3);
}

fn standard_sts_limits() -> StsLimits {
    load_config("clusterID: c").unwrap().sts.limits
}

#[test]
fn sts_limits_follow_from_memory() {
    let mut limits = standard_sts_limits();
    assert_eq!(fit_sts(&mut limits, 256 * MIB).len(), 3);
    let waiting = limits.max_waiting + limits.max_sharing;
    let needs = limits.max_calls as u64 * CALL + waiting as u64 * WAITING;
    assert!(
        needs <= 256 * MIB / 6 && limits.max_calls >= 64,
        "{limits:?}"
    );
    let mut limits = standard_sts_limits();
    limits.explicit.calls = true;
    let calls = limits.max_calls;
    fit_sts(&mut limits, 256 * MIB);
    assert_eq!(limits.max_calls, calls);
    assert_eq!(fit_sts(&mut standard_sts_limits(), 4 << 30), []);
}
