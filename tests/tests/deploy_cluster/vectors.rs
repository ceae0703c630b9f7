//! Results of the API server for the objects in `tests/vectors/mapping-objects.json`.

use std::path::Path;

use ack_ram_tests::cluster::{Cluster, Rest};
use ack_ram_tests::eventually::block_until;
use ack_ram_tests::vectors::{self, MappingObjectCase};
use serde_json::{Value, json};

use crate::{DEPLOY, succeed};

const CREATE: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings?dryRun=All&fieldValidation=Strict";
const MAPPINGS: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings";
const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ramidentitymappings.ramauthenticator.k8s.alibabacloud";

/// Applies the definition and waits until the API server serves its objects.
fn define(cluster: &Cluster) {
    let definition = Path::new(DEPLOY).join("ramidentitymapping.yaml");
    let definition = definition.to_string_lossy();
    succeed(cluster.admin_kubectl(&["apply", "--filename", &definition]));
    let condition = "--for=condition=Established";
    succeed(cluster.admin_kubectl(&[
        "wait",
        condition,
        "--timeout=60s",
        "--filename",
        &definition,
    ]));
}

const SESSION: &str = "acs:ram::1:assumed-role/r3/bob";

fn of_session() -> Value {
    json!({
        "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
        "kind": "RAMIdentityMapping",
        "metadata": { "name": "bob" },
        "spec": { "arn": SESSION, "username": "bob" },
    })
}

/// Waits until the API server answers with `status` when an object that names one session is created.
fn wait_for_session(api: &Rest, status: u16) {
    block_until("the definition", || match api.post(CREATE, &of_session()) {
        answer if answer.status == status => Ok(()),
        answer => Err(format!("{answer:?}")),
    });
}

#[test]
fn stored_session_arn_is_tolerated_and_edits_must_remove_it() {
    let cluster = Cluster::builder().start();
    define(&cluster);
    let api = cluster.api();
    wait_for_session(&api, 422);
    // Go's definition does not have these rules.
    let rules = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-validations";
    api.patch(DEFINITION, &json!([{"op": "remove", "path": rules}]))
        .ok();
    wait_for_session(&api, 201);
    let create = CREATE.replace("dryRun=All&", "");
    api.post(&create, &of_session()).ok();
    define(&cluster);
    wait_for_session(&api, 422);

    let object = format!("{MAPPINGS}/bob");
    let label = json!({"metadata": {"labels": {"team": "a"}}});
    api.merge(&object, &label).ok();
    let status = json!({"status": {"canonicalARN": "acs:ram::1:role/r3"}});
    api.merge(&format!("{object}/status"), &status).ok();
    for edit in [
        json!({"username": "other"}),
        json!({"groups": ["admins"]}),
        json!({"arn": "acs:ram::1:assumed-role/r3/eve"}),
        json!({"arn": "ACS:ram::1:ASSUMED-role/r3/bob"}),
    ] {
        let answer = api.merge(&object, &json!({"spec": edit}));
        let is_refused = answer.status == 422 && answer.message().contains("names a session");
        assert!(is_refused, "{edit}: {answer:?}");
    }
    let role = json!({"spec": {"arn": "acs:ram::1:role/r3"}});
    api.merge(&object, &role).ok();
    let answer = api.merge(&object, &json!({"spec": {"arn": SESSION}}));
    assert_eq!(answer.status, 422, "{answer:?}");
}

#[test]
fn api_server_validates_vectors_as_expected() {
    let cases = vectors::mapping_objects();
    let refused = cases
        .iter()
        .filter(|case| case.api_server_refuses.is_some());
    assert!((1..cases.len()).contains(&refused.count()));

    let cluster = Cluster::builder().start();
    define(&cluster);
    let api = cluster.api();
    let mut wrong = Vec::new();
    for MappingObjectCase {
        what,
        spec,
        api_server_refuses,
        ..
    } in cases
    {
        let object = json!({
            "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
            "kind": "RAMIdentityMapping",
            "metadata": { "name": "one" },
            "spec": spec,
        });
        let answer = api.post(CREATE, &object);
        let is_right = match &api_server_refuses {
            None => answer.status == 201,
            Some(part) => {
                matches!(answer.status, 400 | 422) && answer.message().contains(part.as_str())
            }
        };
        if !is_right {
            let (status, message) = (answer.status, answer.message());
            wrong.push(format!(
                "{what}: {status} {message}, not {api_server_refuses:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
