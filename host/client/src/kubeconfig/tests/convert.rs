//! Users of ack-ram-tool and of client certificates.

use super::super::tool_args::{ToolArgs, ToolCommand};
use super::*;

/// What ack-ram-tool writes.
const TOOL: &str = "\
apiVersion: v1
kind: Config
users:
- name: '123'
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args:
      - credential-plugin
      - get-token
      - --cluster-id
      - c0123
      - --api-version
      - v1beta1
      - --profile-name
      - dev # mine
      - --role-arn
      - acs:ram::1234567890123456:role/admin
      - --sts-endpoint
      - sts.aliyuncs.com
      - --log-level
      - error
      command: ack-ram-tool
      env: null
      installHint: from ack-ram-tool
      interactiveMode: Never
      provideClusterInfo: false
- name: other
  user:
    token: secret-Tok3n
";

fn request(user: Option<&str>) -> ConvertRequest {
    ConvertRequest {
        user: user.map(str::to_owned),
        command: "/opt/ack-ram-authenticator".to_owned(),
        path: None,
        replacement: None,
    }
}

fn with_replacement(user: &str) -> ConvertRequest {
    let cluster_id = ClusterId::parse("c0123").unwrap();
    let options = TokenOptions::default();
    ConvertRequest {
        replacement: Some(PluginUser::new(
            Some(user),
            PROGRAM,
            Some(&cluster_id),
            &options,
        )),
        ..request(Some(user))
    }
}

/// Converts, and returns the users that were checked.
fn convert(
    fixture: &Fixture,
    request: &ConvertRequest,
    answer: Result<(), &str>,
) -> (Result<Outcome, KubeconfigError>, Vec<String>) {
    let mut checked = Vec::new();
    let mut check = |user: &ConvertedUser| {
        // kubectl must not wait for this.
        assert_eq!(fixture.names(), ["config"]);
        checked.push(user.name.clone());
        answer.map_err(str::to_owned)
    };
    let outcome = super::super::convert(&fixture.paths, request, &options(), &accept, &mut check);
    (outcome, checked)
}

#[test]
fn user_of_ack_ram_tool_keeps_its_arguments() {
    for name in [None, Some("123")] {
        let fixture = Fixture::new(TOOL);
        let (outcome, checked) = convert(&fixture, &request(name), Err("not called"));
        let outcome = outcome.unwrap();
        assert_eq!(checked, [] as [String; 0]);
        assert_eq!(outcome.converted.len(), 1);
        assert_eq!(outcome.skipped, []);
        assert_eq!(outcome.files[0].backup, None);
        let expected = TOOL.replace(
            "command: ack-ram-tool",
            "command: /opt/ack-ram-authenticator",
        );
        assert_eq!(fixture.text(), expected);
        let (outcome, _) = convert(&fixture, &request(name), Ok(()));
        assert_eq!(outcome.unwrap(), Outcome::default());
    }
}

#[test]
fn program_with_another_name_is_refused() {
    let fixture = Fixture::new(TOOL);
    for command in ["/opt/other", "ack-ram-tool", ""] {
        let request = ConvertRequest {
            command: command.to_owned(),
            ..request(None)
        };
        let error = convert(&fixture, &request, Ok(())).0.unwrap_err();
        assert!(error.to_string().contains("rename it"), "{error}");
    }
    assert_eq!(fixture.text(), TOOL);
}

