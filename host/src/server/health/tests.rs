use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ack_ram_core::rules::{Backend, Mapping, Precedence, Rule, RuleSet, Source};
use http_body_util::BodyExt as _;

use super::*;
use crate::backends::live::Transaction;
use crate::clock::{self, Clock};
use crate::fixture::load_config;
use crate::metrics::CertificateMetrics;

async fn answer(readiness: &Readiness, is_verbose: bool) -> (u16, String) {
    let response = readiness.answer(is_verbose);
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn readiness(clock: Clock) -> Readiness {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().display();
    let text = format!("{{clusterID: c, server: {{stateDir: {state}}}}}");
    let config = load_config(&text);
    let metrics = CertificateMetrics::disabled().unwrap();
    let certificates = Certificates::load(&config.unwrap(), clock, &metrics);
    let file = BackendRules::new(Backend::MountedFile);
    let objects = BackendRules::new_unsynced(Backend::Crd);
    let rules = RuleSet::new(vec![file, objects], BTreeSet::new());
    Readiness {
        rules: Arc::new(LiveRules::new(rules, clock::now())),
        certificates: Arc::new(certificates.unwrap()),
        is_stopping: AtomicBool::new(false),
    }
}

#[tokio::test]
async fn server_is_ready_once_every_backend_is_synced() {
    let readiness = readiness(clock::now);
    let down = "the API server is unreachable";
    let trouble = |text: &str| Some(text.to_owned());
    type ReadinessStep<'a> = (&'a dyn Fn(&mut Transaction<'_>), u16, &'a str);
    let steps: [ReadinessStep<'_>; 9] = [
        (&|_| {}, 503, "[-]backend CRD failed: not synced yet\n"),
        (
            &|edit| edit.set_trouble(trouble(down)),
            503,
            "[-]backend CRD failed: the API server is unreachable\n",
        ),
        (
            &|edit| edit.set_broken("`acs:ram::1:user/alice` has no name".to_owned()),
            503,
            "[-]backend CRD failed: the document is invalid, so logins that need this backend or a later one get 503; see the log\n",
        ),
        (
            &|edit| edit.set_trouble(None),
            503,
            "[-]backend CRD failed: not synced yet\n",
        ),
        (
            &|edit| {
                edit.set_trouble(None);
                edit.mark_synced();
            },
            200,
            "[+]backend CRD ok: 0 mappings\n",
        ),
        (
            &|edit| edit.set_trouble(trouble(down)),
            200,
            "[+]backend CRD ok: the API server is unreachable; 0 mappings\n",
        ),
        (
            &|edit| edit.set_broken("`acs:ram::1:user/alice` has no name".to_owned()),
            200,
            "[+]backend CRD ok: the document is invalid; see the log; 0 mappings\n",
        ),
        (
            &|edit| edit.set_trouble(trouble("one\n[+]two\r\u{1b}[1m")),
            200,
            "[+]backend CRD ok: one [+]two  [1m; 0 mappings\n",
        ),
        (
            &|edit| {
                edit.set_trouble(None);
                let source = Source {
                    backend: Backend::Crd,
                    position: "alice".to_owned(),
                };
                let arn = "acs:ram::1:user/alice";
                let alice =
                    Mapping::for_arn(source, Precedence::ListIndex(0), arn, "alice", Vec::new());
                edit.apply(Rule::compile(alice).unwrap(), clock::now());
            },
            200,
            "[+]backend CRD ok\n",
        ),
    ];
    for (change, status, line) in steps {
        readiness.rules.change(Backend::Crd, change).unwrap();
        let result = if status == 200 { "passed" } else { "failed" };
        let verbose = format!(
            "[+]ping ok\n[+]certificate ok\n[+]backend MountedFile ok: 0 mappings\n{line}readyz check {result}\n"
        );
        let brief = if status == 200 { "ok" } else { &verbose };
        assert_eq!(answer(&readiness, true).await, (status, verbose.clone()));
        assert_eq!(answer(&readiness, false).await, (status, brief.to_owned()));
    }
}

#[tokio::test]
async fn server_with_expired_certificate_is_not_ready() {
    static YEARS: AtomicI64 = AtomicI64::new(0);
    let readiness = readiness(|| {
        let seconds = YEARS.load(Ordering::Relaxed) * 365 * 24 * 60 * 60;
        clock::now().plus_seconds(seconds)
    });
    readiness
        .rules
        .change(Backend::Crd, |edit| edit.mark_synced())
        .unwrap();
    assert_eq!(answer(&readiness, false).await.0, 200);
    YEARS.store(200, Ordering::Relaxed);
    let (status, text) = answer(&readiness, false).await;
    assert_eq!(status, 503);
    assert!(
        text.contains("[-]certificate failed: `cert.pem` expired at "),
        "{text}"
    );
}

#[test]
fn verbose_parameter_matches_kubernetes() {
    for (parameter, expected) in [
        ("verbose", true),
        ("verbose=", true),
        ("verbose=true", true),
        ("verbosely", false),
        ("", false),
    ] {
        assert_eq!(is_verbose(parameter), expected, "{parameter}");
    }
}

#[tokio::test]
async fn stopping_server_is_not_ready() {
    let readiness = readiness(clock::now);
    readiness
        .rules
        .change(Backend::Crd, |edit| edit.mark_synced());
    assert_eq!(answer(&readiness, false).await.0, 200);
    readiness.stop();
    for is_verbose in [false, true] {
        let (status, text) = answer(&readiness, is_verbose).await;
        assert_eq!(status, 503);
        let line = "[-]shutdown failed: the server is shutting down\n";
        assert!(text.contains(line), "{text}");
    }
}

#[tokio::test]
async fn readyz_shows_age_of_last_confirmation() {
    static UPTIME: AtomicI64 = AtomicI64::new(1);
    let uptime = || Duration::from_secs(UPTIME.load(Ordering::Relaxed).unsigned_abs());
    let mut readiness = readiness(clock::now);
    let rules = RuleSet::clone(&readiness.rules.snapshot());
    readiness.rules = Arc::new(LiveRules::new(rules, clock::now()).with_uptime(uptime));
    let confirmations = readiness.rules.confirmations();
    confirmations.set_max_age(Some(Duration::from_secs(180)));
    confirmations.confirm(Backend::Crd);
    confirmations.confirm(Backend::MountedFile);
    readiness
        .rules
        .change(Backend::Crd, |edit| edit.mark_synced())
        .unwrap();
    for (uptime, line) in [
        (8, "[+]confirmation of CRD ok: last confirmed 7 s ago\n"),
        (
            190,
            "[+]confirmation of CRD ok: stale, so the identities that the backend maps get 503: last confirmed 189 s ago\n",
        ),
    ] {
        UPTIME.store(uptime, Ordering::Relaxed);
        let (status, text) = answer(&readiness, true).await;
        assert_eq!(status, 200);
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("confirmation of MountedFile"), "{text}");
        assert_eq!(answer(&readiness, false).await, (200, "ok".to_owned()));
    }
}
