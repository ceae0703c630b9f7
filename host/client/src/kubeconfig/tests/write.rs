//! Users, contexts and clusters of a request.

use super::*;
use ack_ram_core::sts::RoleArn;

const CLUSTERS: &str = "\
clusters:
- name: prod
  cluster:
    server: https://prod.example
contexts:
- name: old
  context:
    cluster: prod
    user: someone
    namespace: web # mine
current-context: old
";

fn with_context(name: &str) -> WriteRequest {
    WriteRequest {
        context: Some(name.to_owned()),
        ..request()
    }
}

#[test]
fn characters_that_kubectl_reads_differently_are_escaped() {
    const NAME: &str = "a\u{7f}\u{85}\u{2028}\u{2029}\u{feff}\u{ffff}\u{9b}b";
    for before in ["", "{\"users\": []}\n", "users:\n- {name: 'x'}\n"] {
        let fixture = Fixture::new(before);
        let options = TokenOptions {
            profile_name: Some(NAME.to_owned()),
            ..TokenOptions::default()
        };
        let mut request = request();
        request.user = PluginUser::new(Some("new"), PROGRAM, None, &options);
        fixture.write(&request).unwrap();
        let text = fixture.text();
        let escaped = "\"a\\u007f\\u0085\\u2028\\u2029\\ufeff\\uffff\\u009bb\"";
        assert!(text.is_ascii() && text.contains(escaped), "{text}");
        let again = fixture.write(&request).unwrap();
        assert_eq!(again.files, [], "{text}");
    }
}

#[test]
fn new_context_has_the_only_cluster_and_the_user() {
    let fixture = Fixture::new(CLUSTERS);
    let outcome = fixture.write(&with_context("fresh")).unwrap();
    assert_eq!(outcome.notes, []);
    let context = "- name: fresh\n  context:\n    cluster: prod\n    user: new\n";
    let expected = CLUSTERS.replace("current-", &format!("{context}current-"));
    assert_eq!(fixture.text(), format!("{expected}users:\n{}", entry(0)));
    assert_eq!(fixture.write(&with_context("fresh")).unwrap().files, []);
}

#[test]
fn existing_context_keeps_all_but_its_user() {
    let fixture = Fixture::new(CLUSTERS);
    fixture.write(&with_context("old")).unwrap();
    let expected = CLUSTERS.replace("user: someone", "user: new");
    assert_eq!(fixture.text(), format!("{expected}users:\n{}", entry(0)));
}

#[test]
fn context_without_a_clear_cluster_is_refused() {
    let two = CLUSTERS.replace("contexts:", "- name: test\n  cluster: {}\ncontexts:");
    for (before, cluster, message) in [
        (two.as_str(), None, "set --cluster"),
        ("", None, "set --cluster"),
        (CLUSTERS, Some("none"), "cluster `none` does not exist"),
        (
            CLUSTERS,
            Some("a\nb"),
            "cluster `a\\nb` has control characters",
        ),
    ] {
        let fixture = Fixture::new(before);
        let mut request = with_context("fresh");
        request.cluster = cluster.map(str::to_owned);
        let error = fixture.write(&request).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert_eq!(fixture.text(), before);
    }
    let fixture = Fixture::new(&two);
    let mut request = with_context("fresh");
    request.cluster = Some("test".to_owned());
    fixture.write(&request).unwrap();
    let values = values(&fixture.text());
    let expected = serde_json::json!({"cluster": "test", "user": "new"});
    assert_eq!(values["contexts"][1]["context"], expected);
}

#[test]
fn two_roles_in_a_cluster_are_two_users_and_two_contexts() {
    let fixture = Fixture::new(CLUSTERS);
    let cluster_id = ClusterId::parse("c0123").unwrap();
    for role in ["admin", "viewer"] {
        let arn = format!("acs:ram::1234567890123456:role/{role}");
        let options = TokenOptions {
            role_arn: Some(RoleArn::parse(&arn).unwrap()),
            ..TokenOptions::default()
        };
        let mut request = with_context(role);
        request.user = PluginUser::new(None, PROGRAM, Some(&cluster_id), &options);
        request.is_named = false;
        fixture.write(&request).unwrap();
    }
    let values = values(&fixture.text());
    for (index, role) in ["admin", "viewer"].into_iter().enumerate() {
        let user = format!("c0123-{role}");
        assert_eq!(values["users"][index]["name"], *user);
        assert_eq!(values["contexts"][index + 1]["context"]["user"], *user);
        let args = values["users"][index]["user"]["exec"]["args"].to_string();
        assert!(args.contains(&format!("role/{role}")), "{args}");
    }
}

