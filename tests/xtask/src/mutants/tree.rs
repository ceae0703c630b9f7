//! The copy of the sources in which cargo-mutants makes its changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// Synchronizes the folder `tree` with the sources in `root`: all files except those that git ignores.
///
/// The folder keeps its path, and equal files are not written again, so that cargo compiles only the changes since the
/// previous run. The changes of an interrupted run are undone.
pub fn copy_sources(root: &Path, tree: &Path) -> Result<(), Failure> {
    let sources = list_sources(root)?;
    for source in &sources {
        copy_if_changed(&root.join(source), &tree.join(source))?;
    }
    remove_others(tree, tree, &sources)
}

/// Lists the files in `root`, with relative paths.
fn list_sources(root: &Path) -> Result<BTreeSet<PathBuf>, Failure> {
    let mut command = Command::new("git");
    command
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root);
    let output = command.output().map_err(Failure::io("git ls-files"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Check(format!("git ls-files: {message}")));
    }
    let names = String::from_utf8_lossy(&output.stdout);
    let names = names.split('\0').filter(|name| !name.is_empty());
    // Git lists a removed file until the removal is staged.
    let sources = names.map(PathBuf::from);
    Ok(sources.filter(|name| root.join(name).is_file()).collect())
}

fn copy_if_changed(source: &Path, copy: &Path) -> Result<(), Failure> {
    let at = |path: &Path| Failure::io(path.display().to_string());
    let content = fs::read(source).map_err(at(source))?;
    if fs::read(copy).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = copy.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    // This copy keeps permissions, because tests run scripts.
    fs::copy(source, copy).map_err(at(copy)).map(drop)
}

/// Removes the files in `folder` that are not `sources` of `tree`.
fn remove_others(folder: &Path, tree: &Path, sources: &BTreeSet<PathBuf>) -> Result<(), Failure> {
    let at = |path: &Path| Failure::io(path.display().to_string());
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.is_dir() {
            remove_others(&path, tree, sources)?;
        } else if !path
            .strip_prefix(tree)
            .is_ok_and(|name| sources.contains(name))
        {
            fs::remove_file(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::copy_sources;

    #[test]
    fn copy_follows_changes_of_sources() {
        let folder = tempfile::tempdir().unwrap();
        let (root, tree) = (folder.path().join("root"), folder.path().join("tree"));
        fs::create_dir_all(root.join("src")).unwrap();
        let init = Command::new("git").args(["init", "-q"]).arg(&root).status();
        assert!(init.unwrap().success());
        for (name, text) in [
            (".gitignore", "/target\n"),
            ("src/a.rs", "a"),
            ("src/b.rs", "b"),
            ("target", "built"),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        let copy = |name: &str| fs::read_to_string(tree.join(name)).ok();
        copy_sources(&root, &tree).unwrap();
        assert_eq!(copy("src/a.rs").as_deref(), Some("a"));
        assert_eq!(copy("target"), None);

        let written = || {
            fs::metadata(tree.join("src/a.rs"))
                .unwrap()
                .modified()
                .unwrap()
        };
        let before = written();
        fs::remove_file(root.join("src/b.rs")).unwrap();
        fs::write(root.join("src/c.rs"), "c").unwrap();
        fs::write(tree.join(".gitignore"), "changed by a run").unwrap();
        copy_sources(&root, &tree).unwrap();
        assert_eq!(written(), before, "an equal file was written again");
        for (name, expected) in [
            ("src/a.rs", Some("a")),
            ("src/b.rs", None),
            ("src/c.rs", Some("c")),
            (".gitignore", Some("/target\n")),
        ] {
            assert_eq!(copy(name).as_deref(), expected, "{name}");
        }
    }
}
