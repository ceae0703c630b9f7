//! Logins during a disturbance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::fixture::ClusterFixture;
use crate::people::Person;
use crate::replica::Login;

/// Logs in continuously at every server.
pub struct Prober {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Prober {
    pub fn start(fixture: &ClusterFixture, people: &BTreeMap<Person, String>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = fixture.running().map(|replica| {
            let (login_client, stop, people) = (
                replica.new_login_client(),
                Arc::clone(&stop),
                people.clone(),
            );
            thread::spawn(move || {
                let mut wrong = Vec::new();
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    for (person, username) in &people {
                        let login = login_client.login(*person);
                        if login != Login::As(username.clone()) {
                            wrong.push(format!("{person:?}: {login:?}"));
                        }
                        count += 1;
                        // Leaves the processor to others.
                        thread::sleep(Duration::from_millis(10));
                    }
                }
                (count, wrong)
            })
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    /// Stops and checks that every login had the expected result.
    pub fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let (count, wrong) = thread.join().unwrap();
            assert!(count > 0);
            assert!(wrong.is_empty(), "{} of {count}: {wrong:?}", wrong.len());
            eprintln!("    {count} logins");
        }
    }
}
