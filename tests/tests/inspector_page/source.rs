//! The modules of the page cannot create a verified identity, and make no decisions of their own.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::fixture::{PageFixture, open_playground};

#[test]
fn modules_export_only_called_functions() {
    let fixture = PageFixture::start();
    let page = fixture.page();
    open_playground(&page);
    let exports = page.evaluate(
        "(async () => {
            const functions = {};
            for (const name of ['decode', 'rules']) {
                const packed = new Blob([Uint8Array.from(atob(inspectorModules[name].gzip), (character) => character.charCodeAt(0))]);
                const unpacked = packed.stream().pipeThrough(new DecompressionStream('gzip'));
                const module = await WebAssembly.compile(await new Response(unpacked).arrayBuffer());
                functions[name] = WebAssembly.Module.exports(module)
                    .filter(({ kind, name }) => kind === 'function' && !name.startsWith('__wbindgen_'))
                    .map(({ name }) => name).sort();
            }
            return functions;
        })()",
    );
    assert_eq!(
        exports,
        json!({ "decode": ["inspect", "sign"], "rules": ["run_playground"] })
    );
}

/// The sources use neither the reply of STS nor the types that result from it, which every decision needs.
#[test]
fn page_sources_cannot_create_verified_identity() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in ["wasm/inspector/src", "host/config/src", "core/analysis/src"] {
        let mut folders = vec![root.join(folder)];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                files += 1;
                let text = fs::read_to_string(&path).unwrap();
                // The inspection of a token uses `login::begin`, and nothing after it.
                let is_inspection = path.to_str().unwrap().contains("/analysis/src/inspect");
                let begin: &[&str] = match is_inspection {
                    true => &[],
                    false => &["AwaitingSts", "login::"],
                };
                let grant = ["VerifiedIdentity", "StsReply", ".resume(", ".decide("];
                for name in grant.iter().chain(begin) {
                    assert!(!text.contains(name), "{}: {name}", path.display());
                }
            }
        }
        assert!(files > 5, "{folder}");
    }
}
