//! The module as it ships, run by wasmtime: it answers byte for byte what native code answers.
//!
//! `ACK_RAM_CORE_WASM` names the module, `ACK_RAM_CORE_WASM_WITHOUT_CEL` the one that leaves CEL out; `cargo xtask test`
//! builds them and sets the variables.

use std::fs;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

#[test]
fn the_modules_import_nothing() {
    for module in [whole(), without_cel()] {
        let imports: Vec<_> = module.imports().map(|import| import.name()).collect();
        assert!(imports.is_empty(), "{imports:?}");
    }
}

#[test]
fn every_login_is_decided_as_natively() {
    let logins = logins();
    assert!(logins.len() >= 200);
    let mut guest = Guest::new(whole());
    let mut granted = 0;
    for login in &logins {
        let answer = check(&mut guest, login);
        granted += usize::from(answer["code"] == "granted");
    }
    assert!((1..logins.len()).contains(&granted), "{granted} granted");
}

#[test]
fn every_token_is_read_as_natively() {
    let tokens = tokens();
    assert!(tokens.len() >= 250);
    let mut guest = Guest::new(whole());
    let mut sent = 0;
    for login in &tokens {
        let answer = check(&mut guest, login);
        sent += usize::from(answer["method"] == "POST");
    }
    assert!((1..tokens.len()).contains(&sent), "{sent} sent");
}

#[test]
fn the_module_without_cel_refuses_rules_that_need_it_and_nothing_else_differs() {
    let mut guest = Guest::new(without_cel());
    let mut refused = 0;
    for login in logins() {
        let (native, wasm) = (ack_ram_core_wasm::run(&login), guest.run(&login));
        if native == wasm {
            continue;
        }
        let answer = String::from_utf8(wasm).unwrap();
        assert!(answer.contains("this build has no CEL"), "{answer}");
        let login = String::from_utf8(login).unwrap();
        let needs_cel = ["\"match\"", "Expression\"", "\"expression\""];
        assert!(needs_cel.iter().any(|name| login.contains(name)), "{login}");
        refused += 1;
    }
    assert!(refused > 0);
}

#[test]
fn hostile_inputs_are_answered_as_natively() {
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
    // Each login, cut short and with one byte changed, at a place that moves on from login to login.
    for (index, login) in logins().into_iter().enumerate() {
        let at = index * 97 % login.len();
        inputs.push(login[..at].to_vec());
        let mut damaged = login;
        damaged[at] ^= 1 << (index % 8);
        inputs.push(damaged);
    }
    let mut guest = Guest::new(whole());
    for input in &inputs {
        check(&mut guest, input);
    }
}

#[test]
fn memory_is_given_back() {
    let mut inputs = logins();
    inputs.extend(tokens());
    let mut guest = Guest::new(whole());
    let mut run_all = |times: usize| {
        for input in inputs.iter().cycle().take(times) {
            guest.run(input);
        }
        guest.memory.data_size(&guest.store)
    };
    let warm = run_all(2 * inputs.len());
    assert_eq!(run_all(10_000), warm);
}

/// Runs `input` on both sides, and gives the answer.
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

/// An instance of a module.
struct Guest {
    store: Store<()>,
    memory: Memory,
    alloc: TypedFunc<u32, u32>,
    dealloc: TypedFunc<(u32, u32), ()>,
    run: TypedFunc<(u32, u32), u64>,
}

impl Guest {
    fn new(module: &Module) -> Self {
        let mut store = Store::new(module.engine(), ());
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        Self {
            memory: instance.get_memory(&mut store, "memory").unwrap(),
            alloc: instance.get_typed_func(&mut store, "alloc").unwrap(),
            dealloc: instance.get_typed_func(&mut store, "dealloc").unwrap(),
            run: instance.get_typed_func(&mut store, "run").unwrap(),
            store,
        }
    }

    /// Hands `input` in and gives both blocks back. A trap is a panic here.
    fn run(&mut self, input: &[u8]) -> Vec<u8> {
        let length = u32::try_from(input.len()).unwrap();
        let address = self.alloc.call(&mut self.store, length).unwrap();
        self.memory
            .write(&mut self.store, address as usize, input)
            .unwrap();
        let block = self.run.call(&mut self.store, (address, length)).unwrap();
        let (answer, answer_length) = ((block >> 32) as u32, block as u32);
        let mut output = vec![0; answer_length as usize];
        self.memory
            .read(&self.store, answer as usize, &mut output)
            .unwrap();
        for block in [(address, length), (answer, answer_length)] {
            self.dealloc.call(&mut self.store, block).unwrap();
        }
        output
    }
}

fn whole() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load("ACK_RAM_CORE_WASM"))
}

fn without_cel() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load("ACK_RAM_CORE_WASM_WITHOUT_CEL"))
}

/// Compiles the module that an environment variable names.
fn load(variable: &str) -> Module {
    let path = std::env::var(variable).unwrap_or_else(|_| panic!("`{variable}` names a module"));
    Module::new(&Engine::default(), fs::read(path).unwrap()).unwrap()
}

/// The logins of `logins.json`.
fn logins() -> Vec<Vec<u8>> {
    #[derive(Deserialize)]
    struct Vectors {
        defaults: Map<String, Value>,
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        login: Map<String, Value>,
    }
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/logins.json")).unwrap();
    let logins = vectors.cases.into_iter().map(|case| {
        let mut login = vectors.defaults.clone();
        login.extend(case.login);
        serde_json::to_vec(&login).unwrap()
    });
    logins.collect()
}

/// The tokens of `tokens.json`, as logins that end before STS is asked.
fn tokens() -> Vec<Vec<u8>> {
    #[derive(Deserialize)]
    struct Vectors {
        cluster_id: String,
        cases: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        json: Option<String>,
        token: Option<String>,
        now: String,
        #[serde(default)]
        accept_v1: bool,
        #[serde(default)]
        extra_query_keys: Vec<String>,
    }
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/tokens.json")).unwrap();
    let logins = vectors.cases.into_iter().map(|case| {
        let inside = |json| format!("k8s-ack-v2.{}", STANDARD.encode(json));
        let token = case.token.or(case.json.map(inside)).unwrap();
        let login = json!({
            "token": token,
            "clusterId": vectors.cluster_id,
            "now": case.now,
            "acceptTokenV1": case.accept_v1,
            "extraQueryKeys": case.extra_query_keys,
        });
        login.to_string().into_bytes()
    });
    logins.collect()
}
