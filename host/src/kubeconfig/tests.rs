use serde_json::Value;

use super::*;

const GO_STATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/go-state");

fn kubeconfig(url: &str) -> WebhookKubeconfig {
    WebhookKubeconfig {
        url: url.to_owned(),
        authority: fs::read_to_string(Path::new(GO_STATE).join("cert.pem")).unwrap(),
        client: None,
    }
}

fn client() -> ClientCertificate {
    ClientCertificate {
        certificate: "certificate".to_owned(),
        key: Secret::new("CANARY"),
    }
}

fn read_yaml(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn kubeconfig_equals_that_of_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/kubeconfig.yaml");
    kubeconfig("https://localhost:21362/authenticate")
        .write(&path)
        .unwrap();
    let (mut ours, go) = (
        read_yaml(&path),
        read_yaml(&Path::new(GO_STATE).join("ack-ram-authenticator.kubeconfig")),
    );
    let fields = ours.as_object_mut().unwrap();
    assert_eq!(fields.remove("apiVersion").unwrap(), "v1");
    assert_eq!(fields.remove("kind").unwrap(), "Config");
    assert_eq!(ours, go);
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(read_client_certificate(&path), None);
}

/// The umask belongs to the whole process, so the test runs in a separate process.
#[test]
fn folder_mode_is_at_most_0755_under_any_umask() {
    const ROLE: &str = "ACK_RAM_TEST_KUBECONFIG_FOLDER";
    if let Some(folder) = std::env::var_os(ROLE) {
        nix::sys::stat::umask(nix::sys::stat::Mode::empty());
        let path = Path::new(&folder).join("a/b/kubeconfig.yaml");
        kubeconfig("https://a:1/authenticate").write(&path).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "kubeconfig::tests::folder_mode_is_at_most_0755_under_any_umask";
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(ROLE, folder.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    for (name, mode) in [("a", 0o755), ("a/b", 0o755), ("a/b/kubeconfig.yaml", 0o600)] {
        let metadata = fs::metadata(folder.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{name}");
    }
}

#[test]
fn client_certificate_round_trips() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig.yaml");
    let kubeconfig = WebhookKubeconfig {
        client: Some(client()),
        ..kubeconfig("https://a:1/authenticate")
    };
    kubeconfig.write(&path).unwrap();
    assert_eq!(read_client_certificate(&path), Some(client()));
    let user = &read_yaml(&path)["users"][0]["user"];
    assert_eq!(user["client-key-data"], STANDARD.encode("CANARY"));
    assert!(!format!("{kubeconfig:?}").contains("CANARY"));
}

#[test]
fn file_without_client_certificate_gives_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig.yaml");
    assert_eq!(read_client_certificate(&path), None);
    assert_eq!(read_client_certificate(folder.path()), None);
    for text in [
        "",
        "[]",
        "users: x",
        "users: [{name: apiserver}]",
        "users: [{name: apiserver, user: {token: x}}]",
        "users: [{name: apiserver, user: {client-certificate-data: YQ==}}]",
        "users: [{name: apiserver, user: {client-certificate-data: '!', client-key-data: YQ==}}]",
        "users: [{name: other, user: {client-certificate-data: YQ==, client-key-data: YQ==}}]",
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(read_client_certificate(&path), None, "{text}");
    }
}

#[test]
fn unchanged_kubeconfig_is_not_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig.yaml");
    for (url, client, wrote) in [
        ("https://a:1/authenticate", None, true),
        ("https://a:1/authenticate", None, false),
        ("https://b:1/authenticate", None, true),
        ("https://b:1/authenticate", Some(client()), true),
        ("https://b:1/authenticate", Some(client()), false),
    ] {
        let kubeconfig = WebhookKubeconfig {
            client,
            ..kubeconfig(url)
        };
        assert_eq!(kubeconfig.write(&path).unwrap(), wrote, "{url}");
        assert!(fs::read_to_string(&path).unwrap().contains(url));
    }
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    for (client, before, after) in [
        (Some(client()), 0o644, 0o600),
        (Some(client()), 0o640, 0o640),
        (None, 0o644, 0o644),
    ] {
        let kubeconfig = WebhookKubeconfig {
            client,
            ..kubeconfig("https://b:1/authenticate")
        };
        kubeconfig.write(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
        assert!(!kubeconfig.write(&path).unwrap());
        assert_eq!(mode(), after, "{before:o}");
    }
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 1, "other files are left");
}

#[test]
fn kubeconfig_that_does_not_read_back_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig.yaml");
    for url in [
        "https://a:1/authenticate # b",
        "https://a:1/authenticate\nusers: []",
        "{a: b}",
    ] {
        let error = kubeconfig(url).write(&path).unwrap_err();
        assert!(error.to_string().contains("do not read back"), "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn unwritable_path_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let path = folder.path().join("file/kubeconfig.yaml");
    let error = kubeconfig("https://a:1/authenticate").write(&path);
    let message = error.unwrap_err().to_string();
    let expected = format!("cannot write the webhook kubeconfig `{}`: ", path.display());
    assert!(message.starts_with(&expected), "{message}");
}
