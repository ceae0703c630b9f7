//! Tests of the facts about variables.

use std::path::Path;

use super::*;
use crate::error::{ClientError, SetupError};
use crate::files::{FileContent, FileError, Files};
use crate::finding::Level;
use crate::plan::Plan;
use crate::resolve::resolve;

/// Files with one INI file.
struct OneFile;

impl Files for OneFile {
    fn read(&self, path: &Path) -> Result<FileContent, FileError> {
        const TEXT: &str = "[default]\ntype = access_key\naccess_key_id = LTAI5tFileKey\naccess_key_secret = FileSecret\n";
        match path == Path::new("/keys.ini") {
            true => FileContent::from_bytes(TEXT.into(), None),
            false => Err(FileError::NotFound),
        }
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        self.read(path)
    }
}

const VARIABLES: [(&str, &str); 9] = [
    ("ALICLOUD_ACCESS_KEY", "LTAI5tFakeAccessKeyId001"),
    ("ACCESS_KEY_SECRET", "FakeAccessKeySecret0000000001"),
    ("SECURITY_TOKEN", "CAISFakeToken"),
    (
        "ALIBABA_CLOUD_ROLE_ARN",
        "acs:ram::1234567890123456:role/dev",
    ),
    (
        "ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
        "acs:ram::1234567890123456:oidc-provider/demo",
    ),
    ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", "/token"),
    ("ALIBABA_CLOUD_CREDENTIALS_URI", "http://127.0.0.1:1/key"),
    ("ALIBABA_CLOUD_ECS_METADATA", "worker"),
    ("ALIBABA_CLOUD_CREDENTIALS_FILE", "/keys.ini"),
];

fn settings() -> Settings {
    Settings {
        default_session_name: "test".to_owned(),
        ..Settings::default()
    }
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect()
}

