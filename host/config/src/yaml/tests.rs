use super::*;

/// Formats the tree on one line. `#` marks a number, and `@` the position of each list item and map value.
fn outline(node: &Node) -> String {
    let at = |node: &Node| {
        format!(
            "{}@{}:{}",
            outline(node),
            node.position.line,
            node.position.column
        )
    };
    match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Number(text) => format!("#{text}"),
        Value::ComplexMap => "complex".to_owned(),
        Value::Unquoted(unquoted) => format!("!({unquoted})"),
        Value::List(items) => {
            format!("[{}]", items.iter().map(at).collect::<Vec<_>>().join(", "))
        }
        Value::Map(entries) => {
            let entry = |(key, value): &(Key, Node)| format!("{}: {}", key.name, at(value));
            format!(
                "{{{}}}",
                entries.iter().map(entry).collect::<Vec<_>>().join(", ")
            )
        }
    }
}

fn check(source: &str, expected: &str) {
    let outcome = match parse(source) {
        Ok(node) => outline(&node),
        Err(error) => {
            let place = error
                .position
                .map_or(String::new(), |p| format!("{}:{}", p.line, p.column));
            format!("{place} {}", error.message)
        }
    };
    assert_eq!(outcome, expected, "{source}");
}

#[test]
fn value_keeps_its_position_and_spelling() {
    for (source, expected) in [
        ("", "null"),
        ("# nothing\n", "null"),
        (
            "a: 1\nb:\n  - x\n  - 'y'\n",
            "{a: #1@1:4, b: ['x'@3:5, 'y'@4:5]@3:3}",
        ),
        (
            "[000123, '000123', \"000123\", 1_000, '1_000']",
            "[#000123@1:2, '000123'@1:10, '000123'@1:20, #1_000@1:30, '1_000'@1:37]",
        ),
        (
            "[1234567890123456, 0x10, 0o17, 1.50, 1e9, -3, .5]",
            "[#1234567890123456@1:2, #0x10@1:20, #0o17@1:26, #1.50@1:32, #1e9@1:38, #-3@1:43, #.5@1:47]",
        ),
        (
            "[99999999999999999999999999]",
            "[#99999999999999999999999999@1:2]",
        ),
        (
            "[yes, no, on, true, False, ~, null, '']",
            "['yes'@1:2, 'no'@1:7, 'on'@1:11, true@1:15, false@1:21, null@1:28, null@1:31, ''@1:37]",
        ),
        (
            "- 0123 # comment\n- &a 0456\n- *a\n",
            "[#0123@1:3, #0456@2:6, #0456@3:3]",
        ),
        (
            "a: acs:ram::000000000000:role/x\n",
            "{a: 'acs:ram::000000000000:role/x'@1:4}",
        ),
    ] {
        check(source, expected);
    }
}

#[test]
fn malformed_yaml_is_refused_at_its_position() {
    for (source, line, column, part) in [
        ("a: 1\na: 2\n", 2, 1, "duplicate"),
        ("a: [1\nb: 2\n", 2, 2, "':'"),
        ("a: 1\n---\nb: 2\n", 3, 1, "single"),
        ("a: ? x\n  b\n", 1, 4, "not allowed"),
        ("a: SECRET\n b: [\n", 2, 3, "not allowed"),
        (
            "\"a\\n\\u001b[1m\": 1\n\"a\\n\\u001b[1m\": 2\n",
            2,
            1,
            "`a\\n\\u{1b}[1m`",
        ),
    ] {
        let error = parse(source).unwrap_err();
        let expected = Some(Position { line, column });
        assert_eq!(error.position, expected, "{source}: {}", error.message);
        assert!(error.message.contains(part), "{source}: {}", error.message);
        assert!(
            !error.message.contains("SECRET"),
            "{source}: {}",
            error.message
        );
    }
}

#[test]
fn yaml_alias_shares_groups() {
    let mut source = "all: &all [a, b]\nusers:\n".to_owned();
    for index in 0..2_000 {
        source += &format!("- {{username: user-{index}, groups: *all}}\n");
    }
    assert!(parse(&source).is_ok());
    check(
        "one: &one {a: 1, b: 2}\ntwo:\n  <<: *one\n  b: 3\n",
        "{one: {a: #1@1:15, b: #2@1:21}@1:11, two: {b: #3@4:6, a: #1@3:7}@3:3}",
    );
}

