//! What a person gets while tokens of others flood the queue: the real queue on simulated time, where STS takes a second
//! and each token that is answered makes way for the next.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use tokio::task::LocalSet;

use super::*;

const STS_TAKES: Duration = Duration::from_secs(1);
/// `server.sts.timeout`, and how much of that `StsClient` waits for a place.
const TIMEOUT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(3);
/// From an answer to the next token.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// The flood is at its height when the first login of the person comes.
const RISE: Duration = Duration::from_secs(6);
const LOGINS: u32 = 100;
const BETWEEN_LOGINS: Duration = Duration::from_millis(150);

/// Whose access key ids the tokens of the flood claim.
#[derive(Clone, Copy, Debug)]
enum Flood {
    /// One that nobody has.
    OneKey,
    /// Another in each token.
    ManyKeys,
    /// 2,000 that STS knows and nobody maps.
    UnmappedKeys,
    /// That of the person.
    VictimsPermanentKey,
    /// That of the person, with security tokens that are made up.
    VictimsTemporaryKey,
}

const FLOODS: [Flood; 5] = [
    Flood::OneKey,
    Flood::ManyKeys,
    Flood::UnmappedKeys,
    Flood::VictimsPermanentKey,
    Flood::VictimsTemporaryKey,
];

impl Flood {
    fn caller(self, index: usize, round: usize, victim: Caller) -> Caller {
        match self {
            Self::OneKey => unproven("one"),
            Self::UnmappedKeys => unproven(&format!("unmapped-{index}")),
            Self::ManyKeys | Self::VictimsTemporaryKey => unproven(&format!("{index}-{round}")),
            Self::VictimsPermanentKey => victim,
        }
    }
}

/// How many of the person's logins were answered by STS in time.
struct Share {
    answered: u32,
    slowest: Duration,
}

impl Share {
    fn percent(&self) -> u32 {
        self.answered * 100 / LOGINS
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %, slowest {:?}", self.percent(), self.slowest)
    }
}

async fn login(queue: &Arc<FairQueue>, caller: Caller) -> bool {
    let start = Instant::now();
    match queue.enter(ApiServer, caller, start + PATIENCE).await {
        Ok(_place) => tokio::time::timeout_at(start + TIMEOUT, tokio::time::sleep(STS_TAKES))
            .await
            .is_ok(),
        Err(Full) => false,
    }
}

async fn flood(
    limits: (usize, usize),
    in_flight: usize,
    flood: Flood,
    standing: Standing,
) -> Share {
    let queue = queue(limits.0, limits.1);
    let victim = caller("victim", standing);
    let share = Rc::new(RefCell::new(Share {
        answered: 0,
        slowest: Duration::ZERO,
    }));
    let tasks = LocalSet::new();
    for index in 0..in_flight {
        let queue = Arc::clone(&queue);
        tasks.spawn_local(async move {
            // They do not come all at once, and so no answer finds all of them at once.
            let spread =
                STS_TAKES * u32::try_from(index).unwrap() / u32::try_from(in_flight).unwrap();
            tokio::time::sleep(spread).await;
            for round in 0.. {
                login(&queue, flood.caller(index, round, victim)).await;
                tokio::time::sleep(ROUND_TRIP).await;
            }
        });
    }
    let logins = async {
        tokio::time::sleep(RISE).await;
        let mut logins = Vec::new();
        for number in 0..LOGINS {
            let victim = match flood {
                Flood::VictimsPermanentKey => victim,
                // Each is the one login of a person.
                _ => caller(&format!("victim-{number}"), standing),
            };
            let (queue, share) = (Arc::clone(&queue), Rc::clone(&share));
            logins.push(tokio::task::spawn_local(async move {
                let start = Instant::now();
                if login(&queue, victim).await {
                    let mut share = share.borrow_mut();
                    share.answered += 1;
                    share.slowest = share.slowest.max(start.elapsed());
                }
            }));
            tokio::time::sleep(BETWEEN_LOGINS).await;
        }
        for login in logins {
            login.await.unwrap();
        }
    };
    tasks.run_until(logins).await;
    drop(tasks);
    Rc::into_inner(share).unwrap().into_inner()
}

/// As the defaults of the configuration.
const DEFAULTS: (usize, usize) = (1_024, 4_096);

#[tokio::test(start_paused = true)]
async fn victim_gets_its_share_under_every_flood() {
    for in_flight in [1_300, 2_000] {
        for kind in FLOODS {
            for (standing, least) in [(Standing::Granted, 95), (Standing::Unproven, 50)] {
                let share = flood(DEFAULTS, in_flight, kind, standing).await;
                println!("{in_flight} in flight, {kind:?}, victim {standing:?}: {share}");
                assert!(
                    share.percent() >= least,
                    "{in_flight} {kind:?} {standing:?}: {share}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn granted_victim_gets_its_share_where_limits_are_low() {
    let share = flood((64, 64), 200, Flood::ManyKeys, Standing::Granted).await;
    assert!(share.percent() >= 95, "{share}");
    // Its own line is that of a person who was never granted one.
    let share = flood((64, 64), 200, Flood::OneKey, Standing::Unproven).await;
    assert!(share.percent() >= 95, "{share}");
}
