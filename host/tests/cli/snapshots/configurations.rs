//! Errors, warnings and findings about configurations, each from a small document.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Transcript;
use crate::program::TestFolder;

/// The ARN of an identity that the documents may map.
const ARN: &str = "acs:ram::1:user/a";

/// Checks the output of `lint` for each document of `table`, and of a command that needs the configuration.
///
/// Each document follows a line `### <title>`.
#[track_caller]
fn check_documents(name: &str, table: &str) {
    let mut transcript = Transcript::new();
    for case in table.split("### ").skip(1) {
        let (title, document) = case.split_once('\n').unwrap();
        transcript.heading(title);
        add_document(&mut transcript, document);
    }
    transcript.check(&format!("configurations_{name}"));
}

fn add_document(transcript: &mut Transcript, document: &str) {
    let folder = TestFolder::new(&[("x.yaml", document)]);
    transcript.file("x.yaml", document);
    transcript.run(&folder, &["lint", "x.yaml"], &[]);
    transcript.run(&folder, &["explain", "-c", "x.yaml", ARN], &[]);
}

#[test]
fn settings_have_expected_findings() {
    check_documents("settings", include_str!("documents/settings.txt"));
}

#[test]
fn entries_have_expected_findings() {
    check_documents("entries", include_str!("documents/entries.txt"));
}

#[test]
fn malformed_yaml_has_expected_findings() {
    check_documents("yaml", include_str!("documents/yaml.txt"));
}

#[test]
fn objects_have_expected_findings() {
    check_documents("objects", include_str!("documents/objects.txt"));
}

#[test]
fn findings_have_expected_positions() {
    check_documents("places", include_str!("documents/places.txt"));
}

#[test]
fn lint_prints_text_and_json() {
    const GOOD: &str = "clusterID: c1\nserver:\n  mapUsers: [{userARN: 'acs:ram::1:user/a', username: a, groups: [g]}]\n";
    let odd = format!("{GOOD}  mapRole: []\n  bind: 0.0.0.0\n  mapAccounts: ['1']\n");
    let warned = format!("{GOOD}  bind: 0.0.0.0\n");
    let noted = format!("{GOOD}  mapAccounts: ['1']\n");
    let folder = TestFolder::new(&[
        ("good.yaml", GOOD),
        ("odd.yaml", &odd),
        ("warned.yaml", &warned),
        ("noted.yaml", &noted),
        ("no-mappings.yaml", "clusterID: c1\n"),
    ]);
    let mut transcript = Transcript::new();
    for (file, text) in [("good.yaml", GOOD), ("odd.yaml", &odd)] {
        transcript.file(file, text);
    }
    for args in [
        &["good.yaml"][..],
        &["good.yaml", "-o", "json"],
        &["odd.yaml"],
        &["odd.yaml", "-o", "json"],
        &["warned.yaml"],
        &["warned.yaml", "--strict"],
        &["noted.yaml"],
        &["noted.yaml", "--strict", "-o", "json"],
        &["-c", "good.yaml", "no-mappings.yaml", "nowhere.yaml"],
        &[
            "-c",
            "good.yaml",
            "no-mappings.yaml",
            "nowhere.yaml",
            "-o",
            "json",
        ],
    ] {
        transcript.run(&folder, &[&["lint"], args].concat(), &[]);
    }
    transcript.check("lint");
}

/// Files with encodings and characters that an editor may not show.
#[test]
fn files_that_are_not_text_have_expected_findings() {
    let wide: String = "clusterID: c1\n".chars().flat_map(|c| [c, '\0']).collect();
    let wide_swapped: String = "clusterID: c1\n".chars().flat_map(|c| ['\0', c]).collect();
    let laughs = ('b'..='g').fold("a: &a [x]\n".to_owned(), |text, letter| {
        let before = char::from(letter as u8 - 1);
        let ten = vec![format!("*{before}"); 10].join(", ");
        format!("{text}{letter}: &{letter} [{ten}]\n")
    });
    let nested = "[".repeat(100);
    let mut transcript = Transcript::new();
    for document in [
        wide.as_str(),
        &wide_swapped,
        "clusterID: c1\nserver: {port: 1}\n# a\0b\n",
        "c\0:\0 \0x\0\n\0",
        "clusterID: c1\n\u{feff}server: {}\n",
        "clusterID: c1\u{2028}server: {}\n",
        "clusterID: \u{1b}[1m\n",
        "clusterID: c\u{200b}1\n",
        "clusterID: c1\nserver: {\u{a0}port: 1}\n",
        "clusterID: c1\r\nserver:\r\n\tport: 1\r\n",
        &laughs,
        &nested,
    ] {
        add_document(&mut transcript, document);
    }
    let folder = TestFolder::new(&[("long.yaml", &"#".repeat(32 * 1024 * 1024 + 1))]);
    std::fs::write(folder.path().join("bytes.yaml"), b"clusterID: \xff\xfe\n").unwrap();
    std::fs::write(folder.path().join("utf16.yaml"), b"\xff\xfec\0l\0").unwrap();
    std::fs::write(folder.path().join("gzip.yaml"), b"\x1f\x8b\x08\0\0\0").unwrap();
    for file in [
        "nowhere.yaml",
        ".",
        "long.yaml",
        "bytes.yaml",
        "utf16.yaml",
        "gzip.yaml",
    ] {
        for args in [
            &["lint", file][..],
            &["explain", "-c", file, ARN],
            &["server", "-c", file],
            &["init", "-c", file],
            &["diff", file, file],
        ] {
            transcript.run(&folder, args, &[]);
        }
    }
    transcript.check("configurations_files");
}