#[test]
fn path_becomes_the_path_of_this_program() {
    const PATH: &str = "/opt/new/ack-ram-authenticator";
    let entry = |name: &str, command: &str| {
        format!(
            "- name: {name}\n  user: {{exec: {{apiVersion: v, command: {command}, args: [credential-plugin, get-token, -c, c1], interactiveMode: Never, installHint: x}}}}\n"
        )
    };
    let request = |path: Option<&str>| ConvertRequest {
        command: PROGRAM.to_owned(),
        path: path.map(str::to_owned),
        ..request(None)
    };
    for command in [
        "/usr/local/bin/ack-ram-tool",
        "./ack-ram-tool",
        "C:\\bin\\ack-ram-tool.exe",
    ] {
        let users = |first, second| format!("users:\n{}{}", entry("a", first), entry("b", second));
        let before = users(command, "ack-ram-tool");
        let fixture = Fixture::new(&before);
        let outcome = convert(&fixture, &request(Some(PATH)), Ok(())).0.unwrap();
        assert_eq!(outcome.skipped, []);
        let commands: Vec<_> = outcome.converted.iter().map(|user| &user.command).collect();
        assert_eq!(commands, [PATH, PROGRAM]);
        assert_eq!(fixture.text(), users(PATH, PROGRAM));
        // A program with another name gives sessions another name.
        for path in [None, Some("/opt/renamed")] {
            let fixture = Fixture::new(&before);
            let outcome = convert(&fixture, &request(path), Ok(())).0.unwrap();
            assert_eq!(outcome.skipped.len(), 1, "{outcome:?}");
            assert!(
                outcome.skipped[0]
                    .reason
                    .starts_with("its command is a path, and")
            );
            assert_eq!(fixture.text(), users(command, PROGRAM));
        }
    }
}

#[test]
fn variables_of_the_entry_are_checked_and_stay() {
    let env = "      env: [{name: A, value: secret-Tok3n}, {name: B, value: ''}, {name: C, value: null}, {name: D}]\n";
    let fixture = Fixture::new(&format!("{CREDENTIAL}{env}"));
    let mut seen = Vec::new();
    let mut check = |user: &ConvertedUser| {
        assert!(!format!("{user:?}").contains("Tok3n"));
        let kubectl = ["A", "B", "C", "D", "E"].map(|name| (name.to_owned(), "x".to_owned()));
        let environment: Environment = kubectl.into_iter().collect();
        let environment = environment.with(&user.variables);
        let variables = environment.iter();
        seen.extend(variables.map(|(name, value)| format!("{name}={value}")));
        Ok(())
    };
    let request = request(Some("cert"));
    super::super::convert(&fixture.paths, &request, &options(), &accept, &mut check).unwrap();
    // A variable without a value hides that of kubectl.
    assert_eq!(seen, ["A=secret-Tok3n", "E=x"]);
    assert!(fixture.text().contains(env));
}

#[test]
fn missing_members_are_added() {
    for version in [
        "apiVersion: client.authentication.k8s.io/v1alpha1, ",
        "apiVersion: null, ",
        "",
    ] {
        let before = format!(
            "users:\n- name: a\n  user: {{exec: {{{version}command: C:\\bin\\ack-ram-tool.exe, args: [credential-plugin, get-token, -c, c1]}}}}\n"
        );
        let fixture = Fixture::new(&before);
        convert(&fixture, &request(None), Ok(())).0.unwrap();
        let exec = &values(&fixture.text())["users"][0]["user"]["exec"];
        assert_eq!(exec["apiVersion"], "client.authentication.k8s.io/v1beta1");
        assert_eq!(exec["interactiveMode"], "Never");
        assert_eq!(exec["command"], "/opt/ack-ram-authenticator");
        assert_eq!(
            exec["args"],
            serde_json::json!(["credential-plugin", "get-token", "-c", "c1"])
        );
    }
}

const CREDENTIAL: &str = "\
users:
- name: cert
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ack-ram-tool
      args:
      - credential-plugin
      - get-credential
      - --cluster-id
      - c1
      - --expiration
      - 3h0m0s
      - --role-arn=acs:ram::1234567890123456:role/a
      - --credential-cache-dir
      - /x
";

#[test]
fn certificate_of_ack_ram_tool_is_converted_only_by_name() {
    let fixture = Fixture::new(CREDENTIAL);
    let (outcome, checked) = convert(&fixture, &request(None), Ok(()));
    let outcome = outcome.unwrap();
    assert!(outcome.skipped[0].reason.contains("--user"), "{outcome:?}");
    assert_eq!((checked, fixture.text()), (vec![], CREDENTIAL.to_owned()));

    let (outcome, checked) = convert(&fixture, &request(Some("cert")), Ok(()));
    let outcome = outcome.unwrap();
    assert_eq!(checked, ["cert"]);
    let expected = [
        "credential-plugin",
        "get-token",
        "--cluster-id",
        "c1",
        "--role-arn=acs:ram::1234567890123456:role/a",
    ];
    assert_eq!(outcome.converted[0].args, expected);
    let exec = &values(&fixture.text())["users"][0]["user"]["exec"];
    assert_eq!(exec["args"], serde_json::json!(expected));
    let backup = outcome.files[0].backup.clone().unwrap();
    assert_eq!(fs::read_to_string(backup).unwrap(), CREDENTIAL);
}

