//! Random worlds. Names are those that the description has; values are from small sets, with empty and malformed ones.

use crate::choices::Choices;
use crate::generate_cli_file::cli_file;
use crate::generate_ini_file::{damaged, ini_file, part};
use crate::world::{Options, Stored, World};

pub(crate) const KEY_IDS: &[&str] = &[
    "LTAI5tA",
    "LTAI5tB",
    "STS.C",
    "not an id",
    "a\"b",
    "x/y",
    "ü",
];
pub(crate) const SECRETS: &[&str] = &[
    "SecretA",
    "SecretB",
    "Sec=ret",
    "line\nbreak",
    " SecretA",
    "'quoted'",
];
pub(crate) const TOKENS: &[&str] = &["TokenA", "TokenB==", "to ken"];
pub(crate) const ROLES: &[&str] = &[
    "acs:ram::1:role/a",
    "acs:ram::2:role/b",
    "acs:ram::1:user/a",
    "acs:sts::1:assumed-role/a/s",
    "role",
    "acs:ram::1:role/",
];
pub(crate) const PROVIDERS: &[&str] = &["acs:ram::1:oidc-provider/p", "acs:ram::1:role/a", "p"];
pub(crate) const SESSION_NAMES: &[&str] = &["alice", "bob@example.com", "x", "no spaces", "a/b"];
pub(crate) const EXTERNAL_IDS: &[&str] = &["ext-1", "a:b/c", "x", "no spaces"];
pub(crate) const ENDPOINTS: &[&str] = &[
    "sts.a.example",
    "sts.b.example:8443",
    "https://sts.c.example",
    "http://127.0.0.1:8080",
    "127.0.0.1:8080",
    "http://sts.d.example",
    "https://sts.e.example/path",
    "ftp://sts.f.example",
];
pub(crate) const REGIONS: &[&str] = &["cn-beijing", "us-east-1", "CN", "a.b"];
pub(crate) const URLS: &[&str] = &[
    "http://127.0.0.1:1/k",
    "https://u.example/k?t=1",
    "u.example/k",
    "ftp://h/",
    "http://",
];
pub(crate) const NAMES: &[&str] = &["default", "a", "b", "c"];
const SWITCH: &[&str] = &["true", "TRUE", "1", "t", "True", "false", "0", "on"];

/// Variables with their values.
const VARIABLES: &[(&str, &[&str])] = &[
    ("ALIBABA_CLOUD_ROLE_ARN", ROLES),
    ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", PROVIDERS),
    ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", &["/t/token", "~/token"]),
    ("ALIBABA_CLOUD_CREDENTIALS_URI", URLS),
    ("ALIBABA_CLOUD_ECS_METADATA", &["ecs-role", "other-role"]),
    (
        "ALIBABA_CLOUD_CREDENTIALS_FILE",
        &["/f/ini", "~/ini", "/f/absent"],
    ),
    ("ALIBABA_CLOUD_PROFILE", NAMES),
    ("ALIBABACLOUD_PROFILE", NAMES),
    ("ALICLOUD_PROFILE", NAMES),
    (
        "ALIBABA_CLOUD_CONFIG_FILE",
        &["/f/cli.json", "~/cli.json", "/f/absent"],
    ),
    ("ALIBABA_CLOUD_ECS_METADATA_DISABLED", SWITCH),
    ("ALIBABA_CLOUD_IMDSV1_DISABLED", SWITCH),
    ("ALIBABA_CLOUD_IMDSV2_DISABLED", SWITCH),
    ("ALIBABA_CLOUD_IMDS_ENDPOINT", URLS),
    ("ALIBABA_CLOUD_CLI_PROFILE_DISABLED", SWITCH),
    ("ALIBABA_CLOUD_IGNORE_PROFILE", SWITCH),
    ("ALIBABACLOUD_IGNORE_PROFILE", SWITCH),
    ("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", SWITCH),
    ("ALIBABA_CLOUD_STS_ENDPOINT", ENDPOINTS),
    ("ALIBABA_CLOUD_STS_HTTP_SCHEME", &["http", "https", "ftp"]),
    ("ALIBABA_CLOUD_STS_REGION", REGIONS),
    ("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED", SWITCH),
    ("ALIBABA_CLOUD_EXTERNAL_ID", EXTERNAL_IDS),
    ("ALIBABA_CLOUD_ROLE_SESSION_NAME", SESSION_NAMES),
    ("ALICLOUD_ROLE_SESSION_NAME", SESSION_NAMES),
    (
        "ACK_RAM_TOOL_CREDENTIAL_TYPE",
        &["auto", "other", "imds", "ecs-role"],
    ),
    (
        "ACK_RAM_TOOL_PROFILE_FILE",
        &["/f/cli.json", "/f/ini", "~/cli.json", "/f/absent"],
    ),
    ("ACK_RAM_TOOL_PROFILE_NAME", NAMES),
    ("ACK_RAM_TOOL_PROFIL_ENAME", NAMES),
    ("ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS", SWITCH),
    ("ACK_RAM_TOOL_IGNORE_ALIYUN_CLI_CREDENTIALS", SWITCH),
    ("ACK_RAM_TOOL_STS_ENDPOINT", ENDPOINTS),
    ("ACK_RAM_TOOL_REGION_ID", REGIONS),
];

