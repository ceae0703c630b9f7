//! Broken edits of objects: those that the definition rejects, and those that older definitions allow.

use std::fs;

use ack_ram_tests::sts::demo;
use ack_ram_tests::vectors;
use serde_json::{Value, json};

use crate::fixture::{ClusterFixture, DEFINITION, MAPPINGS, condition, of_spec, path};
use crate::people::Person;
use crate::replica::Login;
use ack_ram_tests::eventually::block_until;

/// Checks that kubectl tells the author immediately when the definition rejects an object.
pub fn schema_rejects_invalid_objects(fixture: &mut ClusterFixture) {
    let mut refused = Vec::new();
    for (number, case) in vectors::mapping_objects().into_iter().enumerate() {
        let object = of_spec(&format!("case-{number}"), &case.spec);
        let answer = fixture.api.post(&format!("{MAPPINGS}?dryRun=All"), &object);
        match &case.api_server_refuses {
            None => assert_eq!(answer.status, 201, "{}: {}", case.what, answer.message()),
            Some(part) => {
                assert_eq!(answer.status, 422, "{}: {}", case.what, answer.message());
                assert!(
                    answer.message().contains(part),
                    "{}: {}",
                    case.what,
                    answer.message()
                );
                refused.push((object, part.clone()));
            }
        }
    }
    let objects: Vec<&Value> = refused.iter().map(|(object, _)| object).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    let file = fixture.cluster.folder().join("refused.json");
    fs::write(&file, list.to_string()).unwrap();
    let args = [
        "create",
        "--validate=false",
        "--filename",
        &file.to_string_lossy(),
    ];
    let output = fixture.cluster.admin_kubectl(&args);
    assert!(!output.success);
    assert_eq!(output.stdout, "");
    for (object, part) in refused {
        let name = object["metadata"]["name"].as_str().unwrap();
        let is_reported = output.stderr.contains(&format!("\"{name}\" is invalid"))
            && output.stderr.contains(&part);
        assert!(is_reported, "{name}: {part}: {}", output.stderr);
    }
}

/// A broken edit of the `spec` of an object, and a part of the expected message.
struct Edit {
    what: String,
    spec: Value,
    said: String,
}

fn edits() -> Vec<Edit> {
    let mut edits: Vec<Edit> = vectors::mapping_objects()
        .into_iter()
        .filter_map(|case| {
            Some(Edit {
                what: case.what,
                spec: case.spec,
                said: case.server_refuses?,
            })
        })
        .collect();
    let good = json!({"arn": "acs:ram::1:user/a", "username": "a", "groups": ["a"]});
    let texts = [
        "arn",
        "username",
        "arnPattern",
        "userID",
        "roleID",
        "match",
        "usernameExpression",
        "groupsExpression",
    ];
    for field in texts {
        for wrong in [
            json!(7),
            json!(true),
            json!(["a"]),
            json!({"a": "b"}),
            json!(1.5),
        ] {
            let mut spec = good.clone();
            let what = format!("{field}: {wrong}");
            spec[field] = wrong;
            edits.push(Edit {
                what,
                spec,
                said: format!("`spec.{field}` is not text"),
            });
        }
    }
    for wrong in [json!(7), json!({"a": "b"}), json!(true)] {
        let mut spec = good.clone();
        let what = format!("groups: {wrong}");
        spec["groups"] = wrong;
        edits.push(Edit {
            what,
            spec,
            said: "`spec.groups` is not a list".to_owned(),
        });
    }
    for key in ["ARN", "Arn", "userARN", "roleArn", "a r n"] {
        let spec = json!({key: "acs:ram::1:user/a", "username": "a"});
        edits.push(Edit {
            what: key.to_owned(),
            spec,
            said: format!("unknown field `spec.{key}`"),
        });
    }
    for key in ["userName", "USERNAME", "user"] {
        let spec = json!({"arn": "acs:ram::1:user/a", key: "a"});
        edits.push(Edit {
            what: key.to_owned(),
            spec,
            said: "invalid `username`: the name is empty".to_owned(),
        });
    }
    for spec in [json!("a"), json!([1]), json!(7)] {
        edits.push(Edit {
            what: spec.to_string(),
            spec,
            said: "`spec` is not an object".to_owned(),
        });
    }
    edits
}

/// Returns an edit that breaks a group and changes nothing else.
fn broken_group(person: Person) -> Edit {
    let spec =
        json!({"arn": person.arn(), "username": person.name(), "groups": ["mapped", "{{Nobody}}"]});
    Edit {
        what: "a group with an unknown variable".to_owned(),
        spec,
        said: "unknown variable `{{Nobody}}`".to_owned(),
    }
}

