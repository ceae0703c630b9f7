//! `server --check`: reports whether the server could start, and what is wrong or risky, without starting it.
//!
//! The check writes nothing, runs no other program, and calls neither STS nor the API server.

mod writable_paths;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ack_ram_analysis::findings::{
    LintReport, add_external_mappings, error_finding, lint_input, warning_finding,
};
use ack_ram_analysis::lint::{self, LintInput};
use ack_ram_core::rules::{Backend, WildcardMode};

use crate::certs::{self, CertificateError, ServingCertificate};
use crate::cli::failure::CommandFailure;
use crate::cli::findings;
use crate::cli::output::OutputFormat;
use crate::clock;
use crate::config::document;
use crate::config::{
    ConfigFile, ConfigSources, Diagnostic, DiagnosticCode, Listen, Location, MappingSources,
    Origin, PartialConfig, Severity,
};
use crate::exposure::SensitiveFiles;
use crate::files;
use crate::kubeconfig;
use crate::kubernetes::client::{self, ClientError};
use crate::metrics::{CertificateMetrics, StsMetrics};
use crate::polling::{FileEvent, MAY_BE_MISSING, WatchedFile};
use crate::server::listeners;
use crate::sts::{self, StsClient, StsTrustError};

/// Checks everything that a server with this configuration needs, and prints the findings.
///
/// # Errors
/// When the server could not start, or would leave an entry out.
pub(super) async fn run(
    from: &ConfigSources<'_>,
    format: OutputFormat,
) -> Result<(), CommandFailure> {
    let report = LintReport::new(collect_findings(from).await);
    findings::print(&report, format)?;
    if report.errors > 0 {
        Err(CommandFailure::Negative)
    } else {
        Ok(())
    }
}

async fn collect_findings(from: &ConfigSources<'_>) -> Vec<Diagnostic> {
    let location = match from.file {
        Some(file) => file_location(file.path(), ""),
        None => Location::from_origin(Origin::CommandLine),
    };
    let config = match PartialConfig::read(from) {
        Ok(config) => config,
        Err(error) => return vec![error_finding(error, &location)],
    };
    let mut input = lint_input(&config, location);
    let found = &mut input.host_findings;
    check_certificates(&config, found);
    check_addresses(&config, found);
    writable_paths::check_writable_paths(&config, found);
    check_exposed_files(&config, from.file.map(ConfigFile::path), found);
    check_sts(&config, found).await;
    if let Ok(sources) = &config.sources {
        let backends = config.backends.as_deref().unwrap_or_default();
        if backends.contains(&Backend::Crd) || backends.contains(&Backend::ConfigMap) {
            check_api_server(sources, found).await;
        }
        if let Some(path) = &sources.dynamic_file {
            check_dynamic_file(path, config.wildcards(), &mut input);
        }
    }
    lint::lint(&input)
}

/// Adds findings about the serving certificate, the client CA and the client certificate.
fn check_certificates(config: &PartialConfig, found: &mut Vec<Diagnostic>) {
    let Ok(folder) = &config.state_dir else {
        return;
    };
    let location = match &config.tls {
        Ok(Some(files)) => file_location(&files.certificate, "server.tls"),
        Ok(None) | Err(_) => file_location(folder, "server.stateDir"),
    };
    let now = clock::now();
    let names = config.listen.as_ref().ok().map(|listen| listen.names());
    match load_serving_certificate(config, folder) {
        Ok(Some(serving)) => {
            let warnings = serving.warnings(now, &names.unwrap_or_default());
            let is_good = serving.is_valid_at(now);
            found.extend(
                warnings
                    .iter()
                    .map(|text| certificate_finding(&location, text, is_good)),
            );
        }
        Ok(None) => {}
        Err(error) => found.push(unusable_file(location, &error)),
    }
    let location = file_location(folder, "server.stateDir");
    let is_required = matches!(config.require_client_certificate, Ok(true));
    match certs::load_clients(folder, is_required) {
        Ok(Some(clients)) => {
            let is_good = clients.validity().contains(now);
            let warning = clients.warning(now);
            found.extend(warning.map(|text| certificate_finding(&location, &text, is_good)));
            if let Ok(Some(path)) = &config.generate_kubeconfig {
                // A starting server does the same, and then writes the kubeconfig.
                let held = kubeconfig::read_client_certificate(path);
                let issued = certs::client_certificate(folder, &clients, held, now);
                found.extend(issued.err().map(|error| unusable_file(location, &error)));
            }
        }
        Ok(None) => {
            let listen = config.listen.as_ref().ok();
            found.extend(listen.and_then(|listen| check_open_port(listen, folder)));
        }
        Err(error) => found.push(unusable_file(location, &error)),
    }
}

