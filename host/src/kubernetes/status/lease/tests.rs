use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use hyper::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use super::*;

#[test]
fn lease_is_acquired_only_when_free() {
    let start = Instant::now();
    for (holder, duration, age, step) in [
        // (holder, lease duration, seconds since the last change, next step)
        (None, None, 0, LeaseStep::Take),
        (Some(""), Some(15), 0, LeaseStep::Take),
        (Some("me"), Some(15), 0, LeaseStep::Renew),
        (Some("me"), Some(15), 60, LeaseStep::Renew),
        (Some("other"), Some(15), 0, LeaseStep::Wait),
        (Some("other"), Some(15), 14, LeaseStep::Wait),
        (Some("other"), Some(15), 15, LeaseStep::Take),
        (Some("other"), Some(60), 59, LeaseStep::Wait),
        (Some("other"), None, 14, LeaseStep::Wait),
        (Some("other"), None, 15, LeaseStep::Take),
        (Some("other"), Some(0), 14, LeaseStep::Wait),
        (Some("other"), Some(-1), 15, LeaseStep::Take),
    ] {
        let spec = LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: duration,
            // A clock that is wrong by a year has no effect.
            renew_time: Some(microtime(UnixTime::from_seconds(31_536_000))),
            ..LeaseSpec::default()
        };
        let observed = ObservedLease {
            lease: Lease {
                spec: Some(spec),
                ..Lease::default()
            },
            since: start,
        };
        let now = start + Duration::from_secs(age);
        let got = next_step(Some(&observed), "me", now);
        assert_eq!(got, step, "{holder:?} {duration:?} {age}");
    }
    assert_eq!(next_step(None, "me", start), LeaseStep::Create);
}

/// An API server that stores a Lease.
#[derive(Default)]
struct LeaseStore {
    lease: Value,
    version: u64,
    /// Whether it answers 500.
    is_down: bool,
}

impl LeaseStore {
    fn write(&mut self, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = lease;
        self.lease.clone()
    }

    fn renew_as_rival(&mut self) {
        let spec =
            json!({"holderIdentity": "rival", "leaseDurationSeconds": 15, "renewTime": null});
        self.write(json!({"metadata": {"name": LEASE_NAME, "uid": "1"}, "spec": spec}));
    }

    fn answer(&mut self, method: &Method, body: &[u8]) -> (u16, Value) {
        let refuse = |code: u16, reason| {
            (
                code,
                json!({"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason}),
            )
        };
        if self.is_down {
            return refuse(500, "InternalError");
        }
        if *method == Method::GET {
            return match &self.lease {
                Value::Null => refuse(404, "NotFound"),
                lease => (200, lease.clone()),
            };
        }
        let lease: Value = serde_json::from_slice(body).unwrap();
        let (is_create, version) = (
            *method == Method::POST,
            &lease["metadata"]["resourceVersion"],
        );
        if is_create != self.lease.is_null()
            || *version != self.lease["metadata"]["resourceVersion"]
        {
            return refuse(
                409,
                if is_create {
                    "AlreadyExists"
                } else {
                    "Conflict"
                },
            );
        }
        (200, self.write(lease))
    }
}

#[tokio::test(start_paused = true)]
async fn leader_that_cannot_renew_steps_down() {
    let store = Arc::new(Mutex::new(LeaseStore::default()));
    let store_ = Arc::clone(&store);
    let client = Client::new(
        tower::service_fn(move |request: Request<Body>| {
            let store_ = Arc::clone(&store_);
            async move {
                let method = request.method().clone();
                let body = request.into_body().collect_bytes().await.unwrap();
                let (code, answer) = store_.lock().unwrap().answer(&method, &body);
                let answer = Body::from(answer.to_string().into_bytes());
                Ok::<_, Infallible>(Response::builder().status(code).body(answer).unwrap())
            }
        }),
        "default",
    );
    let clock = || UnixTime::from_seconds(1_767_323_045);
    let election = Election::new(client, "kube-system", "me".to_owned(), clock);
    let (leading, leads) = watch::channel(false);
    let (_stop, stopped) = watch::channel(false);
    let script = async {
        let leads_after = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            *leads.borrow()
        };
        let rival = || store.lock().unwrap().renew_as_rival();
        assert!(leads_after(1).await, "the lease is free");
        rival();
        assert!(!leads_after(5).await, "a rival took the lease");
        for _ in 0..12 {
            rival();
            assert!(!leads_after(5).await, "the rival renews the lease");
        }
        assert!(!leads_after(9).await, "not renewed for 14 seconds");
        // The lease is observed up to four seconds after the write, and again up to four seconds after it has expired.
        assert!(leads_after(10).await, "the lease has expired");
        assert!(leads_after(60).await, "the lease is renewed");
        store.lock().unwrap().is_down = true;
        assert!(!leads_after(11).await, "the lease cannot be renewed");
        assert!(!leads_after(60).await);
        store.lock().unwrap().is_down = false;
        assert!(leads_after(5).await, "no rival took the lease");
    };
    tokio::select! {
        () = election.run(leading, stopped) => panic!("the election must not end"),
        () = script => {}
    }
}