#[test]
fn default_name_is_not_given_to_another_identity() {
    let fixture = Fixture::new("");
    let cluster_id = ClusterId::parse("c0123").unwrap();
    let role = |account: &str, name: Option<&str>| {
        let arn = format!("acs:ram::{account}:role/viewer");
        let options = TokenOptions {
            role_arn: Some(RoleArn::parse(&arn).unwrap()),
            ..TokenOptions::default()
        };
        WriteRequest {
            user: PluginUser::new(name, PROGRAM, Some(&cluster_id), &options),
            is_named: name.is_some(),
            ..request()
        }
    };
    fixture.write(&role("1234567890123456", None)).unwrap();
    let before = fixture.text();
    let error = fixture.write(&role("6543210987654321", None)).unwrap_err();
    assert!(
        error.to_string().contains("exists with other options"),
        "{error}"
    );
    assert_eq!(fixture.text(), before);
    let named = role("6543210987654321", Some("c0123-viewer"));
    fixture.write(&named).unwrap();
    let expected = before.replace("1234567890123456", "6543210987654321");
    assert_eq!(fixture.text(), expected);
}

#[test]
fn own_entry_is_updated_member_by_member() {
    let before = "\
users:
- name: new # mine
  user:
    # the plugin
    exec:
      apiVersion: 'client.authentication.k8s.io/v1beta1' # old
      command: \"ack-ram-authenticator\"
      args: [token, --cluster-id, c9] # one line
      env:
      - name: HTTPS_PROXY
        value: http://127.0.0.1:1
      installHint: ask Bob
      provideClusterInfo: true
      extra: {a: b}
    extensions: []
";
    let after = "\
users:
- name: new # mine
  user:
    # the plugin
    exec:
      apiVersion: 'client.authentication.k8s.io/v1' # old
      command: \"ack-ram-authenticator\"
      args: [token, --cluster-id, c0123] # one line
      env:
      - name: HTTPS_PROXY
        value: http://127.0.0.1:1
      installHint: ask Bob
      extra: {a: b}
      interactiveMode: Never
    extensions: []
";
    let fixture = Fixture::new(before);
    fixture.write(&request()).unwrap();
    assert_eq!(fixture.text(), after);
    assert_eq!(fixture.write(&request()).unwrap().files, []);
}

#[test]
fn own_entry_in_json_is_updated_member_by_member() {
    let before = r#"{"users":[{"name":"new","user":{"exec":{"command":"/usr/bin/ack-ram-authenticator","args":["token","--cluster-id","c9"],"env":null,"provideClusterInfo":true,"installHint":"x"}}}]}"#;
    let after = r#"{"users":[{"name":"new","user":{"exec":{"command":"/usr/bin/ack-ram-authenticator","args":["token", "--cluster-id", "c0123"],"env":null,"installHint":"x", "apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never"}}}]}"#;
    let fixture = Fixture::new(before);
    fixture.write(&request()).unwrap();
    assert_eq!(fixture.text(), after);
}

#[test]
fn user_without_credentials_receives_them() {
    for (before, after) in [
        (
            "users:\n- name: new\n",
            "users:\n- name: new\n  user:\n    exec:\n",
        ),
        (
            "users:\n- name: new\n  user:\n",
            "users:\n- name: new\n  user:\n    exec:\n",
        ),
        (
            "users:\n- name: new\n  user: {} # none\n",
            "users:\n- name: new\n  user: # none\n    exec:\n",
        ),
        (
            "users:\n- name: new\n  user:\n    as: bob\n",
            "users:\n- name: new\n  user:\n    as: bob\n    exec:\n",
        ),
        (
            "users:\n- name: new\n  user: {exec: null}\n",
            "users:\n- name: new\n  user: {exec: {apiVersion",
        ),
    ] {
        let fixture = Fixture::new(before);
        fixture
            .write(&request())
            .unwrap_or_else(|error| panic!("{before}: {error}"));
        let text = fixture.text();
        assert!(text.starts_with(after), "{text}");
        let exec = &values(&text)["users"][0]["user"]["exec"];
        assert_eq!(*exec, request().user.to_json()["users"][0]["user"]["exec"]);
        assert_eq!(fixture.write(&request()).unwrap().files, [], "{text}");
    }
}

