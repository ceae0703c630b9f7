//! The tests set the clock.

use std::cell::Cell;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::Decision;
use ack_ram_core::login::{self, Step};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::time::UnixTime;

use super::*;

const MALFORMED: LineReason = LineReason::Denied("token_malformed");

fn reference(text: &str) -> Option<Fingerprint> {
    Some(Fingerprint::from_text(text))
}

/// Spends a line, and returns whether it is written.
fn spend(budget: &mut LineBudget, reason: LineReason, text: &str) -> bool {
    budget.spend(reason, reference(text)) == LineOutcome::Line
}

#[test]
fn lines_below_rate_are_written() {
    let mut budget = LineBudget::default();
    for second in 0..3 {
        assert_eq!(budget.begin(second), []);
        for _ in 0..LINES_PER_REASON {
            assert!(spend(&mut budget, MALFORMED, "t"), "{second}");
        }
    }
    assert_eq!(budget.finish(), []);
}

#[test]
fn lines_beyond_rate_are_summarized_per_reason() {
    let mut budget = LineBudget::default();
    budget.begin(7);
    for number in 0..LINES_PER_REASON + 23_000 {
        let is_written = spend(&mut budget, MALFORMED, &number.to_string());
        assert_eq!(is_written, number < LINES_PER_REASON, "{number}");
    }
    // Another reason is not affected.
    assert!(spend(&mut budget, LineReason::Rejected(404), "t"));
    assert_eq!(budget.begin(7), []);
    let summary = Summary {
        reason: MALFORMED,
        count: 23_000,
        reference: reference(&LINES_PER_REASON.to_string()),
        second: 7,
    };
    assert_eq!(summary.second(), "1970-01-01T00:00:07Z");
    assert_eq!(budget.begin(9), [summary]);
    assert!(spend(&mut budget, MALFORMED, "t"));
    assert_eq!(budget.finish(), []);
}

#[test]
fn reasons_share_rate_and_keep_a_few_lines_each() {
    let mut budget = LineBudget::default();
    let reasons: Vec<LineReason> = (0..100).map(LineReason::Rejected).collect();
    let mut written = 0;
    for _ in 0..1_000 {
        for reason in &reasons {
            written += u64::from(budget.spend(*reason, None) == LineOutcome::Line);
        }
    }
    assert_eq!(written, FEW_LINES * 100);
    let summaries = budget.finish();
    assert_eq!(summaries.len(), 100);
    let counted: u64 = summaries.iter().map(|summary| summary.count).sum();
    assert_eq!(written + counted, 100_000);
}

#[test]
fn clock_set_back_loses_no_line() {
    let mut budget = LineBudget::default();
    let written = Cell::new(0);
    let count = |summaries: Vec<Summary>| {
        let counted: u64 = summaries.iter().map(|summary| summary.count).sum();
        written.set(written.get() + counted);
    };
    for second in [5, 6, 3, 3, 9] {
        count(budget.begin(second));
        for _ in 0..500 {
            if spend(&mut budget, MALFORMED, "t") {
                written.set(written.get() + 1);
            }
        }
    }
    count(budget.finish());
    assert_eq!(written.get(), 2_500);
}

#[test]
fn decision_with_sts_call_has_its_own_line() {
    let fingerprint = Fingerprint::from_text("t");
    let unable = |inability| Decision::unavailable(fingerprint, inability);
    let sts = |unable| Unavailable::Sts(unable);
    let all = [
        None,
        Some(IdentitySource::Cache),
        Some(IdentitySource::SharedCall),
        Some(IdentitySource::Sts),
    ];
    let cluster = ClusterId::parse("c0123456789abcdef0123456789abcdef").unwrap();
    let now = UnixTime::from_seconds(0);
    let Step::Decided(malformed) = login::begin("k8s-ack-v2.e30=", &TokenPolicy::new(cluster), now)
    else {
        panic!("the token was not refused");
    };
    for (decision, free) in [
        // Whether the line is limited, for each source in `all`.
        (malformed, [true, true, true, false]),
        (unable(Unavailable::Overloaded), [true; 4]),
        (unable(sts(StsUnavailable::Unreachable)), [true; 4]),
        (
            unable(sts(StsUnavailable::TimedOut)),
            [true, true, true, false],
        ),
        (unable(Unavailable::Internal), [true, true, true, false]),
        (Decision::unrecognized_token(), [false; 4]),
    ] {
        for (source, free) in all.into_iter().zip(free) {
            let decided = DecisionRecord {
                decision: decision.clone(),
                cause: None,
                source,
            };
            let reason = LineReason::for_free_decision(&decided);
            assert_eq!(reason.is_some(), free, "{decided:?}");
        }
    }
}
