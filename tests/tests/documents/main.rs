//! The documents of this repository: their links, their examples, and the order of the manifests.

mod examples;
mod links;
mod manifests;

use std::path::PathBuf;

use ack_ram_tests::repository::files_below;

/// Returns every Markdown document of the repository.
fn documents() -> Vec<PathBuf> {
    let files = files_below("").into_iter();
    files
        .filter(|file| file.extension().is_some_and(|end| end == "md"))
        .collect()
}
