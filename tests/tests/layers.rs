//! The imports of the files of `core`: they have no cycle, and import nothing from a higher layer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ack_ram_tests::repository::{files_below, read};
use regex::Regex;

/// The layers of `core`, lowest first. Modules that are not listed are above all layers.
const LAYERS: [&[&str]; 5] = [
    &[
        "access_key",
        "arn",
        "cluster_id",
        "expression_kind",
        "fingerprint",
        "identity",
        "kubernetes_user",
        "policy",
        "protocol",
        "secret",
        "time",
    ],
    &["cel"],
    &["rules", "sign", "sts", "token"],
    &["decision"],
    &["login"],
];

/// The modules that each module imports.
type Imports = BTreeMap<String, BTreeSet<String>>;

#[test]
fn core_files_have_no_import_cycle() {
    assert_eq!(find_cycle(&imports_of_core()), None);
}

#[test]
fn core_modules_import_only_their_layer_and_lower_ones() {
    let layer = |module: &str| {
        let top = module.split("::").next().unwrap_or_default();
        let found = LAYERS.iter().position(|modules| modules.contains(&top));
        found.unwrap_or(LAYERS.len())
    };
    for (module, imported) in imports_of_core() {
        // The root declares all modules.
        for lower in imported.iter().filter(|_| !module.is_empty()) {
            assert!(layer(lower) <= layer(&module), "{module} imports {lower}");
        }
    }
}

#[test]
fn import_cycle_is_found_and_named() {
    let sources = [
        ("a", "use crate::b::{self, B};"),
        ("b", "// use crate::a;\npub(crate) use crate::{c::d::D, e};"),
        ("c", "pub use d::D;"),
        (
            "c::d",
            "fn f() { super::super::b::g() }\n#[cfg(test)]\nmod tests { use crate::a; }",
        ),
        ("e", ""),
    ];
    let cycle = find_cycle(&imports(
        &sources.map(|(name, text)| (name.into(), text.into())),
    ));
    let expected = ["b", "c::d", "b"].map(str::to_owned);
    assert_eq!(cycle.as_deref(), Some(&expected[..]));
}

fn imports_of_core() -> Imports {
    let mut sources = Vec::new();
    for file in files_below("core/src") {
        let is_test = file
            .iter()
            .any(|part| part == "tests" || part == "tests.rs");
        if !is_test && file.extension().is_some_and(|end| end == "rs") {
            let module = file.with_extension("");
            let module = module.to_str().unwrap().replace('/', "::");
            let module = module.strip_suffix("::mod").unwrap_or(&module);
            let module = if module == "lib" { "" } else { module };
            sources.push((module.to_owned(), read(&Path::new("core/src").join(&file))));
        }
    }
    assert!(sources.len() > 50, "{}", sources.len());
    imports(&sources)
}

/// Returns the imports of modules, each given by its path and its source.
fn imports(sources: &[(String, String)]) -> Imports {
    let modules: BTreeSet<&str> = sources.iter().map(|(module, _)| &**module).collect();
    let comment = Regex::new("//.*").unwrap();
    let tests = Regex::new(r"#\[cfg\(test\)\]\n *mod [a-z_]+ \{").unwrap();
    let path = Regex::new(
        r"(?m)^ *(?:pub(?:\([^)]*\))? )?use ([^;]+);|(?-u:\b)((?:crate|super|self)(?:::[A-Za-z0-9_]+)+)",
    )
    .unwrap();
    let mut all = Imports::new();
    for (module, source) in sources {
        let source = comment.replace_all(source, "");
        let source = tests.split(&source).next().unwrap_or_default();
        let mut paths = Vec::new();
        for found in path.captures_iter(source) {
            let tree = found.get(1).or_else(|| found.get(2)).unwrap().as_str();
            expand(&[], tree, &mut paths);
        }
        let imported = paths
            .iter()
            .filter_map(|path| resolve(module, path, &modules));
        let imported = imported.filter(|other| other != module).collect();
        all.insert(module.clone(), imported);
    }
    all
}

/// Adds the paths that the `tree` of a `use` names, each after `prefix`.
fn expand(prefix: &[String], tree: &str, paths: &mut Vec<Vec<String>>) {
    let mut depth = 0;
    let parts = tree.split(|character| {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
        let (head, inner) = part.split_once('{').unwrap_or((part, ""));
        let head = head.split(" as ").next().unwrap_or_default();
        let names = head
            .split("::")
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let path: Vec<String> = prefix
            .iter()
            .cloned()
            .chain(names.map(str::to_owned))
            .collect();
        match inner.rsplit_once('}') {
            Some((inner, _)) => expand(&path, inner, paths),
            None => paths.push(path),
        }
    }
}

/// Returns the module of the crate to which `path` leads from `module`; `None` for a path to another crate.
fn resolve(module: &str, path: &[String], modules: &BTreeSet<&str>) -> Option<String> {
    let mut at: Vec<&str> = module.split("::").filter(|name| !name.is_empty()).collect();
    let child = |at: &[&str], name: &str| [at, &[name]].concat().join("::");
    let first = path.first()?;
    match &**first {
        "crate" => at.clear(),
        "self" | "super" => {}
        name if modules.contains(&*child(&at, name)) => at.push(name),
        _ => return None,
    }
    for name in path {
        if name == "super" {
            at.pop();
        }
    }
    for name in path.iter().skip(1).filter(|name| *name != "super") {
        if modules.contains(&*child(&at, name)) {
            at.push(name);
        } else {
            break;
        }
    }
    Some(at.join("::"))
}

/// Returns a cycle of imports, with its first module at both ends.
fn find_cycle(imports: &Imports) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    imports
        .keys()
        .find_map(|module| follow(module, imports, &mut Vec::new(), &mut done))
}

fn follow(
    module: &str,
    imports: &Imports,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = path.iter().position(|other| other == module) {
        let cycle = path.iter().skip(start).cloned();
        return Some(cycle.chain([module.to_owned()]).collect());
    }
    if done.contains(module) {
        return None;
    }
    path.push(module.to_owned());
    for imported in imports.get(module).into_iter().flatten() {
        let cycle = follow(imported, imports, path, done);
        if cycle.is_some() {
            return cycle;
        }
    }
    path.pop();
    done.insert(module.to_owned());
    None
}
