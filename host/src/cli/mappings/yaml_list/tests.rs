use super::*;

fn new() -> MappingEntry {
    MappingEntry {
        arn: "acs:ram::1:role/new".to_owned(),
        username: "new:{{SessionName}}".to_owned(),
        groups: vec!["devs".to_owned(), "system:masters".to_owned()],
    }
}

/// Compares the text after a change. `YamlListEditor` itself verifies its contents.
#[track_caller]
fn check(change: &str, text: &str, changed: Result<String, ListEditError>, expected: &str) {
    assert_eq!(changed.as_deref(), Ok(expected), "{change} {text:?}");
}

fn list(text: &str) -> YamlListEditor<'_> {
    YamlListEditor::parse(text, "rolearn").unwrap()
}

const PLAIN: &str = "\
- rolearn: acs:ram::1:role/new
  username: new:{{SessionName}}
  groups:
  - devs
  - system:masters
";

const FLOW: &str = "{rolearn: acs:ram::1:role/new, username: \"new:{{SessionName}}\", groups: [devs, system:masters]}";

#[test]
fn first_entry_replaces_empty_list() {
    for (text, expected) in [
        ("", PLAIN.to_owned()),
        ("[]", PLAIN.trim_end().to_owned()),
        ("[]\n", PLAIN.to_owned()),
        (" [] \n", PLAIN.to_owned()),
        ("null\n", PLAIN.to_owned()),
        ("# roles\n", format!("# roles\n{PLAIN}")),
        ("# roles", format!("# roles\n{}", PLAIN.trim_end())),
        ("\n# roles\n\n", format!("\n# roles\n\n{PLAIN}")),
        ("# a\n[]\n# b\n", format!("# a\n{PLAIN}# b\n")),
        ("---\n", format!("---\n{PLAIN}")),
        ("[] # nobody\n", format!("[{FLOW}] # nobody\n")),
        ("[\n]\n", format!("[{FLOW}\n]\n")),
        (
            "# a\r\n[]\r\n",
            format!("# a\r\n{}", PLAIN.replace('\n', "\r\n")),
        ),
    ] {
        check("append", text, list(text).append(&new()), &expected);
    }
}

#[test]
fn appended_entry_copies_style_of_last_entry() {
    for (text, added) in [
        ("- rolearn: a\n  username: u\n", PLAIN),
        (
            "- rolearn: a\n  username: u\n  groups: [g]\n",
            "- rolearn: acs:ram::1:role/new\n  username: new:{{SessionName}}\n  groups: [devs, system:masters]\n",
        ),
        (
            "- groups:\n  - g\n  rolearn: a\n  username: u\n",
            "- groups:\n  - devs\n  - system:masters\n  rolearn: acs:ram::1:role/new\n  username: new:{{SessionName}}\n",
        ),
        (
            "  -   roleARN: \"a\"\n      UserName: 'u'\n      groups:\n        - \"g\"\n",
            "  -   roleARN: \"acs:ram::1:role/new\"\n      UserName: 'new:{{SessionName}}'\n      groups:\n        - \"devs\"\n        - \"system:masters\"\n",
        ),
        (
            "- \"rolearn\": a\n  'username': u\n",
            "- \"rolearn\": acs:ram::1:role/new\n  'username': new:{{SessionName}}\n  'groups':\n  - devs\n  - system:masters\n",
        ),
        ("- {rolearn: a, username: u}\n", &format!("- {FLOW}\n")),
        ("-\n  rolearn: a\n  username: u\n", PLAIN),
        ("- # first\n  rolearn: a\n  username: u\n", PLAIN),
        (
            "# header\n- rolearn: a # who\n  # why\n  username: u\n  # end\n",
            PLAIN,
        ),
        (
            "- rolearn: a\n  username: u\n\n- rolearn: b\n  username: u\n",
            &format!("\n{PLAIN}"),
        ),
        (
            "- rolearn: a\n  username: u\n\n# b\n- rolearn: b\n  username: u\n",
            &format!("\n{PLAIN}"),
        ),
        ("- rolearn: a\n  username: |\n    u\n", PLAIN),
        ("- &x\n  rolearn: a\n  username: u\n- *x\n", PLAIN),
        ("- x\n", PLAIN),
        (
            "- username: 'a\n    - b'\n  rolearn: ü\n- rolearn: a\n  username: ü\n",
            PLAIN,
        ),
    ] {
        let expected = format!("{text}{added}");
        check("append", text, list(text).append(&new()), &expected);
        let windows = text.replace('\n', "\r\n");
        let expected = expected.replace('\n', "\r\n");
        check("append", &windows, list(&windows).append(&new()), &expected);
    }
}

