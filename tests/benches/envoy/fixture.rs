//! An Envoy with three listeners, one for each mode to authenticate, and the server for ext_authz.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::sign;
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::envoy::{Envoy, Filter, Listener, Module, plain_cluster, sts_cluster};
use ack_ram_tests::ports::free_port;
use ack_ram_tests::server_config::ServerConfig;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::usage::{Usage, cpu_time};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::BoxError;
use crate::wrk::{self, Figures};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMode {
    None,
    Filter,
    ExtAuthz,
}

impl AuthMode {
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Filter, Self::ExtAuthz];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Filter => "filter",
            Self::ExtAuthz => "ext_authz",
        }
    }
}

pub(crate) struct Fixture {
    sts: Emulator,
    envoy: Envoy,
    server: Authenticator,
    folder: TempDir,
}

impl Fixture {
    pub(crate) fn start() -> Result<Self, BoxError> {
        let folder = tempfile::tempdir()?;
        let sts = Emulator::builder()
            .demo()
            .name("sts.aliyuncs.com")
            .start()?;
        let users = json!([{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }]);
        let port = free_port();
        let config = ServerConfig::new(folder.path(), port).sts(&sts);
        let file = config
            .settings(&json!({
                "sts": { "connectTimeout": null, "timeout": null },
                "mapUsers": users,
                "extAuthz": { "enabled": true },
            }))
            .write();
        let server = Authenticator::start(folder.path(), &file)?;
        let ca = fs::read_to_string(folder.path().join("state/cert.pem"))?;
        let settings = json!({
            "clusterID": CLUSTER,
            "sts": { "cluster": "sts" },
            "mapUsers": users,
            // The server also logs a line for each login.
            "logLevel": "info",
        });
        let filter = Filter::new(Module::WithCel, &settings).to_config();
        let listeners = [
            Listener::new(AuthMode::None.name(), Vec::new()),
            Listener::new(AuthMode::Filter.name(), vec![filter]),
            Listener::new(AuthMode::ExtAuthz.name(), vec![ext_authz(port)]),
        ];
        let clusters = [sts_cluster(&sts), server_cluster(port, &ca)];
        let listeners = listeners.map(Listener::answering_itself);
        let envoy = Envoy::start(&clusters, &listeners)?;
        Ok(Self {
            sts,
            envoy,
            server,
            folder,
        })
    }

    /// Sends requests with one cached token on `connections` connections in `mode` for `time`, and returns the figures.
    pub(crate) fn measure(
        &self,
        mode: AuthMode,
        connections: usize,
        time: Duration,
    ) -> Result<Figures, BoxError> {
        let url = format!("http://{}/", self.envoy.address(mode.name()));
        let script = self.script()?;
        // Caches the token.
        wrk::run(&url, &script, 1, Duration::from_secs(1))?;
        let before = self.cpu(mode)?;
        let figures = wrk::run(&url, &script, connections, time)?;
        let cpu = self.cpu(mode)? - before;
        self.envoy.forget_log();
        self.server.forget_log();
        Ok(Figures { cpu, ..figures })
    }

    pub(crate) fn envoy_mib(&self) -> Result<f64, BoxError> {
        let usage = Usage::read_process(self.envoy.pid())?;
        Ok(usage.resident_kib as f64 / 1024.0)
    }

    fn cpu(&self, mode: AuthMode) -> Result<Duration, BoxError> {
        let envoy = cpu_time(self.envoy.pid())?;
        Ok(match mode {
            AuthMode::None | AuthMode::Filter => envoy,
            AuthMode::ExtAuthz => envoy + cpu_time(self.server.pid())?,
        })
    }

    fn script(&self) -> Result<PathBuf, BoxError> {
        let cluster = ClusterId::parse(CLUSTER).ok_or("no cluster id")?;
        let token = sign::sign_token_v2(&demo::user_key(), &cluster, "bench", self.sts.now());
        let token = token.ok_or("no token")?;
        let script = self.folder.path().join("token.lua");
        let line = format!(
            "wrk.headers['authorization'] = 'Bearer {}'\n",
            token.expose()
        );
        fs::write(&script, line)?;
        Ok(script)
    }
}

fn ext_authz(port: u16) -> Value {
    json!({
        "name": "envoy.filters.http.ext_authz",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
            "transport_api_version": "V3",
            "failure_mode_allow": false,
            "allowed_headers": { "patterns": [{ "exact": "authorization" }] },
            "http_service": {
                "server_uri": {
                    "uri": format!("https://localhost:{port}"),
                    "cluster": "ack-ram-authenticator",
                    "timeout": "10s",
                },
                "path_prefix": "/ext-authz",
                "authorization_response": {
                    "allowed_upstream_headers": { "patterns": [
                        { "exact": "x-remote-user" },
                        { "exact": "x-remote-uid" },
                        { "prefix": "x-remote-extra-" },
                    ]},
                    "allowed_upstream_headers_to_append": { "patterns": [
                        { "exact": "x-remote-group" },
                    ]},
                },
            },
        },
    })
}

fn server_cluster(port: u16, ca: &str) -> Value {
    let mut cluster = plain_cluster("ack-ram-authenticator", ([127, 0, 0, 1], port).into());
    cluster["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http2_protocol_options": {} },
        },
    });
    cluster["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": "localhost",
            "common_tls_context": { "validation_context": {
                "trusted_ca": { "inline_string": ca },
                "match_typed_subject_alt_names": [{
                    "san_type": "DNS",
                    "matcher": { "exact": "localhost" },
                }],
            }},
        },
    });
    cluster
}
