//! `explain`: how a configuration maps an identity.

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::sign;
use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};

use crate::program::TestFolder;

/// Not every backend is in the configuration file.
#[test]
fn explain_lists_every_backend() {
    let config = |order: &str, protect: &str| {
        format!(
            "clusterID: c1
server:
  backendMode: [{order}]
  {protect}
  mapUsers:
  - {{userARN: 'acs:ram::1:user/alice', username: alice}}
"
        )
    };
    let protect = "protect: ['acs:ram::1:user/alice']";
    let (alice, bob) = ("acs:ram::1:user/alice", "acs:ram::1:user/bob");
    for (order, protect, arn, exit, code, answers) in [
        (
            "MountedFile, CRD",
            "",
            alice,
            0,
            "granted",
            "matched notAsked",
        ),
        (
            "MountedFile, CRD",
            "",
            bob,
            1,
            "rules_not_read",
            "noMatch notRead",
        ),
        (
            "CRD, MountedFile",
            "",
            alice,
            1,
            "rules_not_read",
            "notRead notAsked",
        ),
        (
            "CRD, MountedFile",
            protect,
            alice,
            0,
            "granted",
            "notAsked matched",
        ),
        (
            "CRD, MountedFile",
            protect,
            bob,
            1,
            "rules_not_read",
            "notRead notAsked",
        ),
    ] {
        let folder = TestFolder::new(&[("config.yaml", &config(order, protect))]);
        let args = ["explain", "-c", "config.yaml", "--arn", arn];
        let run = folder.run(&[&args[..], &["-o", "json"]].concat(), &[]);
        let trace: Value = serde_json::from_str(&run.stdout).unwrap();
        let backends = trace["backends"].as_array().unwrap().iter();
        let found: Vec<&str> = backends.map(|b| b["answer"].as_str().unwrap()).collect();
        let case = format!("{order} {protect} {arn}: {run:?}");
        assert_eq!(
            (run.code, &trace["code"]),
            (Some(exit), &json!(code)),
            "{case}"
        );
        assert_eq!(found.join(" "), answers, "{case}");
        let text = folder.run(&args, &[]).stdout;
        assert_eq!(
            text.contains("not loaded"),
            answers.contains("notRead"),
            "{text}"
        );
    }
}

#[test]
fn explain_with_token_calls_sts() {
    let sts = Emulator::builder().demo().start().unwrap();
    let config = format!(
        "clusterID: c1\nserver:\n  sts: {{endpoint: '{}', caFile: ca.pem}}\n  mapRoles: [{{roleARN: '{}', username: 'dev:{{{{SessionNameRaw}}}}'}}]\n",
        sts.url(),
        demo::ROLE_ARN
    );
    let folder = TestFolder::new(&[("config.yaml", &config), ("ca.pem", sts.ca_pem())]);
    let token = |cluster: &str| {
        let cluster = ClusterId::parse(cluster).unwrap();
        sign::sign_token_v2(&demo::session_key(), &cluster, "test", sts.now()).unwrap()
    };
    let args = ["explain", "-c", "config.yaml", "-o", "json", "--token", "-"];
    let printed = folder
        .run_with_input(&args, &[], token("c1").expose())
        .printed();
    let trace: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(trace["user"]["username"], format!("dev:{}", demo::SESSION));
    assert_eq!(trace["identity"]["userId"], demo::ROLE_ID);

    for (token, code) in [
        (token("c2").expose(), "token_other_cluster"),
        ("eyJhbGciOi.e30.x", "not_ours"),
    ] {
        let run = folder.run_with_input(&args, &[], token);
        let trace: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(
            (run.code, &trace["code"]),
            (Some(1), &json!(code)),
            "{run:?}"
        );
        assert_eq!(trace["backends"][0]["answer"], "notAsked");
        assert!(
            trace["reason"].is_string() && !run.stdout.contains(token),
            "{run:?}"
        );
    }
}
