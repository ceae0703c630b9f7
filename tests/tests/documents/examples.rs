//! The examples in documents: each is accepted by the code that reads such a text.

use std::path::Path;

use ack_ram_config::object::ObjectSpec;
use ack_ram_config::{ConfigFile, ConfigSources, Overrides, compile, load};
use ack_ram_tests::repository::read;
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use serde_json::Value;

use crate::documents;

/// A fenced block of a document.
struct Example {
    language: String,
    text: String,
}

fn examples(document: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut open: Option<Example> = None;
    for event in Parser::new(document) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                open = Some(Example {
                    language: language.into_string(),
                    text: String::new(),
                });
            }
            Event::Text(part) => {
                if let Some(example) = &mut open {
                    example.text.push_str(&part);
                }
            }
            Event::End(TagEnd::CodeBlock) => examples.extend(open.take()),
            _ => {}
        }
    }
    examples
}

/// Loads a configuration and compiles its rules. Fails on an error, and on any warning about what the example says.
///
/// An example may leave out the cluster ID and the mappings, which are on the page once.
fn check_configuration(text: &str) {
    let overrides = Overrides {
        cluster_id: Some("c0123456789abcdef0123456789abcdef".to_owned()),
        ..Overrides::default()
    };
    let config = load(&ConfigSources {
        file: Some(ConfigFile::Text {
            name: "example.yaml",
            text,
        }),
        overrides: &overrides,
        variables: &|_| None,
    })
    .unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert!(config.warnings.is_empty(), "{:?}\n{text}", config.warnings);
    let refused = compile(&config).refused;
    assert!(refused.is_empty(), "{refused:?}\n{text}");
}

fn check_object(object: &Value) {
    let spec = ObjectSpec::parse(object["spec"].clone());
    spec.unwrap_or_else(|error| panic!("{error:?}\n{object}"));
}

/// Checks a YAML example. Returns whether a reader of this program accepted it.
fn check_yaml(text: &str) -> bool {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut is_ours = false;
    for document in &documents {
        if document["kind"] == "RAMIdentityMapping" {
            check_object(document);
            is_ours = true;
        } else if document.get("server").is_some() || document.get("clusterID").is_some() {
            check_configuration(text);
            is_ours = true;
        }
    }
    is_ours
}

#[test]
fn examples_are_accepted() {
    let mut accepted = 0;
    for document in documents() {
        for example in examples(&read(&document)) {
            let place = document.display();
            match &*example.language {
                "yaml" => accepted += usize::from(check_yaml(&example.text)),
                "json" => {
                    let json: Result<Value, _> = serde_json::from_str(&example.text);
                    assert!(json.is_ok(), "{place}: {json:?}\n{}", example.text);
                }
                "sh" | "text" | "nginx" | "caddyfile" => {}
                other => panic!("{place}: no check for the language `{other}`"),
            }
        }
    }
    assert!(accepted > 15, "only {accepted} examples were loaded");
}

/// Every topic of CONFIGURATION.md that has a table of settings has an example.
#[test]
fn topics_with_settings_have_an_example() {
    let text = read(Path::new("CONFIGURATION.md"));
    let topics = text.split("\n## ").skip(1);
    for topic in topics.filter(|topic| topic.contains("\n| key |")) {
        let title = topic.lines().next().unwrap();
        assert!(topic.contains("```yaml\n"), "no example in `{title}`");
    }
}
