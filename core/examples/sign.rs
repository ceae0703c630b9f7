//! Signs a token, and prints the result of each step.
//!
//! Run it with `cargo run -p ack-ram-core --example sign`. Use the steps to find the first difference if you write
//! a client of your own. The key and the time are fixed, so the output is always the same:
//!
//! ```text
//! 1. canonical request:
//! POST
//! /
//! ACKClusterId=c1
//! x-acs-action:GetCallerIdentity
//! x-acs-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
//! x-acs-date:2026-01-02T03:04:05Z
//! x-acs-version:2015-04-01
//!
//! x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-version
//! e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
//! 2. string to sign:
//! ACS3-HMAC-SHA256
//! 5be19c66b4260ab79af43cd3e1087b6572fc4e0f4580caf64ce2b945c54c2dcd
//! 3. authorization header:
//! ACS3-HMAC-SHA256 Credential=LTAI5tFakeAccessKeyId001,SignedHeaders=x-acs-action;x-acs-content-sha256;x-acs-dat...
//! 4. request as JSON:
//! {"clusterId":"c1","method":"POST","path":"/","query":{"ACKClusterId":"c1"},"headers":{"Authorization":"ACS3-HM...
//! 5. token:
//! k8s-ack-v2.eyJjbHVzdGVySWQiOiJjMSIsIm1ldGhvZCI6IlBPU1QiLCJwYXRoIjoiLyIsInF1ZXJ5Ijp7IkFDS0NsdXN0ZXJJZCI6ImMxIn0...
//! ```

use std::error::Error;
use std::io::{self, Write};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, SigningSteps, sign_token_v2_in_steps};
use ack_ram_core::time::UnixTime;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout().lock())
}

/// Writes what the program prints to `out`.
pub(crate) fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let key = AccessKey {
        id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
        secret: Secret::new("FakeSecret"),
        // A temporary key has a security token, too.
        security_token: None,
    };
    let cluster = ClusterId::parse("c1").ok_or("not a cluster ID")?;
    // A client uses its clock. STS accepts a token for 15 minutes.
    let now = UnixTime::parse("2026-01-02T03:04:05Z").ok_or("not a date")?;

    let steps = sign_token_v2_in_steps(&key, &cluster, "example", now);
    let SigningSteps {
        canonical_request,
        string_to_sign,
        authorization,
        json,
        token,
        ..
    } = steps.ok_or("the token cannot be signed")?;
    for (title, text) in [
        ("1. canonical request", canonical_request.expose()),
        ("2. string to sign", &*string_to_sign),
        ("3. authorization header", authorization.expose()),
        ("4. request as JSON", json.expose()),
        ("5. token", token.expose()),
    ] {
        writeln!(out, "{title}:\n{text}")?;
    }
    Ok(())
}
