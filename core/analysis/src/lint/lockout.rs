//! Findings about lockout: configurations with which administrators can lose access.

use ack_ram_core::rules::Backend;
use ack_ram_core::rules::subject::Subject;

use crate::lint::CompiledBackend;
use crate::lint::sink::DiagnosticSink;
use ack_ram_config::{DiagnosticCode, Severity};

pub(super) fn check(backends: &[CompiledBackend<'_>], report: &mut DiagnosticSink<'_>) {
    let maps_nobody = |backend: &CompiledBackend<'_>| {
        backend.rules.is_empty() && backend.entries.accounts.is_empty()
    };
    let all_are_read = backends.iter().all(|backend| backend.entries.is_known);
    if all_are_read && backends.iter().all(maps_nobody) {
        report.add(
            DiagnosticCode::NobodyMapped,
            Severity::Error,
            "there is no valid mapping: no identity can log in",
            "add `server.mapRoles`, `server.mapUsers` or `server.mapAccounts`",
        );
        return;
    }
    let is_in_cluster = |backend: &&CompiledBackend<'_>| in_cluster(backend.entries.backend);
    let Some(first_in_cluster) = backends.iter().position(|backend| is_in_cluster(&backend)) else {
        return;
    };
    let on_disk: Vec<&CompiledBackend<'_>> = backends
        .iter()
        .filter(|backend| !is_in_cluster(backend) && !maps_nobody(backend))
        .collect();
    let is_known =
        |backend: &CompiledBackend<'_>| backend.entries.is_known || is_in_cluster(&backend);
    let disk_is_known = backends.iter().all(is_known);
    if disk_is_known && on_disk.is_empty() {
        report.add(
            DiagnosticCode::OnlyDynamicBackends,
            Severity::Warning,
            "all mappings are in the cluster: if they are deleted or broken, no administrator can log in to repair them, \
             and no identity can log in before the API server is up",
            "map an administrator in the file, and put `MountedFile` first in `server.backendMode`",
        );
        return;
    }
    if disk_is_known && !on_disk.iter().any(|backend| grants_masters(backend)) {
        report.add(
            DiagnosticCode::NoBreakGlass,
            Severity::Warning,
            "no mapping on disk gives a single identity `system:masters`: if RBAC or the mappings in the cluster break, \
             no administrator can log in to repair them",
            "map one user or role to `system:masters` in the file, and protect that identity well",
        );
    }
    let file = backends
        .iter()
        .position(|backend| !is_in_cluster(&backend) && !maps_nobody(backend));
    if file.is_some_and(|file| file > first_in_cluster) {
        report.add(
            DiagnosticCode::FileAfterDynamic,
            Severity::Info,
            "the mappings on disk take effect only after the mappings in the cluster have been loaded",
            "to make the mappings on disk available immediately, put `MountedFile` first in `server.backendMode`",
        );
    }
}

/// Returns whether the server loads the mappings of `backend` through the API server.
fn in_cluster(backend: Backend) -> bool {
    match backend {
        Backend::ConfigMap | Backend::Crd => true,
        Backend::MountedFile | Backend::DynamicFile => false,
    }
}

fn grants_masters(backend: &CompiledBackend<'_>) -> bool {
    backend.rules.iter().any(|compiled| {
        let is_one = matches!(compiled.rule.subject(), Subject::Arn(_) | Subject::Id(_));
        let groups = &compiled.entry.mapping.spec.groups;
        is_one && groups.iter().any(|group| group == "system:masters")
    })
}
