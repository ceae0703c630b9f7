//! A user is added to each shape of a kubeconfig, and nothing else changes.

use super::shape_table::SHAPES;
use super::*;

fn expand(after: &str) -> String {
    let mut text = after.to_owned();
    let is_open = text.ends_with("ENTRY-");
    text = text.replace("ENTRY-", "ENTRY");
    text = text
        .replace("ENTRY2", &entry(2))
        .replace("ENTRY", &entry(0));
    if is_open {
        text.truncate(text.len() - 1);
    }
    text.replace("FLOW", &flow_entry(false))
        .replace("JSON", &flow_entry(true))
}

fn check(name: &str, before: &str, after: &str) {
    let fixture = Fixture::new(before);
    let outcome = fixture
        .write(&request())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(outcome.files.len(), 1, "{name}");
    assert_eq!(fixture.text(), after, "{name}");
    // The only difference of the values is the new user.
    let mut expected = match values(before) {
        Value::Null => serde_json::json!({"apiVersion": "v1", "kind": "Config"}),
        other => other,
    };
    let mut new = request().user.to_json();
    let new = new["users"][0].take();
    if expected["users"].is_null() {
        expected["users"] = Value::Array(Vec::new());
    }
    expected["users"].as_array_mut().unwrap().push(new);
    assert_eq!(values(after), expected, "{name}");
    // The second time, nothing changes.
    let outcome = fixture.write(&request()).unwrap();
    assert_eq!(outcome.files, [], "{name}");
    assert_eq!(fixture.text(), after, "{name}");
    assert_eq!(fixture.names(), ["config"], "{name}");
}

#[test]
fn user_is_added_to_each_shape_and_the_rest_stays() {
    for (name, before, after) in SHAPES {
        check(name, before, &expand(after));
    }
}

#[test]
fn line_breaks_of_windows_and_byte_order_marks_stay() {
    for (name, before, after) in SHAPES {
        let with_returns = |text: &str| text.replace('\n', "\r\n");
        let after = expand(after);
        // A file without a line break shows no style.
        if before.contains('\n') {
            let name = format!("{name}, CRLF");
            check(&name, &with_returns(before), &with_returns(&after));
        }
        let with_mark = |text: &str| format!("\u{feff}{text}");
        let name = format!("{name}, BOM");
        check(&name, &with_mark(before), &with_mark(&after));
    }
}

#[test]
fn pretty_json_stays_pretty() {
    for unit in ["  ", "    ", "\t"] {
        let pretty = |value: &Value| {
            let formatter = serde_json::ser::PrettyFormatter::with_indent(unit.as_bytes());
            let mut bytes = Vec::new();
            let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
            serde::Serialize::serialize(value, &mut serializer).unwrap();
            String::from_utf8(bytes).unwrap() + "\n"
        };
        for before in [
            serde_json::json!({"kind": "Config", "users": [{"name": "a", "user": {"token": "x"}}]}),
            serde_json::json!({"kind": "Config", "users": []}),
            serde_json::json!({"kind": "Config", "users": null}),
            serde_json::json!({"kind": "Config"}),
        ] {
            let fixture = Fixture::new(&pretty(&before));
            fixture.write(&request()).unwrap();
            let after = fixture.text();
            assert!(
                after.contains(&format!("\n{unit}{unit}{unit}{unit}{unit}\"command\": ")),
                "{after}"
            );
            // The members of the entry are not sorted; all else is as a JSON printer writes it.
            let mut expected: Vec<String> =
                pretty(&values(&after)).lines().map(str::to_owned).collect();
            let mut found: Vec<String> = after.lines().map(str::to_owned).collect();
            let trim = |line: &mut String| *line = line.trim_end_matches(',').to_owned();
            expected.iter_mut().for_each(trim);
            found.iter_mut().for_each(trim);
            expected.sort();
            found.sort();
            assert_eq!(found, expected);
            let outcome = fixture.write(&request()).unwrap();
            assert_eq!(outcome.files, []);
        }
    }
}

#[test]
fn text_that_is_no_single_kubeconfig_is_refused_and_stays() {
    for (before, message) in [
        ("a: 1\n---\nb: 2\n", "several YAML documents"),
        ("users:\n- name: a\n---\n", "several YAML documents"),
        ("[]\n", "not a map"),
        ("text\n", "not a map"),
        ("users: [\n", "not valid YAML: line 1, column 8"),
        ("a: 1\na: 2\n", "not valid YAML"),
        ("a: secret-Tok3n: b\n", "not valid YAML: line 1"),
        ("users: text\n", "cannot be edited safely"),
        ("users: {a: b}\n", "cannot be edited safely"),
        (
            "base: &b [{name: a}]\nusers: *b\n",
            "cannot be edited safely",
        ),
        (
            "base: &b\n  users:\n  - name: a\n<<: *b\n",
            "a merge key `<<` after other members in line 4",
        ),
        (
            "base: &b {args: [x]}\nusers:\n- name: a\n  user:\n    exec:\n      args: [y]\n      <<: *b\n",
            "a merge key `<<` after other members in line 7",
        ),
        (
            "users:\n- name: a # x\u{2028}  user: {token: y}\n",
            "the character U+2028 in line 2",
        ),
        (
            "users:\n- name: a # x\u{85}  user: {token: y}\n",
            "the character U+0085 in line 2",
        ),
        ("users: &u []\nother: *u\n", "cannot be edited safely"),
        (
            "users: &u\n- name: a\nother: *u\n",
            "cannot be edited safely",
        ),
    ] {
        let fixture = Fixture::new(before);
        let error = fixture.write(&request()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(message), "{before}: {text}");
        assert!(!text.contains("Tok3n"), "{text}");
        if message == "cannot be edited safely" {
            let expected = format!("users:\n{}", entry(0));
            assert_eq!(error.fragment(), Some(&*expected), "{before}");
        }
        assert_eq!(fixture.text(), before);
        assert_eq!(fixture.names(), ["config"]);
    }
}

#[test]
fn long_file_changes_in_one_place() {
    use std::fmt::Write as _;
    let mut before = String::from("apiVersion: v1\nclusters:\n");
    for index in 0..300 {
        let data = "QUJD".repeat(300);
        writeln!(
            before,
            "- name: c{index}\n  cluster:\n    certificate-authority-data: {data}"
        )
        .unwrap();
    }
    before += "users:\n- name: a\n";
    check("long file", &before, &format!("{before}{}", entry(0)));
}

#[test]
fn long_line_of_json_changes_in_one_place() {
    let data = "QUJD".repeat(2_000);
    let before = format!(
        "{{\"clusters\":[{{\"name\":\"a\",\"cluster\":{{\"certificate-authority-data\":\"{data}\"}}}}],\"users\":[]}}"
    );
    let after = before.replace("[]", &format!("[{}]", flow_entry(true)));
    check("long line", &before, &after);
}

#[test]
fn text_that_would_exhaust_the_memory_is_refused() {
    let bomb = |levels: usize| {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..levels {
            let alias = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 9].join(", "));
        }
        text
    };
    for before in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        bomb(12),
    ] {
        let fixture = Fixture::new(&before);
        let error = fixture.write(&request()).unwrap_err().to_string();
        assert!(error.contains("is not valid YAML"), "{error}");
        assert_eq!(fixture.text(), before);
    }
}
