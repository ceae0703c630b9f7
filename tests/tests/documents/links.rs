//! Links between documents, anchors, and paths that documents name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ack_ram_tests::repository::{read, root};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use regex::Regex;

use crate::documents;

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// Returns the anchor that GitHub gives to a heading: lower case, without punctuation, with `-` in place of spaces.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter(|char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_'))
        .map(|char| if char == ' ' { '-' } else { char })
        .collect()
}

/// Returns the anchors of all headings of `text`. Fails if two headings have the same anchor.
fn anchors(document: &Path, text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in parse(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(part) | Event::Code(part) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&part);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap());
                // GitHub numbers repeated anchors in files with sections of the same name, such as a changelog.
                if !anchors.insert(anchor.clone()) && !document.ends_with("CHANGELOG.md") {
                    panic!(
                        "{}: two headings have the anchor `{anchor}`",
                        document.display()
                    );
                }
            }
            _ => {}
        }
    }
    anchors
}

/// Returns the targets of all links and images of `text`.
fn targets(text: &str) -> Vec<String> {
    parse(text)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some(dest_url.into_string())
            }
            _ => None,
        })
        .collect()
}

/// Returns what is wrong with a link in `document`, or `None` if its file and anchor exist.
fn broken_link(document: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
    let linked: PathBuf = if file.is_empty() {
        document.to_owned()
    } else {
        document.parent().unwrap().join(file)
    };
    if !root().join(&linked).exists() {
        return Some(format!("no file `{}`", linked.display()));
    }
    let is_anchor_missing =
        !fragment.is_empty() && !anchors(&linked, &read(&linked)).contains(fragment);
    is_anchor_missing.then(|| format!("no heading `#{fragment}` in `{}`", linked.display()))
}

#[test]
fn links_lead_to_files_and_headings_that_exist() {
    let mut count = 0;
    let mut broken = Vec::new();
    for document in documents() {
        for target in targets(&read(&document)) {
            count += 1;
            if let Some(problem) = broken_link(&document, &target) {
                broken.push(format!("{}: {target}: {problem}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(count > 40, "only {count} links were found");
}

#[test]
fn broken_links_are_found() {
    let document = Path::new("README.md");
    for (target, expected) in [
        ("MISSING.md", Some("no file `MISSING.md`")),
        (
            "SECURITY.md#missing",
            Some("no heading `#missing` in `SECURITY.md`"),
        ),
        ("#missing", Some("no heading `#missing` in `README.md`")),
        ("SECURITY.md#report-a-vulnerability", None),
        ("https://example.com/missing", None),
    ] {
        let found = broken_link(document, target);
        assert_eq!(found.as_deref(), expected, "{target}");
    }
}

/// Documents that name files of the code.
const WITH_PATHS: [&str; 4] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
];

#[test]
fn paths_in_documents_exist() {
    let path = Regex::new(r"(?-u:\b)(?:core|host|wasm|deploy|tests)/[A-Za-z0-9_./-]*[A-Za-z0-9_]")
        .unwrap();
    let mut count = 0;
    let mut missing = Vec::new();
    for document in WITH_PATHS {
        for found in path.find_iter(&read(Path::new(document))) {
            count += 1;
            // The token inspector is built into this folder.
            let is_built = found.as_str() == "wasm/inspector/dist";
            if !is_built && !root().join(found.as_str()).exists() {
                missing.push(format!("{document}: {}", found.as_str()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(count > 150, "only {count} paths were found");
}
