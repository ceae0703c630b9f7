//! Settings of the file.

use ack_ram_core::rules::Rule;

use super::*;
use crate::TlsFiles;

#[test]
fn full_file_is_parsed() {
    let config = load_yaml(
        r#"
clusterID: c1234
defaultRole: acs:ram::000000000000:role/KubernetesAdmin
server:
  port: "12345"
  address: 192.0.2.1
  hostname: Auth.example.com
  healthPort: 0
  stateDir: /state
  generateKubeconfig: /out/kubeconfig.yaml
  kubeconfigPregenerated: false
  kubeconfig: ""
  master: ""
  dynamicFilePath: ""
  backendMode: [File]
  scrubbedAccounts: ["000000000001"]
  sts:
    endpoint: sts.example.com:8443
    caFile: /ca.pem
    connectTimeout: 1500ms
    timeout: 4s
  mapRoles:
    - roleARN: acs:ram::000000000000:role/a
      username: a:{{SessionName}}
      groups: [system:masters, 'b']
  mapUsers:
    - {USERARN: "acs:ram::000000000000:user/b", UserName: b}
  mapAccounts: ["000000000002"]
"#,
    )
    .unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.policy.cluster_id.as_str(), "c1234");
    assert_eq!(config.listen.address(), "192.0.2.1:12345");
    assert_eq!(config.listen.health_address(), None);
    assert_eq!(
        config.listen.url(12345),
        "https://auth.example.com:12345/authenticate"
    );
    assert_eq!(config.state_dir, Path::new("/state"));
    assert_eq!(
        config.generate_kubeconfig.as_deref(),
        Some(Path::new("/out/kubeconfig.yaml"))
    );
    assert_eq!(config.backends, [Backend::MountedFile]);
    assert_eq!(
        config
            .scrubbed_accounts
            .iter()
            .map(AccountId::as_str)
            .collect::<Vec<_>>(),
        ["000000000001"]
    );
    assert_eq!(
        config.sts.endpoint.to_string(),
        "https://sts.example.com:8443"
    );
    assert_eq!(config.sts.ca_file.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!(config.sts.limits.connect_timeout.as_millis(), 1500);
    assert_eq!(config.sts.limits.timeout.as_millis(), 4000);
    let mappings: Vec<_> = config
        .mappings
        .mappings
        .iter()
        .map(|given| {
            let mapping = &given.value;
            format!(
                "{} {} {} {:?}",
                mapping.source.position,
                mapping.spec.arn,
                mapping.spec.username,
                mapping.spec.groups
            )
        })
        .collect();
    assert_eq!(
        mappings,
        [
            r#"server.mapRoles[0] acs:ram::000000000000:role/a a:{{SessionName}} ["system:masters", "b"]"#,
            "server.mapUsers[0] acs:ram::000000000000:user/b b []",
        ]
    );
    assert_eq!(
        config
            .mappings
            .accounts
            .iter()
            .map(|given| given.value.as_str())
            .collect::<Vec<_>>(),
        ["000000000002"]
    );
}

#[test]
fn health_port_binds_to_one_address_or_all() {
    for (server, address) in [
        ("{healthAddress: 192.0.2.1}", Some("192.0.2.1:21363")),
        (
            "{healthAddress: '::1', healthPort: 8080}",
            Some("[::1]:8080"),
        ),
        ("{healthAddress: localhost}", Some("localhost:21363")),
        ("{healthAddress: ''}", Some("0.0.0.0:21363")),
        ("{healthAddress: 192.0.2.1, healthPort: 0}", None),
    ] {
        let config = load_yaml(&format!("clusterID: c\nserver: {server}\n")).unwrap();
        assert_eq!(config.warnings, [], "{server}");
        let listens = config.listen.health_address();
        assert_eq!(listens.as_deref(), address, "{server}");
    }
}

#[test]
fn omitted_settings_default_as_in_go() {
    let config = load_yaml("clusterID: c").unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.listen.address(), "127.0.0.1:21362");
    assert_eq!(
        config.listen.health_address().as_deref(),
        Some("0.0.0.0:21363")
    );
    assert_eq!(
        config.listen.url(21362),
        "https://localhost:21362/authenticate"
    );
    assert_eq!(config.state_dir, Path::new("/var/ack-ram-authenticator"));
    assert_eq!(
        config.generate_kubeconfig.as_deref(),
        Some(Path::new(
            "/etc/kubernetes/ack-ram-authenticator/kubeconfig.yaml"
        ))
    );
    assert_eq!(config.backends, [Backend::MountedFile]);
    assert_eq!(config.sts.endpoint.to_string(), "https://sts.aliyuncs.com");
    assert_eq!(config.sts.limits.connect_timeout.as_secs(), 2);
    assert_eq!(config.sts.limits.timeout.as_secs(), 5);
    assert_eq!(config.sts.max_idle_connections, 1024);
}

