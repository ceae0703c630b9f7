//! The WebAssembly module of the decision decides in the browser as native code does.

use std::fs;

use ack_ram_tests::vectors;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fixture::{PageFixture, js, path_in};

const RUN: &str = "async (module, inputs) => {
    const bytes = Uint8Array.from(atob(module), (character) => character.charCodeAt(0));
    const { instance } = await WebAssembly.instantiate(bytes, {});
    const { memory, alloc, dealloc, run } = instance.exports;
    return inputs.map((input) => {
        const encoded = new TextEncoder().encode(input);
        const address = alloc(encoded.length);
        new Uint8Array(memory.buffer).set(encoded, address);
        const block = BigInt.asUintN(64, run(address, encoded.length));
        const [answer, length] = [Number(block >> 32n), Number(block & 0xffffffffn)];
        const text = new TextDecoder().decode(new Uint8Array(memory.buffer, answer, length));
        dealloc(address, encoded.length);
        dealloc(answer, length);
        return text;
    });
}";

#[test]
fn vectors_match_native_decisions() {
    let tokens = vectors::tokens();
    let mut inputs: Vec<String> = tokens
        .cases
        .iter()
        .map(|case| {
            json!({
                "token": case.token(),
                "clusterId": tokens.cluster_id,
                "now": case.now,
                "acceptTokenV1": case.accept_v1,
                "extraQueryKeys": case.extra_query_keys,
            })
            .to_string()
        })
        .collect();
    let logins = vectors::logins();
    inputs.extend(
        logins
            .iter()
            .map(|case| Value::from(case.login.clone()).to_string()),
    );
    let module = STANDARD.encode(fs::read(path_in("ACK_RAM_CORE_WASM")).unwrap());
    let fixture = PageFixture::start();
    let page = fixture.blank();
    let answers = page.evaluate(&format!("({RUN})({}, {})", js(module), js(inputs.clone())));
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), inputs.len());
    assert!(inputs.len() > 450);
    for (input, answer) in inputs.iter().zip(answers) {
        let native = ack_ram_core_wasm::run(input.as_bytes());
        assert_eq!(answer.as_str().unwrap().as_bytes(), native, "{input}");
    }
}