/// Checks broken edits under a definition that allows every object.
pub fn broken_edits_keep_last_good_form(fixture: &mut ClusterFixture) {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    redefine(fixture, &anything);
    let edits: Vec<(Person, Edit)> = edits()
        .into_iter()
        .map(|edit| (fixture.person(), edit))
        .collect();
    assert!(edits.len() > 100, "{}", edits.len());
    let mut edits = edits;
    edits.extend(
        (0..3)
            .map(|_| fixture.person())
            .map(|person| (person, broken_group(person))),
    );
    let replica = &fixture.replicas[0];
    for (person, _) in &edits {
        fixture.map(*person, &person.name());
    }
    for (person, _) in &edits {
        replica.wait_for_login(*person, &Login::As(person.name()));
    }
    for (person, edit) in &edits {
        let operations = json!([{"op": "replace", "path": "/spec", "value": edit.spec}]);
        let answer = fixture.api.patch(&path(&person.name()), &operations);
        assert_eq!(answer.status, 200, "{}: {}", edit.what, answer.message());
    }
    let mut kept = 0;
    for (person, edit) in &edits {
        let Edit { what, said, .. } = edit;
        block_until(what, || {
            let found = condition(&fixture.status(&person.name()), "Accepted");
            let is_reported = found["status"] == "False"
                && found["message"]
                    .as_str()
                    .is_some_and(|text| text.contains(said));
            is_reported
                .then_some(())
                .ok_or_else(|| format!("{found}, not {said}"))
        });
        // All other edits change the subject.
        let (login, reason) = if edit.spec["arn"] == person.arn() {
            kept += 1;
            (Login::As(person.name()), "LastGoodInEffect")
        } else if said.contains("names one session") && edit.spec["arn"] != "" {
            (Login::Denied, "NamesOneSession")
        } else {
            (Login::Denied, "Refused")
        };
        assert_eq!(replica.login(*person), login, "{what}");
        let found = condition(&fixture.status(&person.name()), "Accepted");
        assert_eq!(found["reason"], reason, "{what}");
        // The log has a thread of its own, so the line may be written after the status.
        block_until(what, || {
            let log = replica.log();
            is_logged(&log, *person).then_some(()).ok_or(log)
        });
    }
    assert_eq!(kept, 3);
    let count = |state| replica.metric("rules", &[("backend", "CRD"), ("state", state)]);
    assert_eq!(count("kept"), f64::from(kept));
    block_until("events", || {
        let args = ["get", "events", "--namespace=default", "--output=name"];
        let events = fixture.cluster.admin_kubectl(&args).stdout;
        let are_many = events.lines().count() >= 50;
        are_many.then_some(()).ok_or(events)
    });
    for (person, _) in &edits {
        let spec = json!({"arn": person.arn(), "username": "again", "groups": ["mapped"]});
        let operations = json!([{"op": "replace", "path": "/spec", "value": spec}]);
        fixture.api.patch(&path(&person.name()), &operations).ok();
    }
    for (person, edit) in &edits {
        replica.wait_for_login(*person, &Login::As("again".to_owned()));
        fixture.wait_for_condition(&person.name(), "Accepted", "True", "in effect");
        assert!(edit.what.len() < 100);
    }
    assert_eq!(count("kept"), 0.0);
    assert_eq!(count("refused"), 0.0);
    for (person, _) in &edits {
        fixture.unmap(*person);
    }
    for (person, _) in &edits {
        replica.wait_for_login(*person, &Login::Denied);
    }
}

/// Objects created under Go's definition work as in Go, and still work after our definition replaces Go's.
pub fn objects_work_under_go_definition(fixture: &mut ClusterFixture) {
    let text = json!({"type": "string"});
    redefine(
        fixture,
        &json!({
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "required": ["arn", "username"],
                    "properties": {"arn": text, "username": text, "groups": {"type": "array", "items": text}},
                },
                "status": {"type": "object", "properties": {"canonicalARN": text, "userID": text}},
            },
        }),
    );
    let [plain, shouting, broken] = [(); 3].map(|()| fixture.person());
    let replica = &fixture.replicas[0];
    fixture.map(plain, "plain");
    let loud =
        json!({"arn": shouting.arn().to_uppercase(), "username": "loud", "groups": ["mapped"]});
    fixture.api.post(MAPPINGS, &of_spec("loud", &loud)).ok();
    fixture.map(broken, "broken");
    for (person, username) in [(plain, "plain"), (shouting, "loud"), (broken, "broken")] {
        replica.wait_for_login(person, &Login::As(username.to_owned()));
    }
    // Go's definition has no field for the status. The log says why no status is written.
    block_until("the log", || {
        let log = replica.log();
        let message = "cannot write the status of mappings: the CustomResourceDefinition is older than this server";
        log.contains(message).then_some(()).ok_or(log)
    });
    let patch = json!({"spec": {"groups": ["mapped", "{{Nobody}}"]}});
    fixture.api.merge(&path(&broken.name()), &patch).ok();
    block_until("the log", || {
        let log = replica.log();
        is_logged(&log, broken).then_some(()).ok_or(log)
    });
    assert_eq!(replica.login(broken), Login::As("broken".to_owned()));

    fixture.cluster.apply_definition();
    let marker = fixture.person();
    let replica = &fixture.replicas[0];
    fixture.map(marker, "marker");
    replica.wait_for_login(marker, &Login::As("marker".to_owned()));
    for (person, username) in [(plain, "plain"), (shouting, "loud"), (broken, "broken")] {
        assert_eq!(replica.login(person), Login::As(username.to_owned()));
    }
    fixture.wait_for_condition(&plain.name(), "Accepted", "True", "in effect");
    assert_eq!(
        fixture.status(&plain.name())["canonicalARN"],
        json!(plain.arn())
    );
    fixture.wait_for_condition(&broken.name(), "Accepted", "False", "unknown variable");
    fixture.remap(plain, "changed");
    replica.wait_for_login(plain, &Login::As("changed".to_owned()));
    fixture.unmap(broken);
    replica.wait_for_login(broken, &Login::Denied);
}

