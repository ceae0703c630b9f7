//! Files: paths, half files, repeated names, wrong types, loops and chains.

use super::*;

const AK: &str = r#""mode": "AK", "access_key_id": "LTAI5t1", "access_key_secret": "s""#;
const PERMANENT: &str = "the access key `LTAI5t1` from `access_key_id` of the profile";

fn ak(name: &str) -> String {
    format!(r#"{{"name": "{name}", {AK}}}"#)
}

#[test]
fn tilde_is_the_home_directory_in_every_path() {
    let json = format!(r#"{{"profiles": [{}]}}"#, ak("default"));
    let ini = "[default]\ntype=access_key\naccess_key_id=LTAI5t1\naccess_key_secret=s";
    let oidc = r#"{"profiles": [{"name": "default", "mode": "OIDC", "oidc_provider_arn": "acs:ram::1:oidc-provider/p",
        "oidc_token_file": "~/token", "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice"}]}"#;
    let profile_file = |path: &str| {
        let path = path.to_owned();
        Case::new()
            .settings(|settings| settings.profile_file = option("--profile-file", path.into()))
    };
    for (case, place) in [
        (
            Case::new()
                .variables(&[("ALIBABA_CLOUD_CONFIG_FILE", "~/c.json")])
                .file("/h/c.json", &json),
            "~/c.json",
        ),
        (
            Case::new()
                .variables(&[("ALIBABA_CLOUD_CREDENTIALS_FILE", "~/i")])
                .file("/h/i", ini),
            "~/i",
        ),
        (
            profile_file("~/c.json").file("/h/c.json", &json),
            "~/c.json",
        ),
        (profile_file("~/i").file("/h/i", ini), "~/i"),
        (profile_file("/o.json").file("/o.json", oidc), "~/token"),
        (
            Case::new().variables(&[
                ("ALIBABA_CLOUD_ROLE_ARN", "acs:ram::1:role/r"),
                (
                    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
                    "acs:ram::1:oidc-provider/p",
                ),
                ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "~/token"),
            ]),
            "~/token",
        ),
    ] {
        assert!(!case.text().starts_with("error"), "{}", case.text());
        for home in ["", "/other"] {
            let text = Case {
                files: case.files.clone(),
                settings: case.settings.clone(),
                variables: case.variables.clone(),
            }
            .variables(&[("HOME", home)])
            .text();
            if home.is_empty() {
                assert_eq!(
                    text,
                    format!(
                        "error: `{place}` starts with `~`, but the home directory is unknown; set `HOME`, or write an absolute path"
                    )
                );
            } else {
                assert!(text.contains("/other/"), "{text}");
            }
        }
    }
    let case = profile_file("~user/c.json").file("~user/c.json", &json);
    assert!(case.text().starts_with(PERMANENT), "{}", case.text());
}

#[test]
fn missing_home_leaves_the_environment() {
    let case = Case::new().key().variables(&[("HOME", "")]);
    assert_eq!(
        case.text(),
        "the access key `LTAI5tEnv` from `ALIBABA_CLOUD_ACCESS_KEY_ID`"
    );
}

#[test]
fn named_file_that_cannot_be_read_ends_the_search() {
    let errors = [
        (
            FileError::NotFound,
            "does not exist; create the file, or correct its path",
        ),
        (
            FileError::NotAFile("a folder"),
            "is a folder, not a file; use the path of a file",
        ),
        (
            FileError::NotAFile("a pipe or a device"),
            "is a pipe or a device, not a file; use the path of a file",
        ),
        (
            FileError::TooLarge,
            "is larger than 1 MiB; use a file with profiles only",
        ),
        (
            FileError::NotText,
            "is not UTF-8 text; save the file as UTF-8",
        ),
        (
            FileError::Unreadable("Permission denied".to_owned()),
            "cannot be read: Permission denied; correct the permissions of the file and of its folders",
        ),
    ];
    let other = "[default]\ntype=access_key\naccess_key_id=LTAI5tOther\naccess_key_secret=s";
    for (error, text) in errors {
        for (name, path) in [
            ("ALIBABA_CLOUD_CREDENTIALS_FILE", "/named"),
            ("ALIBABA_CLOUD_CONFIG_FILE", "/named"),
            ("ACK_RAM_TOOL_PROFILE_FILE", "/named"),
            ("ACK_RAM_TOOL_PROFILE_FILE", "/named.json"),
        ] {
            let case = Case::new()
                .variables(&[(name, path)])
                .versions(path, [Err(error.clone()), Err(error.clone())])
                .file(INI_FILE, other);
            assert_eq!(
                case.text(),
                format!("error: `{path}`, which `{name}` names, {text}")
            );
        }
        // A default file ends the search unless it does not exist.
        for path in [CLI_FILE, INI_FILE] {
            let case = Case::new()
                .file(INI_FILE, other)
                .versions(path, [Err(error.clone()), Err(error.clone())]);
            if error == FileError::NotFound && path == CLI_FILE {
                assert!(case.text().contains("LTAI5tOther"), "{}", case.text());
            } else if error != FileError::NotFound {
                assert_eq!(case.text(), format!("error: `{path}` {text}"));
            }
        }
    }
}

