//! `server --check`: whether the server could start, and everything that is wrong, without starting it.
//!
//! Nothing is written, nothing is run, and nobody is asked over the network.

mod places;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ack_ram_core::lint::{self, BackendEntries, Code, Configuration, Finding, Position, Severity};
use ack_ram_core::rules::Backend;

use crate::backends::watched_file::{MAY_BE_MISSING, Seen, WatchedFile};
use crate::certs::{self, CertificateError, ServingCertificate};
use crate::cli::failure::Failure;
use crate::cli::findings::{self, Report};
use crate::cli::output::OutputFormat;
use crate::config::document;
use crate::config::{self, ConfigFile, Listen, MappingSources, Needs, Sources};
use crate::env;
use crate::exposure::SensitiveFiles;
use crate::files;
use crate::kubeconfig;
use crate::kubernetes::client::{self, ClientError};
use crate::metrics::{CertificateMetrics, StsMetrics};
use crate::server::listeners;
use crate::sts::{self, StsClient, TrustError};

/// Looks at all that a server with this configuration needs, and prints what is wrong or risky.
///
/// # Errors
/// When the server could not start, or would leave something out.
pub(super) async fn run(from: &Sources<'_>, format: OutputFormat) -> Result<(), Failure> {
    let report = Report::new(findings(from).await);
    findings::print(&report, format)?;
    if report.errors > 0 {
        Err(Failure::AnswerIsNo)
    } else {
        Ok(())
    }
}

async fn findings(from: &Sources<'_>) -> Vec<Finding> {
    let position = match from.file {
        Some(file) => in_file(file.path(), ""),
        None => Position {
            entry: "command line".to_owned(),
            ..Position::default()
        },
    };
    let mut survey = match config::survey(from) {
        Ok(survey) => survey,
        Err(error) => return vec![findings::refusal(&error, &position)],
    };
    let backends = survey.backends.clone().unwrap_or_default();
    let needs = std::mem::take(&mut survey.needs);
    let mut configuration = findings::configuration(survey, position);
    let found = &mut configuration.remarks;
    certificates(&needs, found);
    addresses(&needs, found);
    places::check(&needs, found);
    exposed_files(&needs, from.file.map(ConfigFile::path), found);
    sts(&needs, found).await;
    if let Some(sources) = &needs.sources {
        if backends.contains(&Backend::Crd) || backends.contains(&Backend::ConfigMap) {
            api_server(sources, found).await;
        }
        if let Some(path) = &sources.dynamic_file {
            dynamic_file(path, &needs, &mut configuration);
        }
    }
    lint::lint(&configuration)
}

/// What proves the server, and its clients where they need a certificate.
fn certificates(needs: &Needs, found: &mut Vec<Finding>) {
    let Some(folder) = &needs.state_dir else {
        return;
    };
    let position = match &needs.tls {
        Some(files) => in_file(&files.certificate, "server.tls"),
        None => in_file(folder, "server.stateDir"),
    };
    let now = env::now();
    let names = needs.listen.as_ref().map(|listen| listen.names());
    match serving(needs, folder) {
        Ok(Some(serving)) => {
            let warnings = serving.warnings(now, &names.unwrap_or_default());
            let is_good = serving.is_good_at(now);
            found.extend(warnings.iter().map(|text| aging(&position, text, is_good)));
        }
        Ok(None) => {}
        Err(error) => found.push(unusable(position, &error)),
    }
    let position = in_file(folder, "server.stateDir");
    match certs::load_clients(folder, needs.require_client_certificate) {
        Ok(Some(clients)) => {
            let is_good = clients.validity().contains(now);
            let warning = clients.warning(now);
            found.extend(warning.map(|text| aging(&position, &text, is_good)));
            if let Some(path) = &needs.generate_kubeconfig {
                // As the server at start, which then writes it.
                let held = kubeconfig::client_in(path);
                let issued = certs::client_certificate(folder, &clients, held, now);
                found.extend(issued.err().map(|error| unusable(position, &error)));
            }
        }
        Ok(None) => {
            let listen = needs.listen.as_ref();
            found.extend(listen.and_then(|listen| without_client_certificate(listen, folder)));
        }
        Err(error) => found.push(unusable(position, &error)),
    }
}

/// Returns a finding when other machines can reach the port, which answers clients without a certificate.
fn without_client_certificate(listen: &Listen, folder: &Path) -> Option<Finding> {
    if listen.host.is_loopback() {
        return None;
    }
    let text = format!(
        "the server listens on `{}`, which other machines may reach, and requires no client certificate; run `init --client-cert` in `{}`, restart kube-apiserver with the new kubeconfig, then set `server.requireClientCertificate: true`; or listen on a loopback address",
        listen.host,
        folder.display()
    );
    Some(findings::remark(
        Code::NoClientCertificate,
        Severity::Warning,
        in_setting("server.address"),
        &text,
    ))
}

/// What other users may write, and with it change who gets access.
fn exposed_files(needs: &Needs, config: Option<&Path>, found: &mut Vec<Finding>) {
    let exposures = SensitiveFiles::needed(needs, config).exposures();
    found.extend(exposures.into_iter().map(|exposure| {
        findings::remark(
            Code::ExposedFile,
            Severity::Warning,
            in_file(&exposure.path, exposure.setting),
            &exposure.text,
        )
    }));
}

