//! The modules of the page cannot create a verified identity, and make no decisions of their own.

use std::path::Path;

use ack_ram_tests::repository::{files_below, read};
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
    for folder in ["wasm/inspector/src", "host/config/src", "core/analysis/src"] {
        let files = files_below(folder);
        assert!(files.len() > 5, "{folder}");
        for file in files {
            let path = Path::new(folder).join(file);
            let text = read(&path);
            // The inspection of a token uses `login::begin`, and nothing after it.
            let is_inspection = path.to_str().unwrap().contains("analysis/src/inspect");
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
}