const CERTIFICATE: &str = "\
users:
- name: admin
  user: # mine
    client-certificate-data: secret-Tok3n
    as: nobody
    client-key-data: |
      secret-Tok3n
      secret-Tok3n
- name: other
  user:
    client-certificate: /x
    client-key: /y
";

#[test]
fn client_certificate_is_replaced_after_a_check_and_a_backup() {
    let fixture = Fixture::new(CERTIFICATE);
    let (outcome, checked) = convert(&fixture, &with_replacement("admin"), Ok(()));
    let outcome = outcome.unwrap();
    assert_eq!(checked, ["admin"]);
    assert!(
        !outcome.files[0].diff.contains("Tok3n"),
        "{:?}",
        outcome.files
    );
    let exec: String = entry(0)
        .lines()
        .skip(2)
        .map(|line| format!("{line}\n"))
        .collect();
    let expected = format!(
        "users:\n- name: admin\n  user: # mine\n    as: nobody\n{exec}- name: other\n  user:\n    client-certificate: /x\n    client-key: /y\n"
    );
    assert_eq!(fixture.text(), expected);
    let backup = outcome.files[0].backup.clone().unwrap();
    assert_eq!(fs::read_to_string(backup).unwrap(), CERTIFICATE);

    // A second backup does not replace the first.
    fs::write(fixture.path(), CERTIFICATE).unwrap();
    let mut check = |_: &ConvertedUser| Ok(());
    let request = with_replacement("other");
    let outcome =
        super::super::convert(&fixture.paths, &request, &options(), &accept, &mut check).unwrap();
    let second = outcome.files[0].backup.clone().unwrap();
    assert!(
        second.ends_with("config.before-ack-ram-authenticator-2"),
        "{second:?}"
    );
    assert_eq!(fixture.names().len(), 3);
}

#[test]
fn failed_check_changes_nothing() {
    for (before, request) in [
        (CERTIFICATE, with_replacement("admin")),
        (CREDENTIAL, request(Some("cert"))),
    ] {
        let fixture = Fixture::new(before);
        let (outcome, checked) = convert(&fixture, &request, Err("no key"));
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("no key"), "{error}");
        assert_eq!(checked.len(), 1);
        assert_eq!(fixture.text(), before);
        assert_eq!(fixture.names(), ["config"]);
    }
}

#[test]
fn user_that_changes_during_the_check_is_checked_again_or_kept() {
    let fixture = Fixture::new(CREDENTIAL);
    let path = fixture.path();
    let mut seen = Vec::new();
    let mut check = |user: &ConvertedUser| {
        if seen.is_empty() {
            fs::write(&path, CREDENTIAL.replace("c1", "c2")).unwrap();
        }
        seen.push(user.args[3].clone());
        Ok(())
    };
    let request = request(Some("cert"));
    super::super::convert(&fixture.paths, &request, &options(), &accept, &mut check).unwrap();
    assert_eq!(seen, ["c1", "c2"]);
    assert_eq!(
        values(&fixture.text())["users"][0]["user"]["exec"]["args"][3],
        "c2"
    );
}

