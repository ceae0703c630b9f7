//! The release build of the WebAssembly module in wasmtime: its output equals that of native code byte for byte.
//!
//! `ACK_RAM_CORE_WASM` is the path of the module, and `ACK_RAM_CORE_WASM_WITHOUT_CEL` that of the module without CEL.
//! `cargo xtask test` builds the modules and sets the variables.

use std::sync::OnceLock;

use ack_ram_tests::vectors;
use ack_ram_tests::wasm_guest::{Guest, load};
use serde_json::{Value, json};
use wasmtime::Module;

#[test]
fn modules_import_nothing() {
    for module in [with_cel(), without_cel()] {
        let imports: Vec<_> = module.imports().map(|import| import.name()).collect();
        assert!(imports.is_empty(), "{imports:?}");
    }
}

#[test]
fn login_vectors_match_native_decisions() {
    let logins = logins();
    let mut guest = Guest::new(with_cel());
    let mut granted = 0;
    for login in &logins {
        let answer = check(&mut guest, login);
        granted += usize::from(answer["code"] == "granted");
    }
    assert!((1..logins.len()).contains(&granted), "{granted} granted");
}

#[test]
fn token_vectors_match_native_decisions() {
    let tokens = tokens();
    let mut guest = Guest::new(with_cel());
    let mut sent = 0;
    for login in &tokens {
        let answer = check(&mut guest, login);
        sent += usize::from(answer["method"] == "POST");
    }
    assert!((1..tokens.len()).contains(&sent), "{sent} sent");
}

#[test]
fn module_without_cel_refuses_only_rules_that_need_it() {
    let mut guest = Guest::new(without_cel());
    let mut refused = 0;
    for login in logins() {
        let (native, wasm) = (ack_ram_core_wasm::run(&login), guest.run(&login));
        if native == wasm {
            continue;
        }
        let answer = String::from_utf8(wasm).unwrap();
        assert!(
            answer.contains("this build does not support CEL"),
            "{answer}"
        );
        let login = String::from_utf8(login).unwrap();
        let needs_cel = ["\"match\"", "Expression\"", "\"expression\""];
        assert!(needs_cel.iter().any(|name| login.contains(name)), "{login}");
        refused += 1;
    }
    assert!(refused > 0);
}

#[test]
fn hostile_inputs_match_native_answers() {
    let long = "a".repeat(1 << 20);
    let deep = "[".repeat(100_000);
    let mut inputs = vec![
        Vec::new(),
        b"null".to_vec(),
        b"\0".repeat(70_000),
        b"{\"token\":\"\xff\"}".to_vec(),
        deep.clone().into_bytes(),
    ];
    for token in [
        long,
        deep,
        "k8s-ack-v2.".to_owned(),
        "k8s-ack-v1.!".to_owned(),
    ] {
        let login = json!({ "token": token, "clusterId": "c1", "now": "2026-01-02T03:05:00Z" });
        inputs.push(login.to_string().into_bytes());
    }
    // Each login is truncated, and has one byte changed, at a position that differs between logins.
    for (index, login) in logins().into_iter().enumerate() {
        let at = index * 97 % login.len();
        inputs.push(login[..at].to_vec());
        let mut damaged = login;
        damaged[at] ^= 1 << (index % 8);
        inputs.push(damaged);
    }
    let mut guest = Guest::new(with_cel());
    for input in &inputs {
        check(&mut guest, input);
    }
}

#[test]
fn module_releases_memory() {
    let mut inputs = logins();
    inputs.extend(tokens());
    let mut guest = Guest::new(with_cel());
    let mut run_all = |times: usize| {
        for input in inputs.iter().cycle().take(times) {
            guest.run(input);
        }
        guest.memory_bytes()
    };
    let warm = run_all(2 * inputs.len());
    assert_eq!(run_all(10_000), warm);
}

/// Runs `input` in wasmtime and in native code, checks that the outputs are equal, and returns the output.
#[track_caller]
fn check(guest: &mut Guest, input: &[u8]) -> Value {
    let native = ack_ram_core_wasm::run(input);
    let wasm = guest.run(input);
    let (wasm, native) = (
        String::from_utf8_lossy(&wasm),
        String::from_utf8_lossy(&native),
    );
    assert_eq!(wasm, native, "{}", String::from_utf8_lossy(input));
    serde_json::from_str(&native).unwrap()
}

fn with_cel() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load("ACK_RAM_CORE_WASM"))
}

fn without_cel() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load("ACK_RAM_CORE_WASM_WITHOUT_CEL"))
}

fn logins() -> Vec<Vec<u8>> {
    vectors::logins()
        .iter()
        .map(|case| serde_json::to_vec(&case.login).unwrap())
        .collect()
}

/// Returns the tokens of `tokens.json` as logins that end before the call to STS.
fn tokens() -> Vec<Vec<u8>> {
    let tokens = vectors::tokens();
    let logins = tokens.cases.iter().map(|case| {
        let login = json!({
            "token": case.token(),
            "clusterId": tokens.cluster_id,
            "now": case.now,
            "acceptTokenV1": case.accept_v1,
            "extraQueryKeys": case.extra_query_keys,
        });
        login.to_string().into_bytes()
    });
    logins.collect()
}
