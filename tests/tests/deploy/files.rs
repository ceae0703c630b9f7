//! The YAML files in `deploy/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ack_ram_tests::authenticator;
use ack_ram_tests::process::Process;
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(60);
const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

fn objects(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(Path::new(DEPLOY).join(name)).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn object(kind: &str, name: &str) -> Value {
    let mut found = objects("example.yaml")
        .into_iter()
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let object = found.next().unwrap_or_else(|| panic!("no {kind} `{name}`"));
    assert!(found.next().is_none(), "{kind} `{name}` is there twice");
    object
}

#[test]
fn deploy_files_are_valid_yaml() {
    let files: Vec<PathBuf> = fs::read_dir(DEPLOY)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let objects = objects(name);
        assert!(!objects.is_empty(), "{name}");
        // The configuration of the server is not a Kubernetes object.
        if name != "config.yaml" {
            for object in objects {
                for field in ["/apiVersion", "/kind", "/metadata/name"] {
                    let value = object.pointer(field).and_then(Value::as_str);
                    assert!(value.is_some(), "{name}: no {field} in {object}");
                }
            }
        }
    }
}

/// Compares all rights: role, verb, API group, resource, and names.
#[test]
fn roles_grant_expected_rights_only() {
    let mut rights = BTreeSet::new();
    for object in objects("example.yaml") {
        if !matches!(object["kind"].as_str(), Some("Role" | "ClusterRole")) {
            continue;
        }
        let role = &object["metadata"];
        let role = format!(
            "{}{}",
            role["namespace"]
                .as_str()
                .map_or(String::new(), |namespace| format!("{namespace}/")),
            role["name"].as_str().unwrap()
        );
        for rule in object["rules"].as_array().unwrap() {
            for (group, resource, verb) in product(rule) {
                let names = rule["resourceNames"]
                    .as_array()
                    .map_or(String::new(), |names| {
                        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
                        format!(" {}", names.join(","))
                    });
                rights.insert(format!("{role}: {verb} {group}/{resource}{names}"));
            }
        }
    }
    let crd = "ack-ram-authenticator-install-crd";
    let one_crd = "ramidentitymappings.ramauthenticator.k8s.alibabacloud";
    let mappings = "ramauthenticator.k8s.alibabacloud/ramidentitymappings";
    let lease = "coordination.k8s.io/leases";
    let mut expected = BTreeSet::from([
        format!("{crd}: create apiextensions.k8s.io/customresourcedefinitions"),
        format!("ack-ram-authenticator: patch {mappings}/status"),
        format!("kube-system/ack-ram-authenticator: create {lease}"),
    ]);
    for verb in ["get", "patch"] {
        expected.insert(format!(
            "{crd}: {verb} apiextensions.k8s.io/customresourcedefinitions {one_crd}"
        ));
    }
    for verb in ["get", "list", "watch"] {
        expected.insert(format!("ack-ram-authenticator: {verb} {mappings}"));
        expected.insert(format!(
            "kube-system/ack-ram-authenticator: {verb} /configmaps alibabacloud-auth"
        ));
    }
    for verb in ["get", "update"] {
        expected.insert(format!(
            "kube-system/ack-ram-authenticator: {verb} {lease} ack-ram-authenticator"
        ));
    }
    for role in [
        "kube-system/ack-ram-authenticator",
        "default/ack-ram-authenticator-events",
    ] {
        expected.insert(format!("{role}: create events.k8s.io/events"));
    }
    assert_eq!(rights, expected);
}

fn product(rule: &Value) -> Vec<(&str, &str, &str)> {
    let texts = |key: &str| -> Vec<&str> {
        rule[key]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect()
    };
    let mut all = Vec::new();
    for group in texts("apiGroups") {
        for resource in texts("resources") {
            for verb in texts("verbs") {
                all.push((group, resource, verb));
            }
        }
    }
    all
}

#[test]
fn bindings_name_the_service_account_only() {
    let mut bound = Vec::new();
    for object in objects("example.yaml") {
        if !matches!(
            object["kind"].as_str(),
            Some("RoleBinding" | "ClusterRoleBinding")
        ) {
            continue;
        }
        let account = json!([
            {"kind": "ServiceAccount", "name": "ack-ram-authenticator", "namespace": "kube-system"}
        ]);
        assert_eq!(object["subjects"], account);
        bound.push(object["roleRef"]["name"].as_str().unwrap().to_owned());
    }
    bound.sort();
    assert_eq!(
        bound,
        [
            "ack-ram-authenticator",
            "ack-ram-authenticator",
            "ack-ram-authenticator-events",
            "ack-ram-authenticator-install-crd"
        ]
    );
}