#[test]
fn path_of_the_program_stays_and_a_missing_one_is_noted() {
    let exists = tempfile::tempdir().unwrap();
    let exists = exists.path().join("ack-ram-authenticator");
    fs::write(&exists, "").unwrap();
    let exists = exists.to_str().unwrap();
    let own = "/opt/new/ack-ram-authenticator";
    for (old, given, expected, is_noted) in [
        (exists, PROGRAM, exists, false),
        (
            "/nowhere/ack-ram-authenticator",
            PROGRAM,
            "/nowhere/ack-ram-authenticator",
            true,
        ),
        (
            "./ack-ram-authenticator",
            PROGRAM,
            "./ack-ram-authenticator",
            false,
        ),
        (
            "C:\\bin\\ack-ram-authenticator.exe",
            PROGRAM,
            "C:\\bin\\ack-ram-authenticator.exe",
            false,
        ),
        ("ack-ram-authenticator.exe", PROGRAM, PROGRAM, false),
        ("/nowhere/ack-ram-authenticator", own, own, false),
    ] {
        let before =
            format!("users:\n- name: new\n  user:\n    exec:\n      command: '{old}' # mine\n");
        let fixture = Fixture::new(&before);
        let cluster_id = ClusterId::parse("c0123").unwrap();
        let mut request = request();
        request.user = PluginUser::new(
            Some("new"),
            given,
            Some(&cluster_id),
            &TokenOptions::default(),
        );
        let outcome = fixture.write(&request).unwrap();
        let text = fixture.text();
        assert!(
            text.contains(&format!("command: '{expected}' # mine\n")),
            "{text}"
        );
        let note = Note::KeepsMissingCommand {
            user: EntryName::user("new"),
            command: old.to_owned(),
        };
        assert_eq!(outcome.notes.contains(&note), is_noted, "{outcome:?}");
    }
}

#[test]
fn variables_that_stay_are_named_without_their_values() {
    let before = "users:\n- name: new\n  user: {exec: {command: ack-ram-authenticator, env: [{name: ALIBABA_CLOUD_PROFILE, value: secret-Tok3n}, {name: \"a\\eb\", value: x}, null]}}\n";
    let fixture = Fixture::new(before);
    let outcome = fixture.write(&request()).unwrap();
    let notes: Vec<String> = outcome.notes.iter().map(ToString::to_string).collect();
    assert!(
        notes.contains(&"user `new` keeps its `env` with `ALIBABA_CLOUD_PROFILE`, `a\\u{1b}b`, which can change who you are; remove the variables that you do not need".to_owned()),
        "{notes:?}"
    );
    assert!(!format!("{outcome:?}").contains("Tok3n"), "{outcome:?}");
    assert!(fixture.text().contains("value: secret-Tok3n"));
    for env in ["null", "[]"] {
        let before = format!(
            "users:\n- name: new\n  user: {{exec: {{command: ack-ram-authenticator, env: {env}}}}}\n"
        );
        let outcome = Fixture::new(&before).write(&request()).unwrap();
        assert_eq!(outcome.notes, [Note::NoContext(EntryName::user("new"))]);
    }
}

#[test]
fn null_values_are_replaced_and_the_rest_stays() {
    for before in [
        "users: null\nclusters: [{name: c, cluster: null}]\ncontexts: null\ncurrent-context: null # none\n",
        "users: [null, {name: new, user: null}]\nclusters: [null, {name: c, cluster: {extensions: null}}]\ncontexts: [null, {name: k, context: null}]\n",
        "users:\n- name: new\n  user:\n    exec: null\nclusters:\n- name: c\n  cluster:\n    extensions:\n    - name: client.authentication.k8s.io/exec\n      extension: null\ncontexts:\n- name: k\n  context: ~\n",
        "users:\n- name: new\n  user:\n    exec:\n      command: ack-ram-authenticator\n      args: null\n      env: null\n      installHint: null\n      interactiveMode: null\n      provideClusterInfo: null\nclusters:\n- name: c\n  cluster:\n    extensions:\n    - name: client.authentication.k8s.io/exec\ncontexts:\n- name: k\n  context:\n    cluster: null\n    user: null\n",
    ] {
        let fixture = Fixture::new(before);
        let mut request = with_context("k");
        request.user = PluginUser::new(Some("new"), PROGRAM, None, &TokenOptions::default());
        request.cluster_id = ClusterId::parse("c0123");
        fixture
            .write(&request)
            .unwrap_or_else(|error| panic!("{before}: {error}"));
        let text = fixture.text();
        let values = values(&text);
        let named = |list: &str, name: &str| {
            let list = values[list].as_array().unwrap();
            list.iter()
                .find(|item| item["name"] == name)
                .unwrap()
                .clone()
        };
        assert_eq!(
            named("users", "new")["user"]["exec"]["args"],
            serde_json::json!(["token"])
        );
        let context = serde_json::json!({"cluster": "c", "user": "new"});
        assert_eq!(named("contexts", "k")["context"], context);
        let extension = &named("clusters", "c")["cluster"]["extensions"][0];
        assert_eq!(
            extension["extension"],
            serde_json::json!({"clusterId": "c0123"}),
            "{text}"
        );
        assert_eq!(text.contains("# none"), before.contains("# none"));
        assert_eq!(fixture.write(&request).unwrap().files, [], "{text}");
    }
}

