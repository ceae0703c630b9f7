//! Decides three logins, and prints the results.
//!
//! Run it with `cargo run -p ack-ram-core --example decide`. A server sends the request to STS; this program uses
//! fixed replies instead. The key and the time are fixed, too, so the output is always the same:
//!
//! ```text
//! alice has a mapping: granted, HTTP 200
//!   user alice, groups ["dev"]
//! bob has no mapping: not_mapped, HTTP 200
//! STS does not answer: sts_timed_out, HTTP 503
//! ```

use std::error::Error;
use std::io::{self, Write};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::{Decision, Outcome};
use ack_ram_core::login::{self, Step};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::review::{ReviewVersion, render_decision};
use ack_ram_core::rules::{Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, Source};
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;

/// The replies of STS to a RAM user with a mapping, and to one without.
const ALICE: &[u8] =
    br#"{"IdentityType":"RAMUser","AccountId":"123","PrincipalId":"200","UserId":"200",
    "Arn":"acs:ram::123:user/alice"}"#;
const BOB: &[u8] =
    br#"{"IdentityType":"RAMUser","AccountId":"123","PrincipalId":"201","UserId":"201",
    "Arn":"acs:ram::123:user/bob"}"#;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout().lock())
}

/// Writes what the program prints to `out`.
pub(crate) fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let now = UnixTime::parse("2026-01-02T03:04:05Z").ok_or("not a date")?;
    let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
    let key = AccessKey {
        id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
        secret: Secret::new("FakeSecret"),
        security_token: None,
    };
    let token =
        sign_token_v2(&key, &cluster, "example", now).ok_or("the token cannot be signed")?;
    let policy = TokenPolicy::new(cluster);
    let rules = rules()?;

    let response = |body| StsReply::Response { status: 200, body };
    for (title, reply) in [
        ("alice has a mapping", response(ALICE)),
        ("bob has no mapping", response(BOB)),
        ("STS does not answer", StsReply::TimedOut),
    ] {
        let decision = decide(token.expose(), &policy, reply, &rules, now);
        let answer = render_decision(ReviewVersion::V1, &decision);
        writeln!(out, "{title}: {}, HTTP {}", decision.code(), answer.status)?;
        if let Outcome::Granted(user) = decision.outcome() {
            writeln!(out, "  user {}, groups {:?}", user.username, user.groups)?;
        }
    }
    Ok(())
}

/// Decides a login for which STS gives `reply`.
fn decide(
    token: &str,
    policy: &TokenPolicy,
    reply: StsReply<'_>,
    rules: &RuleSet,
    now: UnixTime,
) -> Decision {
    let awaiting = match login::begin(token, policy, now) {
        Step::CallSts(awaiting) => awaiting,
        Step::Decided(decision) => return decision,
    };
    // Here, a server sends `awaiting.request()` to STS.
    let fingerprint = awaiting.fingerprint();
    match awaiting.resume(reply, now) {
        Ok(verified) => verified.decide(rules),
        Err(error) => Decision::from_sts_error(fingerprint, error),
    }
}

/// Returns rules that map one RAM user.
fn rules() -> Result<RuleSet, Box<dyn Error>> {
    let mapping = Mapping::for_arn(
        Source {
            backend: Backend::MountedFile,
            position: "server.mapUsers[0]".to_owned(),
        },
        Precedence::ListIndex(0),
        "acs:ram::123:user/alice",
        "alice",
        vec!["dev".to_owned()],
    );
    let mut rules = BackendRules::new(Backend::MountedFile);
    rules.apply(Rule::compile(mapping)?);
    Ok(RuleSet::new(vec![rules], []))
}
