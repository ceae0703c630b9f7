//! The metadata service of an instance, with `--credential-type imds` and its faults.

use ack_ram_tests::eventually::eventually;
use ack_ram_tests::http_service::ServiceFault;
use ack_ram_tests::metadata::{MetadataMode, ROLE_PATH, TOKEN_PATH};
use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::case::{Case, Program};
use crate::fixture::{Calls, ClientFixture};

const ENDPOINT: &str = "ALIBABA_CLOUD_IMDS_ENDPOINT";
const V1_DISABLED: &str = "ALIBABA_CLOUD_IMDSV1_DISABLED";
const V2_DISABLED: &str = "ALIBABA_CLOUD_IMDSV2_DISABLED";
const KEY_PATH: &str = "/latest/meta-data/ram/security-credentials/ecs";
const WITHOUT_TOKEN: Calls = Calls {
    metadata_role: 1,
    metadata_key: 1,
    ..Calls::NONE
};
const TOKEN_ONLY: Calls = Calls {
    metadata_token: 1,
    ..Calls::NONE
};
const UNTIL_ROLE: Calls = Calls {
    metadata_token: 1,
    metadata_role: 1,
    ..Calls::NONE
};

/// Returns a case of an instance whose environment and files have another identity.
fn imds(fixture: &ClientFixture, name: &str) -> Case {
    Case::new(name)
        .only(Program::GetToken)
        .args(&["--credential-type", "imds"])
        .key_variables(&demo::user_key())
        .variable(ENDPOINT, fixture.metadata.http.url())
}

#[tokio::test]
async fn each_version_of_the_service_logs_in() {
    let username = "ecs:i-0001";
    let all = Calls::METADATA_ROLE_AND_KEY;
    for (mode, plain, without_v1, without_v2) in [
        (MetadataMode::V1, Some(all), None, Some(WITHOUT_TOKEN)),
        (
            MetadataMode::V1AndV2,
            Some(all),
            Some(all),
            Some(WITHOUT_TOKEN),
        ),
        (MetadataMode::V2, Some(all), Some(all), None),
    ] {
        let fixture = ClientFixture::start_on(mode);
        let expect = |case: Case, calls: Option<Calls>, refused_after: Calls| match calls {
            Some(calls) => case.granted(username, calls),
            None => case.refused(&["metadata service"], refused_after),
        };
        for case in [
            expect(imds(&fixture, "imds"), plain, Calls::NONE),
            expect(imds(&fixture, "ecs-role"), plain, Calls::NONE)
                .args(&["--credential-type", "ecs-role"]),
            expect(
                imds(&fixture, "only with a token").variable(V1_DISABLED, "true"),
                without_v1,
                TOKEN_ONLY,
            ),
            expect(
                imds(&fixture, "never with a token").variable(V2_DISABLED, "true"),
                without_v2,
                Calls {
                    metadata_role: 1,
                    ..Calls::NONE
                },
            ),
            imds(&fixture, "the environment names another role")
                .variable("ALIBABA_CLOUD_ECS_METADATA", "other")
                .granted(username, all),
        ] {
            case.check(&fixture).await;
        }
        // Another value means `auto`.
        imds(&fixture, "auto")
            .args(&["--credential-type", "auto"])
            .granted("alice", Calls::NONE)
            .check(&fixture)
            .await;
        assert!(
            fixture.proxy.requests().is_empty(),
            "no metadata by a proxy"
        );
    }
}