#[test]
fn exponential_aliases_are_refused() {
    let ten = |item: &str| [item; 10].join(", ");
    let mut laughs = format!("a: &a [{}]\n", ten("x"));
    for (one, next) in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f")] {
        laughs += &format!("{next}: &{next} [{}]\n", ten(&format!("*{one}")));
    }
    let loud = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        "*a,".repeat(1_000)
    );
    let nested = format!("{}x{}", "[".repeat(40), "]".repeat(40));
    let brackets = format!("[{}]", "{},".repeat(120_000));
    for source in [laughs, loud, nested, brackets] {
        let error = parse(&source).unwrap_err();
        assert!(
            error.message.contains("too many values for its length"),
            "{}",
            error.message
        );
    }
}

#[test]
fn deep_nesting_is_refused() {
    assert!(parse(&"[".repeat(10_000)).is_err());
    assert!(parse(&format!("{}{}", "[".repeat(40), "]".repeat(40))).is_err());
}

#[test]
fn unquoted_value_leaves_the_rest_readable() {
    const BRACES: &str =
        "has `{{` without quotes, which YAML reads as a map inside a map; put quotes around";
    for (source, expected) in [
        (
            "u: {{X}}\nv: 1\n",
            format!("{{u: !({BRACES} `{{{{X}}}}`)@1:4, v: #1@2:4}}"),
        ),
        (
            "u: {{X}} # {{Y}}\n",
            format!("{{u: !({BRACES} `{{{{X}}}}`)@1:4}}"),
        ),
        (
            "- [a, {{X}}]\n- {u: {{X}}}\n",
            format!(
                "[['a'@1:4, !({BRACES} `{{{{X}}}}`)@1:7]@1:3, {{u: !({BRACES} `{{{{X}}}}`)@2:7}}@2:3]"
            ),
        ),
        (
            "{\"u\": {{X}}, \"v\": 1}",
            format!("{{u: !({BRACES} `{{{{X}}}}`)@1:7, v: #1@1:19}}"),
        ),
        (
            "- u: {{X}}:y\n  v: 1\n- {{X}}-y\n",
            format!(
                "[{{u: !({BRACES} the whole value)@1:6, v: #1@2:6}}@1:3, !({BRACES} the whole value)@3:3]"
            ),
        ),
        (
            "[{{X}}:y, b]",
            format!("[!({BRACES} the whole value)@1:2, 'b'@1:11]"),
        ),
        (
            "u: {{X Y}}\n",
            format!("{{u: !({BRACES} the whole value)@1:4}}"),
        ),
        (
            "u: {{X: 1}}\n",
            format!("{{u: !({BRACES} the whole value)@1:4}}"),
        ),
        (
            "u: {{X}, Y}\n",
            format!("{{u: !({BRACES} the whole value)@1:4}}"),
        ),
        ("u: [{[a]: 1}]\n", "{u: [complex@1:5]@1:4}".to_owned()),
    ] {
        check(source, &expected);
    }
    for (value, part) in [
        ("*:role/x", "starts with `*`"),
        ("*", "starts with `*`"),
        ("*nobody", "starts with `*`"),
        ("@x", "starts with `@`"),
        ("`x`", "starts with a backtick"),
        ("%x", "starts with `%`"),
        (".inf", "reads as a number"),
        ("a: b: c", "has a colon with a space"),
        ("x: admin: {{SessionName}}", "has a colon with a space"),
        ("x: admin:", "has a colon with a space"),
        ("-.INF", "reads as a number"),
    ] {
        for source in [
            format!("- v: 1\n  u: {value}\n  w: 2\n"),
            format!("- - u: {value} # c\r\n- b\r\n"),
            format!("- b\n- {value}\n"),
        ] {
            let node = parse(&source).unwrap_or_else(|error| panic!("{source}: {}", error.message));
            let outline = outline(&node);
            assert!(outline.contains(part), "{source}: {outline}");
            assert!(outline.contains("; put quotes around"), "{outline}");
        }
    }
}

