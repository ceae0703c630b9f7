//! Kubeconfigs of random layouts.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::shape_table::SHAPES;
use super::*;

/// The layout of a generated text.
#[derive(Clone, Debug)]
struct Layout {
    list_indent: usize,
    flow_users: bool,
    is_json: bool,
    blank_lines: bool,
    comments: bool,
    ending: &'static str,
    ends_with_line_break: bool,
    has_mark: bool,
}

fn layouts() -> impl Strategy<Value = Layout> {
    let bits = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    (
        select(vec![0_usize, 2, 4]),
        bits,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(list_indent, bits, crlf, has_mark)| Layout {
            list_indent,
            flow_users: bits.0,
            is_json: bits.1 && bits.2,
            blank_lines: bits.2,
            comments: bits.3,
            ending: if crlf { "\r\n" } else { "\n" },
            ends_with_line_break: bits.4,
            has_mark,
        })
}

fn users() -> impl Strategy<Value = Vec<(String, usize)>> {
    vec(("[a-zé:# '\"-]{1,6}", 0..8_usize), 0..5)
}

fn user(kind: usize) -> Value {
    match kind {
        0 => json!({"token": "x # y"}),
        1 => json!({"client-certificate-data": "QQ==", "client-key-data": "a\nb\n"}),
        2 => {
            json!({"exec": {"command": "other", "args": ["a: b", "- c", "1"], "env": [{"name": "A", "value": "b"}]}})
        }
        3 => json!({}),
        4 => Value::Null,
        5 => {
            json!({"exec": {"command": "/x/ack-ram-tool", "args": ["credential-plugin", "get-token", "--cluster-id", "c1"]}})
        }
        6 => {
            json!({"exec": {"command": "ack-ram-tool", "apiVersion": "client.authentication.k8s.io/v1beta1", "args": ["credential-plugin", "get-token", "-cc1"], "installHint": "a\n\nb\n", "env": null}})
        }
        _ => json!({"username": "a", "password": "b", "extra": [[1, 2], {"a": [true, null]}]}),
    }
}

/// Renders a value in block style, with comments and blank lines.
fn block(value: &Value, column: usize, layout: &Layout, out: &mut Vec<String>) {
    let spaces = " ".repeat(column);
    let comment = if layout.comments { " # comment" } else { "" };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                if layout.comments {
                    out.push(format!("{spaces}# about {key}"));
                }
                let key = Value::from(key.as_str());
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        out.push(format!("{spaces}{key}:{comment}"));
                        block(value, column + 2, layout, out);
                    }
                    Value::Array(items) if !items.is_empty() && !layout.flow_users => {
                        out.push(format!("{spaces}{key}:{comment}"));
                        block(value, column + layout.list_indent, layout, out);
                    }
                    Value::String(text) if text.ends_with('\n') => {
                        out.push(format!("{spaces}{key}: |{comment}"));
                        let lines = text.trim_end().split('\n');
                        out.extend(lines.map(|line| match line {
                            "" => String::new(),
                            line => format!("{spaces}   {line}"),
                        }));
                    }
                    Value::Null if layout.comments => out.push(format!("{spaces}{key}:{comment}")),
                    value => out.push(format!("{spaces}{key}: {value}{comment}")),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                if layout.blank_lines {
                    out.push(String::new());
                }
                let mut lines = Vec::new();
                match item {
                    Value::Object(members) if !members.is_empty() => {
                        block(item, column + 2, layout, &mut lines);
                    }
                    item => lines.push(format!("{spaces}  {item}")),
                }
                let first = lines
                    .iter()
                    .position(|line| !line.trim_start().starts_with('#'));
                for (index, line) in lines.into_iter().enumerate() {
                    match Some(index) == first {
                        true => out.push(format!("{spaces}- {}", line.trim_start())),
                        false => out.push(line),
                    }
                }
            }
        }
        other => out.push(format!("{spaces}{other}")),
    }
}

fn render(value: &Value, layout: &Layout) -> String {
    let text = if layout.is_json {
        serde_json::to_string_pretty(value).unwrap()
    } else {
        let mut lines = Vec::new();
        block(value, 0, layout, &mut lines);
        lines.join("\n")
    };
    let end = if layout.ends_with_line_break {
        "\n"
    } else {
        ""
    };
    let mark = if layout.has_mark { "\u{feff}" } else { "" };
    format!("{mark}{text}{end}").replace('\n', layout.ending)
}