#[test]
fn appended_entry_precedes_trailing_comments() {
    for (before, after) in [
        ("- rolearn: a\n  username: u\n", "# the end\n"),
        (
            "- rolearn: a\n  username: u\n  # deeper\n",
            "\n\n# the end\n\n",
        ),
        ("- rolearn: a\n  username: u\n", "\n"),
        ("- rolearn: a\n  username: u\n", "...\n"),
    ] {
        let text = format!("{before}{after}");
        let expected = format!("{before}{PLAIN}{after}");
        let changed = list(&text).append(&new());
        if after.starts_with("...") {
            assert_eq!(changed, Err(ListEditError::UnsupportedLayout));
        } else {
            check("append", &text, changed, &expected);
        }
    }
    let (text, expected) = ("- rolearn: a\n  username: u", PLAIN.trim_end());
    check(
        "append",
        text,
        list(text).append(&new()),
        &format!("{text}\n{expected}"),
    );
}

#[test]
fn appended_entry_fits_flow_list() {
    for (text, expected) in [
        ("[{rolearn: a}]", format!("[{{rolearn: a}}, {FLOW}]")),
        ("[{rolearn: a},] # x\n", format!("[{{rolearn: a}}, {FLOW},] # x\n")),
        (
            "[\n  {rolearn: a}, # a\n  # b\n  {rolearn: 'b}'} # b\n]\n",
            format!("[\n  {{rolearn: a}}, # a\n  # b\n  {{rolearn: 'b}}'}}, # b\n  {}\n]\n", FLOW.replace("acs:ram::1:role/new", "'acs:ram::1:role/new'")),
        ),
        (
            "[\n  {rolearn: a}, # a\n]\n",
            format!("[\n  {{rolearn: a}}, # a\n  {FLOW},\n]\n"),
        ),
        (
            "[{\"rolearn\":\"a\",\"username\":\"u\",\"groups\":[\"x\"]}]",
            "[{\"rolearn\":\"a\",\"username\":\"u\",\"groups\":[\"x\"]}, {\"rolearn\": \"acs:ram::1:role/new\", \"username\": \"new:{{SessionName}}\", \"groups\": [\"devs\", \"system:masters\"]}]".to_owned(),
        ),
    ] {
        check("append", text, list(text).append(&new()), &expected);
    }
}

const THREE: &str = "\
# Who may log in.

# The first.
- rolearn: a
  username: a
  # in a
# About b,
# who is second.
- rolearn: b # b
  username: b

# -- section --

- rolearn: c
  username: c
# The end.
";

#[test]
fn removed_entry_takes_its_comment_along() {
    let a = "# The first.\n- rolearn: a\n  username: a\n  # in a\n";
    let b = "# About b,\n# who is second.\n- rolearn: b # b\n  username: b\n";
    let c = "\n- rolearn: c\n  username: c\n";
    for (text, index, expected) in [
        (THREE, 0, THREE.replace(a, "")),
        (THREE, 1, THREE.replace(b, "")),
        (THREE, 2, THREE.replace(c, "\n")),
        ("- rolearn: a", 0, "[]".to_owned()),
        (
            "# x\n\n- rolearn: a\n# y\n",
            0,
            "# x\n\n[]\n# y\n".to_owned(),
        ),
        (
            "- rolearn: a\n\n- rolearn: b\n\n- rolearn: c\n",
            1,
            "- rolearn: a\n\n- rolearn: c\n".to_owned(),
        ),
        (
            "- rolearn: a\n\n- rolearn: b\n",
            1,
            "- rolearn: a\n".to_owned(),
        ),
        (
            "- rolearn: a\n\n- rolearn: b\n",
            0,
            "- rolearn: b\n".to_owned(),
        ),
        ("- rolearn: a\r\n- rolearn: b", 1, "- rolearn: a".to_owned()),
        (
            "- {rolearn: a}\n- {rolearn: b}\n",
            0,
            "- {rolearn: b}\n".to_owned(),
        ),
        (
            "[{rolearn: a}, {rolearn: b}, {rolearn: c}]",
            0,
            "[{rolearn: b}, {rolearn: c}]".to_owned(),
        ),
        (
            "[{rolearn: a}, {rolearn: b}, {rolearn: c}]",
            2,
            "[{rolearn: a}, {rolearn: b}]".to_owned(),
        ),
        ("[{rolearn: a, x: [1, \"]\\\"}\"]},]", 0, "[]".to_owned()),
        (
            "[\n  {rolearn: a}, # a\n  {rolearn: b} # b\n]\n",
            0,
            "[\n  {rolearn: b} # b\n]\n".to_owned(),
        ),
        (
            "[\n  {rolearn: a}, # a\n  {rolearn: b} # b\n]\n",
            1,
            "[\n  {rolearn: a} # a\n]\n".to_owned(),
        ),
        ("[\n  {rolearn: a},\n]\n", 0, "[\n]\n".to_owned()),
    ] {
        check("remove", text, list(text).remove(index), &expected);
    }
}