#[test]
fn half_a_file_of_the_cli_is_read_again() {
    let whole = format!(r#"{{"current": "ü", "profiles": [{}]}}"#, ak("ü"));
    let bytes = whole.as_bytes();
    for middle in 0..bytes.len() {
        let case = Case::new().versions(CLI_FILE, [content(&bytes[..middle]), content(bytes)]);
        assert!(
            case.text().starts_with(PERMANENT),
            "{middle}: {}",
            case.text()
        );
        let case = Case::new()
            .versions(
                CLI_FILE,
                [content(&bytes[..middle]), content(&bytes[..middle])],
            )
            .file(INI_FILE, "[default]\ntype=ecs_ram_role");
        assert!(
            case.text()
                .starts_with("error: `/h/.aliyun/config.json` is not"),
            "{middle}"
        );
    }
    let case = Case::new().versions(CLI_FILE, [content(b"{"), Err(FileError::TooLarge)]);
    assert!(case.text().contains("not valid JSON"), "{}", case.text());
}

#[test]
fn repeated_names_never_choose_silently() {
    let second = r#"{"name": "default", "mode": "AK", "access_key_id": "LTAI5t2", "access_key_secret": "s"}"#;
    let case = Case::new().profiles(&format!("{}, {second}", ak("default")));
    assert!(
        case.text().starts_with(PERMANENT),
        "the first profile of a name counts"
    );

    let file = format!(
        r#"{{"profiles": [{}], "profiles": [{second}]}}"#,
        ak("default")
    );
    for (text, key) in [
        (file, r#""profiles""#),
        (
            format!(
                r#"{{"current": "a", "Current": "b", "profiles": [{}]}}"#,
                ak("a")
            ),
            r#""Current""#,
        ),
        (
            format!(r#"{{"profiles": [{{"name": "default", {AK}, "access_key_id": "LTAI5t2"}}]}}"#),
            r#""access_key_id""#,
        ),
        (
            format!(r#"{{"profiles": [{{"name": "default", {AK}, "Mode": "EcsRamRole"}}]}}"#),
            r#""Mode""#,
        ),
        (
            // A file with a repeated name is refused even if the profile is another.
            format!(
                r#"{{"profiles": [{}, {{"name": "x", "NAME": "y"}}]}}"#,
                ak("default")
            ),
            r#""NAME""#,
        ),
    ] {
        let case = Case::new().file(CLI_FILE, &text);
        let text = case.text();
        assert!(
            text.starts_with("error: `/h/.aliyun/config.json` is not valid: duplicate key "),
            "{text}"
        );
        assert!(text.contains(key.trim_matches('"')), "{text}");
    }
}

#[test]
fn name_in_another_case_is_an_error() {
    for (text, expected) in [
        (
            format!(r#"{{"Current": "a", "profiles": [{}, {}]}}"#, ak("a"), ak("default")),
            "`current` in the file is written `Current`",
        ),
        (
            format!(r#"{{"profiles": [{{"Name": "default", {AK}}}, {}]}}"#, ak("default")),
            "`name` of the profile `default` in `/h/.aliyun/config.json` is written `Name`",
        ),
        (
            r#"{"profiles": [{"name": "default", "MODE": "AK"}]}"#.to_owned(),
            "`mode` of the profile `default` in `/h/.aliyun/config.json` is written `MODE`",
        ),
        (
            r#"{"profiles": [{"name": "default", "mode": "RamRoleArn", "access_key_id": "LTAI5t1", "access_key_secret": "s",
                "ram_role_arn": "acs:ram::1:role/r", "ram_session_name": "alice", "Policy": "{}"}]}"#
                .to_owned(),
            "`policy` of the profile `default` in `/h/.aliyun/config.json` is written `Policy`",
        ),
    ] {
        let case = Case::new().file(CLI_FILE, &text);
        assert_eq!(
            case.text(),
            format!("error: {expected}; write the name in lowercase letters")
        );
    }
    let case = Case::new().file(INI_FILE, "[default]\nType=access_key\ntype=sts");
    assert_eq!(
        case.text(),
        "error: `type` in the section `default` of `/h/.alibabacloud/credentials` is written `Type`; write the name in lowercase letters"
    );
}

#[test]
fn current_profile_is_exact() {
    for (current, expected) in [
        ("", PERMANENT),
        (r#""current": null,"#, PERMANENT),
        (r#""current": "default","#, PERMANENT),
        (
            r#""current": "","#,
            "error: the profile `` in `/h/.aliyun/config.json`, which `current` in the file names, does not exist; choose one of `default`",
        ),
        (
            r#""current": "Default","#,
            "error: the profile `Default` in `/h/.aliyun/config.json`, which `current` in the file names, does not exist; choose one of `default`",
        ),
        (
            r#""current": 1,"#,
            "error: `current` in the file has a value of the wrong type; set it to a text",
        ),
    ] {
        let case = Case::new().file(
            CLI_FILE,
            &format!(
                r#"{{{current} "profiles": [null, 1, {{}}, {}]}}"#,
                ak("default")
            ),
        );
        let text = case.text();
        assert!(text.starts_with(expected), "{current}: {text}");
    }
}

#[test]
fn pasted_key_has_no_end() {
    // The end of an earlier session stays in the profile when a person pastes a new key.
    for mode in ["StsToken", "RamRoleArn"] {
        let case = Case::new().profiles(&format!(
            r#"{{"name": "default", "mode": "{mode}", "access_key_id": "LTAI5t1", "access_key_secret": "s",
                "sts_token": "t", "sts_expiration": 1, "ram_role_arn": "acs:ram::1:role/r",
                "ram_session_name": "alice"}}"#
        ));
        let plan = match case.plan() {
            Plan::AssumeRole(role) => role.source,
            other => other,
        };
        let Plan::Key(key) = plan else {
            panic!("a key")
        };
        assert_eq!(key.expires, None, "{mode}");
        assert!(key.key.security_token.is_some(), "{mode}");
    }
}
