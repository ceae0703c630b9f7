use std::fs;

use super::*;

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: here
clusters:
- name: other
  cluster: {server: 'https://other.example:6443', proxy-url: 'http://proxy.example:3128'}
- name: one
  cluster: {server: 'https://one.example:6443', tls-server-name: api.one.example}
users:
- name: one
  user: {token: the-secret-token}
contexts:
- name: here
  context: {cluster: one, user: one}
";

async fn with_file(content: &str, master: Option<&str>) -> Result<Config, ClientError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    fs::write(&path, content).unwrap();
    config(Some(&path), master).await
}

#[tokio::test]
async fn master_overrides_server_of_kubeconfig() {
    for (master, url, name) in [
        (None, "https://one.example:6443/", Some("api.one.example")),
        (
            Some("https://10.0.0.1:6443"),
            "https://10.0.0.1:6443/",
            None,
        ),
    ] {
        let config = with_file(KUBECONFIG, master).await.unwrap();
        assert_eq!(config.cluster_url, url);
        assert_eq!(config.tls_server_name.as_deref(), name);
        assert!(config.auth_info.token.is_some());
        assert_eq!(config.proxy_url, None);
        assert_eq!(config.read_timeout, Some(READ_TIMEOUT));
        assert!(
            config
                .headers
                .contains(&(USER_AGENT, HeaderValue::from_static(AGENT)))
        );
    }
}

#[tokio::test]
async fn master_alone_is_used_without_credentials() {
    let config = config(None, Some("http://127.0.0.1:8001")).await.unwrap();
    assert_eq!(config.cluster_url, "http://127.0.0.1:8001/");
    assert!(config.auth_info.token.is_none());
    assert!(config.auth_info.token_file.is_none());
}

#[tokio::test]
async fn errors_omit_command_output() {
    for (script, part) in [
        ("echo the-secret-token; exit 3", "failed, exit status: 3"),
        ("echo '{the-secret-token'", "is not an ExecCredential"),
    ] {
        let exec = format!(
            "user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, \"{script}\"], interactiveMode: Never}}}}"
        );
        let file = KUBECONFIG.replace("user: {token: the-secret-token}", &exec);
        let config = with_file(&file, None).await.unwrap();
        let error = Client::try_from(config).map(|_| ()).unwrap_err();
        let text = describe_credentials_error(&error);
        assert!(text.contains(part), "{text}");
        assert!(!text.contains("the-secret-token"), "{text}");
    }
}

#[tokio::test]
async fn errors_omit_file_contents() {
    let broken = KUBECONFIG.replace("user: {token", "user: {token: [1], token");
    let not_yaml = KUBECONFIG.replace("user: {token", "user: [token");
    let no_context = KUBECONFIG.replace("current-context: here", "current-context: there");
    let proxy = KUBECONFIG.replace("cluster: one", "cluster: other");
    for (content, master, part) in [
        (broken.as_str(), None, "is not valid in a kubeconfig"),
        (not_yaml.as_str(), None, "is not valid in a kubeconfig"),
        (no_context.as_str(), None, "there"),
        (proxy.as_str(), None, "`proxy-url`, which is not supported"),
        ("", None, "cannot be used"),
        (
            KUBECONFIG,
            Some("10.0.0.1:6443"),
            "`server.master` is `10.0.0.1:6443`",
        ),
        (
            KUBECONFIG,
            Some("ftp://10.0.0.1"),
            "`https://<host>[:<port>]`",
        ),
    ] {
        let error = with_file(content, master).await.unwrap_err();
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("the-secret-token"), "{text}");
        }
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let missing = config(Some(Path::new("/nowhere/kubeconfig")), None).await;
    let error = missing.unwrap_err().to_string();
    assert!(error.contains("/nowhere/kubeconfig"), "{error}");
}
