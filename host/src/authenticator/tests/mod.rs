//! Logins against the STS emulator, over real sockets, with a clock that the tests control.

mod answers;
mod endpoints;
mod revocation;
mod staleness;

use std::cell::Cell;

use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::callers::{self, CLUSTER, token_v2};
use ack_ram_tests::dates::DistinctDates;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::backends;
use crate::clock;
use crate::fixture::load_config;
use crate::metrics::StsMetrics;
use crate::sts::StsClient;

thread_local! {
    /// Offset of the clock of this test in seconds. A test and its tasks run on one thread.
    static CLOCK_OFFSET: Cell<i64> = const { Cell::new(0) };
    /// Time of the first use of the clock. The clock stands still, so that no second passes on a slow machine.
    static START: UnixTime = clock::now();
    /// Whether the clock of this test panics.
    static PANICS: Cell<bool> = const { Cell::new(false) };
}

fn clock() -> UnixTime {
    assert!(!PANICS.get(), "intended panic of the test clock");
    START.with(|start| start.plus_seconds(CLOCK_OFFSET.get()))
}

/// Two STS endpoints, and the settings to use them.
struct AuthenticatorFixture {
    sts: Emulator,
    other: Emulator,
    folder: TempDir,
    dates: DistinctDates,
    nonces: Cell<u64>,
}

/// An authenticator and its STS metrics.
struct StsServer {
    authenticator: Authenticator,
    metrics: StsMetrics,
}

impl AuthenticatorFixture {
    fn new() -> Self {
        CLOCK_OFFSET.set(0);
        let emulator = || Emulator::builder().demo().start().unwrap();
        let (sts, other) = (emulator(), emulator());
        let folder = tempfile::tempdir().unwrap();
        let both = format!("{}{}", sts.ca_pem(), other.ca_pem());
        std::fs::write(folder.path().join("ca.pem"), both).unwrap();
        Self {
            sts,
            other,
            folder,
            dates: DistinctDates::back_from(clock()),
            nonces: Cell::new(0),
        }
    }

    /// Starts a server with `settings` besides the necessary ones. Its default timeouts are long enough for any
    /// machine.
    fn server(&self, settings: &Value) -> StsServer {
        let mut sts = self.sts.settings(&self.folder.path().join("ca.pem"));
        for (key, value) in settings.as_object().unwrap() {
            sts[key] = value.clone();
        }
        let text = json!({
            "clusterID": CLUSTER,
            "server": {
                "acceptTokenV1": true,
                "sts": sts,
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice" }],
            },
        });
        let config = load_config(&text.to_string()).unwrap();
        let metrics = StsMetrics::disabled().unwrap();
        let client = StsClient::new(&config.sts, &metrics).unwrap();
        let rules = backends::load(&config);
        let limits = &config.sts.limits;
        StsServer {
            authenticator: Authenticator::new(
                IdentityResolver::new(config.policy, client, limits, &metrics, clock),
                Arc::new(LiveRules::new(rules, clock())),
            ),
            metrics,
        }
    }

    /// Returns a token that differs from all other tokens of this fixture.
    fn token(&self) -> Secret {
        self.token_of(&demo::user_key())
    }

    fn token_of(&self, key: &AccessKey) -> Secret {
        token_v2(key, self.dates.next())
    }

    fn v1_token(&self) -> Secret {
        let nonce = self.nonces.replace(self.nonces.get() + 1).to_string();
        callers::token_v1(&demo::user_key(), &nonce, clock())
    }
}

impl StsServer {
    /// Logs in with `token`. Returns the code of the decision and the source of STS's answer.
    async fn login(&self, token: &Secret) -> (&'static str, &'static str) {
        self.login_by(Requester::ApiServer, token).await
    }

    async fn login_by(&self, requester: Requester, token: &Secret) -> (&'static str, &'static str) {
        let decided = self.authenticator.decide(token, requester).await;
        let source = decided.source.map_or("", IdentitySource::code);
        (decided.decision.code(), source)
    }

    /// Returns the number of in-flight calls to STS.
    fn calls(&self) -> usize {
        self.authenticator
            .resolver
            .load()
            .single_flight
            .calls
            .lock()
            .len()
    }
}
