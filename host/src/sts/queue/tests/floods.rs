//! What a person gets while tokens of others flood the queue: the real queue on simulated time, where STS takes a second
//! and each token that is answered makes way for the next.

use std::fmt;

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
const LOGINS: u32 = 60;
const BETWEEN_LOGINS: Duration = Duration::from_millis(100);

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
#[derive(Default)]
struct ServedShare {
    answered: u32,
    slowest: Duration,
}

impl ServedShare {
    fn percent(&self) -> u32 {
        self.answered * 100 / LOGINS
    }
}

impl fmt::Display for ServedShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %, slowest {:?}", self.percent(), self.slowest)
    }
}

async fn login(queue: &Arc<FairQueue>, caller: Caller) -> bool {
    let start = Instant::now();
    match queue.acquire(ApiServer, caller, start + PATIENCE).await {
        Ok(_place) => tokio::time::timeout_at(start + TIMEOUT, tokio::time::sleep(STS_TAKES))
            .await
            .is_ok(),
        Err(QueueFull) => false,
    }
}

/// Returns what a person gets who was granted a login before, and what one gets who is seen for the first time.
async fn flood(limits: (usize, usize), in_flight: usize, flood: Flood) -> [ServedShare; 2] {
    match flood {
        // Whether the line was granted a login is so for all of its tokens.
        Flood::VictimsPermanentKey => {
            let [granted] =
                flood_with(limits, in_flight, flood, [CredentialStanding::Granted]).await;
            let [unproven] =
                flood_with(limits, in_flight, flood, [CredentialStanding::Unproven]).await;
            [granted, unproven]
        }
        _ => {
            let standings = [CredentialStanding::Granted, CredentialStanding::Unproven];
            flood_with(limits, in_flight, flood, standings).await
        }
    }
}

async fn flood_with<const N: usize>(
    limits: (usize, usize),
    in_flight: usize,
    flood: Flood,
    standings: [CredentialStanding; N],
) -> [ServedShare; N] {
    let queue = queue(limits.0, limits.1);
    let victim = caller("victim", standings[0]);
    let tasks = LocalSet::new();
    for index in 0..in_flight {
        let queue = Arc::clone(&queue);
        tasks.spawn_local(async move {
            // They do not come all at once, and so no answer finds all of them at once.
            let count = u32::try_from(in_flight).unwrap();
            let spread = STS_TAKES * u32::try_from(index).unwrap() / count;
            tokio::time::sleep(spread).await;
            for round in 0.. {
                login(&queue, flood.caller(index, round, victim)).await;
                tokio::time::sleep(ROUND_TRIP).await;
            }
        });
    }
    let logins = async {
        tokio::time::sleep(RISE).await;
        let mut logins = standings.map(|_| Vec::new());
        for number in 0..LOGINS {
            for (logins, standing) in logins.iter_mut().zip(standings) {
                let caller = match flood {
                    Flood::VictimsPermanentKey => victim,
                    // Each is the one login of a person.
                    _ => caller(&format!("victim-{standing:?}-{number}"), standing),
                };
                let queue = Arc::clone(&queue);
                logins.push(tokio::task::spawn_local(async move {
                    let start = Instant::now();
                    let is_answered = login(&queue, caller).await;
                    is_answered.then(|| start.elapsed())
                }));
            }
            tokio::time::sleep(BETWEEN_LOGINS).await;
        }
        let mut shares = standings.map(|_| ServedShare::default());
        for (share, logins) in shares.iter_mut().zip(logins) {
            for login in logins {
                if let Some(time) = login.await.unwrap() {
                    share.answered += 1;
                    share.slowest = share.slowest.max(time);
                }
            }
        }
        shares
    };
    tasks.run_until(logins).await
}

/// As the defaults of the configuration.
const DEFAULTS: (usize, usize) = (1_024, 4_096);

#[tokio::test(start_paused = true)]
async fn victim_gets_its_share_under_every_flood() {
    let floods = FLOODS.map(|flood| (2_000, flood));
    for (in_flight, kind) in floods.into_iter().chain([(1_300, Flood::ManyKeys)]) {
        let [granted, unproven] = flood(DEFAULTS, in_flight, kind).await;
        let case =
            format!("{in_flight} in flight, {kind:?}: granted before {granted}; new {unproven}");
        println!("{case}");
        assert!(granted.percent() >= 95, "{case}");
        assert!(unproven.percent() >= 50, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn granted_victim_gets_its_share_where_limits_are_low() {
    let [granted, unproven] = flood((64, 64), 200, Flood::ManyKeys).await;
    println!("many keys: granted before {granted}; new {unproven}");
    assert!(granted.percent() >= 95, "{granted}");
    // Its own line is that of a person who was never granted one.
    let [granted, unproven] = flood((64, 64), 200, Flood::OneKey).await;
    assert!(granted.percent() >= 95, "{granted}");
    assert!(unproven.percent() >= 95, "{unproven}");
}
