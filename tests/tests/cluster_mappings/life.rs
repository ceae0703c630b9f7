//! Creation, change, and deletion of objects, as users see them in kubectl.

use ack_ram_tests::cluster::ExecPlugin;
use serde_json::{Value, json};

use crate::fixture::{ClusterFixture, MAPPINGS, condition, object, path};
use crate::people::Person;
use crate::replica::Login;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::eventually::block_until;

pub fn created_changed_and_deleted_objects_take_effect(fixture: &mut ClusterFixture) {
    let person = fixture.person();
    let replica = &fixture.replicas[0];
    assert_eq!(whoami(fixture, person), None);
    fixture.map(person, "one");
    replica.wait_for_login(person, &Login::As("one".to_owned()));
    assert_eq!(whoami(fixture, person).as_deref(), Some("one"));
    fixture.wait_for_condition(
        &person.name(),
        "Accepted",
        "True",
        "the mapping is in effect",
    );
    let status = fixture.status(&person.name());
    assert_eq!(status["canonicalARN"], json!(person.arn()));
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(condition(&status, "Conflicted")["status"], "False");
    let shown = fixture
        .cluster
        .admin_kubectl(&["get", "rim", &person.name()])
        .stdout;
    let rows: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["NAME", "ARN", "USERNAME", "READY", "AGE"],
        "{shown}"
    );
    assert_eq!(
        rows[1][..4],
        [&*person.name(), &person.arn(), "one", "True"],
        "{shown}"
    );

    fixture.remap(person, "two");
    replica.wait_for_login(person, &Login::As("two".to_owned()));
    wait_for_whoami(fixture, person, Some("two"));
    let another = fixture.person();
    let replica = &fixture.replicas[0];
    let patch = json!({"spec": {"arn": another.arn()}});
    fixture.api.merge(&path(&person.name()), &patch).ok();
    replica.wait_for_login(another, &Login::As("two".to_owned()));
    assert_eq!(replica.login(person), Login::Denied);

    fixture.unmap(person);
    replica.wait_for_login(another, &Login::Denied);
    wait_for_whoami(fixture, another, None);
}

/// Tokens of the same second are equal, and the API server caches the result for ten seconds.
fn wait_for_whoami(fixture: &ClusterFixture, person: Person, expected: Option<&str>) {
    block_until("whoami", || match whoami(fixture, person) {
        name if name.as_deref() == expected => Ok(()),
        name => Err(format!("{name:?}, not {expected:?}")),
    });
}

/// Returns the username that `kubectl auth whoami` shows to `person`.
fn whoami(fixture: &ClusterFixture, person: Person) -> Option<String> {
    let args = ["token", "--cluster-id", CLUSTER];
    let plugin = ExecPlugin::authenticator(&person.key(), &args, "v1");
    let kubeconfig = fixture.cluster.write_kubeconfig(&person.name(), &plugin);
    let args = ["auth", "whoami", "--output=json"];
    let answer = fixture.cluster.kubectl_with(&kubeconfig, &args);
    if !answer.success {
        assert!(
            answer.stderr.contains("You must be logged in"),
            "{}",
            answer.stderr
        );
        return None;
    }
    let review: Value = serde_json::from_str(&answer.stdout).unwrap();
    let user = &review["status"]["userInfo"];
    assert!(
        user["groups"]
            .as_array()
            .unwrap()
            .contains(&json!("mapped")),
        "{user}"
    );
    Some(user["username"].as_str().unwrap().to_owned())
}

pub fn older_of_two_conflicting_objects_answers(fixture: &mut ClusterFixture) {
    let person = fixture.person();
    let replica = &fixture.replicas[0];
    let [older, newer] = ["z-older", "a-newer"];
    let create = |name: &str| {
        fixture
            .api
            .post(MAPPINGS, &object(name, &person.arn(), name))
            .ok()
    };
    let created = create(older);
    replica.wait_for_login(person, &Login::As(older.to_owned()));
    // Between two objects of the same second, the name decides.
    let created = created["metadata"]["creationTimestamp"].clone();
    block_until("another second", || {
        let answer = fixture.api.post(
            &format!("{}?dryRun=All", MAPPINGS),
            &object("a-clock", &person.arn(), "a"),
        );
        let now = answer.ok()["metadata"]["creationTimestamp"].clone();
        (now != created)
            .then_some(())
            .ok_or_else(|| now.to_string())
    });
    create(newer);
    fixture.wait_for_condition(older, "Conflicted", "True", newer);
    fixture.wait_for_condition(newer, "Conflicted", "True", older);
    fixture.wait_for_condition(newer, "Accepted", "True", "in effect");
    assert_eq!(replica.login(person), Login::As(older.to_owned()));
    let conflicted = [("backend", "CRD"), ("state", "conflicted")];
    assert_eq!(replica.metric("rules", &conflicted), 1.0);
    let described = fixture
        .cluster
        .admin_kubectl(&["describe", "rim", newer])
        .stdout;
    assert!(described.contains("NeverAnswers"), "{described}");

    fixture.api.delete(&path(older)).ok();
    replica.wait_for_login(person, &Login::As(newer.to_owned()));
    fixture.wait_for_condition(newer, "Conflicted", "False", "");
    assert_eq!(replica.metric("rules", &conflicted), 0.0);
    fixture.api.delete(&path(newer)).ok();
    replica.wait_for_login(person, &Login::Denied);
}

pub fn objects_do_not_override_protected_identity(fixture: &mut ClusterFixture, protected: Person) {
    let marker = fixture.person();
    let replica = &fixture.replicas[0];
    let is_break_glass = || {
        assert_eq!(
            replica.login(protected),
            Login::As("break-glass".to_owned())
        );
    };
    is_break_glass();
    fixture.map(protected, "taken");
    let account = format!("acs:ram::{}:user/p*", ack_ram_tests::sts::demo::ACCOUNT);
    let pattern = object("pattern", &account, "taken");
    fixture.api.post(MAPPINGS, &pattern).ok();
    replica.wait_for_login(marker, &Login::As("taken".to_owned()));
    is_break_glass();
    fixture.api.delete(&path("pattern")).ok();
    fixture.unmap(protected);
    replica.wait_for_login(marker, &Login::Denied);
    is_break_glass();
}