#[test]
fn containers_have_minimal_privileges() {
    let pod = &object("DaemonSet", "ack-ram-authenticator")["spec"]["template"]["spec"];
    assert_eq!(pod["hostNetwork"], true);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    let containers = ["initContainers", "containers"].map(|key| pod[key].as_array().unwrap());
    for container in containers.into_iter().flatten() {
        assert_eq!(
            container["securityContext"],
            json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            }),
            "{container}"
        );
        assert!(container["resources"]["requests"]["memory"].is_string());
        // The kubelet rejects this placeholder, so a user must choose the image.
        assert_eq!(container["image"], "REPLACE_WITH_YOUR_IMAGE");
    }
    let host_paths: Vec<&Value> = pod["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|volume| volume.pointer("/hostPath/path"))
        .collect();
    assert_eq!(
        host_paths,
        [
            "/var/ack-ram-authenticator",
            "/etc/kubernetes/ack-ram-authenticator"
        ]
    );
}

#[test]
fn paths_and_ports_are_consistent() {
    let config: Value = serde_saphyr::from_str(
        object("ConfigMap", "ack-ram-authenticator")["data"]["config.yaml"]
            .as_str()
            .unwrap(),
    )
    .unwrap();
    let server = &config["server"];
    let daemon = object("DaemonSet", "ack-ram-authenticator");
    let pod = &daemon["spec"]["template"]["spec"];
    let mounts = |container: &Value| -> Vec<(String, bool)> {
        let mounts = container["volumeMounts"].as_array().unwrap();
        mounts
            .iter()
            .map(|mount| {
                let path = mount["mountPath"].as_str().unwrap().to_owned();
                (path, mount["readOnly"] == true)
            })
            .collect()
    };
    let (init, serve) = (&pod["initContainers"][0], &pod["containers"][0]);
    let state = server["stateDir"].as_str().unwrap().to_owned();
    // `init` writes to its working directory, which the server only reads.
    assert_eq!(init["workingDir"], state.as_str());
    assert!(mounts(init).contains(&(state.clone(), false)));
    assert!(mounts(serve).contains(&(state, true)));
    let kubeconfig = Path::new(server["generateKubeconfig"].as_str().unwrap());
    let folder = kubeconfig.parent().unwrap().to_str().unwrap().to_owned();
    assert!(mounts(serve).contains(&(folder, false)));

    let ports: Vec<&Value> = serve["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| &port["containerPort"])
        .collect();
    assert_eq!(ports, [21362, 21363]);
    for (probe, path) in [
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ] {
        assert_eq!(
            serve[probe]["httpGet"],
            json!({"path": path, "port": "health"})
        );
    }
}

#[test]
fn unedited_configuration_grants_no_access() {
    let map = object("ConfigMap", "ack-ram-authenticator");
    let text = map["data"]["config.yaml"].as_str().unwrap();
    let config: Value = serde_saphyr::from_str(text).unwrap();
    assert_eq!(config["clusterID"], "REPLACE_WITH_YOUR_CLUSTER_ID");
    for (list, key) in [("mapRoles", "roleARN"), ("mapUsers", "userARN")] {
        for entry in config["server"][list].as_array().unwrap() {
            let arn = entry[key].as_str().unwrap();
            assert!(arn.starts_with("acs:ram::0000000000000000:"), "{arn}");
        }
    }
}

/// The example binding names the group that the example mapping assigns.
#[test]
fn example_binding_names_a_mapped_group() {
    let [binding] = &objects("example-binding.yaml")[..] else {
        panic!("one object is expected");
    };
    let map = object("ConfigMap", "ack-ram-authenticator");
    let text = map["data"]["config.yaml"].as_str().unwrap();
    let config: Value = serde_saphyr::from_str(text).unwrap();
    let group = &binding["subjects"][0];
    assert_eq!(group["kind"], "Group");
    assert_eq!(
        config["server"]["mapUsers"][0]["groups"],
        json!([group["name"]])
    );
}

#[test]
fn example_configuration_has_no_findings() {
    let map = object("ConfigMap", "ack-ram-authenticator");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.yaml");
    fs::write(&file, map["data"]["config.yaml"].as_str().unwrap()).unwrap();
    let file = file.to_string_lossy();
    let lint = authenticator::command(folder.path(), &["lint", "--config", &file]);
    let mut lint = Process::spawn("lint", lint).unwrap();
    let status = lint.wait(LONG).unwrap();
    assert!(status.success(), "{}", lint.log());
    assert!(
        lint.log().contains("0 errors, 0 warnings"),
        "{}",
        lint.log()
    );
}