#[test]
fn user_that_cannot_be_converted_is_named() {
    for (user, message) in [
        ("{token: secret-Tok3n}", "it has a token"),
        (
            "{exec: {command: other}}",
            "it has another credential plugin",
        ),
        ("{client-key-data: secret-Tok3n}", "give --cluster-id"),
        (
            "{client-key-data: secret-Tok3n, token: x}",
            "several credentials",
        ),
        ("{}", "it has no credentials"),
        (
            "{exec: {command: ack-ram-tool, args: [credential-plugin, get-token]}}",
            "no cluster ID",
        ),
        (
            "{exec: {command: ack-ram-tool, args: [rrsa, status, -c, x]}}",
            "its command is not",
        ),
        (
            "{exec: {command: ack-ram-tool, args: [credential-plugin, get-token, -c, x, --secret=secret-Tok3n]}}",
            "its option `--secret` is not known",
        ),
        (
            "{exec: {command: ack-ram-tool, args: [credential-plugin, get-token, -c, x, -secret-Tok3n]}}",
            "its option `-s…` is not known",
        ),
        (
            "{exec: {command: ack-ram-tool, args: [credential-plugin, get-token, -c, x, --secret-Tok3n]}}",
            "its option `--…` is not known",
        ),
        (
            "{exec: {command: ack-ram-tool, args: [1]}}",
            "not a list of texts",
        ),
    ] {
        let before = format!("users:\n- name: a\n  user: {user}\n");
        let fixture = Fixture::new(&before);
        let error = convert(&fixture, &request(Some("a")), Ok(()))
            .0
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{user}: {error}");
        assert!(!error.contains("Tok3n"), "{error}");
        let outcome = convert(&fixture, &request(None), Ok(())).0.unwrap();
        let is_tool = user.contains("ack-ram-tool");
        assert_eq!(outcome.skipped.len(), usize::from(is_tool), "{user}");
        assert_eq!(fixture.text(), before);
    }
    let fixture = Fixture::new(TOOL);
    let error = convert(&fixture, &request(Some("none")), Ok(()))
        .0
        .unwrap_err();
    assert!(
        error.to_string().contains("user `none` does not exist"),
        "{error}"
    );
}

#[test]
fn user_whose_arguments_are_refused_is_skipped_and_others_are_converted() {
    let user = |name: &str, role: &str| {
        format!(
            "- name: {name}\n  user: {{exec: {{command: ack-ram-tool, args: [credential-plugin, get-token, -c, c1, --role-arn, {role}], installHint: x, interactiveMode: Never}}}}\n"
        )
    };
    let before = format!("users:\n{}{}", user("a", "refused"), user("b", "fine"));
    let accepts = |user: &ConvertedUser| match user.args.contains(&"refused".to_owned()) {
        true => Err("`--role-arn` is wrong".to_owned()),
        false => Ok(()),
    };
    let mut check = |_: &ConvertedUser| Err("not called".to_owned());
    for dry_run in [true, false] {
        let fixture = Fixture::new(&before);
        let options = UpdateOptions {
            dry_run,
            ..options()
        };
        let mut convert = |request: &ConvertRequest| {
            super::super::convert(&fixture.paths, request, &options, &accepts, &mut check)
        };
        let error = convert(&request(Some("a"))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "user `a` cannot be converted: `--role-arn` is wrong"
        );
        let outcome = convert(&request(None)).unwrap();
        let skipped = SkippedUser {
            user: EntryName::user("a"),
            reason: "`--role-arn` is wrong".to_owned(),
        };
        assert_eq!(outcome.skipped, [skipped]);
        assert_eq!(outcome.converted[0].name, "b");
        let text = fixture.text();
        assert!(text.contains(&user("a", "refused")), "{text}");
        assert_eq!(text == before, dry_run);
    }
}

#[test]
fn comment_between_members_in_braces_is_not_lost() {
    let before = "users:\n- name: a\n  user: {\n    client-key: /y, # about the key\n    # about the name\n    as: bob\n  }\n";
    let fixture = Fixture::new(before);
    let (outcome, _) = convert(&fixture, &with_replacement("a"), Ok(()));
    let error = outcome.expect_err(&fixture.text());
    assert!(error.fragment().is_some(), "{error}");
    assert_eq!(fixture.text(), before);

    let before = "users:\n- name: new\n  user: {exec: {\n    command: ack-ram-authenticator,\n    apiVersion: client.authentication.k8s.io/v1,\n    args: [token, --cluster-id, c0123],\n    installHint: x,\n    interactiveMode: Never, # about the mode\n    provideClusterInfo: true\n  }}\n";
    let fixture = Fixture::new(before);
    let error = fixture.write(&super::request()).expect_err(&fixture.text());
    assert!(error.fragment().is_some(), "{error}");
    assert_eq!(fixture.text(), before);
}

