//! The documented proxies in front of a service. They call the server of a fixture.

use std::path::Path;
use std::process::Command;

use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::tools::{CADDY, NGINX};
use serde_json::json;
use tempfile::TempDir;

use crate::documented::documented;
use crate::fixture::start;
use crate::proxied::{Proxy, service};

/// A documented proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    Nginx,
    Caddy,
}

/// A running proxy.
pub(crate) struct StartedProxy {
    pub(crate) proxy: Proxy,
    _process: Process,
    _folder: TempDir,
}

impl Program {
    const BOTH: [Self; 2] = [Self::Nginx, Self::Caddy];

    /// Starts the program with the documented configuration.
    pub(crate) async fn start(self, fixture: &Fixture) -> StartedProxy {
        self.start_with(fixture, &[]).await
    }

    /// Starts the program with some documented lines replaced.
    pub(crate) async fn start_with(
        self,
        fixture: &Fixture,
        changes: &[(&str, &str)],
    ) -> StartedProxy {
        let folder = tempfile::tempdir().unwrap();
        let port = ports::free_port();
        let ca = fixture.ca_file();
        let service = service().await;
        let block = match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddyfile",
        };
        let mut documented = documented(block).remove(0);
        for (from, to) in changes {
            assert!(documented.contains(from), "{from}");
            documented = documented.replace(from, to);
        }
        let documented = documented
            .replace("127.0.0.1:8081", &service.to_string())
            .replace("/var/ack-ram-authenticator/cert.pem", &ca.to_string_lossy());
        let command = match self {
            Self::Nginx => nginx(folder.path(), port, fixture.port, &documented),
            Self::Caddy => caddy(folder.path(), port, fixture.port, &documented),
        };
        let mut process = Process::spawn(block, command).unwrap();
        StartedProxy {
            proxy: Proxy::started(port, &mut process).await,
            _process: process,
            _folder: folder,
        }
    }

    /// Returns the status that the program answers with while the server is down.
    fn status_without_server(self) -> u16 {
        match self {
            Self::Nginx => 500,
            Self::Caddy => 502,
        }
    }
}

fn nginx(folder: &Path, port: u16, server: u16, documented: &str) -> Command {
    let servers = documented
        .replace("127.0.0.1:21362", &format!("127.0.0.1:{server}"))
        .replace(
            "server {",
            &format!("server {{\n    listen 127.0.0.1:{port};"),
        );
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}\n\
         http {{ access_log off; client_body_temp_path 1; proxy_temp_path 2; fastcgi_temp_path 3;\n\
         uwsgi_temp_path 4; scgi_temp_path 5;\n{servers}}}\n"
    );
    let path = folder.join("nginx.conf");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(NGINX.path());
    command.arg("-p").arg(folder).arg("-c").arg(path);
    command.args(["-e", "stderr"]);
    command
}

fn caddy(folder: &Path, port: u16, server: u16, documented: &str) -> Command {
    let sites = documented
        .replace("localhost:21362", &format!("localhost:{server}"))
        .replace("service.example.com {", &format!("http://:{port} {{"));
    let path = folder.join("Caddyfile");
    std::fs::write(&path, format!("{{\n\tadmin off\n}}\n{sites}")).unwrap();
    let mut command = Command::new(CADDY.path());
    // Caddy keeps files in the home folder.
    command.env_clear().env("HOME", folder);
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(path);
    command
}

#[tokio::test]
async fn proxy_without_grant_passes_no_request() {
    for program in Program::BOTH {
        let fixture = start(&json!({ "enabled": true, "joinGroups": true }));
        let started = program.start(&fixture).await;
        let status = program.status_without_server();
        started.proxy.check_only_grants_pass(fixture, status).await;
    }
}

#[tokio::test]
async fn large_requests_pass_every_proxy() {
    for program in Program::BOTH {
        let fixture = start(&json!({ "enabled": true, "joinGroups": true }));
        let started = program.start(&fixture).await;
        started.proxy.check_large_requests_pass(&fixture).await;
    }
}

#[tokio::test]
async fn only_preflights_pass_documented_proxies() {
    for program in Program::BOTH {
        let settings = json!({ "enabled": true, "joinGroups": true, "allowPreflight": true });
        let fixture = start(&settings);
        let started = match program {
            Program::Nginx => nginx_with_preflights(&fixture).await,
            Program::Caddy => caddy_with_preflights(&fixture).await,
        };
        started.proxy.check_preflights().await;
    }
}

async fn nginx_with_preflights(fixture: &Fixture) -> StartedProxy {
    let lines = documented("nginx").remove(1);
    let (map, method) = lines.split_once("}\n").unwrap();
    let upstream = "upstream ack_ram_authenticator {";
    let body = "proxy_pass_request_body off;";
    let changes = [
        (upstream, &*format!("{map}}}\n{upstream}")),
        (body, &*format!("{body}\n{method}")),
    ];
    Program::Nginx.start_with(fixture, &changes).await
}

async fn caddy_with_preflights(fixture: &Fixture) -> StartedProxy {
    let ca = fixture.ca_file();
    let first = documented("caddyfile")
        .remove(1)
        .replace("localhost:21362", &format!("localhost:{}", fixture.port))
        .replace("/var/ack-ram-authenticator/cert.pem", &ca.to_string_lossy());
    let rule = "error @ends_here 400";
    let question = "forward_auth https://";
    let changes = [
        (question, "forward_auth @others https://"),
        (rule, &*format!("{rule}\n{first}")),
    ];
    Program::Caddy.start_with(fixture, &changes).await
}
