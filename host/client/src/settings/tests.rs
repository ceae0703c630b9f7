use super::*;

fn with_variables(mut settings: Settings, variables: &[(&str, &str)]) -> Settings {
    let environment = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    settings.add_variables(&environment);
    settings
}

#[test]
fn variable_stands_for_an_option_that_is_not_given() {
    let variables = [
        ("ACK_RAM_TOOL_PROFILE_FILE", "/twin"),
        ("ACK_RAM_TOOL_PROFILE_NAME", "twin"),
        ("ACK_RAM_TOOL_STS_ENDPOINT", "twin.example"),
        ("ACK_RAM_TOOL_REGION_ID", "twin-1"),
    ];
    let texts = |settings: &Settings| {
        let file = settings.profile_file.as_ref();
        let file = file.map(|file| format!("{} {}", file.value.display(), file.origin));
        let text = |setting: &Option<Setting<String>>| {
            let setting = setting.as_ref()?;
            Some(format!("{} {}", setting.value, setting.origin))
        };
        [
            file,
            text(&settings.profile_name),
            text(&settings.sts_endpoint),
            text(&settings.region),
        ]
    };
    let twins = with_variables(Settings::default(), &variables);
    let expected = [
        "/twin `ACK_RAM_TOOL_PROFILE_FILE`",
        "twin `ACK_RAM_TOOL_PROFILE_NAME`",
        "twin.example `ACK_RAM_TOOL_STS_ENDPOINT`",
        "twin-1 `ACK_RAM_TOOL_REGION_ID`",
    ];
    assert_eq!(texts(&twins), expected.map(|text| Some(text.to_owned())));

    let options = Settings {
        profile_file: Some(Setting::new("/o".into(), Origin::Option("--profile-file"))),
        profile_name: Some(Setting::new("o".into(), Origin::Option("--profile-name"))),
        sts_endpoint: Some(Setting::new(
            "o.example".into(),
            Origin::Option("--sts-endpoint"),
        )),
        region: Some(Setting::new("o-1".into(), Origin::Option("--region-id"))),
        ..Settings::default()
    };
    let expected = texts(&options);
    assert_eq!(texts(&with_variables(options, &variables)), expected);

    let empty = variables.map(|(name, _)| (name, ""));
    let none = with_variables(Settings::default(), &empty);
    assert_eq!(texts(&none), [None, None, None, None]);
}

#[test]
fn misspelled_variable_of_the_profile_counts_after_the_correct_one() {
    for (right, wrong, expected) in [
        ("right", "wrong", Some("right")),
        ("", "wrong", Some("wrong")),
        ("", "", None),
    ] {
        let settings = with_variables(
            Settings::default(),
            &[
                ("ACK_RAM_TOOL_PROFILE_NAME", right),
                ("ACK_RAM_TOOL_PROFIL_ENAME", wrong),
            ],
        );
        let name = settings.profile_name.map(|name| name.value);
        assert_eq!(name.as_deref(), expected);
    }
}

#[test]
fn credential_type_of_the_option_wins_over_the_variable() {
    for (option, variable, expected) in [
        (None, "", None),
        (None, "imds", Some(true)),
        (None, "ecs-role", Some(true)),
        (None, "auto", Some(false)),
        (None, "IMDS", Some(false)),
        (Some("auto"), "imds", Some(false)),
        (Some("imds"), "auto", Some(true)),
        (Some("ecs-role"), "", Some(true)),
        (Some("anything"), "imds", Some(false)),
    ] {
        let settings = Settings {
            only_metadata: option.map(|value| {
                let origin = Origin::Option("--credential-type");
                Setting::new(is_metadata_type(value), origin)
            }),
            ..Settings::default()
        };
        let settings = with_variables(settings, &[("ACK_RAM_TOOL_CREDENTIAL_TYPE", variable)]);
        let value = settings.only_metadata.as_ref().map(|setting| setting.value);
        assert_eq!(value, expected, "{option:?} {variable}");
        let name = match option {
            Some(_) => Origin::Option("--credential-type"),
            None => Origin::Variable("ACK_RAM_TOOL_CREDENTIAL_TYPE"),
        };
        let selector = (expected == Some(true)).then_some(&name);
        assert_eq!(settings.metadata_selector(), selector);
    }
}

#[test]
fn variable_of_a_switch_can_only_switch_on() {
    for (value, is_on) in [
        ("1", true),
        ("t", true),
        ("T", true),
        ("true", true),
        ("TRUE", true),
        ("True", true),
        ("", false),
        ("0", false),
        ("f", false),
        ("false", false),
        ("tRue", false),
        ("yes", false),
        (" true", false),
    ] {
        for option in [None, Some(Origin::Option("--ignore"))] {
            let settings = Settings {
                ignore_environment: option.clone(),
                ignore_cli_file: option.clone(),
                ..Settings::default()
            };
            let settings = with_variables(
                settings,
                &[
                    ("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS", value),
                    ("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS", value),
                ],
            );
            let expected = |name| option.clone().or(is_on.then_some(Origin::Variable(name)));
            let environment = expected("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS");
            assert_eq!(settings.ignore_environment, environment, "{value}");
            let file = expected("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS");
            assert_eq!(settings.ignore_cli_file, file, "{value}");
        }
    }
}
