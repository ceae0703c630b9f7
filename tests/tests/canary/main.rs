//! Marked secrets go through the real binary, on every path and at every log level. No marked secret may appear in the
//! log, an answer, a metric, the audit file, an answer on the control socket, or the process title.
//!
//! Texts that are quoted on purpose are not marked: messages show a short text that a token has in place of a constant,
//! a name, or a cluster ID. No client puts a secret there, and no secret of a client is that short.

mod client;
mod commands;
mod fixture;
mod secrets;
mod server;
mod tokens;

use ack_ram_core::time::UnixTime;
use ack_ram_tests::sts::demo;

use crate::secrets::{Secrets, forms};
use crate::tokens::{MARKS, Tokens};

#[test]
fn search_finds_every_encoding_of_a_secret() {
    let mut secrets = Secrets::new(&MARKS);
    let tokens = Tokens::at(UnixTime::from_seconds(1_800_000_000));
    let token = tokens.v2(&demo::user_key());
    secrets.add_token(&token);
    let search = secrets.search();
    for mark in MARKS {
        for (form, text, times) in forms(mark) {
            // Any part, in any case.
            let part = &text[text.len() / 3..][..times * 16];
            for leaked in [&*text, part, &part.to_lowercase()] {
                let line = format!("2026-11-24T14:00:00Z  WARN the header is `x{leaked}x`\n");
                let found = search.find(line.as_bytes());
                assert!(found.is_some(), "{mark} {form}: {line}");
            }
        }
    }
    let token = token.expose();
    for part in [token, &token[100..131]] {
        assert!(search.find(part.as_bytes()).is_some(), "{part}");
    }
    for innocent in [
        "2026-11-24T14:00:00Z  WARN access denied result=\"sts_refused\" reference=84c2053bc2f3f3d9",
        "tokens start `k8s-ack-v2.`; Authorization: ACS3-HMAC-SHA256 Credential=...,SignedHeaders=...,Signature=...",
        r#"{"identity":{"arn":"acs:ram::1234567890123456:user/alice","accessKeyId":"LTAI5tDemoAlice0000001"}}"#,
    ] {
        assert_eq!(search.find(innocent.as_bytes()), None);
    }
}
