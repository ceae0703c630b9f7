//! Many writers and readers beside a program that writes the file as the CLI does.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value;

use super::*;

/// Runs writers and readers beside a program that writes the file as the CLI does.
fn run_beside_cli(write_as_cli: fn(&Path, &str), is_atomic: bool) {
    /// More than any machine needs.
    const PATIENCE: Patience = Patience {
        lock: Duration::from_secs(3600),
        pauses: 100_000,
    };
    const WRITERS: usize = 50;
    const READERS: usize = 50;
    /// A program that reads or writes all the time would take the processor from the others.
    const BETWEEN_READS: Duration = Duration::from_millis(10);
    const BETWEEN_WRITES: Duration = Duration::from_millis(1);
    const ROUNDS: usize = 2;

    let profiles = |token: &str| {
        let profiles = (0..WRITERS).map(|number| {
            format!(r#"{{"name": "p{number}", "unknown": 1.50, "oauth_refresh_token": "{token}"}}"#)
        });
        profiles.collect::<Vec<_>>().join(",\n\t")
    };
    let fixture = Fixture::new(&format!(
        "{{\"cli\": 0, \"profiles\": [\n\t{}]}}",
        profiles("0")
    ));
    let path = fixture.path.as_path();
    let (is_over, active) = (AtomicBool::new(false), AtomicUsize::new(WRITERS));
    let token_of = |text: &str, number: usize| {
        let value: Value = serde_json::from_str(text).ok()?;
        let token = value["profiles"][number]["oauth_refresh_token"].as_str()?;
        Some(token.to_owned())
    };
    let read_valid = || loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let is_valid = serde_json::from_str::<Value>(&text).is_ok();
        assert!(is_valid || !is_atomic, "broken file: {text}");
        if is_valid {
            return text;
        }
        thread::yield_now();
    };

    let last = thread::scope(|scope| {
        let cli = scope.spawn(|| {
            let mut number = 0;
            while active.load(Ordering::SeqCst) > 0 {
                let value: Value = serde_json::from_str(&read_valid()).unwrap();
                number += 1;
                let old = format!("\"cli\": {},", value["cli"]);
                let text = read_valid();
                assert!(text.contains("\"cli\": "));
                let text = text.replacen(&old, &format!("\"cli\": {number},"), 1);
                if text.contains(&format!("\"cli\": {number},")) {
                    write_as_cli(path, &text);
                } else {
                    number -= 1;
                }
                thread::sleep(BETWEEN_WRITES);
            }
            number
        });
        for number in 0..WRITERS {
            let (active, read_valid, token_of) = (&active, &read_valid, &token_of);
            scope.spawn(move || {
                let name = format!("p{number}");
                for round in 1..=ROUNDS {
                    // Another save of this profile does not exist, so the only other result is that the CLI has written
                    // an older token after the read.
                    let old = token_of(&read_valid(), number).unwrap();
                    let new = format!("{round}");
                    match save_with(&update_of(path.to_owned(), &name, &old, &new), PATIENCE) {
                        Ok(()) | Err(SaveError::Edit(EditError::Changed)) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                active.fetch_sub(1, Ordering::SeqCst);
            });
        }
        for _ in 0..READERS {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    read_valid();
                    thread::sleep(BETWEEN_READS);
                }
            });
        }
        let last = cli.join();
        is_over.store(true, Ordering::SeqCst);
        last.unwrap()
    });

    let value: Value = serde_json::from_str(&fixture.text()).unwrap();
    assert_eq!(value["cli"], last);

    // Without the CLI, no change is lost.
    thread::scope(|scope| {
        for number in 0..WRITERS {
            let old = token_of(&fixture.text(), number).unwrap();
            scope.spawn(move || {
                let update = update_of(path.to_owned(), &format!("p{number}"), &old, "last");
                save_with(&update, PATIENCE).unwrap();
            });
        }
    });
    let text = fixture.text();
    for number in 0..WRITERS {
        assert_eq!(token_of(&text, number).as_deref(), Some("last"), "{number}");
    }
    assert_eq!(text.matches("\"unknown\": 1.50").count(), WRITERS);
    assert_eq!(fixture.number_of_files(), 1);
}

#[test]
fn writers_and_readers_beside_cli_that_renames_lose_nothing() {
    run_beside_cli(
        |path, text| {
            let folder = path.parent().unwrap();
            let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
            io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            file.persist(path).unwrap();
        },
        true,
    );
}

#[test]
fn writers_and_readers_beside_cli_that_writes_in_place_lose_nothing() {
    run_beside_cli(|path, text| fs::write(path, text).unwrap(), false);
}