/// Returns a finding if other machines can reach the port and need no client certificate.
fn check_open_port(listen: &Listen, folder: &Path) -> Option<Diagnostic> {
    if listen.host.is_loopback() {
        return None;
    }
    let text = format!(
        "the server listens on `{}`, which other machines can reach, and requires no client certificate; run `init --client-cert` in `{}`, restart kube-apiserver with the new kubeconfig, then set `server.requireClientCertificate: true`; or listen on a loopback address",
        listen.host,
        folder.display()
    );
    Some(Diagnostic::new(
        DiagnosticCode::NoClientCertificate,
        Severity::Warning,
        setting_location("server.address"),
        &text,
    ))
}

/// Adds findings about files that other users can write to, and so change who gets access.
fn check_exposed_files(config: &PartialConfig, path: Option<&Path>, found: &mut Vec<Diagnostic>) {
    let exposures = SensitiveFiles::from_partial(config, path).exposures();
    found.extend(exposures.into_iter().map(|exposure| {
        Diagnostic::new(
            DiagnosticCode::ExposedFile,
            Severity::Warning,
            file_location(&exposure.path, exposure.setting),
            &exposure.text,
        )
    }));
}

/// Returns the certificate that a server would use; `None` if the server would create one.
fn load_serving_certificate(
    config: &PartialConfig,
    folder: &Path,
) -> Result<Option<ServingCertificate>, CertificateError> {
    let metrics = CertificateMetrics::disabled()
        .map_err(|error| CertificateError::Issue(error.to_string()))?;
    if let (Ok(Some(files)), Ok(listen)) = (&config.tls, &config.listen) {
        let (files, hostname) = (files.clone(), listen.hostname.clone());
        return ServingCertificate::provided(files, hostname, clock::now, &metrics).map(Some);
    }
    match certs::load(folder)? {
        Some(authority) => {
            let authority = Arc::new(authority);
            ServingCertificate::issued(authority, &[], clock::now, &metrics).map(Some)
        }
        None => match files::check_lockable(folder) {
            Ok(()) => Ok(None),
            Err(source) => Err(CertificateError::Unwritable {
                path: folder.to_owned(),
                source,
            }),
        },
    }
}

fn certificate_finding(location: &Location, text: &str, is_good: bool) -> Diagnostic {
    let severity = if is_good {
        Severity::Warning
    } else {
        Severity::Error
    };
    Diagnostic::new(
        DiagnosticCode::Certificate,
        severity,
        location.clone(),
        text,
    )
}

/// Adds findings about the addresses. A port in use is not a finding, since the server itself may be running.
fn check_addresses(config: &PartialConfig, found: &mut Vec<Diagnostic>) {
    let Ok(listen) = &config.listen else { return };
    for error in listeners::preflight_errors(listen) {
        // The server may run as a user with other rights.
        let severity = if error.is_about_rights() {
            Severity::Warning
        } else {
            Severity::Error
        };
        let location = setting_location(error.setting());
        let text = error.to_string();
        found.push(Diagnostic::new(
            DiagnosticCode::CannotListen,
            severity,
            location,
            &text,
        ));
    }
}

