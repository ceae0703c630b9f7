//! `doctor`: exit codes, the JSON document, and what the report must not contain.

use std::fs;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::Value;

use crate::program::{CommandRun, TestFolder};
use crate::whoami::LoginFixture;

/// Returns the findings of a run as `<topic> <level> <text>`, after checks of the form of the document.
#[track_caller]
fn findings(run: &CommandRun) -> Vec<String> {
    // The reader has run it.
    assert!(
        !run.stdout.contains("ack-ram-authenticator doctor"),
        "{run:?}"
    );
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let members: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(members, ["findings", "ok"]);
    assert_eq!(
        report["ok"].as_bool().unwrap(),
        run.code == Some(0),
        "{run:?}"
    );
    let mut order = Vec::new();
    let findings = report["findings"].as_array().unwrap().iter();
    let texts = findings.map(|finding| {
        let member = |name: &str| finding[name].as_str().unwrap();
        let (topic, level) = (member("topic"), member("level"));
        let is_note = level == "note";
        assert!(
            is_note || ["warning", "problem"].contains(&level),
            "{finding}"
        );
        assert_eq!(finding.get("remedy").is_some(), !is_note, "{finding}");
        if order.last() != Some(&topic) {
            order.push(topic);
        }
        format!("{topic} {level} {}", member("text"))
    });
    let texts = texts.collect();
    const TOPICS: [&str; 9] = [
        "login",
        "environment",
        "files",
        "plan",
        "calls",
        "clock",
        "token",
        "cache",
        "kubeconfig",
    ];
    let expected: Vec<&str> = TOPICS
        .into_iter()
        .filter(|topic| order.contains(topic))
        .collect();
    assert_eq!(order, expected);
    texts
}

fn has(findings: &[String], start: &str, part: &str) -> bool {
    let mut findings = findings.iter();
    findings.any(|text| text.starts_with(start) && text.contains(part))
}

#[test]
fn doctor_exits_with_0_if_a_login_works() {
    let fixture = LoginFixture::start();
    let args = ["doctor", "-o", "json", "-i", "c1"];
    let first = fixture.run(&args, "role");
    assert_eq!(
        (first.code, first.stderr.as_str()),
        (Some(0), ""),
        "{first:?}"
    );
    let texts = findings(&first);
    assert!(
        has(
            &texts,
            "calls note AssumeRole at http://",
            "HTTP status 200"
        ),
        "{texts:#?}"
    );
    assert!(
        has(
            &texts,
            "calls note GetCallerIdentity at http://",
            "HTTP status 200"
        ),
        "{texts:#?}"
    );
    assert!(
        has(&texts, "token note STS accepts", "assumed-role/dev/alice"),
        "{texts:#?}"
    );
    assert!(
        has(&texts, "files note ", "takes its key from `key`"),
        "{texts:#?}"
    );
    assert!(has(&texts, "clock note ", "differ by"), "{texts:#?}");

    fixture.sts.clear_requests();
    let texts = findings(&fixture.run(&args, "role"));
    assert!(
        has(&texts, "cache note ", "the key is from the cache"),
        "{texts:#?}"
    );
    assert_eq!(fixture.sts.requests().len(), 1);
    let texts = findings(&fixture.run(&[&args[..], &["--no-cache"]].concat(), "role"));
    assert!(has(&texts, "calls note AssumeRole", ""), "{texts:#?}");
}