#[test]
fn tls_pair_requires_both_files() {
    let tls = |tls: &str, more: &str| {
        let yaml = format!("clusterID: c\nserver: {{tls: {{{tls}}}, {more}}}\n");
        load_yaml(&yaml).map(|config| config.tls)
    };
    let files = |ca: Option<&str>| TlsFiles {
        certificate: "/c".into(),
        key: "/k".into(),
        ca: ca.map(Into::into),
    };
    let (pinned, by_hand) = ("", "kubeconfigPregenerated: true");
    for (given, more, expected) in [
        ("", pinned, Ok(None)),
        ("certFile: '', keyFile: '', caFile: ''", pinned, Ok(None)),
        (
            "certFile: /c, keyFile: /k, caFile: /a",
            pinned,
            Ok(Some(files(Some("/a")))),
        ),
        (
            "CERTFILE: /c, keyfile: /k, caFile: /a",
            by_hand,
            Ok(Some(files(Some("/a")))),
        ),
        ("certFile: /c, keyFile: /k", by_hand, Ok(Some(files(None)))),
        (
            "certFile: /c, keyFile: /k",
            pinned,
            Err("`server.tls.certFile` needs `server.tls.caFile`"),
        ),
        (
            "certFile: /c, caFile: /a",
            pinned,
            Err("`server.tls.certFile` has no effect without `server.tls.keyFile`"),
        ),
        (
            "keyFile: /k",
            by_hand,
            Err("`server.tls.keyFile` has no effect without `server.tls.certFile`"),
        ),
        (
            "caFile: /a",
            by_hand,
            Err("`server.tls.caFile` has no effect without `server.tls.certFile`"),
        ),
    ] {
        match (tls(given, more), expected) {
            (Ok(tls), expected) => assert_eq!(Ok(tls), expected, "{given}"),
            (Err(message), Err(part)) => assert!(message.contains(part), "{given}: {message}"),
            (Err(message), Ok(_)) => panic!("{given}: {message}"),
        }
    }
}

#[test]
fn missing_cluster_id_is_refused_with_place_to_set_it() {
    for (yaml, expected) in [
        (
            "",
            "error: `clusterID` is required; add `clusterID: <id>` to `config.yaml`, or set `--cluster-id`",
        ),
        (
            "clusterID: ''",
            "error: `clusterID` is required; add `clusterID: <id>` to `config.yaml`, or set `--cluster-id`",
        ),
        (
            "clusterID: 'a b'",
            "error: config.yaml:1:12: `clusterID` is not a valid cluster ID; write 1 to 253 visible ASCII characters without spaces",
        ),
        (
            "clusterID: 0123",
            "error: config.yaml:1:12: `clusterID` is `0123` without quotes, which YAML may read as a different number; put quotes around it",
        ),
        (
            "- clusterID",
            "error: config.yaml:1:1: `config.yaml`: expected a map of `key: value` pairs, found a list",
        ),
    ] {
        check_messages(yaml, &[expected]);
    }
    let nothing = load_file(None, &Overrides::default(), &[])
        .unwrap_err()
        .to_string();
    assert_eq!(
        nothing,
        "a cluster ID is required; set `--cluster-id`, or `--config` with a file that has `clusterID: <id>`"
    );
    let missing = load_file(
        Some(ConfigFile::Path(Path::new("/nowhere/c.yaml"))),
        &Overrides::default(),
        &[],
    )
    .unwrap_err()
    .to_string();
    assert_eq!(
        missing,
        "cannot read the configuration file `/nowhere/c.yaml`: No such file or directory (os error 2); check the path and its permissions"
    );
}

#[test]
fn deploy_example_is_valid() {
    let config = load_yaml(include_str!("../../../../deploy/config.yaml")).unwrap();
    assert_eq!(config.warnings, []);
    assert_eq!(config.mappings.mappings.len(), 2);
    for mapping in config.mappings.mappings {
        Rule::compile(mapping.value).unwrap();
    }
}

