//! Slots of connections, with a clock that advances whenever nothing else is left to wait for.

use std::net::Ipv4Addr;

use ack_ram_core::rules::RuleSet;
use ack_ram_core::time::UnixTime;
use futures_util::FutureExt as _;

use super::*;
use crate::backends::live::LiveRules;
use crate::metrics::Metrics;
use crate::server::connections::eviction::GRACE;

fn registry(limit: usize) -> Arc<ConnectionRegistry> {
    let rules = LiveRules::new(RuleSet::new(Vec::new(), []), UnixTime::from_seconds(0));
    let metrics = Metrics::new(Arc::new(rules), crate::clock::now).unwrap();
    ConnectionRegistry::new(limit, &metrics.connections.port("test"))
}

fn host(host: u8) -> Origin {
    Origin::from_address(Ipv4Addr::new(10, 0, 0, host).into())
}

/// Closes the connection of `slot` when it is evicted.
fn leave_when_evicted(slot: ConnectionSlot) {
    tokio::spawn(async move { slot.activity.wait_for_eviction().await });
}

fn is_evicted(slot: &ConnectionSlot) -> bool {
    slot.activity.wait_for_eviction().now_or_never().is_some()
}

#[tokio::test(start_paused = true)]
async fn newcomer_of_quiet_address_keeps_grace_under_flood() {
    let registry = registry(32);
    for _ in 0..32 {
        leave_when_evicted(registry.acquire(host(1)).await);
    }
    // The newcomer is older than later connections of the flood, but is not evicted before them.
    let newcomer = registry.acquire(host(2)).await;
    for _ in 0..1_000 {
        leave_when_evicted(registry.acquire(host(1)).await);
        assert!(!is_evicted(&newcomer));
    }
}

#[tokio::test(start_paused = true)]
async fn accept_waits_while_all_are_newcomers() {
    let registry = registry(32);
    let start = Instant::now();
    for number in 0..32 {
        leave_when_evicted(registry.acquire(host(number)).await);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    leave_when_evicted(registry.acquire(host(100)).await);
    assert!(start.elapsed() >= GRACE);
    // Exactly one connection was evicted.
    assert_eq!(registry.metrics.evicted.get(), 1);
    assert_eq!(registry.metrics.open.get(), 32);
}

#[tokio::test(start_paused = true)]
async fn freed_slot_ends_wait() {
    let registry = registry(1);
    let guard = registry.acquire(host(1)).await;
    guard.activity.raise(ClientStanding::Granted);
    let start = Instant::now();
    let (slot, ()) = tokio::join!(registry.acquire(host(2)), async move {
        time::sleep(Duration::from_secs(3)).await;
        drop(guard);
    });
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    drop(slot);
    assert_eq!(registry.metrics.open.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn strangers_evict_neither_granted_nor_certified_clients() {
    let registry = registry(32);
    let known =
        [ClientStanding::Granted, ClientStanding::Certified].map(|standing| (standing, host(1)));
    let mut kept = Vec::new();
    for (standing, origin) in known {
        let slot = registry.acquire(origin).await;
        let request = slot.activity.begin();
        request.mark_received();
        match standing {
            ClientStanding::Granted => request.mark_granted(),
            _ => slot.activity.raise(standing),
        }
        drop(request);
        kept.push(slot);
    }
    // Strangers from the same address, from another one, and from many, some with requests that never end.
    for number in 0..2_000_u32 {
        let address = match number % 3 {
            0 => host(1),
            1 => host(2),
            _ => Origin::from_address(Ipv4Addr::from_bits(number).into()),
        };
        let slot = registry.acquire(address).await;
        tokio::spawn(async move {
            let request = slot.activity.begin();
            if number % 2 == 0 {
                request.mark_received();
            }
            slot.activity.wait_for_eviction().await;
        });
        assert!(!kept.iter().any(is_evicted), "{number}");
    }
    assert!(registry.metrics.evicted.get() >= 1_900);
}

#[tokio::test(start_paused = true)]
async fn missing_descriptors_evict_only_strangers() {
    let registry = registry(32);
    let granted = registry.acquire(host(1)).await;
    granted.activity.raise(ClientStanding::Granted);
    time::advance(GRACE).await;
    registry.free_descriptors();
    assert!(!is_evicted(&granted));
    let stranger = registry.acquire(host(1)).await;
    time::advance(GRACE).await;
    registry.free_descriptors();
    assert!(is_evicted(&stranger) && !is_evicted(&granted));
}
