//! Settings of the file.

use ack_ram_core::rules::Rule;

use super::*;
use crate::config::TlsFiles;

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
                mapping.source.position, mapping.arn, mapping.username, mapping.groups
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
            Err("`server.tls.certFile` does nothing without `server.tls.keyFile`"),
        ),
        (
            "keyFile: /k",
            by_hand,
            Err("`server.tls.keyFile` does nothing without `server.tls.certFile`"),
        ),
        (
            "caFile: /a",
            by_hand,
            Err("`server.tls.caFile` does nothing without `server.tls.certFile`"),
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
fn key_ignores_case_and_unknown_key_is_a_warning() {
    for (yaml, expected) in [
        (
            "CLUSTERid: c\nSERVER: {MAPROLES: [], mapusers: []}\n",
            &[][..],
        ),
        (
            "clusterID: c\nserver:\n  stateDirectory: /x\n",
            &[
                "warning: config.yaml:3:3: unknown key `server.stateDirectory` is ignored; did you mean `stateDir`?",
            ],
        ),
        (
            "clusterID: c\nquux: 1\n",
            &[
                "warning: config.yaml:2:1: unknown key `quux` is ignored; known are `clusterID`, `defaultRole`, `server`",
            ],
        ),
        (
            "clusterID: c\nserver: {sts: {caFiles: x}}\n",
            &[
                "warning: config.yaml:2:16: unknown key `server.sts.caFiles` is ignored; did you mean `caFile`?",
            ],
        ),
        (
            "clusterID: c\nserver:\n  mapRoles: []\n  maproles: []\n",
            &[
                "error: config.yaml:4:3: `maproles` repeats `mapRoles`, since keys are compared without case; remove one of them",
            ],
        ),
        (
            "clusterID: c\nserver:\n  quux: 1\n  QUUX: 2\n",
            &[
                "error: config.yaml:4:3: `QUUX` repeats `quux`, since keys are compared without case; remove one of them",
            ],
        ),
        (
            "clusterID: c\nserver:\n  port: 1\n  port: 1\n",
            &[
                "error: config.yaml:4:3: duplicate mapping key `port` is not allowed here; correct the YAML there",
            ],
        ),
        (
            "clusterID: c\nserver:\n  mapRoles:\n  mapUsers: []\n  mapAccounts:\n",
            &[
                "warning: config.yaml:3:11: `server.mapRoles` has nothing in it; write `[]`, or remove the key",
                "warning: config.yaml:5:14: `server.mapAccounts` has nothing in it; write `[]`, or remove the key",
            ],
        ),
    ] {
        check_messages(yaml, expected);
    }
}

#[test]
fn invalid_setting_is_refused_at_its_position() {
    for (server, expected) in [
        (
            "[]",
            "config.yaml:2:9: `server` is a list; it must be a map of `key: value`",
        ),
        (
            "{port: 70000}",
            "config.yaml:2:16: `server.port` is `70000`; write a port, 0 to 65535",
        ),
        (
            "{port: -1}",
            "config.yaml:2:16: `server.port` is `-1`; write a port, 0 to 65535",
        ),
        (
            "{sts: {timeout: -5}}",
            "config.yaml:2:25: `server.sts.timeout` is `-5`; write a duration longer than 0s, up to 30s, with its unit",
        ),
        (
            "{port: [1]}",
            "config.yaml:2:16: `server.port` is a list; it must be text",
        ),
        (
            "{healthPort: 21362}",
            "config.yaml:2:22: `server.healthPort` is 21362, as `server.port` (or `--port`); write another, or 0 for none",
        ),
        (
            "{port: 21363}",
            "config.yaml:2:16: `server.port` is 21363, which is the port for probes unless `server.healthPort` says otherwise; write another, or set `server.healthPort` to another or to 0 for none",
        ),
        (
            "{port: 8080, healthPort: 8080, address: 10.0.0.1, healthAddress: 0.0.0.0}",
            "config.yaml:2:34: `server.healthPort` is 8080, as `server.port` (or `--port`); write another, or 0 for none",
        ),
        (
            "{port: 8080, healthPort: 8080, address: '::', healthAddress: 127.0.0.1}",
            "config.yaml:2:34: `server.healthPort` is 8080, as `server.port` (or `--port`); write another, or 0 for none",
        ),
        (
            "{port: 8080, healthPort: 8080, address: localhost, healthAddress: 127.0.0.1}",
            "config.yaml:2:34: `server.healthPort` is 8080, as `server.port` (or `--port`); write another, or 0 for none",
        ),
        (
            "{healthAddress: 'a b'}",
            "config.yaml:2:25: `server.healthAddress` is `a b`; write an IP address or a DNS name, such as `127.0.0.1` or `localhost`",
        ),
        (
            "{address: ''}",
            "config.yaml:2:19: `server.address` is ``; write an IP address or a DNS name, such as `127.0.0.1` or `localhost`",
        ),
        (
            "{hostname: 'a b'}",
            "config.yaml:2:20: `server.hostname` is `a b`; write an IP address or a DNS name, such as `127.0.0.1` or `localhost`",
        ),
        (
            "{kubeconfigPregenerated: yes}",
            "config.yaml:2:34: `server.kubeconfigPregenerated` must be `true` or `false`",
        ),
        (
            "{mapRoles: {a: b}}",
            "config.yaml:2:20: `server.mapRoles` is a map; it must be a list",
        ),
        (
            "{backendMode: [CRD, DynamicFile]}",
            "config.yaml:2:9: the backend DynamicFile needs a file; name it in `server.dynamicFilePath`",
        ),
        (
            "{backendMode: [CRD], protect: ['acs:ram::1:user/alice']}",
            "config.yaml:2:40: `server.protect[0]` protects mappings of the file, which is not asked; add MountedFile to `server.backendMode`",
        ),
        (
            "{protect: ['acs:ram::1:assumed-role/r/s']}",
            "config.yaml:2:20: `server.protect[0]` cannot be protected: it names one session of a role, and identities are found by their role; write the role, `acs:ram::1:role/r`",
        ),
        (
            "{protects: ['acs:ram::1:user/alice']}",
            "config.yaml:2:10: unknown key `server.protects`; write `protect`",
        ),
        (
            "{configMap: {name: A}}",
            "config.yaml:2:28: `server.configMap.name` is `A`, which no object is called; write small letters, digits, `-` and `.`",
        ),
        (
            "{installCRD: 1}",
            "config.yaml:2:22: `server.installCRD` must be `true` or `false`",
        ),
        (
            "{backendMode: [MountedFile, File]}",
            "config.yaml:2:37: `server.backendMode[1]` names `MountedFile` once more; remove one",
        ),
        (
            "{backendMode: [mountedFile]}",
            "config.yaml:2:24: `server.backendMode[0]` names an unknown backend `mountedFile`; did you mean `MountedFile`? known are `MountedFile`, `File`, `ACKConfigMap`, `ConfigMap`, `CRD`, `DynamicFile`",
        ),
        (
            "{limits: {maxStreams: 0}}",
            "config.yaml:2:31: `server.limits.maxStreams` is `0`; write a number, 1 to 10000",
        ),
        (
            "{limits: {stopTimeout: 11m}}",
            "config.yaml:2:32: `server.limits.stopTimeout` is `11m`; write a duration longer than 0s, up to 10m, with its unit",
        ),
        (
            "{sts: {timeout: 5}}",
            "config.yaml:2:25: `server.sts.timeout` is `5`; write a duration longer than 0s, up to 30s, with its unit",
        ),
        (
            "{sts: {timeout: 31s}}",
            "config.yaml:2:25: `server.sts.timeout` is `31s`; write a duration longer than 0s, up to 30s, with its unit",
        ),
        (
            "{sts: {connectTimeout: 0s}}",
            "config.yaml:2:32: `server.sts.connectTimeout` is `0s`; write a duration longer than 0s, up to 30s, with its unit",
        ),
        (
            "{sts: {cacheTTL: 16m}}",
            "config.yaml:2:26: `server.sts.cacheTTL` is `16m`; write a duration longer than 0s, up to 15m, with its unit",
        ),
        (
            "{maxStaleness: 179s}",
            "config.yaml:2:24: `server.maxStaleness` is `179s`; write a duration of 3m to 30d, with its unit",
        ),
        (
            "{maxStaleness: 31days}",
            "config.yaml:2:24: `server.maxStaleness` is `31days`; write a duration of 3m to 30d, with its unit",
        ),
        (
            "{maxStaleness: 10}",
            "config.yaml:2:24: `server.maxStaleness` is `10`; write a duration of 3m to 30d, with its unit",
        ),
        (
            "{maxStaleness: 0s}",
            "config.yaml:2:24: `server.maxStaleness` is `0s`; write a duration of 3m to 30d, with its unit",
        ),
        (
            "{lastGoodTTL: soon}",
            "config.yaml:2:23: `server.lastGoodTTL` is `soon`; write a duration up to 7d, with its unit, or `0` for none",
        ),
        (
            "{sts: {maxWaiting: -1}}",
            "config.yaml:2:28: `server.sts.maxWaiting` is `-1`; write a number, 0 to 65536",
        ),
        (
            "{sts: {breakerPause: 1h}}",
            "config.yaml:2:30: `server.sts.breakerPause` is `1h`; write a duration longer than 0s, up to 5m, with its unit",
        ),
        (
            "{sts: {maxCalls: 0}}",
            "config.yaml:2:26: `server.sts.maxCalls` is `0`; write a number, 1 to 4096",
        ),
        (
            "{sts: {cacheSize: many}}",
            "config.yaml:2:27: `server.sts.cacheSize` is `many`; write a number, 0 to 1000000",
        ),
        (
            "{sts: {fallbackEndpoints: [sts.cn-hangzhou.aliyuncs.com, 'https://sts.aliyuncs.com/']}}",
            "config.yaml:2:66: `server.sts.fallbackEndpoints[1]` is `sts.aliyuncs.com` once more; remove it",
        ),
        (
            "{sts: {fallbackEndpoints: ['http://u:p@sts.example.com']}}",
            "config.yaml:2:36: `server.sts.fallbackEndpoints[0]` is `(hidden)`; write a host, `host:port` or an `https://` URL, such as `sts.cn-hangzhou.aliyuncs.com`",
        ),
        (
            "{sts: {fallbackEndpoints: [a.example, b.example, c.example, d.example]}}",
            "config.yaml:2:69: `server.sts.fallbackEndpoints[3]` is one too many; name 3 at most, for all share the time of one call",
        ),
        (
            "{sts: {endpoint: 'http://sts.example.com'}}",
            "config.yaml:2:26: `server.sts.endpoint` is `http://sts.example.com`; `http://` is for this machine only; write `https://`",
        ),
        (
            "{region: 'a/b'}",
            "config.yaml:2:18: `server.region` is `a/b`; write a region id, such as `cn-hangzhou`",
        ),
    ] {
        let yaml = format!("clusterID: c\nserver: {server}\n");
        check_messages(&yaml, &[&format!("error: {expected}")]);
    }
}

#[test]
fn missing_cluster_id_error_says_where_to_set_it() {
    for (yaml, expected) in [
        (
            "",
            "error: no cluster id: add `clusterID: <id>` to `config.yaml`, or give --cluster-id",
        ),
        (
            "clusterID: ''",
            "error: no cluster id: add `clusterID: <id>` to `config.yaml`, or give --cluster-id",
        ),
        (
            "clusterID: 'a b'",
            "error: config.yaml:1:12: `clusterID` cannot be a cluster id; write 1 to 253 visible ASCII characters without spaces",
        ),
        (
            "clusterID: 0123",
            "error: config.yaml:1:12: `clusterID` is `0123` without quotes, which YAML takes for another number; put quotes around it",
        ),
        (
            "- clusterID",
            "error: config.yaml:1:1: `config.yaml` is a list; it must be a map of `key: value`",
        ),
    ] {
        check_messages(yaml, &[expected]);
    }
    let nothing = load_file(None, &Overrides::default(), &[])
        .unwrap_err()
        .to_string();
    assert_eq!(
        nothing,
        "no cluster id: give --cluster-id, or --config with a file that has `clusterID: <id>`"
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
        "cannot read the configuration file `/nowhere/c.yaml`: No such file or directory (os error 2); name one that can be read"
    );
}

#[test]
fn deploy_example_is_valid() {
    let config = load_yaml(include_str!("../../../../../deploy/config.yaml")).unwrap();
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

/// Each range in CONFIGURATION.md is the one that the error names.
#[test]
fn ranges_are_documented() {
    const DOCUMENT: &str = include_str!("../../../../../CONFIGURATION.md");
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
        assert!(error.contains(range), "{error}");
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