/// Checks the complete text of the findings in `tests/vectors/lint.json`.
#[test]
fn each_finding_code_has_expected_text() {
    let vectors = include_str!("../../../../tests/vectors/lint.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let mut transcript = Transcript::new();
    for case in vectors["cases"].as_array().unwrap() {
        transcript.heading(case["name"].as_str().unwrap());
        let folder = TestFolder::new(&[("x.yaml", &bundle(case))]);
        transcript.run(&folder, &["lint", "x.yaml"], &[]);
    }
    transcript.check("findings");
}

/// Returns the case as a configuration file, followed by the ConfigMap and the objects.
fn bundle(case: &Value) -> String {
    let mut server = Map::new();
    let mut modes = Vec::new();
    let mut reserved = Vec::new();
    let mut others = String::new();
    for backend in case["backends"].as_array().unwrap() {
        let mode = backend["backend"].as_str().unwrap();
        // `lint` does not read the file of the backend DynamicFile.
        let mode = if mode == "DynamicFile" {
            "ACKConfigMap"
        } else {
            mode
        };
        modes.push(json!(mode));
        reserved.push(json!({
            "backendMode": mode,
            "usernamePrefixReserveList": list(&backend["reservedUsernames"]),
            "groupPrefixReserveList": list(&backend["reservedGroups"]),
        }));
        let mappings = list(&backend["mappings"]);
        let is_read = backend["isRead"] != json!(false);
        match mode {
            "MountedFile" => {
                let has_globs = mappings
                    .iter()
                    .any(|mapping| mapping["globs"] == json!(true));
                server.insert("globs".to_owned(), json!(has_globs));
                server.extend(file_lists(&mappings));
                server.insert("mapAccounts".to_owned(), json!(list(&backend["accounts"])));
            }
            "ACKConfigMap" if is_read => {
                let mut lists = file_lists(&mappings);
                lists.insert("mapAccounts".to_owned(), json!(list(&backend["accounts"])));
                let texts: Map<String, Value> = lists
                    .into_iter()
                    .map(|(key, list)| (key, Value::String(list.to_string())))
                    .collect();
                let _ = write!(
                    others,
                    "---\n{}\n",
                    json!({"kind": "ConfigMap", "data": texts})
                );
            }
            "CRD" if is_read => {
                for (index, mapping) in mappings.into_iter().enumerate() {
                    let mut spec = mapping.as_object().unwrap().clone();
                    spec.remove("globs");
                    spec.remove("inGo");
                    let object = json!({
                        "kind": "RAMIdentityMapping",
                        "metadata": {"name": format!("object-{index}")},
                        "spec": spec,
                    });
                    let _ = write!(others, "---\n{object}\n");
                }
            }
            _ => {}
        }
    }
    server.insert("backendMode".to_owned(), json!(modes));
    server.insert("reservedPrefixConfig".to_owned(), json!(reserved));
    server.insert(
        "userValidationRules".to_owned(),
        json!(list(&case["validations"])),
    );
    if case["servesProxies"] == json!(true) {
        let settings = json!({"enabled": true, "joinGroups": true});
        server.insert("extAuthz".to_owned(), settings);
    }
    format!("{}\n{others}", json!({"clusterID": "c1", "server": server}))
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// Returns the mappings that the Go version reads as `mapRoles`, and all others as `mapRules`.
fn file_lists(mappings: &[Value]) -> Map<String, Value> {
    let mut roles = Vec::new();
    let mut rules = Vec::new();
    for mapping in mappings {
        let mut fields = mapping.as_object().unwrap().clone();
        fields.remove("globs");
        let is_unread = fields.remove("inGo").is_some();
        let mut names = fields.keys();
        let is_plain = names.all(|name| ["arn", "username", "groups"].contains(&&**name));
        match fields.remove("arn") {
            Some(arn) if is_plain && !is_unread => {
                fields.insert("roleARN".to_owned(), arn);
                roles.push(Value::Object(fields));
            }
            arn => {
                fields.extend(arn.map(|arn| ("arn".to_owned(), arn)));
                rules.push(Value::Object(fields));
            }
        }
    }
    [("mapRoles", roles), ("mapRules", rules)]
        .map(|(key, list)| (key.to_owned(), Value::Array(list)))
        .into_iter()
        .collect()
}