#[test]
fn ambiguous_unquoted_value_is_a_syntax_error() {
    for source in [
        "u: *nobody\nv: [\n",
        "u: @x\n   y\n",
        "u: a: b\n   c\n",
        "u: a: b\n  v: 1\n",
        "u: \"a\": b\n",
        "{u: a: b}\n",
        "u: [a,\n  v: b: c]\n",
        "[a, @x]\n",
        "{u: *nobody}\n",
        "<<: *nobody\n",
        "*nobody : 1\n",
        "u: \"a\n  v: @x\n",
        &"- *x\n".repeat(17),
    ] {
        assert!(parse(source).is_err(), "{source}");
    }
    // Text inside another value is unchanged.
    check(
        "u: |\n  v: {{X}}\n  w: @x\n",
        "{u: 'v: {{X}}\nw: @x\n'@2:3}",
    );
    check("u: '@x'\nv: a{{X}}\n", "{u: '@x'@1:4, v: 'a{{X}}'@2:4}");
    check("u: &a x\nv: *a\n", "{u: 'x'@1:7, v: 'x'@2:4}");
}

#[test]
fn syntax_error_points_at_the_cause() {
    for (source, line, column, message) in [
        ("a:\n\tb: 1\n", 2, 1, "tab in indentation"),
        ("a:\n  b: 1\n\tc: 2\n", 3, 1, "tab in indentation"),
        ("a:\n  b: 1\n  \tc: 2\n", 3, 3, "tab in indentation"),
        ("a:\n- b: 1\n\tc: 2\n", 3, 1, "tab in indentation"),
        ("a:\t- x\n", 1, 3, "tab in indentation"),
        ("a: x\n  y\n  z\n\tb: 1\n", 4, 1, "tab in indentation"),
        ("a:\r\n  b: 1\r\n\tc: 2\r\n", 3, 1, "tab in indentation"),
        ("\u{7fa4}: 1\na: \t- x\n", 2, 4, "tab in indentation"),
        ("a: {\n\tb: 1\n}\n", 2, 1, "tab in indentation"),
        ("a: 1\n\u{feff}b: 2\n", 2, 1, "a byte order mark (U+FEFF)"),
        ("a: b\0c\n", 1, 5, "a NUL character (U+0000)"),
        ("a: 1\u{2028}b: 2\n", 1, 5, "a line separator (U+2028)"),
        ("a: \u{1b}[1m\n", 1, 4, "a control character (U+001B)"),
        (
            "- username:alice\n  userARN: x\n",
            1,
            11,
            "no space after the colon of `username`",
        ),
        (
            "- userARN: x\n  username:alice\n",
            2,
            11,
            "no space after the colon of `username`",
        ),
        (
            "server:\n  port:1\n  x: 2\n",
            2,
            7,
            "no space after the colon of `port`",
        ),
        (
            "- {username: {{AccountID}}:x, groups: [g]}\n",
            1,
            14,
            "a value has `{{` without quotes",
        ),
        (
            "- {'it''s': \"{{\", username: dev:{{SessionName}}}\n",
            1,
            33,
            "a value has `{{` without quotes",
        ),
        (
            "- {a: 1, username: dev: alice}\n",
            1,
            23,
            "put quotes around the value",
        ),
        ("[a, @x]\n", 1, 5, "a value starts with `@`"),
        ("{username: *x}\n", 1, 12, "a value starts with `*`"),
    ] {
        let error = parse(source).unwrap_err();
        let expected = Some(Position { line, column });
        assert_eq!(error.position, expected, "{source}: {}", error.message);
        assert!(
            error.message.contains(message),
            "{source}: {}",
            error.message
        );
        assert_eq!(error.message.matches("; ").count(), 1, "{}", error.message);
    }
    // In JSON, tabs are valid.
    let error = parse("{\n\t\"a\": [\n\t\t{\"b\": 1 \"c\": 2}\n\t]\n}\n").unwrap_err();
    assert!(!error.message.contains("tab"), "{}", error.message);
    // Tabs that YAML allows:
    for source in ["a:\tb\n", "a: 1\t\n\t\nb: 2\n", "a: 'x\ty'\n", "a:\n-\tb\n"] {
        assert!(parse(source).is_ok(), "{source}");
    }
}
