//! Measures the cost of a decision. Run it with `cargo bench -p ack-ram-core --features cel`. `benches/README.md`
//! contains the results and explains them.
//!
//! Each group has a baseline that does the minimum of such work, so that ratios are comparable between machines.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark stops if its setup fails"
)]

#[cfg(feature = "cel")]
mod conditions;

use std::collections::{BTreeSet, HashMap};
use std::hint::black_box;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::arn::{Arn, ArnKey};
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::Decision;
use ack_ram_core::identity::Identity;
use ack_ram_core::login::{AwaitingSts, Step, VerifiedIdentity, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::review::{ReviewVersion, TokenReview, render_decision};
use ack_ram_core::rules::{
    Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source, WildcardMode,
};
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;
use divan::{AllocProfiler, Bencher};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

const NOW: UnixTime = UnixTime::from_seconds(1_767_323_045);
fn main() {
    divan::main();
}

fn policy() -> TokenPolicy {
    TokenPolicy::new(ClusterId::parse("c0123456789abcdef0123456789abcdef").unwrap())
}

fn token() -> Secret {
    let key = AccessKey {
        id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
        secret: Secret::new("FakeAccessKeySecret0000000001"),
        security_token: None,
    };
    sign_token_v2(&key, &policy().cluster_id, "bench", NOW).unwrap()
}

fn awaiting(token: &Secret, policy: &TokenPolicy) -> AwaitingSts {
    match begin(token.expose(), policy, NOW) {
        Step::CallSts(awaiting) => awaiting,
        Step::Decided(decision) => panic!("{decision:?}"),
    }
}

/// Returns the reply of STS for a session of the role `team-<index>`.
fn reply(index: usize) -> String {
    format!(
        r#"{{"IdentityType":"AssumedRoleUser","AccountId":"1234567890123456","RequestId":"1","PrincipalId":"300000000000000001:alice","RoleId":"300000000000000001","Arn":"acs:ram::1234567890123456:assumed-role/team-{index}/alice"}}"#
    )
}

fn response(body: &str) -> StsReply<'_> {
    StsReply::Response {
        status: 200,
        body: body.as_bytes(),
    }
}

fn verified_identity(index: usize) -> VerifiedIdentity {
    let awaiting = awaiting(&token(), &policy());
    awaiting.resume(response(&reply(index)), NOW).unwrap()
}

fn mapping(index: usize, arn: &str) -> Mapping {
    let source = Source {
        backend: Backend::Crd,
        position: format!("mapping-{index}"),
    };
    Mapping {
        wildcards: WildcardMode::Enabled,
        ..Mapping::for_arn(
            source,
            Precedence::ListIndex(index),
            arn,
            "dev:{{SessionName}}",
            vec!["dev".to_owned()],
        )
    }
}

fn rule(index: usize, arn: &str) -> Rule {
    Rule::compile(mapping(index, arn)).unwrap()
}

fn rule_set(rules: impl Iterator<Item = Rule>) -> RuleSet {
    let mut backend = BackendRules::new(Backend::Crd);
    rules.for_each(|rule| backend.apply(rule));
    RuleSet::new(vec![backend], BTreeSet::new())
}

fn arn(index: usize) -> String {
    format!("acs:ram::1234567890123456:role/team-{index}")
}

/// From a token to a request to STS.
mod token_to_request {
    use super::*;

    #[divan::bench]
    fn begin_v2(bencher: Bencher<'_, '_>) {
        let (token, policy) = (token(), policy());
        bencher.bench_local(|| begin(black_box(token.expose()), &policy, NOW));
    }

    /// Computes only the fingerprint, which every token needs.
    #[divan::bench]
    fn baseline_sha256(bencher: Bencher<'_, '_>) {
        use ack_ram_core::fingerprint::Fingerprint;
        let token = token();
        bencher.bench_local(|| Fingerprint::from_text(black_box(token.expose())));
    }

    #[divan::bench]
    fn sign_v2(bencher: Bencher<'_, '_>) {
        bencher.bench_local(token);
    }
}

/// Parses a reply of STS into an identity.
#[divan::bench]
fn resume(bencher: Bencher<'_, '_>) {
    let (token, policy) = (token(), policy());
    let reply = reply(7);
    bencher
        .with_inputs(|| awaiting(&token, &policy))
        .bench_local_values(|awaiting| awaiting.resume(black_box(response(&reply)), NOW));
}

/// Decisions among rules for exact ARNs.
mod exact {
    use super::*;

    const SIZES: [usize; 4] = [10, 1_000, 100_000, 1_000_000];

    /// Decides for ten thousand identities in turn, so that the CPU caches contain only what a server would keep in
    /// them.
    #[divan::bench(args = SIZES, sample_size = 200)]
    fn decide(bencher: Bencher<'_, '_>, size: usize) {
        let rules = rule_set((0..size).map(|index| rule(index, &arn(index))));
        let identities: Vec<_> = spread(size).take(10_000).map(verified_identity).collect();
        let mut turns = identities.iter().cycle();
        bencher.bench_local(|| black_box(turns.next().unwrap()).decide(&rules));
    }

