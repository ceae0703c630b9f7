//! Random INI files, and damage to files.

use crate::choices::Choices;
use crate::generate::NAMES;
use crate::generate_cli_file::texts;

const TYPES: &[(&str, &[&str])] = &[
    ("access_key", &["access_key_id", "access_key_secret"]),
    ("sts", &["access_key_id", "access_key_secret", "sts_token"]),
    (
        "sts",
        &["access_key_id", "access_key_secret", "security_token"],
    ),
    (
        "ram_role_arn",
        &[
            "access_key_id",
            "access_key_secret",
            "role_arn",
            "role_session_name",
        ],
    ),
    (
        "ram_role_arn",
        &["access_key_id", "access_key_secret", "role_arn"],
    ),
    ("ecs_ram_role", &["role_name"]),
    ("external", &["process_command"]),
    ("credentials_uri", &["credentials_uri"]),
    ("rsa_key_pair", &[]),
    ("bearer", &[]),
    ("Access_Key", &["access_key_id", "access_key_secret"]),
    ("", &[]),
];
const EXTRA_KEYS: &[&str] = &[
    "policy",
    "role_session_expiration",
    "sts_region",
    "sts_endpoint",
    "enable_vpc",
    "external_id",
    "Policy",
    "enable",
    "security_token",
];

/// Makes the text of an INI file.
pub(crate) fn ini_file(choices: &mut Choices<'_>) -> String {
    let mut lines = vec!["# a comment [x] = y".to_owned()];
    if choices.happens(1, 40) {
        lines.push("key = before the first section".to_owned());
    }
    let count = choices.one(&[1, 2, 3, 4, 5, 0]);
    for index in 0..count {
        let name = match choices.happens(1, 4) {
            true => choices.one(NAMES),
            false => NAMES[index % NAMES.len()],
        };
        let end = choices.mostly_first(&["", "  # comment", ";c", " [x]", " x"]);
        lines.push(match choices.below(12) {
            10 => format!("  [ {name} ]{end}"),
            11 => format!("[{name}"),
            _ => format!("[{name}]{}", if choices.happens(1, 6) { end } else { "" }),
        });
        let (kind, keys) = choices.one(TYPES);
        if !choices.happens(1, 30) {
            lines.push(line(choices, "type", kind));
        }
        for key in keys {
            if !choices.happens(1, 20) {
                let text = ini_text(choices, key);
                lines.push(line(choices, key, text));
            }
        }
        for key in EXTRA_KEYS {
            if choices.happens(1, 8) {
                let text = ini_text(choices, key);
                lines.push(line(choices, key, text));
            }
        }
        if choices.happens(1, 30) {
            lines.push(
                choices
                    .one(&["no sign", "= value", "type = sts", "; comment", ""])
                    .to_owned(),
            );
        }
    }
    let text = lines.join(choices.mostly_first(&["\n", "\r\n"]));
    match choices.below(20) {
        18 => format!("\u{feff}{text}"),
        19 => format!("{text}\n\n"),
        _ => text,
    }
}

fn ini_text(choices: &mut Choices<'_>, key: &str) -> &'static str {
    if choices.happens(1, 30) {
        return choices.one(&[
            "", "a[b", "a]b", "[ab]", "a#b", "a;b", "a=b", "\"a#b\"", "'a;b'", "\"open", "'a'b",
            "a\"b",
        ]);
    }
    let texts = texts(key);
    choices.mostly_good(texts)
}

fn line(choices: &mut Choices<'_>, key: &str, text: &str) -> String {
    match choices.below(12) {
        7 => format!("{key}={text}"),
        8 => format!("  {key}\t =  {text}  "),
        9 => format!("{key} = \"{text}\""),
        10 => format!("{key} = '{text}' ; comment"),
        11 => format!("{key} = {text}# comment"),
        _ => format!("{key} = {text}"),
    }
}

/// Damages a text.
pub(crate) fn damaged(choices: &mut Choices<'_>, text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    let place = choices.below(256) % (bytes.len() + 1);
    match choices.below(4) {
        0 => bytes = part(&bytes, place),
        1 => bytes.insert(place, 0xff),
        2 => bytes.insert(place, 0),
        _ => bytes.clear(),
    }
    bytes
}

/// Returns the lines before `place`, or the bytes if there is only one line. An INI file with half a value is valid, but
/// its values are not in the sets that the model knows.
pub(crate) fn part(bytes: &[u8], place: usize) -> Vec<u8> {
    let line = bytes[..place].iter().rposition(|byte| *byte == b'\n');
    bytes[..line.unwrap_or(place)].to_vec()
}
