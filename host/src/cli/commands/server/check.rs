//! `server --check`: whether the server could start, and everything that is wrong, without starting it.
//!
//! Nothing is written, nothing is run, and nobody is asked over the network.

mod writable_paths;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ack_ram_analysis::lint::{
    self, BackendEntries, Finding, FindingCode, LintInput, Position, Severity,
};
use ack_ram_core::rules::Backend;

use crate::certs::{self, CertificateError, ServingCertificate};
use crate::cli::failure::CommandFailure;
use crate::cli::findings::{self, LintReport};
use crate::cli::output::OutputFormat;
use crate::clock;
use crate::config::document;
use crate::config::{
    self, ClusterIdUse, ConfigFile, ConfigSources, Listen, MappingSources, Requirements,
};
use crate::exposure::SensitiveFiles;
use crate::files;
use crate::kubeconfig;
use crate::kubernetes::client::{self, ClientError};
use crate::metrics::{CertificateMetrics, StsMetrics};
use crate::polling::{FileEvent, MAY_BE_MISSING, WatchedFile};
use crate::server::listeners;
use crate::sts::{self, StsClient, StsTrustError};

/// Looks at all that a server with this configuration needs, and prints what is wrong or risky.
///
/// # Errors
/// When the server could not start, or would leave something out.
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

async fn collect_findings(from: &ConfigSources<'_>) -> Vec<Finding> {
    let position = match from.file {
        Some(file) => file_position(file.path(), ""),
        None => Position {
            entry: "command line".to_owned(),
            ..Position::default()
        },
    };
    let mut partial = match config::load_partial(from, ClusterIdUse::Required) {
        Ok(partial) => partial,
        Err(error) => return vec![findings::finding_from_error(&error, &position)],
    };
    let backends = partial.backends.clone().unwrap_or_default();
    let requirements = std::mem::take(&mut partial.requirements);
    let mut configuration = findings::lint_configuration(partial, position);
    let found = &mut configuration.host_findings;
    check_certificates(&requirements, found);
    check_addresses(&requirements, found);
    writable_paths::check_writable_paths(&requirements, found);
    check_exposed_files(&requirements, from.file.map(ConfigFile::path), found);
    check_sts(&requirements, found).await;
    if let Some(sources) = &requirements.sources {
        if backends.contains(&Backend::Crd) || backends.contains(&Backend::ConfigMap) {
            check_api_server(sources, found).await;
        }
        if let Some(path) = &sources.dynamic_file {
            check_dynamic_file(path, &requirements, &mut configuration);
        }
    }
    lint::lint(&configuration)
}

/// What proves the server, and its clients where they need a certificate.
fn check_certificates(requirements: &Requirements, found: &mut Vec<Finding>) {
    let Some(folder) = &requirements.state_dir else {
        return;
    };
    let position = match &requirements.tls {
        Some(files) => file_position(&files.certificate, "server.tls"),
        None => file_position(folder, "server.stateDir"),
    };
    let now = clock::now();
    let names = requirements.listen.as_ref().map(|listen| listen.names());
    match load_serving_certificate(requirements, folder) {
        Ok(Some(serving)) => {
            let warnings = serving.warnings(now, &names.unwrap_or_default());
            let is_good = serving.is_valid_at(now);
            found.extend(
                warnings
                    .iter()
                    .map(|text| certificate_finding(&position, text, is_good)),
            );
        }
        Ok(None) => {}
        Err(error) => found.push(unusable_file(position, &error)),
    }
    let position = file_position(folder, "server.stateDir");
    match certs::load_clients(folder, requirements.require_client_certificate) {
        Ok(Some(clients)) => {
            let is_good = clients.validity().contains(now);
            let warning = clients.warning(now);
            found.extend(warning.map(|text| certificate_finding(&position, &text, is_good)));
            if let Some(path) = &requirements.generate_kubeconfig {
                // As the server at start, which then writes it.
                let held = kubeconfig::read_client_certificate(path);
                let issued = certs::client_certificate(folder, &clients, held, now);
                found.extend(issued.err().map(|error| unusable_file(position, &error)));
            }
        }
        Ok(None) => {
            let listen = requirements.listen.as_ref();
            found.extend(listen.and_then(|listen| check_open_port(listen, folder)));
        }
        Err(error) => found.push(unusable_file(position, &error)),
    }
}

/// Returns a finding when other machines can reach the port, which answers clients without a certificate.
fn check_open_port(listen: &Listen, folder: &Path) -> Option<Finding> {
    if listen.host.is_loopback() {
        return None;
    }
    let text = format!(
        "the server listens on `{}`, which other machines may reach, and requires no client certificate; run `init --client-cert` in `{}`, restart kube-apiserver with the new kubeconfig, then set `server.requireClientCertificate: true`; or listen on a loopback address",
        listen.host,
        folder.display()
    );
    Some(findings::finding_from_text(
        FindingCode::NoClientCertificate,
        Severity::Warning,
        setting_position("server.address"),
        &text,
    ))
}

/// What other users may write, and with it change who gets access.
fn check_exposed_files(
    requirements: &Requirements,
    config: Option<&Path>,
    found: &mut Vec<Finding>,
) {
    let exposures = SensitiveFiles::from_requirements(requirements, config).exposures();
    found.extend(exposures.into_iter().map(|exposure| {
        findings::finding_from_text(
            FindingCode::ExposedFile,
            Severity::Warning,
            file_position(&exposure.path, exposure.setting),
            &exposure.text,
        )
    }));
}