#[test]
fn user_with_shared_arguments_is_skipped_and_others_are_converted() {
    let before = "\
args: &a [credential-plugin, get-token, -c, c1]
users:
- name: a
  user: &u
    exec: {command: ack-ram-tool, args: *a, interactiveMode: Never, installHint: x}
- name: b
  user: *u
- name: c
  user:
    exec: {command: ack-ram-tool, args: *a, interactiveMode: Never, installHint: x}
";
    let fixture = Fixture::new(before);
    let outcome = convert(&fixture, &request(None), Ok(())).0.unwrap();
    // Only `--user` shows the entry to write by hand.
    for user in &outcome.skipped {
        assert!(
            user.reason
                .ends_with("run --convert with --user to see the new entry")
        );
    }
    let names: Vec<&str> = outcome
        .skipped
        .iter()
        .map(|user| &*user.user.name)
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(outcome.converted[0].name, "c");
    let values = values(&fixture.text());
    assert_eq!(
        values["users"][0]["user"]["exec"]["command"],
        "ack-ram-tool"
    );
    assert_eq!(
        values["users"][2]["user"]["exec"]["command"],
        "/opt/ack-ram-authenticator"
    );
}

#[test]
fn arguments_are_read_as_ack_ram_tool_reads_them() {
    let parse = |args: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        ToolArgs::parse(&args)
    };
    for args in [
        "credential-plugin get-token -cc1",
        "credential-plugin get-token -c=c1 -v -y",
        "--log-level error credential-plugin --cluster-id=c1 get-token --verbose=false",
        "credential-plugin get-token --cluster-id c0 --cluster-id c1",
        "credential-plugin get-token --profile-name get-credential -c c1",
        "credential-plugin get-token --cluster-id c1 --ignore-env-credentials --ignore-aliyun-cli-credentials",
        // ack-ram-tool ignores the word.
        "credential-plugin get-token -c c1 --verbose true",
    ] {
        let parsed = parse(args).unwrap();
        assert_eq!(parsed.command, ToolCommand::GetToken, "{args}");
        assert_eq!(parsed.token_args.join(" "), args);
    }
    // Before the command, `-c` of this program is the configuration file.
    for short in ["-c c1", "-cc1", "-c=c1"] {
        let args = format!("{short} credential-plugin get-token -c c2");
        let parsed = parse(&args).unwrap();
        let expected = "--cluster-id c1 credential-plugin get-token -c c2";
        assert_eq!(parsed.token_args.join(" "), expected, "{short}");
    }
    for args in [
        "credential-plugin get-token --cluster-id",
        "credential-plugin get-token --cluster-id c1 --cluster-id=",
        "credential-plugin get-token -c c1 --expiration 1h",
        "credential-plugin -c get-token",
        "get-token -c c1",
        "",
    ] {
        assert!(parse(args).is_err(), "{args}");
    }
}

#[test]
fn options_for_a_user_of_ack_ram_tool_are_refused() {
    let cluster_id = ClusterId::parse("c0123").unwrap();
    let request = |options: &TokenOptions| ConvertRequest {
        replacement: Some(PluginUser::new(
            Some("123"),
            PROGRAM,
            Some(&cluster_id),
            options,
        )),
        ..request(Some("123"))
    };
    let others = |words: &[&str]| TokenOptions {
        others: words.iter().map(|word| (*word).to_owned()).collect(),
        ..TokenOptions::default()
    };
    let profile = TokenOptions {
        profile_name: Some("other".to_owned()),
        ..TokenOptions::default()
    };
    let fixture = Fixture::new(TOOL);
    for options in [
        profile,
        others(&["--forward-session-name"]),
        others(&["--config", "/c"]),
    ] {
        let error = convert(&fixture, &request(&options), Ok(())).0.unwrap_err();
        assert!(error.to_string().contains("whose options stay"), "{error}");
        assert_eq!(fixture.text(), TOOL);
    }
    let outcome = convert(&fixture, &request(&TokenOptions::default()), Ok(())).0;
    assert_eq!(outcome.unwrap().converted.len(), 1);
}
