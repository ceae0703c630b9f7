//! Envoy's configuration: listeners with the filter, and clusters.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Module, loopback};
use crate::sts::Emulator;

/// The name in the certificate of STS.
const STS_NAME: &str = "sts.aliyuncs.com";

/// The authentication filter of a listener.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The path of the WebAssembly module.
    pub module: PathBuf,
    /// The configuration of the filter, in JSON.
    pub settings: String,
}

impl Filter {
    /// Builds a filter from `module` with `settings`.
    #[must_use]
    pub fn new(module: Module, settings: &Value) -> Self {
        Self {
            module: module.path(),
            settings: settings.to_string(),
        }
    }

    /// Returns the filter in the form of Envoy's configuration.
    #[must_use]
    pub fn to_config(&self) -> Value {
        json!({
            "name": "ack_ram",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": {
                    "name": "ack_ram",
                    "root_id": "ack_ram",
                    "failure_policy": "FAIL_RELOAD",
                    "reload_config": { "backoff": {
                        "base_interval": "0.02s",
                        "max_interval": "0.5s",
                    }},
                    "vm_config": {
                        // One virtual machine for each module: filters with the same ID share a machine.
                        "vm_id": self.module.to_string_lossy(),
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": { "local": { "filename": self.module } },
                    },
                    "configuration": {
                        "@type": "type.googleapis.com/google.protobuf.StringValue",
                        "value": self.settings,
                    },
                },
            },
        })
    }
}

/// A listener on its own port, which forwards requests to the cluster `service`.
#[derive(Clone, Debug)]
pub struct Listener {
    name: String,
    filters: Vec<Value>,
    request_timeout: &'static str,
    answers_itself: bool,
}

impl Listener {
    /// Builds a listener with `filters` before the router.
    #[must_use]
    pub fn new(name: &str, filters: Vec<Value>) -> Self {
        Self {
            name: name.to_owned(),
            filters,
            request_timeout: "20s",
            answers_itself: false,
        }
    }

    /// Makes the listener reply itself with an empty 200 instead of forwarding requests.
    #[must_use]
    pub fn answering_itself(self) -> Self {
        Self {
            answers_itself: true,
            ..self
        }
    }

    /// Sets the timeout of requests, such as `2s`. Defaults to 20 seconds.
    #[must_use]
    pub fn with_request_timeout(self, time: &'static str) -> Self {
        Self {
            request_timeout: time,
            ..self
        }
    }

    /// Returns the listener in the form of Envoy's configuration.
    #[must_use]
    pub fn resource(&self) -> Value {
        let mut filters = self.filters.clone();
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            },
        }));
        let mut route = json!({ "match": { "prefix": "/" } });
        if self.answers_itself {
            route["direct_response"] = json!({ "status": 200 });
        } else {
            route["route"] = json!({ "cluster": "service", "timeout": "0s" });
        }
        json!({
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": self.name,
            "address": loopback(0),
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": self.name,
                    "codec_type": "AUTO",
                    "http_filters": filters,
                    "upgrade_configs": [{ "upgrade_type": "websocket" }],
                    // Without a timeout, a stream whose worker trapped would hang.
                    "request_timeout": self.request_timeout,
                    "max_request_headers_kb": 96,
                    "route_config": {
                        "name": self.name,
                        "virtual_hosts": [{
                            "name": "all",
                            "domains": ["*"],
                            "routes": [route],
                        }],
                    },
                    "access_log": [{
                        "name": "envoy.access_loggers.stdout",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
                            "log_format": { "text_format_source": { "inline_string":
                                "access %RESPONSE_CODE% user=%FILTER_STATE(wasm.ack_ram.user:PLAIN)% path=%REQ(:PATH)%\n",
                            }},
                        },
                    }],
                },
            }]}],
        })
    }
}

/// Builds the cluster of the service behind the listeners. It gets requests in the version of HTTP that the client
/// used.
#[must_use]
pub fn service_cluster(address: SocketAddr) -> Value {
    let mut cluster = plain_cluster("service", address);
    cluster["typed_extension_protocol_options"] = json!({
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "use_downstream_protocol_config": {
                "http_protocol_options": {},
                "http2_protocol_options": {},
            },
        },
    });
    cluster
}

/// Builds the cluster `sts` of the STS emulator: TLS, with verification of the authority and the name.
#[must_use]
pub fn sts_cluster(sts: &Emulator) -> Value {
    let mut cluster = plain_cluster("sts", sts.address());
    cluster["transport_socket"] = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": STS_NAME,
            "common_tls_context": { "validation_context": {
                "trusted_ca": { "inline_string": sts.ca_pem() },
                "match_typed_subject_alt_names": [{
                    "san_type": "DNS",
                    "matcher": { "exact": STS_NAME },
                }],
            }},
        },
    });
    cluster
}

/// Builds a cluster of one server, without TLS.
#[must_use]
pub fn plain_cluster(name: &str, address: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        // The timeout includes the TLS handshake, and the machine may be busy.
        "connect_timeout": "10s",
        "circuit_breakers": { "thresholds": [{
            "max_connections": 10_000,
            "max_pending_requests": 10_000,
            "max_requests": 10_000,
        }]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": loopback(address.port()) }}]}],
        },
    })
}