/// What would be served; nothing where a pair has yet to be made, and can be.
fn load_serving_certificate(
    requirements: &Requirements,
    folder: &Path,
) -> Result<Option<ServingCertificate>, CertificateError> {
    let metrics = CertificateMetrics::disabled()
        .map_err(|error| CertificateError::Issue(error.to_string()))?;
    if let (Some(files), Some(listen)) = (&requirements.tls, &requirements.listen) {
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

fn certificate_finding(position: &Position, text: &str, is_good: bool) -> Finding {
    let severity = if is_good {
        Severity::Warning
    } else {
        Severity::Error
    };
    findings::finding_from_text(FindingCode::Certificate, severity, position.clone(), text)
}

/// Where the server listens. The ports may be in use: by the server itself.
fn check_addresses(requirements: &Requirements, found: &mut Vec<Finding>) {
    let preflight_errors = requirements
        .listen
        .as_ref()
        .map(listeners::preflight_errors);
    for error in preflight_errors.unwrap_or_default() {
        // Somebody else may run the server, with other rights.
        let severity = if error.is_about_rights() {
            Severity::Warning
        } else {
            Severity::Error
        };
        let position = setting_position(error.setting());
        let text = error.to_string();
        found.push(findings::finding_from_text(
            FindingCode::CannotListen,
            severity,
            position,
            &text,
        ));
    }
}

/// What proves STS, and the proxy on the way to it.
async fn check_sts(requirements: &Requirements, found: &mut Vec<Finding>) {
    let Some(sts) = &requirements.sts else {
        return;
    };
    let position = match &sts.ca_file {
        Some(path) => file_position(path, "server.sts.caFile"),
        None => setting_position("server.sts"),
    };
    let environment = |severity, text: &str| {
        findings::finding_from_text(
            FindingCode::Environment,
            severity,
            setting_position("environment"),
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
            found.push(unusable_file(position, &error));
        }
        Err(error) => found.push(unusable_file(position, &error)),
    }
    let warnings = sts::environment_warnings(sts);
    found.extend(
        warnings
            .iter()
            .map(|text| environment(Severity::Warning, text)),
    );
}

/// How the API server is reached.
async fn check_api_server(sources: &MappingSources, found: &mut Vec<Finding>) {
    let (kubeconfig, master) = (sources.kubeconfig.as_deref(), sources.master.as_deref());
    let position = match kubeconfig {
        Some(path) => file_position(path, "server.kubeconfig"),
        None => setting_position("server.kubeconfig"),
    };
    match client::check(kubeconfig, master).await {
        Ok(()) => {}
        // The server that this is for may run elsewhere.
        Err(error @ ClientError::NotInCluster(_)) => found.push(findings::finding_from_text(
            FindingCode::NotInCluster,
            Severity::Warning,
            position,
            &error.to_string(),
        )),
        Err(error) => found.push(unusable_file(position, &error)),
    }
}

/// The mappings of DynamicFile are looked at like those of the configuration file.
fn check_dynamic_file(path: &Path, requirements: &Requirements, configuration: &mut LintInput) {
    let position = file_position(path, "server.dynamicFilePath");
    let name = path.display().to_string();
    let found = &mut configuration.host_findings;
    let mut file = WatchedFile::new(path.to_owned(), MAY_BE_MISSING);
    let document = match file.read_now(Instant::now()) {
        FileEvent::Content(text, _) => {
            document::parse_dynamic_file(&name, &text, requirements.globs)
        }
        FileEvent::InvalidContent(why, _) | FileEvent::Unreadable(why) => {
            found.push(unusable_file(position, &format!("cannot be read: {why}")));
            return;
        }
        FileEvent::Missing | FileEvent::SameContent(_) => {
            let text =
                "is not there, so it maps nobody; make it, or set another `server.dynamicFilePath`";
            found.push(unusable_file(position, &text));
            return;
        }
    };
    let document = match document {
        Ok(document) => document,
        Err(refusal) => {
            found.push(unusable_file(position, &refusal));
            return;
        }
    };
    found.extend(document.warnings.iter().map(findings::finding_from_warning));
    let is_it = |entries: &&mut BackendEntries| entries.backend == Backend::DynamicFile;
    if let Some(entries) = configuration.backends.iter_mut().find(is_it) {
        let mappings = document.mappings;
        let unreadable = ack_ram_analysis::findings::unreadable_list_findings(&mappings);
        entries.is_known = unreadable.is_empty();
        found.extend(unreadable);
        entries.mappings = mappings.mappings.iter().map(findings::lint_entry).collect();
        entries.accounts = mappings
            .accounts
            .iter()
            .map(findings::lint_account)
            .collect();
    }
}

fn unusable_file(position: Position, error: &impl ToString) -> Finding {
    let text = error.to_string();
    findings::finding_from_text(FindingCode::UnusableFile, Severity::Error, position, &text)
}

/// The file at `path`, which `setting` names.
fn file_position(path: &Path, setting: &str) -> Position {
    Position {
        file: path.display().to_string(),
        entry: setting.to_owned(),
        ..Position::default()
    }
}

fn setting_position(setting: &str) -> Position {
    Position {
        entry: setting.to_owned(),
        ..Position::default()
    }
}