#[test]
fn replaced_entry_keeps_its_style() {
    for (text, index, expected) in [
        (
            THREE,
            1,
            THREE.replace("- rolearn: b # b\n  username: b\n", PLAIN),
        ),
        (
            "- rolearn: a\n- {rolearn: b}",
            1,
            format!("- rolearn: a\n- {FLOW}"),
        ),
        (
            "[{rolearn: a}, {rolearn: b}]",
            0,
            format!("[{FLOW}, {{rolearn: b}}]"),
        ),
    ] {
        check(
            "replace",
            text,
            list(text).replace(index, &new()),
            &expected,
        );
    }
}

#[test]
fn unsupported_layout_is_refused() {
    let unusual = Err(ListEditError::UnsupportedLayout);
    for text in [
        // The second entry is an alias of the first.
        "- &a {rolearn: a}\n- *a\n",
        // The text ends with a document end marker.
        "- rolearn: a\n...\n",
    ] {
        let list = list(text);
        let results = [list.remove(0), list.append(&new())];
        assert!(results.contains(&unusual), "{text}: {results:?}");
    }
    for (text, kind) in [("a: b\n", "a map"), ("x\n", "text"), ("1\n", "a number")] {
        let error = YamlListEditor::parse(text, "rolearn").err();
        assert_eq!(error, Some(ListEditError::NotAList(kind)));
    }
    let error = YamlListEditor::parse("- [\n", "rolearn").err().unwrap();
    assert!(error.to_string().contains("line "), "{error}");
}

#[test]
fn scalar_is_quoted_where_any_yaml_version_needs_it() {
    for (name, written) in [
        ("alice", "alice"),
        ("system:masters", "system:masters"),
        ("a@b.c/d-e_f", "a@b.c/d-e_f"),
        ("dev:{{SessionName}}", "dev:{{SessionName}}"),
        ("{{SessionName}}", "\"{{SessionName}}\""),
        ("yes", "\"yes\""),
        ("Null", "\"Null\""),
        ("0123", "\"0123\""),
        ("1_000", "\"1_000\""),
        ("-x", "\"-x\""),
        ("a:", "\"a:\""),
        ("a b", "\"a b\""),
        ("a #b", "\"a #b\""),
        ("q\"\\", "\"q\\\"\\\\\""),
        ("", "\"\""),
        ("ü", "\"ü\""),
    ] {
        assert_eq!(scalar(name), written);
        for quotes in ["", "'", "\""] {
            let text = format!(
                "- rolearn: {quotes}a{quotes}\n  username: {quotes}u{quotes}\n  groups: [{quotes}g{quotes}]\n"
            );
            let entry = MappingEntry {
                arn: name.to_owned(),
                username: name.to_owned(),
                groups: vec![name.to_owned()],
            };
            let changed = list(&text).append(&entry).unwrap();
            assert!(list(&changed).has_entry(1, &entry), "{changed}");
        }
    }
}

#[test]
fn find_by_arn_ignores_case() {
    let text =
        "- rolearn: a\n- {RoleARN: 'A'}\n- x\n- userarn: a\n- rolearn: [a]\n- \"rolearn\": b\n";
    for (arn, places) in [("a", vec![0, 1]), ("B", vec![5]), ("c", vec![])] {
        assert_eq!(list(text).find_by_arn(arn), places, "{arn}");
    }
}

#[test]
fn has_entry_compares_all_fields() {
    for (text, expected) in [
        (
            "- {rolearn: ACS:ram::1:role/NEW, username: 'new:{{SessionName}}', groups: [devs, 'system:masters']}\n",
            true,
        ),
        (PLAIN, true),
        (
            "- {rolearn: acs:ram::1:role/new, username: 'new:{{SessionName}}', groups: [devs]}\n",
            false,
        ),
        (
            "- {rolearn: acs:ram::1:role/new, username: u, groups: [devs, 'system:masters']}\n",
            false,
        ),
        (
            "- {rolearn: acs:ram::1:role/new, username: 'new:{{SessionName}}', groups: [devs, 'system:masters'], x: 1}\n",
            false,
        ),
        (
            "- {rolearn: acs:ram::1:role/old, username: 'new:{{SessionName}}', groups: [devs, 'system:masters']}\n",
            false,
        ),
        ("- x\n", false),
    ] {
        assert_eq!(list(text).has_entry(0, &new()), expected, "{text}");
    }
    assert!(!list(PLAIN).has_entry(1, &new()));
}