#[tokio::test]
async fn fault_of_the_service_is_reported() {
    let fixture = ClientFixture::start();
    let http = &fixture.metadata.http;
    let patch = |patch| ServiceFault::Patch(patch);
    let twice = |calls: Calls| Calls {
        metadata_token: calls.metadata_token * 2,
        ..calls
    };
    let all = Calls::METADATA_ROLE_AND_KEY;
    for (path, fault, texts, calls) in [
        (
            TOKEN_PATH,
            ServiceFault::Status(500),
            &["500"][..],
            twice(TOKEN_ONLY),
        ),
        (TOKEN_PATH, ServiceFault::Status(400), &["400"], TOKEN_ONLY),
        (
            TOKEN_PATH,
            ServiceFault::EndlessBody,
            &["too large"],
            twice(TOKEN_ONLY),
        ),
        (
            TOKEN_PATH,
            ServiceFault::Close,
            &["did not answer"],
            twice(TOKEN_ONLY),
        ),
        (ROLE_PATH, ServiceFault::Status(403), &["403"], UNTIL_ROLE),
        (ROLE_PATH, ServiceFault::Html, &["not one word"], UNTIL_ROLE),
        (
            KEY_PATH,
            ServiceFault::Redirect("http://127.0.0.1:1/".into()),
            &["302"],
            all,
        ),
        (KEY_PATH, ServiceFault::Html, &["malformed"], all),
        (
            KEY_PATH,
            ServiceFault::Body("{\"Code\":\"Success\","),
            &["malformed"],
            all,
        ),
        (
            KEY_PATH,
            patch(json!({ "Code": "Failed" })),
            &["`Code`"],
            all,
        ),
        (
            KEY_PATH,
            patch(json!({ "AccessKeySecret": null })),
            &["`AccessKeySecret`"],
            all,
        ),
        (
            KEY_PATH,
            patch(json!({ "SecurityToken": null })),
            &["`SecurityToken`"],
            all,
        ),
        (
            KEY_PATH,
            patch(json!({ "Expiration": null })),
            &["`Expiration`"],
            all,
        ),
        (
            KEY_PATH,
            patch(json!({ "Expiration": "2020-01-01T00:00:00Z" })),
            &["2020-01-01"],
            all,
        ),
    ] {
        http.set_fault_of_path(path, fault.clone());
        let case = imds(&fixture, &format!("{path} {fault:?}"));
        case.refused(texts, calls).check(&fixture).await;
    }
    for status in [403, 404] {
        http.set_fault_of_path(TOKEN_PATH, ServiceFault::Status(status));
        let case = imds(&fixture, "no metadata tokens");
        case.granted("ecs:i-0001", all).check(&fixture).await;
    }
    http.fault_next(1, ServiceFault::Status(503));
    let case = imds(&fixture, "one fault");
    let calls = Calls {
        metadata_token: 2,
        ..all
    };
    case.granted("ecs:i-0001", calls).check(&fixture).await;
    fixture.metadata.detach_role();
    let case = imds(&fixture, "no role");
    case.refused(&["no RAM role"], UNTIL_ROLE)
        .check(&fixture)
        .await;
}

#[tokio::test]
async fn hanging_or_disabled_service_is_given_up() {
    let fixture = ClientFixture::start();
    let disabled =
        imds(&fixture, "disabled").variable("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true");
    let disabled = disabled.refused(&["ALIBABA_CLOUD_ECS_METADATA_DISABLED"], Calls::NONE);
    disabled.check(&fixture).await;
    fixture.metadata.http.set_fault(Some(ServiceFault::Hang));
    let case = imds(&fixture, "hanging");
    let (before, mut runs) = (fixture.calls(), 0);
    // A try has three seconds. On a slow machine, its request may not arrive by then.
    eventually("both tries", async || {
        let start = fixture.calls();
        let run = case.run_in(&case.home(&fixture), Program::GetToken);
        assert_eq!((run.code, &*run.stdout), (Some(1), ""), "{}", run.stderr);
        assert!(run.stderr.contains("did not answer"), "{}", run.stderr);
        runs += 1;
        fixture.calls().since(start).metadata_token == 2
    })
    .await;
    let calls = fixture.calls().since(before);
    assert!(calls.metadata_token <= 2 * runs, "{calls:?} in {runs} runs");
    let other = Calls {
        metadata_token: 0,
        ..calls
    };
    assert_eq!(other, Calls::NONE);
}

/// Keys of the metadata service are not cached, so that each command has the current one.
#[tokio::test]
async fn rotated_key_is_used_at_once() {
    let fixture = ClientFixture::start();
    let case = imds(&fixture, "twice").granted("ecs:i-0001", Calls::METADATA_ROLE_AND_KEY);
    let home = case.home(&fixture);
    case.check_in(&fixture, &home, Program::GetToken).await;
    let old = fixture.metadata.key();
    fixture.metadata.rotate_key();
    assert!(fixture.sts().delete_key(&old.key.id));
    case.check_in(&fixture, &home, Program::GetToken).await;
}
