//! The dependencies in `Cargo.toml` files.

use ack_ram_tests::repository::{files_below, read};

/// Returns the first dependency of a manifest that is not in alphabetical order.
fn first_unsorted(manifest: &str) -> Option<&str> {
    let mut is_in_table = false;
    let mut last = "";
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_in_table = line.ends_with("dependencies]");
            last = "";
            continue;
        }
        let is_entry = line.starts_with(|char: char| char.is_ascii_alphanumeric());
        if !is_in_table || !is_entry {
            continue;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        if name < last {
            return Some(name);
        }
        last = name;
    }
    None
}

#[test]
fn dependencies_are_sorted() {
    let mut manifests = files_below("");
    manifests.retain(|file| file.ends_with("Cargo.toml"));
    assert!(manifests.len() > 10, "{manifests:?}");
    for manifest in manifests {
        let text = read(&manifest);
        assert_eq!(first_unsorted(&text), None, "{}", manifest.display());
    }
}

#[test]
fn unsorted_dependency_is_found() {
    let manifest =
        "[dependencies]\nb.workspace = true\n# Why.\na = \"1\"\n[features]\nz = []\na = []\n";
    assert_eq!(first_unsorted(manifest), Some("a"));
}
