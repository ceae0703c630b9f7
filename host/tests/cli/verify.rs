//! `verify`: the signer of a token, as STS returns it.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::json;

use crate::program::TestFolder;

/// An STS emulator with the demonstration account, and a folder with a configuration for it.
struct VerifyFixture {
    sts: Emulator,
    folder: TestFolder,
}

impl VerifyFixture {
    fn start() -> Self {
        let sts = Emulator::builder().demo().start().unwrap();
        // The timeouts are long enough for a slow machine.
        let config = format!(
            "clusterID: c1\nserver: {{sts: {{endpoint: '{}', caFile: sts-ca.pem, connectTimeout: 30s, timeout: 30s}}}}\n",
            sts.url()
        );
        let folder = TestFolder::new(&[("config.yaml", &config), ("sts-ca.pem", sts.ca_pem())]);
        Self { sts, folder }
    }

    fn token(&self, key: &AccessKey, cluster: &str) -> Secret {
        let cluster = ClusterId::parse(cluster).unwrap();
        sign::sign_token_v2(key, &cluster, "test", self.sts.now()).unwrap()
    }
}

#[test]
fn verify_reads_token_from_standard_input() {
    let fixture = VerifyFixture::start();
    let token = fixture.token(&demo::user_key(), "c2");
    let args = ["verify", "-c=config.yaml", "-t", "-", "--cluster-id=c2"];
    let credential = json!({"status": {"token": token.expose()}}).to_string();
    for input in [format!("{}\n", token.expose()), credential] {
        let printed = fixture.folder.run_with_input(&args, &[], &input).printed();
        assert!(printed.contains(demo::USER_ARN), "{printed}");
    }
    let run = fixture.folder.run_with_input(&args, &[], "\n");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("no token on standard input"), "{run:?}");
}