/// Checks that an object from Go that names one session works until it is edited, and that a new one is rejected.
pub fn session_object_works_until_edited(fixture: &mut ClusterFixture) {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    redefine(fixture, &anything);
    let of_session = |name: &str| {
        let arn = demo::SESSION_ARN.replace(demo::SESSION, name);
        of_spec(
            name,
            &json!({"arn": arn, "username": name, "groups": ["mapped"]}),
        )
    };
    // The ConfigMap maps the role and answers when no object does.
    let by_config_map = Login::As("dev".to_owned());
    fixture.replicas[0].kill();
    fixture.api.post(MAPPINGS, &of_session("bob")).ok();
    fixture.replicas[0].start_again();
    // The object matches other sessions than the named one, too, as in Go.
    wait_for_session(fixture, &Login::As("bob".to_owned()));
    fixture.wait_for_condition("bob", "Accepted", "True", "every session of the role");
    block_until("the event", || {
        let args = ["get", "events", "--namespace=default", "--output=json"];
        let events = fixture.cluster.admin_kubectl(&args).stdout;
        let count = events.matches(r#""reason": "MapsEverySession""#).count();
        (count == 1).then_some(()).ok_or(events)
    });
    fixture.api.post(MAPPINGS, &of_session("amy")).ok();
    fixture.wait_for_condition("amy", "Accepted", "False", "names one session");
    // The name of the older object sorts last, so it would not answer if the new one were in effect.
    wait_for_session(fixture, &Login::As("bob".to_owned()));

    restart(fixture);
    wait_for_session(fixture, &Login::As("bob".to_owned()));
    let refused = fixture.replicas[0].metric("rules", &[("backend", "CRD"), ("state", "refused")]);
    assert_eq!(refused, 1.0);
    let patch = json!({"spec": {"username": "robert"}});
    fixture.api.merge(&path("bob"), &patch).ok();
    wait_for_session(fixture, &by_config_map);
    fixture.wait_for_condition("bob", "Accepted", "False", "names one session");
    restart(fixture);
    wait_for_session(fixture, &by_config_map);

    let role = json!({"spec": {"arn": demo::ROLE_ARN}});
    fixture.api.merge(&path("bob"), &role).ok();
    wait_for_session(fixture, &Login::As("robert".to_owned()));
    for name in ["amy", "bob"] {
        fixture.api.delete(&path(name)).ok();
    }
    wait_for_session(fixture, &by_config_map);
}

fn restart(fixture: &mut ClusterFixture) {
    fixture.replicas[0].kill();
    fixture.replicas[0].start_again();
}

/// Waits until a session of the role has the `expected` login.
fn wait_for_session(fixture: &ClusterFixture, expected: &Login) {
    block_until("a session", || {
        match fixture.replicas[0]
            .login_client
            .login_with(&demo::session_key())
        {
            login if login == *expected => Ok(()),
            login => Err(format!("{login:?}, not {expected:?}")),
        }
    });
}

/// Returns whether the log says that the object of `person` is rejected.
fn is_logged(log: &str, person: Person) -> bool {
    let object = format!("object={}", person.name());
    log.lines()
        .any(|line| line.contains("refused: ") && line.split(' ').any(|word| word == object))
}

/// Replaces the schema of the definition and waits until it is served.
fn redefine(fixture: &ClusterFixture, schema: &Value) {
    let operations = json!([{
        "op": "replace",
        "path": "/spec/versions/0/schema/openAPIV3Schema",
        "value": schema,
    }]);
    fixture.api.patch(DEFINITION, &operations).ok();
    let refused = of_spec(
        "refused-by-our-definition-only",
        &json!({"arn": "acs:ram::x:y", "username": "x"}),
    );
    block_until("the other schema", || {
        match fixture
            .api
            .post(&format!("{MAPPINGS}?dryRun=All"), &refused)
        {
            answer if answer.status == 201 => Ok(()),
            answer => Err(format!("{answer:?}")),
        }
    });
}