#[test]
fn require_client_certificate_is_a_boolean_that_needs_restart() {
    let load = |lines: &str| load_yaml(&format!("clusterID: c\nserver:\n  port: 1\n{lines}"));
    let required = |lines: &str| load(lines).unwrap().require_client_certificate;
    for (lines, expected) in [
        ("", false),
        ("  requireClientCertificate: false\n", false),
        ("  requireClientCertificate: true\n", true),
        ("  RequireClientCertificate: 'true'\n", true),
    ] {
        assert_eq!(required(lines), expected, "{lines}");
    }
    for lines in [
        "  requireClientCertificate:\n",
        "  requireClientCertificate: 1\n",
        "  requireClientCertificate: []\n",
        "  requireClientCerts: true\n",
    ] {
        assert!(load(lines).is_err(), "{lines}");
    }
    let settings = |lines: &str| SettingsSnapshot::restart_required(&load(lines).unwrap());
    let (without, with) = (settings(""), settings("  requireClientCertificate: true\n"));
    assert_eq!(
        without.changed_names(&with),
        ["server.requireClientCertificate"]
    );
}

/// A different spelling of the same path or endpoint is also a change. The author of the edit learns that it has no
/// effect yet.
#[test]
fn changed_settings_are_named() {
    let server = |lines: &str| load_yaml(&format!("clusterID: c\nserver:\n{lines}\n")).unwrap();
    let changed = |old: &str, new: &str| {
        let (old, new) = (server(old), server(new));
        let restart = SettingsSnapshot::restart_required(&old);
        let live = SettingsSnapshot::hot_reloadable(&old.policy, &old.sts);
        let mut names = restart.changed_names(&SettingsSnapshot::restart_required(&new));
        names.extend(live.changed_names(&SettingsSnapshot::hot_reloadable(&new.policy, &new.sts)));
        names
    };
    for (old, new, expected) in [
        ("  port: 1", "  port: 1", &[] as &[&str]),
        ("  port: 1", "  port: 2", &["server.port"]),
        (
            "  stateDir: /a/b",
            "  stateDir: /a/b/",
            &["server.stateDir"],
        ),
        (
            "  tls: {certFile: /c, keyFile: /k, caFile: /a}",
            "  tls: {certFile: /c, keyFile: //k, caFile: /a}",
            &["server.tls"],
        ),
        (
            "  port: 21362",
            "  tls: {certFile: /c, keyFile: /k, caFile: /a}",
            &["server.tls"],
        ),
        (
            "  sts: {endpoint: sts.example.com, caFile: /a}",
            "  sts: {endpoint: STS.example.com, caFile: /a/}",
            &["server.sts.endpoint", "server.sts.caFile"],
        ),
        (
            "  sts: {fallbackEndpoints: [a.example.com]}",
            "  sts: {fallbackEndpoints: [A.example.com]}",
            &["server.sts.fallbackEndpoints"],
        ),
    ] {
        assert_eq!(changed(old, new), expected, "{old} {new}");
    }
}

#[test]
fn same_port_on_two_interfaces_is_accepted() {
    for server in [
        "{port: 8080, healthPort: 8080, address: 10.0.0.1, healthAddress: 127.0.0.1}",
        "{port: 21363, address: 10.0.0.1, healthAddress: 127.0.0.1}",
        "{port: 8080, healthPort: 8080, address: 0.0.0.0, healthAddress: '::1'}",
        "{port: 21363, healthPort: 0}",
        "{port: 0, healthPort: 21363}",
    ] {
        check_messages(&format!("clusterID: c\nserver: {server}\n"), &[]);
    }
}

#[test]
fn port_flag_equal_to_health_port_is_refused() {
    let overrides = Overrides {
        port: Some(21363),
        ..Overrides::default()
    };
    let text = "clusterID: c\n";
    let sources = ConfigSources {
        file: Some(ConfigFile::Text {
            name: "config.yaml",
            text,
        }),
        overrides: &overrides,
        variables: &|_| None,
    };
    let error = load(&sources).unwrap_err().to_string();
    assert!(
        error.starts_with("command line: `--port` is 21363"),
        "{error}"
    );
}

