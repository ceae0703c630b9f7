//! Service for a user while tokens of others flood the queue. The tests use the real queue with simulated time. STS
//! takes a second, and each answered token is followed by the next one.

use std::fmt;

use tokio::task::LocalSet;

use super::*;

const STS_TAKES: Duration = Duration::from_secs(1);
/// `server.sts.timeout`, and the part of it that `StsClient` waits for a permit.
const TIMEOUT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(3);
/// Time from an answer to the next token.
const ROUND_TRIP: Duration = Duration::from_millis(50);
/// Time before the first login of the user. The flood is then at its maximum.
const RISE: Duration = Duration::from_secs(6);
const LOGINS: u32 = 60;
const BETWEEN_LOGINS: Duration = Duration::from_millis(100);

/// The access key IDs that the tokens of the flood claim.
#[derive(Clone, Copy, Debug)]
enum Flood {
    /// One ID that does not exist.
    OneKey,
    /// A different ID in each token.
    ManyKeys,
    /// 2,000 IDs that STS knows and no rule maps.
    UnmappedKeys,
    /// The permanent ID of the user.
    VictimsPermanentKey,
    /// The temporary ID of the user, with forged security tokens.
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

/// The share of the user's logins that STS answered in time.
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

/// Returns the share of a user who was granted a login before, and of a user who is new.
async fn flood(limits: (usize, usize), in_flight: usize, flood: Flood) -> [ServedShare; 2] {
    match flood {
        // All tokens of a credential have the same standing.
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
            // The tokens of the flood are spread over time, so that an answer does not find all of them waiting.
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
                    // Each login is the only one of a user.
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

/// The defaults of the configuration.
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
    // The line of the victim has no granted login.
    let [granted, unproven] = flood((64, 64), 200, Flood::OneKey).await;
    assert!(granted.percent() >= 95, "{granted}");
    assert!(unproven.percent() >= 95, "{unproven}");
}
