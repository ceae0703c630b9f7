use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ack_ram_core::rules::{Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source};
use ack_ram_core::time::UnixTime;

use super::*;
use crate::backends::live::LiveRules;
use crate::control::client::fetch_mappings;
use crate::control::server::ControlSocket;

const START: UnixTime = UnixTime::from_seconds(1_700_000_000);

fn rule(position: &str, arn: &str) -> Rule {
    let source = Source {
        backend: Backend::Crd,
        position: position.to_owned(),
    };
    let groups = vec!["g".to_owned(), "h".to_owned()];
    let mapping = Mapping::for_arn(source, Precedence::Created(START), arn, "u", groups);
    Rule::compile(mapping).unwrap()
}

#[tokio::test]
async fn page_shows_rules_in_effect() {
    let backends = vec![BackendRules::new_unsynced(Backend::Crd)];
    let live = LiveRules::new(RuleSet::new(backends, BTreeSet::new()), START);
    live.change(Backend::Crd, |edit| {
        edit.apply(rule("a", "acs:ram::1:user/a"), START);
        edit.apply(rule("b", "acs:ram::1:user/A"), START);
        edit.keep_whole_rule("b", "evil \u{1b}[2J", START.plus_seconds(1));
        edit.refuse("c", "no ARN");
        edit.set_trouble(Some("unreachable".to_owned()));
    });
    let folder = tempfile::tempdir().unwrap();
    let control = ControlSocket::listen(folder.path()).unwrap();
    let serving = tokio::spawn(async move { control.serve(Arc::new(live)).await });
    let in_effect = fetch_mappings(folder.path()).await.unwrap();
    serving.abort();
    let page = anstream::adapter::strip_str(&text(&in_effect).unwrap()).to_string();
    assert_eq!(
        page,
        "\
CRD: 2 mappings
  not loaded yet: later backends wait for this one
  current problem: unreachable
POSITION  SUBJECT            USERNAME  GROUPS  SINCE
a         acs:ram::1:user/a  u         g,h     2023-11-14T22:13:20Z
b         acs:ram::1:user/A  u         g,h     2023-11-14T22:13:20Z
    last good form, kept from 2023-11-14T22:13:21Z until 2023-11-15T22:13:21Z because the newest text still gives this to the same subject; the last edit is refused: evil \\u{1b}[2J
    shadowed by a, which maps the same identity and takes precedence
refused b: evil \\u{1b}[2J
refused c: no ARN
"
    );
}

#[tokio::test]
async fn page_shows_last_confirmation_and_staleness() {
    static UPTIME: AtomicU64 = AtomicU64::new(0);
    let uptime = || Duration::from_secs(UPTIME.load(Ordering::Relaxed));
    let rules = RuleSet::new(vec![BackendRules::new(Backend::Crd)], BTreeSet::new());
    let live = Arc::new(LiveRules::new(rules, START).with_uptime(uptime));
    let confirmations = live.confirmations();
    confirmations.set_max_age(Some(Duration::from_secs(180)));
    confirmations.confirm(Backend::Crd);
    let folder = tempfile::tempdir().unwrap();
    let control = ControlSocket::listen(folder.path()).unwrap();
    let served = Arc::clone(&live);
    let serving = tokio::spawn(async move { control.serve(served).await });
    for (uptime, age, stale) in [
        (60, "1 min", ""),
        (
            181,
            "3 min 1 s",
            "  stale: not confirmed for longer than `server.maxStaleness`, so identities that this backend maps get 503\n",
        ),
    ] {
        UPTIME.store(uptime, Ordering::Relaxed);
        let in_effect = fetch_mappings(folder.path()).await.unwrap();
        let page = anstream::adapter::strip_str(&text(&in_effect).unwrap()).to_string();
        assert_eq!(
            page,
            format!("CRD: 0 mappings\n{stale}  last confirmed {age} ago\n")
        );
    }
    serving.abort();
}