/// CONFIGURATION.md and the errors name the same range for each setting.
#[test]
fn ranges_are_documented() {
    const DOCUMENT: &str = include_str!("../../../../CONFIGURATION.md");
    for (setting, range) in [
        ("server.limits.maxConnections", "1 to 65536"),
        ("server.limits.maxHealthConnections", "1 to 4096"),
        ("server.limits.maxStreams", "1 to 10000"),
        ("server.limits.maxBodies", "1 to 65536"),
        ("server.limits.headerTimeout", "up to 30s"),
        ("server.limits.bodyTimeout", "up to 30s"),
        ("server.limits.idleTimeout", "up to 1h"),
        ("server.limits.stopTimeout", "up to 10m"),
        ("server.sts.connectTimeout", "up to 30s"),
        ("server.sts.timeout", "up to 30s"),
        ("server.sts.maxCalls", "1 to 4096"),
        ("server.sts.maxWaiting", "0 to 65536"),
        ("server.sts.maxSharing", "1 to 65536"),
        ("server.sts.maxAnswerBytes", "1024 to 1048576"),
        ("server.sts.cacheSize", "0 to 1000000"),
        ("server.sts.refusalCacheSize", "0 to 1000000"),
        ("server.sts.cacheTTL", "up to 15m"),
        ("server.sts.refusalCacheTTL", "up to 15m"),
        ("server.sts.breakerFailures", "0 to 1000"),
        ("server.sts.breakerPause", "up to 5m"),
        ("server.sts.breakerMaxPause", "up to 5m"),
        ("server.maxStaleness", "3m to 30d"),
        ("server.lastGoodTTL", "up to 7d"),
        ("server.maxTokenBytes", "1024 to 49152"),
        ("server.port", "0 to 65535"),
        ("server.healthPort", "0 to 65535"),
    ] {
        let yaml = setting
            .rsplit('.')
            .fold("-1".to_owned(), |value, key| format!("{{{key}: {value}}}"));
        let overrides = Overrides {
            cluster_id: Some("c".to_owned()),
            ..Overrides::default()
        };
        let sources = ConfigSources {
            file: Some(ConfigFile::Text {
                name: "config.yaml",
                text: &yaml,
            }),
            overrides: &overrides,
            variables: &|_| None,
        };
        let error = load(&sources).unwrap_err().to_string();
        let stated = match range.split_once(" to ") {
            Some((least, most)) if least != "up" => format!("between {least} and {most}"),
            _ => range.to_owned(),
        };
        assert!(error.contains(&stated), "{error}");
        let mut rows = DOCUMENT.lines().filter(|line| line.starts_with("| `"));
        let is_documented = rows.any(|row| {
            let mut cells = row.split(" | ");
            let has_setting = cells
                .next()
                .is_some_and(|cell| cell.contains(&format!("`{setting}`")));
            has_setting && row.ends_with(&format!("| {range} |"))
        });
        assert!(is_documented, "{setting}: {range}");
    }
}

#[test]
fn invalid_settings_are_all_errors_and_loading_reports_the_first() {
    let yaml = "\
server:
  port: x
  extraQueryKeys: [Action]
  maxTokenBytes: 1
  limits: {maxStreams: 0, idleTimeout: 5}
  sts: {timeout: 1d, cacheTTL: 0s, endpoint: 'http://example.com', fallbackEndpoints: ['a b']}
  maxStaleness: 1s
";
    let sources = ConfigSources {
        file: Some(ConfigFile::Text {
            name: "config.yaml",
            text: yaml,
        }),
        overrides: &Overrides::default(),
        variables: &|_| None,
    };
    let config = PartialConfig::read(&sources).unwrap();
    let errors = config.diagnostics.errors.iter();
    let errors: Vec<_> = errors.map(|error| error.message.as_str()).collect();
    assert_eq!(
        errors,
        [
            "`clusterID` is required",
            "`server.extraQueryKeys[0]` cannot be forwarded to STS",
            "`server.maxTokenBytes` is `1`",
            "`server.port` is `x`",
            "`server.limits.maxStreams` is `0`",
            "`server.limits.idleTimeout` is `5`",
            "`server.sts.timeout` is `1d`",
            "`server.sts.cacheTTL` is `0s`",
            "`server.sts.endpoint` is `http://example.com`",
            "`server.sts.fallbackEndpoints[0]` is `a b`",
            "`server.maxStaleness` is `1s`",
        ]
    );
    assert!(config.limits.is_err() && config.sts.is_err() && config.state_dir.is_ok());
    let first = config.diagnostics.errors[0].clone();
    assert_eq!(config.complete().unwrap_err(), first);
}
