//! What the API server says of the objects in `tests/vectors/mapping-objects.json`.

use std::path::Path;

use ack_ram_tests::cluster::Cluster;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{DEPLOY, succeed};

const CREATE: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings?dryRun=All&fieldValidation=Strict";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    what: String,
    spec: Value,
    /// A part of the API server's message.
    api_server_refuses: Option<String>,
}

#[test]
fn the_api_server_refuses_what_the_vectors_say() {
    let cases = include_str!("../../vectors/mapping-objects.json");
    let cases: Vec<Case> = serde_json::from_str(cases).unwrap();
    let refused = cases
        .iter()
        .filter(|case| case.api_server_refuses.is_some());
    assert!((1..cases.len()).contains(&refused.count()));

    let cluster = Cluster::builder().start();
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
    let api = cluster.api();
    let mut wrong = Vec::new();
    for Case {
        what,
        spec,
        api_server_refuses,
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