/// Adds findings about the CA of STS and the proxy.
async fn check_sts(config: &PartialConfig, found: &mut Vec<Diagnostic>) {
    let Ok(sts) = &config.sts else {
        return;
    };
    let location = match &sts.ca_file {
        Some(path) => file_location(path, "server.sts.caFile"),
        None => setting_location("server.sts"),
    };
    let environment = |severity, text: &str| {
        Diagnostic::new(
            DiagnosticCode::Environment,
            severity,
            setting_location("environment"),
            text,
        )
    };
    match StsMetrics::disabled().map(|metrics| StsClient::new(sts, &metrics)) {
        Ok(Ok(_)) => {}
        Ok(Err(
            error @ (StsTrustError::Proxy(_)
            | StsTrustError::UnusableProxy { .. }
            | StsTrustError::Variables(_)),
        )) => found.push(environment(Severity::Error, &error.to_string())),
        Ok(Err(error @ (StsTrustError::Unreadable { .. } | StsTrustError::NoCertificates(_)))) => {
            found.push(unusable_file(location, &error));
        }
        Err(error) => found.push(unusable_file(location, &error)),
    }
    let warnings = sts::environment_warnings(sts);
    found.extend(
        warnings
            .iter()
            .map(|text| environment(Severity::Warning, text)),
    );
}

/// Adds findings about the connection to the API server.
async fn check_api_server(sources: &MappingSources, found: &mut Vec<Diagnostic>) {
    let (kubeconfig, master) = (sources.kubeconfig.as_deref(), sources.master.as_deref());
    let location = match kubeconfig {
        Some(path) => file_location(path, "server.kubeconfig"),
        None => setting_location("server.kubeconfig"),
    };
    match client::check(kubeconfig, master).await {
        Ok(()) => {}
        // The configuration may be for a server on another machine.
        Err(error @ ClientError::NotInCluster(_)) => found.push(Diagnostic::new(
            DiagnosticCode::NotInCluster,
            Severity::Warning,
            location,
            error.to_string(),
        )),
        Err(error) => found.push(unusable_file(location, &error)),
    }
}

/// Adds the mappings of the backend DynamicFile to `input`, or a finding if its file cannot be used.
fn check_dynamic_file(path: &Path, wildcards: WildcardMode, input: &mut LintInput) {
    let location = file_location(path, "server.dynamicFilePath");
    let name = path.display().to_string();
    let found = &mut input.host_findings;
    let mut file = WatchedFile::new(path.to_owned(), MAY_BE_MISSING);
    let document = match file.read_now(Instant::now()) {
        FileEvent::Content(text, _) => document::parse_dynamic_file(&name, &text, wildcards),
        FileEvent::InvalidContent(why, _) | FileEvent::Unreadable(why) => {
            found.push(unusable_file(location, &format!("cannot be read: {why}")));
            return;
        }
        FileEvent::Missing | FileEvent::SameContent(_) => {
            let text = "does not exist, so it maps no identity; create it, or change `server.dynamicFilePath`";
            found.push(unusable_file(location, &text));
            return;
        }
    };
    let document = match document {
        Ok(document) => document,
        Err(refusal) => {
            found.push(unusable_file(location, &refusal));
            return;
        }
    };
    found.extend(document.warnings.iter().map(warning_finding));
    add_external_mappings(input, Backend::DynamicFile, &document.mappings);
}

fn unusable_file(location: Location, error: &impl Display) -> Diagnostic {
    Diagnostic::new(
        DiagnosticCode::UnusableFile,
        Severity::Error,
        location,
        error,
    )
}

/// Returns the location of the file at `path`, which the setting `setting` names.
fn file_location(path: &Path, setting: &str) -> Location {
    Location::file(path.display().to_string()).with_entry(setting)
}

fn setting_location(setting: &str) -> Location {
    Location::default().with_entry(setting)
}
