//! Floods, and the share that a person gets meanwhile.

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

/// Whose access key ids the tokens claim.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attack {
    /// One that nobody has.
    OneKey,
    /// Another in each token.
    ManyKeys,
    /// 2,000 that STS knows and nobody maps, truly signed.
    UnmappedKeys,
    /// That of a person, who is the victim.
    VictimsPermanentKey,
    /// That of a session, with security tokens that are made up.
    VictimsTemporaryKey,
}

/// The flood is at its height when the first login comes.
const RISE: Duration = Duration::from_secs(8);
const LOGINS: usize = 30;
const BETWEEN_LOGINS: Duration = Duration::from_millis(400);

/// What part of the logins was granted, of those who were granted one before and of those who were not.
pub(crate) struct Shares {
    granted: usize,
    new: usize,
    answered_a_second: f64,
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
            "granted before {}/{LOGINS}, new {}/{LOGINS}, the flood {:.0} answers a second",
            self.granted, self.new, self.answered_a_second
        )
    }
}

/// What all tasks of a flood see.
struct Flood {
    is_over: AtomicBool,
    answered: AtomicUsize,
}

impl Attack {
    /// Floods `front` with `in_flight` tokens at a time while people log in.
    pub(crate) async fn run(self, fixture: &Fixture, front: &Front, in_flight: usize) -> Shares {
        let known: Vec<AccessKey> = (0..LOGINS).map(|_| self.granted_key()).collect();
        let new: Vec<AccessKey> = (0..LOGINS).map(|number| self.new_key(number)).collect();
        // Those who were granted a login before.
        assert!(front.lets_in(&token_of(fixture, &known[0], LOGINS)).await);
        let flood = Flood {
            is_over: AtomicBool::new(false),
            answered: AtomicUsize::new(0),
        };
        let flooding = join_all((0..in_flight).map(async |index| {
            let mut round = 0;
            while !flood.is_over.load(Ordering::Relaxed) {
                front.lets_in(&self.token(fixture, index, round)).await;
                flood.answered.fetch_add(1, Ordering::Relaxed);
                round += 1;
            }
        }));
        let people = async {
            sleep(RISE).await;
            let start = (Instant::now(), flood.answered.load(Ordering::Relaxed));
            let log_in = async |keys: &[AccessKey]| {
                let logins = keys.iter().enumerate().map(async |(number, key)| {
                    sleep(BETWEEN_LOGINS * u32::try_from(number).unwrap()).await;
                    front.lets_in(&token_of(fixture, key, number)).await
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
                answered_a_second: answered as f64 / start.0.elapsed().as_secs_f64(),
            }
        };
        let (_, shares) = tokio::join!(flooding, people);
        shares
    }

    /// The key of the person who was granted a login before.
    fn granted_key(self) -> AccessKey {
        match self {
            Self::VictimsTemporaryKey => demo::session_key(),
            Self::OneKey | Self::ManyKeys | Self::UnmappedKeys | Self::VictimsPermanentKey => {
                demo::user_key()
            }
        }
    }

    /// The key of a person who logs in for the first time: each time another one.
    fn new_key(self, number: usize) -> AccessKey {
        key_of(number)
    }

    fn token(self, fixture: &Fixture, index: usize, round: usize) -> Secret {
        let key = match self {
            Self::OneKey => key("LTAINobody"),
            Self::ManyKeys => key(&format!("LTAINobody{index}-{round}")),
            Self::UnmappedKeys => unmapped_key(index % UNMAPPED),
            // The secret is another one.
            Self::VictimsPermanentKey => key(demo::user_key().id.as_str()),
            Self::VictimsTemporaryKey => AccessKey {
                security_token: Some(Secret::new(format!("made-up-{index}-{round}"))),
                ..demo::session_key()
            },
        };
        // What is not truly signed differs by its signature.
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