#[test]
fn doctor_exits_with_1_if_a_login_would_fail() {
    let fixture = LoginFixture::start();
    let args = ["doctor", "-o", "json"];
    let url = fixture.sts.url();
    // No source.
    let run = fixture.folder.run(&args, &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(has(&findings(&run), "plan problem no access key", ""));
    // A profile that does not exist.
    let run = fixture.run(&args, "nobody");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(has(
        &findings(&run),
        "files problem the profile `nobody`",
        ""
    ));
    // STS does not answer.
    let closed = format!("http://127.0.0.1:{}", ports::free_port());
    let closed = ["--sts-endpoint", closed.as_str()];
    let profile = ["--profile-file", "profiles.json", "--profile-name", "key"];
    let run = fixture
        .folder
        .run(&[&args[..], &profile, &closed].concat(), &[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(has(
        &findings(&run),
        "token problem GetCallerIdentity",
        "no answer"
    ));
    // The clock of this machine is an hour behind.
    fixture.sts.advance(3600);
    let run = fixture.run(&args, "key");
    assert_eq!(run.code, Some(1), "{run:?}");
    let texts = findings(&run);
    assert!(
        has(
            &texts,
            "token problem STS refused",
            "InvalidTimeStamp.Expired"
        ),
        "{texts:#?}"
    );
    fixture.sts.advance(-3600);
    // STS refuses the key.
    fixture.sts.disable_key(&demo::user_key().id);
    let run = fixture.run(&args, "role");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(has(
        &findings(&run),
        "calls problem STS refused AssumeRole",
        ""
    ));
    // The user of the current context has a mistake.
    fixture.sts.enable_key(&demo::user_key().id);
    let kubeconfig = "current-context: a\ncontexts: [{name: a, context: {user: u}}]\nusers: [{name: u, user: {exec: {command: ack-ram-tool}}}]\n";
    fs::write(fixture.folder.path().join("kubeconfig"), kubeconfig).unwrap();
    let args = [&args[..], &profile, &["--sts-endpoint", &url]].concat();
    let run = fixture.folder.run(&args, &[("KUBECONFIG", "kubeconfig")]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(has(
        &findings(&run),
        "kubeconfig problem user `u`: ",
        "PATH"
    ));
}

#[test]
fn file_that_is_not_read_says_why() {
    let fixture = LoginFixture::start();
    let folder = &fixture.folder;
    fs::create_dir(folder.path().join(".aliyun")).unwrap();
    fs::copy(
        folder.path().join("profiles.json"),
        folder.path().join(".aliyun/config.json"),
    )
    .unwrap();
    let start = "files note the file of the Alibaba Cloud CLI `~/.aliyun/config.json` exists, but is not read, because ";
    let texts = findings(&fixture.run(&["doctor", "-o", "json"], "key"));
    assert!(has(&texts, start, "another file is selected"), "{texts:#?}");
    let key = demo::user_key();
    let env = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.as_str()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret.expose()),
    ];
    let url = fixture.sts.url();
    let args = ["doctor", "-o", "json", "--sts-endpoint", &url];
    let texts = findings(&folder.run(&args, &env));
    assert!(
        has(&texts, start, "an earlier source is used"),
        "{texts:#?}"
    );
    folder.set_mode(".aliyun/config.json", 0o644);
    let texts = findings(&folder.run(&args, &[]));
    let warning = "files warning other users can read `~/.aliyun/config.json`";
    assert!(has(&texts, warning, "0644"), "{texts:#?}");
}

#[test]
fn unusable_cache_is_a_warning() {
    let fixture = LoginFixture::start();
    let folder = &fixture.folder;
    fs::create_dir(folder.path().join("cache")).unwrap();
    folder.set_mode("cache", 0o777);
    let args = ["doctor", "-o", "json", "--cache-dir", "cache"];
    let run = fixture.run(&args, "role");
    assert_eq!(run.code, Some(0), "{run:?}");
    let texts = findings(&run);
    let warning = "cache warning the cache `cache` is not used: ";
    assert!(has(&texts, warning, "write"), "{texts:#?}");
    folder.set_mode("cache", 0o700);
    let entry = format!("cache/{}.json", "0".repeat(64));
    fs::write(folder.path().join(entry), "{").unwrap();
    let texts = findings(&fixture.run(&args, "role"));
    assert!(
        has(&texts, "cache warning 1 more cannot be read", ""),
        "{texts:#?}"
    );
}

#[test]
fn wrong_file_or_endpoint_is_a_finding() {
    let fixture = LoginFixture::start();
    let folder = &fixture.folder;
    for (name, text) in [
        ("broken.yaml", "clusterID: [\n"),
        (
            "endpoint.yaml",
            "server: {sts: {endpoint: 'no endpoint'}}\n",
        ),
        ("role.yaml", "defaultRole: nobody\n"),
        ("policy.json", "{"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let profile = ["--profile-file", "profiles.json", "--profile-name"];
    for (options, profile_name, variable, expected) in [
        (
            &["-c", "broken.yaml"][..],
            "key",
            "",
            "files problem broken.yaml:",
        ),
        (
            &["-c", "endpoint.yaml"],
            "key",
            "",
            "files problem endpoint.yaml:",
        ),
        (
            &["-c", "role.yaml"],
            "key",
            "",
            "files problem `defaultRole`",
        ),
        (&["-c", "missing.yaml"], "key", "", "files problem "),
        (
            &["--session-policy", "missing"],
            "role",
            "",
            "files problem `missing`",
        ),
        (
            &["--sts-endpoint", "a b"],
            "role",
            "",
            "plan problem `--sts-endpoint`",
        ),
        (
            &["--sts-endpoint", "a b"],
            "key",
            "",
            "token problem `--sts-endpoint`",
        ),
        (
            &[],
            "role",
            "a b",
            "environment problem `ALIBABA_CLOUD_STS_ENDPOINT` is `a b`",
        ),
    ] {
        let args = [&["doctor"], options, &profile, &[profile_name]].concat();
        let env = [("ALIBABA_CLOUD_STS_ENDPOINT", variable)];
        let run = folder.run(&[&args[..], &["-o", "json"]].concat(), &env);
        assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{run:?}");
        let texts = findings(&run);
        assert!(has(&texts, expected, ""), "{args:?}: {texts:#?}");
        // The rest of the report does not depend on the login.
        assert!(has(&texts, "cache note ", ""), "{texts:#?}");
        assert!(has(&texts, "kubeconfig note ", ""), "{texts:#?}");
        let run = folder.run(&args, &env);
        assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{run:?}");
        assert!(run.stdout.contains("  problem  "), "{run:?}");
        assert!(run.stdout.ends_with("\na login would fail\n"), "{run:?}");
    }
}

#[test]
fn revoked_session_in_the_cache_has_a_remedy() {
    let fixture = LoginFixture::start();
    let args = ["doctor", "-o", "json"];
    assert_eq!(fixture.run(&args, "role").code, Some(0));
    let revoked = fixture
        .sts
        .revoke_sessions("acs:ram::1234567890123456:role/dev");
    assert_ne!(revoked, 0);
    let clear = "ack-ram-authenticator cache clear";
    let run = fixture.run(&args, "role");
    assert_eq!(run.code, Some(1), "{run:?}");
    let refused = "token problem STS refused GetCallerIdentity";
    assert!(
        has(&findings(&run), refused, "InvalidSecurityToken"),
        "{run:?}"
    );
    assert!(run.stdout.contains(clear), "{run:?}");
    fixture.folder.run(&["cache", "clear"], &[]).printed();
    assert_eq!(fixture.run(&args, "role").code, Some(0));
    // A key that is not from the cache has another remedy.
    fixture.sts.disable_key(&demo::user_key().id);
    let run = fixture.run(&args, "key");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(!run.stdout.contains(clear), "{run:?}");
}

#[test]
fn arguments_of_users_are_read_as_the_program_reads_them() {
    let fixture = LoginFixture::start();
    let folder = &fixture.folder;
    let program = env!("CARGO_BIN_EXE_ack-ram-authenticator");
    std::os::unix::fs::symlink(program, folder.path().join("kube-login")).unwrap();
    let user = |name: &str, command: &str, args: &str| {
        format!(
            "- name: {name}\n  user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: {command}, args: [{args}], env: [{{name: ALIBABA_CLOUD_PROFILE, value: key}}]}}}}\n"
        )
    };
    let good = "token, -i, c1, --profile-file, profiles.json";
    for (command, args, expected) in [
        (program, good, None),
        ("./kube-login", good, None),
        (
            "./kube-login",
            "credential-plugin, get-token, -c, c1, --profile-file, profiles.json",
            None,
        ),
        (
            program,
            "token, -i, c1, --duratoin, 1h",
            Some("`--duratoin` is not an option"),
        ),
        (
            "./kube-login",
            "token, -i, c1, --session-policy, missing",
            Some("`missing`, which `--session-policy` names, does not exist"),
        ),
        (
            program,
            "token, -i, c1, --profile-file, profiles.json, --profile-name, nobody",
            Some("the profile `nobody`"),
        ),
        (
            program,
            "token, -i, c1, --profile-file, profiles.json, --session-name, bob",
            Some("`--session-name` is given, but no role is assumed"),
        ),
        (
            program,
            "token, -i, c1",
            Some("no access key is configured"),
        ),
        (program, "token, -c, missing.yaml", Some("missing.yaml")),
    ] {
        let users = format!("{}{}", user("a", command, args), user("b", command, good));
        for (current, level) in [("a", "problem"), ("b", "warning")] {
            let kubeconfig = format!(
                "current-context: x\ncontexts: [{{name: x, context: {{user: {current}}}}}]\nusers:\n{users}"
            );
            fs::write(folder.path().join("kubeconfig"), kubeconfig).unwrap();
            let url = fixture.sts.url();
            let options = ["--profile-file", "profiles.json", "--profile-name", "key"];
            let args = [
                &["doctor", "-o", "json", "--sts-endpoint", &url][..],
                &options,
            ]
            .concat();
            let run = folder.run(&args, &[("KUBECONFIG", "kubeconfig")]);
            let texts = findings(&run);
            let is_problem = expected.is_some() && current == "a";
            assert_eq!(run.code, Some(i32::from(is_problem)), "{texts:#?}");
            let start = format!("kubeconfig {level} user `a`: kubectl cannot log in: ");
            assert_eq!(
                has(&texts, &start, expected.unwrap_or("")),
                expected.is_some(),
                "{texts:#?}"
            );
            let uses = "kubeconfig note user `b`: a login uses the access key `LTAI5t";
            assert!(has(&texts, uses, "profiles.json"), "{texts:#?}");
        }
    }
}

/// Writes a kubeconfig whose current context has a user with these arguments, and the cluster `c` with the ID `c1`.
fn write_kubeconfig(folder: &TestFolder, args: &[&str]) {
    let program = env!("CARGO_BIN_EXE_ack-ram-authenticator");
    let args = serde_json::to_string(args).unwrap();
    let kubeconfig = format!(
        "\
current-context: x
contexts: [{{name: x, context: {{cluster: c, user: me}}}}]
clusters: [{{name: c, cluster: {{extensions: [{{name: client.authentication.k8s.io/exec, extension: {{clusterId: c1}}}}]}}}}]
users: [{{name: me, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, provideClusterInfo: true, command: {program}, args: {args}, env: [{{name: ALIBABA_CLOUD_PROFILE, value: role}}]}}}}}}]
"
    );
    fs::write(folder.path().join("kubeconfig"), kubeconfig).unwrap();
}

