//! Edits of texts.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[test]
fn edit_changes_nothing_else() {
    let profile = r#"{"name": "p", "oauth_refresh_token": "old", "sts_expiration": 111}"#;
    for text in [
        CONFIG.to_owned(),
        CONFIG.replace('\n', "\r\n"),
        CONFIG.replace(['\n', '\t', ' '], ""),
        format!("\u{feff}{CONFIG}"),
        format!("  {CONFIG}\n\n \t"),
        CONFIG.replace(
            "\"name\"",
            "\"unknown\": {\"a\": [1, null]}, \"n\": 1.50e+3, \"name\"",
        ),
        CONFIG.replace("\"name\"", r#""\u006eame""#),
        CONFIG.replace("\"oauth_refresh_token\"", r#""oauth\u005frefresh_token""#),
        CONFIG.replace("\"current\"", "\"z\": 1, \"a\": 2, \"z\": 3, \"current\""),
        CONFIG.replace("111", "111, \"é\\n\\u00e9😀\": \"\\/\""),
        CONFIG.replace(
            "111",
            "111, \"sts_expiration\": 111, \"oauth_refresh_token\": \"old\"",
        ),
        format!(
            r#"{{"profiles": [1, null, {{"name": "x"}}, {profile}, [], {{"name": "p"}}], "meta_path": ""}}"#
        ),
    ] {
        let update = update_of(PathBuf::new(), "p", "old", "new");
        assert_eq!(
            *edit::edit(&text, &update).unwrap(),
            changed(&text),
            "{text}"
        );
    }
}

#[test]
fn missing_member_is_added_in_the_layout_of_the_profile() {
    for (text, expected) in [
        (
            "{\"profiles\": [\n\t\t{\n\t\t\t\"name\": \"p\",\n\t\t\t\"oauth_refresh_token\": \"old\"\n\t\t}]}",
            "{\"profiles\": [\n\t\t{\n\t\t\t\"name\": \"p\",\n\t\t\t\"oauth_refresh_token\": \"new\",\n\t\t\t\"sts_expiration\": 222\n\t\t}]}",
        ),
        (
            r#"{"profiles":[{"name":"p","oauth_refresh_token":"old"}]}"#,
            r#"{"profiles":[{"name":"p","oauth_refresh_token":"new","sts_expiration":222}]}"#,
        ),
        (
            r#"{"profiles":[{ "oauth_refresh_token":"old", "name":"p" }]}"#,
            r#"{"profiles":[{ "oauth_refresh_token":"new", "name":"p", "sts_expiration": 222 }]}"#,
        ),
    ] {
        let update = update_of(PathBuf::new(), "p", "old", "new");
        assert_eq!(*edit::edit(text, &update).unwrap(), expected);
    }
}

#[test]
fn file_that_is_not_as_expected_is_not_edited() {
    let half = CONFIG.get(..CONFIG.len() / 2).unwrap();
    let long = CONFIG.replace("\"name\"", "\"a\": 1e999, \"name\"");
    for (text, expected) in [
        ("", EditError::Invalid),
        (half, EditError::Invalid),
        ("{}", EditError::Invalid),
        ("[]", EditError::Invalid),
        (r#"{"profiles": {}}"#, EditError::Invalid),
        (r#"{"profiles": []}"#, EditError::NoProfile),
        (
            &CONFIG.replace("\"p\",\n\t\t\t", "\"q\","),
            EditError::NoProfile,
        ),
        (&CONFIG.replace("old", "other"), EditError::Changed),
        (
            &CONFIG.replace("oauth_refresh_token", "x"),
            EditError::Changed,
        ),
        (&CONFIG.replace("\"old\"", "null"), EditError::Changed),
        (
            &CONFIG.replace("\"name\"", "\"name\": \"p\", \"name\": \"q\", \"x\""),
            EditError::Unsafe,
        ),
        (&long, EditError::Unsafe),
    ] {
        let update = update_of(PathBuf::new(), "p", "old", "new");
        assert_eq!(edit::edit(text, &update).unwrap_err(), expected, "{text}");
    }
}

/// Returns JSON texts with any white space and any form of numbers and texts.
fn json() -> impl Strategy<Value = String> {
    let space = "[ \t\r\n]{0,2}";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,9})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?",
        r#""([a-cé😀 {}:,]|\\u00[4-6][0-9a-f]|\\[ntr/"]){0,6}""#,
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        let items = prop::collection::vec((inner, space), 0..4);
        (items, space, any::<bool>()).prop_map(|(items, space, is_list)| {
            let items = items
                .iter()
                .enumerate()
                .map(|(number, (item, space))| match is_list {
                    true => format!("{space}{item}{space}"),
                    false => format!("{space}\"m{}\"{space}:{item}", number / 2),
                });
            let items = items.collect::<Vec<_>>().join(",");
            match is_list {
                true => format!("[{items}{space}]"),
                false => format!("{{{items}{space}}}"),
            }
        })
    })
}

proptest! {
    #[test]
    fn any_other_content_stays(
        (before, after, beside) in (json(), json(), json()),
        space in "[ \t\r\n]{0,2}",
    ) {
        let text = |token, number| format!(
            "{{{space}\"a\":{before},\"profiles\":[{beside}, {{\"b\":{before},{space}\"name\" : \"p\",\
             \"oauth_refresh_token\"{space}:{space}\"{token}\",\"sts_expiration\":{number}{space},\"c\":{after}}}],\
             \"d\":{space}{after}}}{space}"
        );
        let update = update_of(PathBuf::new(), "p", "old", "new");
        let edited = edit::edit(&text("old", 111), &update);
        let expected = text("new", 222);
        prop_assert_eq!(edited.as_ref().map(|edited| edited.as_str()), Ok(&*expected));
    }

    #[test]
    fn any_damaged_text_is_edited_or_refused(
        cuts in prop::collection::vec((0..CONFIG.len(), 0..4_usize, "[{}\\[\\]\",:é\\\\ \ta-d0]{0,3}"), 0..4),
    ) {
        let mut bytes = CONFIG.as_bytes().to_vec();
        for (start, length, inserted) in cuts {
            let start = start.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, inserted.into_bytes());
        }
        let update = update_of(PathBuf::new(), "p", "old", "new");
        if let Ok(edited) = edit::edit(&String::from_utf8_lossy(&bytes), &update) {
            let edited: Value = serde_json::from_str(&edited).unwrap();
            let mut profiles = edited["profiles"].as_array().unwrap().iter();
            let is_changed = profiles.any(|profile| {
                profile["oauth_refresh_token"] == "new" && profile["sts_expiration"] == 222
            });
            prop_assert!(is_changed);
        }
    }
}