const KEY_VARIABLES: [(&[&str], &[&str]); 3] = [
    (
        &[
            "ALIBABA_CLOUD_ACCESS_KEY_ID",
            "ALICLOUD_ACCESS_KEY",
            "ALIBABACLOUD_ACCESS_KEY_ID",
            "ALICLOUD_ACCESS_KEY_ID",
            "ACCESS_KEY_ID",
        ],
        KEY_IDS,
    ),
    (
        &[
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
            "ALICLOUD_SECRET_KEY",
            "ALIBABACLOUD_ACCESS_KEY_SECRET",
            "ALICLOUD_ACCESS_KEY_SECRET",
            "ACCESS_KEY_SECRET",
        ],
        SECRETS,
    ),
    (
        &[
            "ALIBABA_CLOUD_SECURITY_TOKEN",
            "ALICLOUD_ACCESS_KEY_STS_TOKEN",
            "ALIBABACLOUD_SECURITY_TOKEN",
            "ALICLOUD_SECURITY_TOKEN",
            "SECURITY_TOKEN",
        ],
        TOKENS,
    ),
];

/// Makes a world.
pub(crate) fn world(choices: &mut Choices<'_>) -> World {
    // The options come first, so that a world with many files does not use up their bytes.
    let mut world = World {
        options: options(choices),
        ..World::default()
    };
    if !choices.happens(1, 32) {
        let home = choices.one(&[
            "/home/u",
            "/home/u",
            "/home/u",
            "/home/u",
            "/home/u",
            "/home/u",
            "",
            "/home/other",
        ]);
        world.variables.insert("HOME", home.to_owned());
    }
    // Many variables hide the sources that come later, so most worlds have few.
    let share = choices.one(&[0, 0, 0, 1, 4, 8]);
    for (names, values) in KEY_VARIABLES {
        for name in names {
            set(choices, &mut world, name, values, share);
        }
    }
    let share = choices.one(&[0, 0, 0, 1, 2, 6]);
    for (name, values) in VARIABLES {
        set(choices, &mut world, name, values, share);
    }
    if choices.happens(1, 12) {
        for (name, values) in &VARIABLES[..3] {
            set(choices, &mut world, name, values, 15);
        }
    }
    for path in [
        "/home/u/.aliyun/config.json",
        "/f/cli.json",
        "/home/u/cli.json",
    ] {
        if choices.happens(2, 3) {
            let text = cli_file(choices);
            world.files.insert(path.to_owned(), stored(choices, text));
        }
    }
    for path in ["/home/u/.alibabacloud/credentials", "/f/ini", "/home/u/ini"] {
        if choices.happens(2, 3) {
            let text = ini_file(choices);
            world.files.insert(path.to_owned(), stored(choices, text));
        }
    }
    world
}

fn set(
    choices: &mut Choices<'_>,
    world: &mut World,
    name: &'static str,
    values: &[&str],
    share: usize,
) {
    if choices.happens(share, 16) {
        let value = match choices.happens(1, 10) {
            true => "",
            false => choices.mostly_good(values),
        };
        world.variables.insert(name, value.to_owned());
    }
}

fn stored(choices: &mut Choices<'_>, text: String) -> Stored {
    match choices.below(24) {
        21 => {
            let middle = choices.below(256).min(text.len());
            let first = match text.is_char_boundary(middle) {
                true => part(text.as_bytes(), middle),
                false => Vec::new(),
            };
            Stored::Growing(first, text.into_bytes())
        }
        22 => Stored::File(damaged(choices, text)),
        23 => Stored::Folder,
        _ => Stored::File(text.into_bytes()),
    }
}

fn options(choices: &mut Choices<'_>) -> Options {
    let share = choices.one(&[0, 0, 1, 2, 6]);
    let mut options = Options {
        program: choices.mostly_first(&["ack-ram-tool", "ack-ram-authenticator", "my-link", "x"]),
        ..Options::default()
    };
    let is_given = |choices: &mut Choices<'_>| choices.happens(share, 16);
    if is_given(choices) {
        options.credential_type = Some(choices.one(&["auto", "other", "imds", "auto", "ecs-role"]));
    }
    if is_given(choices) {
        let files = [
            "/f/cli.json",
            "/f/ini",
            "~/cli.json",
            "~/ini",
            "/f/absent",
            "/f/absent.json",
        ];
        options.profile_file = Some(choices.one(&files));
    }
    if is_given(choices) {
        options.profile_name = Some(choices.one(NAMES));
    }
    options.ignore_environment = is_given(choices);
    options.ignore_cli_file = is_given(choices);
    if is_given(choices) || choices.happens(1, 6) {
        options.role = Some(choices.one(&ROLES[..2]));
        let mut is_given = |choices: &mut Choices<'_>| choices.happens(1, 4);
        session_options(choices, &mut options, &mut is_given);
    } else {
        session_options(choices, &mut options, &mut |choices| {
            choices.happens(1, 100)
        });
    }
    if is_given(choices) {
        options.sts_endpoint = Some(choices.one(ENDPOINTS));
    }
    if is_given(choices) {
        options.region = Some(choices.one(REGIONS));
    }
    options
}

fn session_options(
    choices: &mut Choices<'_>,
    options: &mut Options,
    is_given: &mut dyn FnMut(&mut Choices<'_>) -> bool,
) {
    if is_given(choices) {
        options.session_name = Some(choices.one(&SESSION_NAMES[..2]));
    }
    options.forward_session_name = is_given(choices) && choices.happens(1, 2);
    if is_given(choices) {
        options.external_id = Some(choices.one(&EXTERNAL_IDS[..2]));
    }
    if is_given(choices) {
        options.duration = Some(choices.one(&[900, 43_200]));
    }
    if is_given(choices) {
        options.policy = Some(choices.one(&["{}", "{\"Version\":\"1\"}"]));
    }
}