#[test]
fn process_of_the_current_context_has_the_variables_of_the_user() {
    let fixture = LoginFixture::start();
    let folder = &fixture.folder;
    let output = |key: AccessKey| {
        serde_json::json!({
            "mode": "AK",
            "access_key_id": key.id.as_str(),
            "access_key_secret": key.secret.expose(),
        })
    };
    let script = format!(
        "case \"$ALIBABA_CLOUD_PROFILE\" in role) echo '{}';; *) echo '{}';; esac",
        output(demo::user_key()),
        output(demo::stranger_key()),
    );
    fs::write(folder.path().join("print-key.sh"), script).unwrap();
    let profile =
        serde_json::json!({"name": "p", "mode": "External", "process_command": "sh print-key.sh"});
    let profiles = serde_json::json!({"current": "p", "profiles": [profile]}).to_string();
    fs::write(folder.path().join("external.json"), profiles).unwrap();
    let url = fixture.sts.url();
    let stored = ["token", "--profile-file=external.json", "--profile-name=p"];
    write_kubeconfig(folder, &[&stored[..], &["--sts-endpoint", &url]].concat());
    let run = folder.run(&["doctor", "-o", "json"], &[("KUBECONFIG", "kubeconfig")]);
    let texts = findings(&run);
    assert_eq!(run.code, Some(0), "{texts:#?}");
    assert!(
        has(&texts, "token note STS accepts", "user/alice"),
        "{texts:#?}"
    );
}

