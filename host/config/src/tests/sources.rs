//! Precedence of the command line, the file and the environment.

use std::fs;

use super::*;
use crate::{ConfigMapName, MappingSources};

#[test]
fn text_source_equals_file_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    let name = path.display().to_string();
    let too_long = "#".repeat(32 * 1024 * 1024 + 1);
    for text in [
        "clusterID: c\nserver: {adress: x, mapRoles: [{username: u}]}\n",
        "clusterID: c\nserver: {port: x}\n",
        "clusterID: [",
        "server: {}",
        "[]",
        "",
        &too_long,
    ] {
        fs::write(&path, text).unwrap();
        let sources = [
            ConfigFile::Path(&path),
            ConfigFile::Text { name: &name, text },
        ];
        let [file, text] =
            sources.map(
                |source| match load_file(Some(source), &Overrides::default(), &[]) {
                    Ok(config) => format!("{:?}", config.warnings),
                    Err(error) => format!("{error:?}"),
                },
            );
        assert_eq!(text, file);
        assert!(file.contains(&name), "{file}");
    }
}

#[test]
fn flags_override_file() {
    let overrides = Overrides {
        cluster_id: Some("flag".to_owned()),
        hostname: Some("::1".to_owned()),
        address: Some("10.0.0.1".to_owned()),
        bind: None,
        port: Some(7),
        region: Some("cn-beijing".to_owned()),
        state_dir: Some("/flag".into()),
        generate_kubeconfig: Some("/flag.yaml".into()),
        kubeconfig_pregenerated: None,
        backend_mode: Some(vec!["File".to_owned()]),
        install_crd: None,
    };
    let yaml = "clusterID: file\nserver: {hostname: h, address: 1.1.1.1, port: 1, region: cn-hangzhou, stateDir: /file, generateKubeconfig: /file.yaml, backendMode: [CRD]}\n";
    let config = load_text(yaml, &overrides, &[]).unwrap();
    assert_eq!(config.policy.cluster_id.as_str(), "flag");
    assert_eq!(config.listen.url(7), "https://[::1]:7/authenticate");
    assert_eq!(config.listen.address(), "10.0.0.1:7");
    assert_eq!(
        config.sts.endpoint.to_string(),
        "https://sts-vpc.cn-beijing.aliyuncs.com"
    );
    assert_eq!(config.state_dir, Path::new("/flag"));
    assert_eq!(
        config.generate_kubeconfig.as_deref(),
        Some(Path::new("/flag.yaml"))
    );
    assert_eq!(config.backends, [Backend::MountedFile]);

    for (pregenerated, flag, expected) in [
        ("true", None, None),
        ("false", None, Some("/k")),
        ("true", Some(false), Some("/k")),
        ("false", Some(true), None),
    ] {
        let overrides = Overrides {
            kubeconfig_pregenerated: flag,
            ..Overrides::default()
        };
        let yaml = format!(
            "clusterID: c\nserver: {{generateKubeconfig: /k, kubeconfigPregenerated: {pregenerated}}}\n"
        );
        let config = load_text(&yaml, &overrides, &[]).unwrap();
        assert_eq!(
            config.generate_kubeconfig.as_deref(),
            expected.map(Path::new),
            "{pregenerated} {flag:?}"
        );
    }

    for (in_file, flag, expected) in [
        ("", None, false),
        ("installCRD: true", None, true),
        ("installCRD: true", Some(false), false),
        ("installCRD: false", Some(true), true),
    ] {
        let overrides = Overrides {
            install_crd: flag,
            ..Overrides::default()
        };
        let yaml = format!("clusterID: c\nserver: {{{in_file}}}\n");
        let config = load_text(&yaml, &overrides, &[]).unwrap();
        assert_eq!(config.sources.install_crd, expected, "{in_file} {flag:?}");
    }
}