    /// Looks up a thousand rules, different ones each time.
    #[divan::bench(args = SIZES)]
    fn lookup(bencher: Bencher<'_, '_>, size: usize) {
        let rules = rule_set((0..size).map(|index| rule(index, &arn(index))));
        let [backend] = rules.backends() else {
            panic!()
        };
        let keys = keys(size);
        let mut turns = keys.chunks(1_000).cycle();
        bencher.bench_local(|| {
            let keys = turns.next().unwrap();
            keys.iter().filter(|key| backend.maps_arn(key)).count()
        });
    }

    /// Looks up the same keys in the map of the standard library.
    #[divan::bench(args = SIZES)]
    fn baseline_hash_map(bencher: Bencher<'_, '_>, size: usize) {
        let map: HashMap<String, usize> = (0..size).map(|index| (arn(index), index)).collect();
        let keys = keys(size);
        let mut turns = keys.chunks(1_000).cycle();
        bencher.bench_local(|| {
            let keys = turns.next().unwrap();
            keys.iter()
                .filter(|key| map.contains_key(key.as_str()))
                .count()
        });
    }

    fn keys(size: usize) -> Vec<ArnKey> {
        spread(size)
            .take(100_000)
            .map(|index| Arn::parse(&arn(index)).unwrap().key())
            .collect()
    }

    /// Returns all indices below `size`, a power of ten, in an order in which neighbors are far apart.
    fn spread(size: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(1), move |index| Some((index * 7_921 + 104_729) % size))
    }
}

/// Decisions among patterns of the account of the identity.
mod patterns {
    use super::*;

    const SIZES: [usize; 4] = [1, 100, 1_000, 10_000];

    /// Decides among patterns that all have a prefix of the ARN, so each pattern is tried. The last pattern matches.
    #[divan::bench(args = SIZES)]
    fn same_prefix(bencher: Bencher<'_, '_>, size: usize) {
        let account = "acs:ram::1234567890123456";
        let others = (1..size).map(|index| rule(index, &format!("{account}:role/*-{index}-x")));
        let rules = rule_set(others.chain([rule(size, &format!("{account}:role/*-7"))]));
        decide(bencher, &rules);
    }

    /// Decides among patterns of which only one has a prefix of the ARN.
    #[divan::bench(args = SIZES)]
    fn different_prefix(bencher: Bencher<'_, '_>, size: usize) {
        let others = (1..size).map(|index| rule(index, &format!("{}-*", arn(index + 10))));
        let rules = rule_set(others.chain([rule(0, "acs:ram::1234567890123456:role/t*")]));
        decide(bencher, &rules);
    }

    fn decide(bencher: Bencher<'_, '_>, rules: &RuleSet) {
        let identity = verified_identity(7);
        bencher.bench_local(|| black_box(&identity).decide(rules));
    }
}

/// Replaces one of 100,000 rules while a snapshot exists.
#[divan::bench]
fn apply_among_100_000(bencher: Bencher<'_, '_>) {
    let rules = rule_set((0..100_000).map(|index| rule(index, &arn(index))));
    bencher
        .with_inputs(|| (rules.clone(), rule(7, &arn(200_000))))
        .bench_local_values(|(mut rules, rule)| {
            if let Some(backend) = rules.backend_mut(Backend::Crd) {
                backend.apply(rule);
            }
            rules
        });
}

/// Explains why an identity is not mapped.
#[divan::bench]
fn explain_denial(bencher: Bencher<'_, '_>) {
    let rules = rule_set((0..1_000).map(|index| rule(index, &arn(index + 10))));
    let identity = Identity {
        arn: Arn::parse("acs:ram::1:assumed-role/team-11/alice").unwrap(),
        user_id: "1".into(),
        access_key_id: AccessKeyId::parse("LTAI").unwrap(),
    };
    bencher.bench_local(|| rules.explain(black_box(&identity)));
}

/// Parses a TokenReview, decides for a known identity, and renders the TokenReview: the cost of a cache hit without
/// HTTP.
#[divan::bench]
fn review_round_trip(bencher: Bencher<'_, '_>) {
    let token = token();
    let body = format!(
        r#"{{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{{"creationTimestamp":null}},"spec":{{"token":"{}","audiences":["https://kubernetes.default.svc"]}},"status":{{"user":{{}}}}}}"#,
        token.expose()
    );
    let rules = rule_set((0..1_000).map(|index| rule(index, &arn(index))));
    let identity = verified_identity(7);
    let decide = || -> Decision { identity.decide(&rules) };
    bencher.bench_local(|| {
        let review = TokenReview::parse(black_box(body.as_bytes())).unwrap();
        black_box(review.token());
        render_decision(ReviewVersion::V1, &decide())
    });
}