/// Returns the source that the search for a key takes.
fn searched(environment: &Environment) -> Option<EnvironmentSource> {
    let plan = resolve(&settings(), environment, &OneFile, &mut Findings::default());
    let plan = match plan {
        Ok(plan) => plan,
        Err(ClientError::Setup(error)) if matches!(*error, SetupError::NotConfigured { .. }) => {
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    Some(match plan {
        Plan::Key(key) if key.key.security_token.is_some() => EnvironmentSource::TemporaryKey,
        Plan::Key(key) if matches!(key.id_origin, Origin::Variable(_)) => EnvironmentSource::Key,
        Plan::Key(_) => EnvironmentSource::File,
        Plan::Oidc(_) => EnvironmentSource::Oidc,
        Plan::AssumeRole(_) => EnvironmentSource::KeyWithRole,
        Plan::Url(_) => EnvironmentSource::Url,
        Plan::Metadata(_) => EnvironmentSource::Metadata,
        Plan::Process(_) | Plan::CloudSso(_) | Plan::OAuth(_) => panic!("{plan:?}"),
    })
}

#[test]
fn selected_source_is_that_of_the_search_for_every_set_of_variables() {
    for set in 0..1_u32 << VARIABLES.len() {
        let is_set = |index: &usize| set & (1 << index) != 0;
        let names: Vec<(&str, &str)> = (0..VARIABLES.len())
            .filter(is_set)
            .map(|index| VARIABLES[index])
            .collect();
        let environment = environment(&names);
        let expected = searched(&environment);
        let selected = EnvironmentSource::select(&environment);
        assert_eq!(selected, expected, "{environment:?}");
        let facts = variable_facts(&settings(), &environment);
        assert_eq!(facts.len(), names.len(), "{environment:?}");
        let used = facts
            .iter()
            .filter(|fact| fact.state == VariableState::Used);
        assert_eq!(used.count() > 0, selected.is_some(), "{facts:?}");
        for fact in &facts {
            if let VariableState::HalfSet { missing, .. } = &fact.state {
                assert!(!missing.is_empty(), "{fact:?} of {environment:?}");
            }
        }
    }
}

/// Returns the findings as `<level> <text>`, with the remedies of warnings.
fn findings(settings: &Settings, variables: &[(&str, &str)]) -> Vec<String> {
    let mut findings = Findings::default();
    examine(settings, &environment(variables), &mut findings);
    let texts = findings.list().iter().map(|finding| {
        let level = match finding.level {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Problem => "problem",
        };
        let remedy = finding.remedy.as_deref();
        let remedy = remedy.map_or(String::new(), |remedy| format!("; {remedy}"));
        format!("{level} {}{remedy}", finding.text)
    });
    texts.collect()
}

#[test]
fn variables_that_do_not_count_say_why() {
    let plain = settings();
    let with_file = Settings {
        profile_file: Some(Setting::new("x".into(), Origin::Option("--profile-file"))),
        profile_name: Some(Setting::new(
            "a".to_owned(),
            Origin::Variable("ACK_RAM_TOOL_PROFILE_NAME"),
        )),
        ..settings()
    };
    let key = [VARIABLES[0], VARIABLES[1]];
    let used = [
        "note `ALICLOUD_ACCESS_KEY` is used: ID of an access key",
        "note `ACCESS_KEY_SECRET` is used: Secret of the access key",
    ];
    for (settings, variables, expected) in [
        (
            &plain,
            vec![],
            vec!["note no variable is set that concerns a login"],
        ),
        (
            &plain,
            vec![key[0], key[1], ("ACCESS_KEY_ID", "other")],
            vec![
                used[0],
                "warning `ACCESS_KEY_ID` is not used, because `ALICLOUD_ACCESS_KEY` comes first, with another value; unset `ACCESS_KEY_ID`, or unset `ALICLOUD_ACCESS_KEY` if its value is wrong",
                used[1],
            ],
        ),
        (
            &plain,
            vec![key[0], key[1], ("ACCESS_KEY_ID", key[0].1)],
            vec![
                used[0],
                "note `ACCESS_KEY_ID` is not used, because `ALICLOUD_ACCESS_KEY` comes first, with the same value",
                used[1],
            ],
        ),
        (
            &plain,
            vec![key[0], key[1], VARIABLES[5], VARIABLES[7]],
            vec![
                used[0],
                used[1],
                // The search for a key warns about `ALIBABA_CLOUD_OIDC_TOKEN_FILE`.
                "note `ALIBABA_CLOUD_ECS_METADATA` is not used, because the access key in the environment comes first",
            ],
        ),
        (&plain, vec![VARIABLES[3], VARIABLES[4]], vec![]),
        (
            &plain,
            vec![VARIABLES[3]],
            vec![
                "warning `ALIBABA_CLOUD_ROLE_ARN` is not used, because the access key in the environment also needs `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, which are not set; set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, or unset `ALIBABA_CLOUD_ROLE_ARN`",
            ],
        ),
        (
            &with_file,
            vec![
                key[0],
                ("ACK_RAM_TOOL_PROFILE_NAME", "a"),
                ("ALIBABA_CLOUD_PROFILE", "b"),
                ("ACK_RAM_TOOL_PROFILE_FILE", "y"),
            ],
            vec![
                "note `ALICLOUD_ACCESS_KEY` is not used, because a file with profiles is selected",
                "note `ALIBABA_CLOUD_PROFILE` is not used, because `ACK_RAM_TOOL_PROFILE_NAME` comes first",
                "note `ACK_RAM_TOOL_PROFILE_FILE` is not used, because `--profile-file` comes first",
                "note `ACK_RAM_TOOL_PROFILE_NAME` is used: `--profile-name`",
            ],
        ),
        (
            &plain,
            vec![
                ("HTTPS_PROXY", "http://u:CANARY@h/x"),
                ("https_proxy", "h:1"),
            ],
            vec![
                "note `HTTPS_PROXY` is used: Proxy for calls over TLS",
                "warning `https_proxy` is not used, because `HTTPS_PROXY` comes first, with another value; unset `https_proxy`, or unset `HTTPS_PROXY` if its value is wrong",
                "warning `HTTPS_PROXY` has a `#`, `/` or `?` in the user or password, or after the host and port; percent-encode the user and password (`%23` for `#`, `%2F` for `/`, `%3F` for `?`), and write nothing after the port",
            ],
        ),
    ] {
        assert_eq!(findings(settings, &variables), expected, "{variables:?}");
    }
}

#[test]
fn no_text_contains_a_value() {
    let names = ALL.iter().chain(OTHERS).flat_map(|group| group.names);
    let variables: Vec<(&str, &str)> = names.map(|name| (*name, "CANARY")).collect();
    let texts = findings(&settings(), &variables);
    assert!(texts.len() >= variables.len() - 3, "{texts:#?}");
    for text in texts {
        assert!(!text.contains("CANARY"), "{text}");
    }
}