#[test]
fn mapping_sources_are_parsed() {
    let standard = load_text("clusterID: c", &Overrides::default(), &[]).unwrap();
    assert_eq!(
        standard.sources,
        MappingSources {
            kubeconfig: None,
            master: None,
            config_map: ConfigMapName {
                namespace: "kube-system".to_owned(),
                name: "alibabacloud-auth".to_owned(),
            },
            dynamic_file: None,
            install_crd: false,
        }
    );
    let yaml = "clusterID: c\nserver:\n  backendMode: [CRD, ACKConfigMap, DynamicFile, MountedFile]\n  dynamicFilePath: /d.json\n  kubeconfig: /k\n  master: https://127.0.0.1:6443\n  configMap: {namespace: auth, name: people}\n";
    let config = load_text(yaml, &Overrides::default(), &[]).unwrap();
    assert_eq!(
        config.backends,
        [
            Backend::Crd,
            Backend::ConfigMap,
            Backend::DynamicFile,
            Backend::MountedFile
        ]
    );
    assert_eq!(
        config.sources,
        MappingSources {
            kubeconfig: Some("/k".into()),
            master: Some("https://127.0.0.1:6443".to_owned()),
            config_map: ConfigMapName {
                namespace: "auth".to_owned(),
                name: "people".to_owned(),
            },
            dynamic_file: Some("/d.json".into()),
            install_crd: false,
        }
    );
}

#[test]
fn bind_overrides_address_with_warning() {
    for (server, flag, socket, warned) in [
        ("address: 10.0.0.1", None, "10.0.0.1:21362", false),
        ("bind: ''", None, "127.0.0.1:21362", false),
        ("bind: 127.0.0.1", None, "127.0.0.1:21362", false),
        ("bind: 0.0.0.0", None, "0.0.0.0:21362", true),
        ("address: 10.0.0.1, bind: '::'", None, "[::]:21362", true),
        (
            "address: 10.0.0.1, bind: '::'",
            Some("localhost"),
            "localhost:21362",
            true,
        ),
    ] {
        let overrides = Overrides {
            bind: flag.map(str::to_owned),
            ..Overrides::default()
        };
        let config = load_text(
            &format!("clusterID: c\nserver: {{{server}}}\n"),
            &overrides,
            &[],
        )
        .unwrap();
        assert_eq!(
            (
                config.listen.address().as_str(),
                !config.warnings.is_empty()
            ),
            (socket, warned),
            "{server}"
        );
    }
}

#[test]
fn sts_endpoint_follows_source_precedence() {
    let variable = ("ALIBABA_CLOUD_STS_ENDPOINT", "env.example.com");
    let region = ("STS_REGION", "cn-shanghai");
    for (server, flag, variables, expected) in [
        ("", None, &[][..], "https://sts.aliyuncs.com"),
        (
            "",
            None,
            &[region],
            "https://sts-vpc.cn-shanghai.aliyuncs.com",
        ),
        ("", None, &[("STS_REGION", "")], "https://sts.aliyuncs.com"),
        (
            "region: cn-hangzhou-finance",
            None,
            &[region],
            "https://sts-vpc.cn-hangzhou.aliyuncs.com",
        ),
        (
            "region: cn-beijing",
            Some("cn-hangzhou"),
            &[region],
            "https://sts-vpc.cn-hangzhou.aliyuncs.com",
        ),
        (
            "region: cn-beijing",
            Some("cn-hangzhou"),
            &[region, variable],
            "https://env.example.com",
        ),
        (
            "sts: {endpoint: file.example.com}",
            Some("cn-hangzhou"),
            &[region, variable],
            "https://file.example.com",
        ),
        (
            "sts: {endpoint: ''}",
            None,
            &[variable],
            "https://env.example.com",
        ),
    ] {
        let overrides = Overrides {
            region: flag.map(str::to_owned),
            ..Overrides::default()
        };
        let config = load_text(
            &format!("clusterID: c\nserver: {{{server}}}\n"),
            &overrides,
            variables,
        )
        .unwrap();
        assert_eq!(
            config.sts.endpoint.to_string(),
            expected,
            "{server} {flag:?} {variables:?}"
        );
    }
    let error =
        |variable| load_text("clusterID: c", &Overrides::default(), &[variable]).unwrap_err();
    assert_eq!(
        error(("ALIBABA_CLOUD_STS_ENDPOINT", "x/y")),
        "environment: `ALIBABA_CLOUD_STS_ENDPOINT` is `x/y`; write only the host, without a path"
    );
    assert_eq!(
        error(("STS_MAX_IDLE_CONNS_PER_HOST", "many")),
        "environment: `STS_MAX_IDLE_CONNS_PER_HOST` is `many`; must be a number, 0 or more"
    );
}