/// Returns whether `after` is `before` with text inserted at a few places.
fn keeps_all_lines(before: &str, after: &str) -> bool {
    let mut rest = after.lines();
    before
        .lines()
        .all(|line| rest.any(|found| found.trim_end_matches(',') == line.trim_end_matches(',')))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_new_user_differs(users in users(), layout in layouts(), position in 0..3_usize) {
        let list: Vec<Value> = users
            .iter()
            .map(|(name, kind)| json!({"name": name, "user": user(*kind)}))
            .collect();
        let key = ["zusers", "users", "users"][position];
        let mut root = json!({"apiVersion": "v1", "kind": "Config", "zlast": {"a": ["b"]}});
        root[key] = list.into();
        let before = render(&root, &layout);
        prop_assert_eq!(&values(&before), &root);
        let fixture = Fixture::new(&before);
        fixture.write(&request()).unwrap();
        let after = fixture.text();
        let mut new = request().user.to_json();
        if root["users"].is_null() {
            root["users"] = json!([]);
        }
        root["users"].as_array_mut().unwrap().push(new["users"][0].take());
        prop_assert_eq!(&values(&after), &root);
        let is_empty_list = users.is_empty() || layout.flow_users;
        prop_assert!(is_empty_list || keeps_all_lines(&before, &after), "{}\n{}", before, after);
        let has_lone_newline = after.replace("\r\n", "").contains('\n');
        prop_assert!(layout.ending == "\n" || !has_lone_newline);
        let outcome = fixture.write(&request()).unwrap();
        prop_assert_eq!(outcome.files, []);
    }

    #[test]
    fn only_users_of_ack_ram_tool_are_converted(users in users(), layout in layouts()) {
        let mut names = Vec::new();
        let list: Vec<Value> = users
            .iter()
            .map(|(name, kind)| {
                let name = format!("{name}{}", names.len());
                names.push(name.clone());
                json!({"name": name, "user": user(*kind)})
            })
            .collect();
        let mut root = json!({"users": list});
        let before = render(&root, &layout);
        let fixture = Fixture::new(&before);
        let request = ConvertRequest {
            user: None,
            command: "ack-ram-authenticator".to_owned(),
            path: Some("/opt/ack-ram-authenticator".to_owned()),
            replacement: None,
        };
        let mut check = |_: &ConvertedUser| Err("not called".to_owned());
        let outcome = convert(&fixture.paths, &request, &options(), &accept, &mut check).unwrap();
        prop_assert_eq!(outcome.skipped, []);
        for user in root["users"].as_array_mut().unwrap() {
            let Some(exec) = user.pointer_mut("/user/exec") else {
                continue;
            };
            if exec["command"].as_str().is_some_and(|command| command.ends_with("ack-ram-tool")) {
                exec["command"] = match exec["command"] == "ack-ram-tool" {
                    true => json!("ack-ram-authenticator"),
                    false => json!("/opt/ack-ram-authenticator"),
                };
                exec["interactiveMode"] = json!("Never");
                if exec.get("apiVersion").is_none() {
                    exec["apiVersion"] = json!("client.authentication.k8s.io/v1beta1");
                }
                if exec.get("installHint").is_none() {
                    exec["installHint"] = json!(super::super::plugin_user::INSTALL_HINT);
                }
            }
        }
        prop_assert_eq!(&values(&fixture.text()), &root);
        let outcome = convert(&fixture.paths, &request, &options(), &accept, &mut check).unwrap();
        prop_assert_eq!(outcome, Outcome::default());
    }

    #[test]
    fn damaged_text_is_refused_or_only_the_new_user_differs(
        shape in select(SHAPES.to_vec()),
        from in any::<prop::sample::Index>(),
        length in 0..6_usize,
        inserted in "[\\[\\]{}:,#&*!|>'\"%@`?a \\t\r\n-]{0,3}",
    ) {
        let (_, text, _) = shape;
        let mut chars: Vec<char> = text.chars().collect();
        let from = from.index(chars.len() + 1);
        let to = (from + length).min(chars.len());
        chars.splice(from..to, inserted.chars());
        let before: String = chars.into_iter().collect();
        let fixture = Fixture::new(&before);
        match fixture.write(&request()) {
            Err(_) => prop_assert_eq!(fixture.text(), before),
            Ok(_) => {
                let mut found = values(&fixture.text());
                let mut expected = match serde_saphyr::from_str(&before) {
                    Ok(Value::Null) | Err(_) => json!({"apiVersion": "v1", "kind": "Config"}),
                    Ok(values) => values,
                };
                let new = found["users"].as_array_mut().and_then(Vec::pop).unwrap();
                prop_assert_eq!(&new["name"], "new");
                for value in [&mut found, &mut expected] {
                    if value["users"].is_null() {
                        value["users"] = json!([]);
                    }
                }
                prop_assert_eq!(found, expected, "{}", before);
            }
        }
        prop_assert_eq!(fixture.names(), ["config"]);
    }
}
