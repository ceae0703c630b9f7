//! The commands that change and show mappings, with a real API server.

use ack_ram_tests::authenticator;
use ack_ram_tests::process::Process;
use serde_json::Value;

use crate::fixture::{ClusterFixture, run};
use crate::replica::Login;
use ack_ram_tests::eventually::LIMIT;

pub fn add_and_remove_change_mappings(fixture: &mut ClusterFixture) {
    for backend in ["configmap", "crd"] {
        add_change_remove(fixture, backend);
        add_in_parallel(fixture, backend);
    }
}

fn add_change_remove(fixture: &mut ClusterFixture, backend: &str) {
    let person = fixture.person();
    let arn = person.arn();
    let replica = &fixture.replicas[0];
    let user = ["user", "--backend", backend, "--userarn", &arn];
    let add = |username: &str, more: &[&str]| {
        let names = ["--username", username, "--groups", "mapped,others"];
        let ran = run(fixture.command(&[&["add"], &user[..], &names, more].concat()));
        (ran.code, ran.stdout + &ran.stderr)
    };
    let (code, output) = add("one", &["--dry-run"]);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("dry run, nothing was stored: "), "{output}");
    let (code, output) = add("one", &[]);
    assert_eq!(code, Some(2), "{output}");
    assert!(
        output.contains("nothing was changed: there is no terminal to ask on"),
        "{output}"
    );
    assert_eq!(listed(fixture, backend, &arn), None);

    let (code, output) = add("one", &["--yes"]);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains(&arn), "{output}");
    replica.wait_for_login(person, &Login::As("one".to_owned()));
    assert_eq!(listed(fixture, backend, &arn).as_deref(), Some("one"));
    assert_eq!(in_effect(fixture, backend, &arn).as_deref(), Some("one"));

    let (code, output) = add("one", &["--yes"]);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("nothing to do"), "{output}");
    let (code, output) = add("two", &["--yes"]);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("use --replace"), "{output}");
    let (code, output) = add("two", &["--yes", "--replace"]);
    assert_eq!(code, Some(0), "{output}");
    replica.wait_for_login(person, &Login::As("two".to_owned()));

    let remove = |more: &[&str]| run(fixture.command(&[&["remove"], &user[..], more].concat()));
    let dry = remove(&["--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.stderr);
    assert_eq!(listed(fixture, backend, &arn).as_deref(), Some("two"));
    let removed = remove(&["--yes"]);
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    replica.wait_for_login(person, &Login::Denied);
    assert_eq!(listed(fixture, backend, &arn), None);
    assert_eq!(in_effect(fixture, backend, &arn), None);
    let again = remove(&["--yes"]);
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(again.stderr.contains(&arn), "{}", again.stderr);
}

/// Runs `add` several times in parallel. A run that loses a race reads the mappings again, and no mapping is lost.
fn add_in_parallel(fixture: &mut ClusterFixture, backend: &str) {
    let people: Vec<_> = (0..6).map(|_| fixture.person()).collect();
    let mut adding: Vec<Process> = people
        .iter()
        .map(|person| {
            let (arn, name) = (person.arn(), person.name());
            let command = fixture.command(&[
                "add",
                "user",
                "--yes",
                "--backend",
                backend,
                "--userarn",
                &arn,
                "--username",
                &name,
                "--groups",
                "mapped",
            ]);
            Process::spawn("add", command).unwrap()
        })
        .collect();
    let mut read_again = 0;
    for add in &mut adding {
        let status = add.wait(LIMIT).unwrap();
        assert!(status.success(), "{}", add.log());
        read_again += add.stderr().matches("changed by another client").count();
    }
    eprintln!("    {backend}: read again {read_again} times");
    for person in &people {
        fixture.replicas[0].wait_for_login(*person, &Login::As(person.name()));
    }
    for person in &people {
        let arn = person.arn();
        let args = [
            "remove",
            "user",
            "--yes",
            "--backend",
            backend,
            "--userarn",
            &arn,
        ];
        assert_eq!(run(fixture.command(&args)).code, Some(0));
    }
    for person in &people {
        fixture.replicas[0].wait_for_login(*person, &Login::Denied);
    }
}

/// Returns the username that `list` shows for `arn`.
fn listed(fixture: &ClusterFixture, backend: &str, arn: &str) -> Option<String> {
    let ran = run(fixture.command(&["list", "--backend", backend, "--output", "json"]));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let listed: Value = serde_json::from_str(&ran.stdout).unwrap();
    username(&listed["mappings"], arn)
}

/// Returns the username that the running server reports as in effect for `arn`.
fn in_effect(fixture: &ClusterFixture, backend: &str, arn: &str) -> Option<String> {
    let state = fixture.replicas[0].state();
    let state = state.to_string_lossy();
    let args = [
        "get",
        "mappings",
        "--state-dir",
        &state,
        "--backend",
        backend,
        "--output",
        "json",
    ];
    let ran = run(authenticator::command(fixture.folder.path(), &args));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    username(&shown["backends"][0]["rules"], arn)
}

fn username(mappings: &Value, arn: &str) -> Option<String> {
    let mut mappings = mappings.as_array().unwrap().iter();
    let found = mappings.find(|mapping| {
        mapping["subject"]
            .as_str()
            .is_some_and(|subject| subject.contains(arn))
    })?;
    Some(found["username"].as_str().unwrap().to_owned())
}