#[test]
fn login_of_the_current_context_is_tried() {
    const SUBJECT: &str =
        "login note the login of kubectl: the user `me` of the current context `x`";
    let fixture = LoginFixture::start();
    let url = fixture.sts.url();
    let stored = [
        "token",
        "--profile-file",
        "profiles.json",
        "--sts-endpoint",
        &url,
    ];
    let doctor = ["doctor", "-o", "json"];
    let env = [("KUBECONFIG", "kubeconfig")];
    write_kubeconfig(&fixture.folder, &stored);
    let run = fixture.folder.run(&doctor, &env);
    let texts = findings(&run);
    assert_eq!(run.code, Some(0), "{texts:#?}");
    assert!(has(&texts, SUBJECT, ""), "{texts:#?}");
    assert!(
        has(&texts, "token note STS accepts", "assumed-role/dev/alice"),
        "{texts:#?}"
    );
    // The entry of the cluster has the ID, as kubectl passes it on.
    assert!(!has(&texts, "token note no cluster ID", ""), "{texts:#?}");

    let role = "acs:ram::1234567890123456:role/nobody";
    write_kubeconfig(
        &fixture.folder,
        &[&stored[..], &["--role-arn", role]].concat(),
    );
    let run = fixture.folder.run(&doctor, &env);
    let texts = findings(&run);
    assert_eq!(run.code, Some(1), "{texts:#?}");
    assert!(
        has(&texts, "calls problem STS refused AssumeRole", role),
        "{texts:#?}"
    );
    // The source of the role is a role, too.
    let owner = "calls note the key that has to assume the role belongs to `acs:ram::1234567890123456:assumed-role/dev/alice`";
    assert!(has(&texts, owner, ""), "{texts:#?}");

    // The options of the command select another login.
    let texts = findings(
        &fixture.folder.run(
            &[
                &doctor[..],
                &stored[1..],
                &["-i", "c2", "--profile-name", "key"],
            ]
            .concat(),
            &env,
        ),
    );
    assert!(!has(&texts, SUBJECT, ""), "{texts:#?}");
    assert!(
        has(
            &texts,
            "kubeconfig warning user `me`: kubectl logs in to the cluster `c1`",
            "name the cluster `c2`"
        ),
        "{texts:#?}"
    );
}