#[test]
fn other_credentials_are_kept() {
    for (user, message) in [
        ("{token: secret-Tok3n}", "a token, a password"),
        (
            "{username: u, password: secret-Tok3n}",
            "a token, a password",
        ),
        (
            "{client-certificate-data: secret-Tok3n, client-key-data: secret-Tok3n}",
            "a client certificate",
        ),
        ("{exec: {command: other}}", "another credential plugin"),
        (
            "{exec: {command: /bin/ack-ram-tool}}",
            "--convert and --user",
        ),
        ("{auth-provider: {name: oidc}}", "a token, a password"),
        (
            "{exec: {command: ack-ram-authenticator}, token: secret-Tok3n}",
            "several credentials",
        ),
    ] {
        let before = format!("users:\n- name: new\n  user: {user}\n");
        let fixture = Fixture::new(&before);
        let error = fixture.write(&request()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
        assert!(!error.contains("Tok3n"), "{error}");
        assert_eq!(fixture.text(), before);
    }
}

#[test]
fn duplicate_name_is_refused_and_named() {
    let before = "users:\n- name: new\n  user: {}\n- name: new\n  user: {token: x}\n";
    let fixture = Fixture::new(before);
    let error = fixture.write(&request()).unwrap_err().to_string();
    assert!(error.contains("two entries for user `new`"), "{error}");
    assert_eq!(fixture.text(), before);
}

#[test]
fn shared_credentials_are_not_changed() {
    let shared = "exec: &e\n  command: ack-ram-authenticator\n  args: [token]\n";
    for before in [
        format!("{shared}users:\n- name: new\n  user:\n    exec: *e\n"),
        "users:\n- name: new\n  user: &u\n    exec: {command: ack-ram-authenticator}\n- name: b\n  user: *u\n".to_owned(),
        "users:\n- name: b\n  user: &u\n    exec: {command: ack-ram-authenticator}\n- name: new\n  user: *u\n".to_owned(),
        "users:\n- name: new\n  user:\n    exec: {command: &c ack-ram-authenticator.exe}\n- name: b\n  user: {exec: {command: *c}}\n".to_owned(),
    ] {
        let fixture = Fixture::new(&before);
        let error = fixture.write(&request()).unwrap_err();
        assert!(error.fragment().is_some(), "{before}: {error}");
        assert_eq!(fixture.text(), before);
    }
}

#[test]
fn cluster_id_is_written_into_the_cluster_once() {
    let options = TokenOptions::default();
    let shared = |id: Option<&str>| WriteRequest {
        user: PluginUser::new(Some("new"), PROGRAM, None, &options),
        cluster_id: id.map(|id| ClusterId::parse(id).unwrap()),
        ..with_context("old")
    };
    let fixture = Fixture::new(CLUSTERS);
    let outcome = fixture.write(&shared(None)).unwrap();
    let note = Note::NoClusterId(EntryName::new("cluster", "prod"));
    assert_eq!(outcome.notes, [note]);
    let exec = &values(&fixture.text())["users"][0]["user"]["exec"];
    assert_eq!(exec["provideClusterInfo"], true);

    fixture.write(&shared(Some("c0123"))).unwrap();
    let extension = "    extensions:\n    - name: client.authentication.k8s.io/exec\n      extension:\n        clusterId: c0123\n";
    let cluster = "    server: https://prod.example\n";
    assert!(
        fixture
            .text()
            .contains(&format!("{cluster}{extension}contexts:"))
    );
    let outcome = fixture.write(&shared(Some("c0123"))).unwrap();
    assert_eq!((outcome.files, outcome.notes), (vec![], vec![]));
    let before = fixture.text();
    fixture.write(&shared(Some("c4567"))).unwrap();
    assert_eq!(
        fixture.text(),
        before.replace("clusterId: c0123", "clusterId: c4567")
    );
    assert_eq!(fixture.write(&shared(None)).unwrap().notes, []);
}

#[test]
fn user_without_a_context_is_noted() {
    let fixture = Fixture::new(CLUSTERS);
    let outcome = fixture.write(&request()).unwrap();
    assert_eq!(outcome.notes, [Note::NoContext(EntryName::user("new"))]);
    let fixture = Fixture::new(&CLUSTERS.replace("someone", "new"));
    assert_eq!(fixture.write(&request()).unwrap().notes, []);
}

#[test]
fn names_that_yaml_reads_as_other_types_are_quoted() {
    let cluster_id = ClusterId::parse("c0123").unwrap();
    for name in [
        "yes", "null", "123", "1e3", "a: b", "a #b", "- a", "'", "é", "", " a", "~", "0x1", "---",
    ] {
        let fixture = Fixture::new("");
        let options = TokenOptions {
            profile_name: Some(name.to_owned()),
            ..TokenOptions::default()
        };
        let mut request = request();
        request.user = PluginUser::new(Some(name), PROGRAM, Some(&cluster_id), &options);
        fixture.write(&request).unwrap();
        let user = &values(&fixture.text())["users"][0];
        assert_eq!(user["name"], name);
        assert_eq!(user["user"]["exec"]["args"][4], name);
    }
}

#[test]
fn diff_shows_only_the_entry_without_secrets() {
    let before = "\
users:
- name: a
  user:
    client-key-data: secret-Tok3n
    token: | # secret-Tok3n
      secret-Tok3n
- name: new
  # secret-Tok3n
  user:
    exec:
      command: ack-ram-authenticator
      args: [token, --cluster-id, c9]
      env: [{name: A, value: secret-Tok3n}]
- name: b
  user: {password: secret-Tok3n}
";
    let fixture = Fixture::new(before);
    let options = UpdateOptions {
        dry_run: true,
        ..options()
    };
    let outcome = super::super::write(&fixture.paths, &request(), &options).unwrap();
    assert_eq!(fixture.text(), before);
    let diff = &outcome.files[0].diff;
    assert!(!diff.contains("Tok3n"), "{diff}");
    for line in [
        "-      args: [token, --cluster-id, c9]\n",
        "+      args: [token, --cluster-id, c0123]\n",
        "+      interactiveMode: Never\n",
        "       env: [{name: A, value: (hidden)}]\n",
        "-  user: {password",
    ] {
        assert_eq!(diff.contains(line), !line.contains("password"), "{diff}");
    }
    for (before, shown) in [
        (
            "{\"users\": [{\"name\": \"a\", \"user\": {\"token\": \"secret-Tok3n\"}}]}",
            "\"token\": (hidden)",
        ),
        (
            "users:\n- name: a\n  user: {exec: {command: x, args: [--s=secret-Tok3n]}}\n",
            "args: [(hidden)]",
        ),
        (
            "users:\n- name: a\n  user: {exec: {command: ack-ram-tool, args: [secret-Tok3n]}}\n",
            "args: [(hidden)]",
        ),
        ("users: []\n# password: secret-Tok3n\n", "# (hidden)"),
    ] {
        let fixture = Fixture::new(before);
        let outcome = super::super::write(&fixture.paths, &request(), &options).unwrap();
        let diff = &outcome.files[0].diff;
        assert!(diff.contains(shown) && !diff.contains("Tok3n"), "{diff}");
    }
}

#[test]
fn diff_of_quoted_text_in_braces_hides_it() {
    let before =
        "clusters:\n- name: prod # one\n  cluster: {server: 'https://prod.example'}\nusers: []\n";
    let fixture = Fixture::new(before);
    let outcome = fixture.write(&with_context("fresh")).unwrap();
    let shown = "   cluster: {server: (hidden)}\n";
    assert!(outcome.files[0].diff.contains(shown), "{outcome:?}");
}