/// What would be served; nothing where a pair has yet to be made, and can be.
fn serving(needs: &Needs, folder: &Path) -> Result<Option<ServingCertificate>, CertificateError> {
    let metrics = CertificateMetrics::unscraped()
        .map_err(|error| CertificateError::Issue(error.to_string()))?;
    if let (Some(files), Some(listen)) = (&needs.tls, &needs.listen) {
        let (files, hostname) = (files.clone(), listen.hostname.clone());
        return ServingCertificate::own(files, hostname, env::now, &metrics).map(Some);
    }
    match certs::load(folder)? {
        Some(authority) => {
            let authority = Arc::new(authority);
            ServingCertificate::issued(authority, &[], env::now, &metrics).map(Some)
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

fn aging(position: &Position, text: &str, is_good: bool) -> Finding {
    let severity = if is_good {
        Severity::Warning
    } else {
        Severity::Error
    };
    findings::remark(Code::Certificate, severity, position.clone(), text)
}

/// Where the server listens. The ports may be in use: by the server itself.
fn addresses(needs: &Needs, found: &mut Vec<Finding>) {
    let objections = needs.listen.as_ref().map(listeners::objections);
    for error in objections.unwrap_or_default() {
        // Somebody else may run the server, with other rights.
        let severity = if error.is_about_rights() {
            Severity::Warning
        } else {
            Severity::Error
        };
        let position = in_setting(error.setting());
        let text = error.to_string();
        found.push(findings::remark(
            Code::CannotListen,
            severity,
            position,
            &text,
        ));
    }
}

/// What proves STS, and the proxy on the way to it.
async fn sts(needs: &Needs, found: &mut Vec<Finding>) {
    let Some(sts) = &needs.sts else {
        return;
    };
    let position = match &sts.ca_file {
        Some(path) => in_file(path, "server.sts.caFile"),
        None => in_setting("server.sts"),
    };
    let environment = |severity, text: &str| {
        findings::remark(Code::Environment, severity, in_setting("environment"), text)
    };
    match StsMetrics::unscraped().map(|metrics| StsClient::new(sts, &metrics)) {
        Ok(Ok(_)) => {}
        Ok(Err(
            error @ (TrustError::Proxy(_)
            | TrustError::UnusableProxy { .. }
            | TrustError::Variables(_)),
        )) => found.push(environment(Severity::Error, &error.to_string())),
        Ok(Err(error @ (TrustError::Unreadable { .. } | TrustError::Nobody(_)))) => {
            found.push(unusable(position, &error));
        }
        Err(error) => found.push(unusable(position, &error)),
    }
    let warnings = sts::environment_warnings(sts);
    found.extend(
        warnings
            .iter()
            .map(|text| environment(Severity::Warning, text)),
    );
}

/// How the API server is reached.
async fn api_server(sources: &MappingSources, found: &mut Vec<Finding>) {
    let (kubeconfig, master) = (sources.kubeconfig.as_deref(), sources.master.as_deref());
    let position = match kubeconfig {
        Some(path) => in_file(path, "server.kubeconfig"),
        None => in_setting("server.kubeconfig"),
    };
    match client::check(kubeconfig, master).await {
        Ok(()) => {}
        // The server that this is for may run elsewhere.
        Err(error @ ClientError::NotInCluster(_)) => found.push(findings::remark(
            Code::NotInCluster,
            Severity::Warning,
            position,
            &error.to_string(),
        )),
        Err(error) => found.push(unusable(position, &error)),
    }
}

/// The mappings of DynamicFile are looked at like those of the configuration file.
fn dynamic_file(path: &Path, needs: &Needs, configuration: &mut Configuration) {
    let position = in_file(path, "server.dynamicFilePath");
    let name = path.display().to_string();
    let found = &mut configuration.remarks;
    let mut file = WatchedFile::new(path.to_owned(), MAY_BE_MISSING);
    let document = match file.read_now(Instant::now()) {
        Seen::Content(text, _) => document::dynamic_file(&name, &text, needs.globs),
        Seen::Unfit(why, _) | Seen::Unreadable(why) => {
            found.push(unusable(position, &format!("cannot be read: {why}")));
            return;
        }
        Seen::Missing | Seen::SameContent(_) => {
            let text =
                "is not there, so it maps nobody; make it, or set another `server.dynamicFilePath`";
            found.push(unusable(position, &text));
            return;
        }
    };
    let document = match document {
        Ok(document) => document,
        Err(refusal) => {
            found.push(unusable(position, &refusal));
            return;
        }
    };
    found.extend(document.warnings.iter().map(findings::finding));
    let is_it = |entries: &&mut BackendEntries| entries.backend == Backend::DynamicFile;
    if let Some(entries) = configuration.backends.iter_mut().find(is_it) {
        let mappings = document.mappings;
        let unreadable = ack_ram_config::findings::unreadable_lists(&mappings);
        entries.is_read = unreadable.is_empty();
        found.extend(unreadable);
        entries.mappings = mappings.mappings.iter().map(findings::entry).collect();
        entries.accounts = mappings.accounts.iter().map(findings::account).collect();
    }
}

fn unusable(position: Position, error: &impl ToString) -> Finding {
    let text = error.to_string();
    findings::remark(Code::UnusableFile, Severity::Error, position, &text)
}

/// The file at `path`, which `setting` names.
fn in_file(path: &Path, setting: &str) -> Position {
    Position {
        file: path.display().to_string(),
        entry: setting.to_owned(),
        ..Position::default()
    }
}

fn in_setting(setting: &str) -> Position {
    Position {
        entry: setting.to_owned(),
        ..Position::default()
    }
}
