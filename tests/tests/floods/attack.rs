//! Floods, and the share of logins that are granted during a flood.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::demo;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::fixture::{UNMAPPED, key, key_of, token_of, unmapped_key};
use crate::front::Front;

/// A flood, by the access key IDs that the tokens claim.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attack {
    /// One unknown key ID.
    OneKey,
    /// Another key ID in each token.
    ManyKeys,
    /// 2,000 key IDs that STS knows, without a mapping, and correctly signed.
    UnmappedKeys,
    /// The key ID of a user, the victim.
    VictimsPermanentKey,
    /// The key ID of a session, with forged security tokens.
    VictimsTemporaryKey,
}

/// The flood has reached its peak at the first login.
const RISE: Duration = Duration::from_secs(8);
const LOGINS: usize = 30;
const BETWEEN_LOGINS: Duration = Duration::from_millis(400);

/// The number of granted logins, for credentials with and without an earlier grant.
pub(crate) struct Shares {
    granted: usize,
    new: usize,
    answered_per_second: f64,
}

impl Shares {
    pub(crate) fn check_granted(&self, case: &str) {
        assert!(self.granted * 100 >= LOGINS * 95, "{case}: {self}");
    }

    pub(crate) fn check(&self, case: &str) {
        self.check_granted(case);
        self.check_half(case);
    }

    pub(crate) fn check_half(&self, case: &str) {
        let least = self.granted.min(self.new);
        assert!(least * 100 >= LOGINS * 50, "{case}: {self}");
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "granted before {}/{LOGINS}, new {}/{LOGINS}, the flood {:.0} answers per second",
            self.granted, self.new, self.answered_per_second
        )
    }
}

/// State that all tasks of a flood share.
struct Flood {
    is_over: AtomicBool,
    answered: AtomicUsize,
}

impl Attack {
    /// Floods `front` with `in_flight` concurrent tokens while users log in.
    pub(crate) async fn run(self, fixture: &Fixture, front: &Front, in_flight: usize) -> Shares {
        let known: Vec<AccessKey> = (0..LOGINS).map(|_| self.granted_key()).collect();
        let new: Vec<AccessKey> = (0..LOGINS).map(|number| self.new_key(number)).collect();
        // This login makes the credentials known to the server.
        assert!(front.grants(&token_of(fixture, &known[0], LOGINS)).await);
        let flood = Flood {
            is_over: AtomicBool::new(false),
            answered: AtomicUsize::new(0),
        };
        let flooding = join_all((0..in_flight).map(async |index| {
            let mut round = 0;
            while !flood.is_over.load(Ordering::Relaxed) {
                front.grants(&self.token(fixture, index, round)).await;
                flood.answered.fetch_add(1, Ordering::Relaxed);
                round += 1;
            }
        }));
        let logins_of_users = async {
            sleep(RISE).await;
            let start = (Instant::now(), flood.answered.load(Ordering::Relaxed));
            let log_in = async |keys: &[AccessKey]| {
                let logins = keys.iter().enumerate().map(async |(number, key)| {
                    sleep(BETWEEN_LOGINS * u32::try_from(number).unwrap()).await;
                    front.grants(&token_of(fixture, key, number)).await
                });
                let granted = join_all(logins).await;
                granted.into_iter().filter(|is_granted| *is_granted).count()
            };
            let (granted, new) = tokio::join!(log_in(&known), log_in(&new));
            let answered = flood.answered.load(Ordering::Relaxed) - start.1;
            flood.is_over.store(true, Ordering::Relaxed);
            Shares {
                granted,
                new,
                answered_per_second: answered as f64 / start.0.elapsed().as_secs_f64(),
            }
        };
        let (_, shares) = tokio::join!(flooding, logins_of_users);
        shares
    }

    /// Returns the key of the user with an earlier grant.
    fn granted_key(self) -> AccessKey {
        match self {
            Self::VictimsTemporaryKey => demo::session_key(),
            Self::OneKey | Self::ManyKeys | Self::UnmappedKeys | Self::VictimsPermanentKey => {
                demo::user_key()
            }
        }
    }

    /// Returns the key of a user without an earlier grant, another one for each login.
    fn new_key(self, number: usize) -> AccessKey {
        key_of(number)
    }

    fn token(self, fixture: &Fixture, index: usize, round: usize) -> Secret {
        let key = match self {
            Self::OneKey => key("LTAINobody"),
            Self::ManyKeys => key(&format!("LTAINobody{index}-{round}")),
            Self::UnmappedKeys => unmapped_key(index % UNMAPPED),
            // The key ID of the victim with another secret.
            Self::VictimsPermanentKey => key(demo::user_key().id.as_str()),
            Self::VictimsTemporaryKey => AccessKey {
                security_token: Some(Secret::new(format!("made-up-{index}-{round}"))),
                ..demo::session_key()
            },
        };
        // Another secret each time, so that tokens with a wrong signature differ.
        let key = match self {
            Self::UnmappedKeys => key,
            _ => AccessKey {
                secret: Secret::new(format!("guess-{index}-{round}")),
                ..key
            },
        };
        token_of(fixture, &key, round)
    }
}