#[test]
fn configuration_with_mappings_says_who_you_are_in_the_cluster() {
    let fixture = LoginFixture::start();
    fs::write(fixture.folder.path().join("client.yaml"), "clusterID: c1\n").unwrap();
    for (profile, config, expected) in [
        (
            "key",
            "config.yaml",
            "token note the configuration file maps you to the user `alice`",
        ),
        (
            "role",
            "config.yaml",
            "token warning the configuration file maps you to no user",
        ),
        ("role", "client.yaml", ""),
    ] {
        let run = fixture.run(&["doctor", "-o", "json", "-c", config], profile);
        let texts = findings(&run);
        assert_eq!(run.code, Some(0), "{texts:#?}");
        let mut about = texts
            .iter()
            .filter(|text| text.contains("configuration file maps"));
        let found = about.next().map_or("", String::as_str);
        assert_eq!(found, expected, "{texts:#?}");
    }
}

#[test]
fn wrong_command_line_exits_with_2() {
    let folder = TestFolder::new(&[]);
    for args in [
        &["doctor", "--role-arn", "x"][..],
        &["doctor", "--duration", "1s"],
        &["doctor", "-i", "a b"],
        &["doctor", "nothing"],
    ] {
        let run = folder.run(args, &[]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    }
}

#[test]
fn certificate_of_sts_is_reported() {
    let sts = Emulator::builder().demo().start().unwrap();
    let folder = TestFolder::new(&[("ca.pem", sts.ca_pem())]);
    let key = demo::user_key();
    let env = [
        ("ALIBABA_CLOUD_ACCESS_KEY_ID", key.id.as_str()),
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", key.secret.expose()),
        ("SSL_CERT_FILE", "ca.pem"),
    ];
    let args = ["doctor", "-o", "json", "--sts-endpoint", &sts.endpoint()];
    let run = folder.run(&args, &env);
    assert_eq!(run.code, Some(0), "{run:?}");
    let texts = findings(&run);
    let start = format!("calls note the certificate of {} is from `", sts.url());
    assert!(has(&texts, &start, "` and ends at 20"), "{texts:#?}");
}

/// The secret of a key, a part of which is in every secret of this test.
const SECRET: &str = "CANARYFakeSecret00000000000001";

#[test]
fn secrets_of_every_source_are_in_no_output() {
    let id = AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap();
    let key = AccessKey {
        id: id.clone(),
        secret: Secret::new(SECRET),
        security_token: None,
    };
    let builder = Emulator::builder().demo().plain_http();
    let sts = builder
        .user(demo::ACCOUNT, "canary", "200000000000000009", key)
        .start()
        .unwrap();
    let cli = format!(
        r#"{{"current": "key", "profiles": [
        {{"name": "key", "mode": "AK", "access_key_id": "{id}", "access_key_secret": "{SECRET}"}},
        {{"name": "sts", "mode": "StsToken", "access_key_id": "STS.FakeId00000001", "access_key_secret": "{SECRET}", "sts_token": "CANARYtoken"}},
        {{"name": "role", "mode": "RamRoleArn", "access_key_id": "{id}", "access_key_secret": "{SECRET}", "ram_role_arn": "acs:ram::1234567890123456:role/dev", "ram_session_name": "alice", "external_id": "CANARYexternal"}},
        {{"name": "url", "mode": "CredentialsURI", "credentials_uri": "http://user:CANARY@127.0.0.1:1/CANARY?CANARY"}},
        {{"name": "process", "mode": "External", "process_command": "./print-key --password CANARYpassword"}},
        {{"name": "lost", "mode": "External", "process_command": "./no-such-program CANARY"}},
        {{"name": "sso", "mode": "CloudSSO", "cloud_sso_sign_in_url": "https://user:CANARY@127.0.0.1:1/CANARY?CANARY", "cloud_sso_account_id": "1", "cloud_sso_access_config": "c", "access_token": "CANARYtoken", "cloud_sso_access_token_expire": 2500000000}},
        {{"name": "oauth", "mode": "OAuth", "oauth_site_type": "CN", "oauth_access_token": "CANARYtoken", "oauth_refresh_token": "CANARYrefresh", "access_key_id": "STS.FakeId00000001", "access_key_secret": "{SECRET}", "sts_token": "CANARYtoken", "sts_expiration": 2500000000}},
        {{"name": "oidc", "mode": "OIDC", "oidc_provider_arn": "{provider}", "oidc_token_file": "oidc-token", "ram_role_arn": "acs:ram::1234567890123456:role/dev", "ram_session_name": "alice"}}]}}"#,
        provider = demo::OIDC_PROVIDER_ARN,
    );
    let ini = format!(
        "[default]\ntype = access_key\naccess_key_id = {id}\naccess_key_secret = {SECRET}\n"
    );
    let kubeconfig = "users:\n- {name: u, user: {token: CANARY, exec: {command: ack-ram-tool, args: [--password, CANARY], env: [{name: A, value: CANARY}]}}}\n- {name: v, user: {exec: {command: ack-ram-authenticator, args: [token, --duration, CANARY, CANARY], env: [{name: A, value: CANARY}]}}}\n- {name: w, user: {exec: {command: ack-ram-authenticator, args: [token, --role-arn, CANARY]}}}\n";
    let script = format!(
        "#!/bin/sh\necho CANARY >&2\necho '{{\"mode\":\"AK\",\"access_key_id\":\"{id}\",\"access_key_secret\":\"{SECRET}\"}}'\n"
    );
    let folder = TestFolder::new(&[
        ("profiles.json", &cli),
        ("keys.ini", &ini),
        ("broken.json", &cli.replace("\"mode\"", "mode")),
        ("broken.ini", &ini.replace("secret =", "secret")),
        ("oidc-token", "CANARY.eyJzdWIiOiJDQU5BUlkifQ.CANARY"),
        ("kubeconfig", kubeconfig),
        ("broken-kubeconfig", "users: [{token: CANARY\n"),
        ("print-key", &script),
    ]);
    let url = sts.url();
    let sources = [
        "key", "sts", "role", "url", "process", "lost", "sso", "oauth", "oidc",
    ];
    let mut sources: Vec<Vec<&str>> = sources
        .iter()
        .map(|name| vec!["--profile-file", "profiles.json", "--profile-name", name])
        .collect();
    sources.extend([
        vec!["--profile-file", "keys.ini"],
        vec!["--profile-file", "broken.json"],
        vec!["--profile-file", "broken.ini"],
        vec![],
    ]);
    let env = [
        ("ALICLOUD_ACCESS_KEY", id.as_str()),
        ("ALICLOUD_SECRET_KEY", SECRET),
        ("ACCESS_KEY_SECRET", "CANARYother"),
        ("HTTPS_PROXY", "http://user:CANARY@127.0.0.1:1"),
        ("HTTP_PROXY", "http://user:CANARY@127.0.0.1:1"),
        ("KUBECONFIG", "kubeconfig:broken-kubeconfig"),
        ("ALIBABA_CLOUD_EXTERNAL_ID", "CANARYexternal"),
        ("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:1/CANARY"),
    ];
    let mut logins = 0;
    for source in sources {
        for command in [&["doctor"][..], &["doctor", "-o", "json"], &["whoami"]] {
            let options = ["--log-level", "debug", "--sts-endpoint", &url];
            let args = [command, &source, &options].concat();
            let run = folder.run(&args, &env);
            assert!([Some(0), Some(1)].contains(&run.code), "{run:?}");
            logins += usize::from(run.code == Some(0));
            for output in [&run.stdout, &run.stderr] {
                // The names of variables and members contain other words.
                assert!(!output.contains("CANARY"), "{args:?}: {output}");
                assert!(!output.contains("k8s-ack-v2.ey"), "{args:?}: {output}");
                assert!(!output.contains("dXNlcjpDQU5BUl"), "{args:?}: {output}");
            }
            if command[0] == "doctor" {
                assert!(
                    !run.stdout.contains(id.as_str()),
                    "{args:?}: {}",
                    run.stdout
                );
            }
        }
    }
    // The key, the role, the process, the INI file, and the variables.
    assert_eq!(logins, 15);
}
