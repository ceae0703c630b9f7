//! Checks of the paths that the server writes to.

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use crate::cli::commands::administration::server::check::{file_location, unusable_file};
use crate::config::{Diagnostic, DiagnosticCode, PartialConfig, Severity};
use crate::control::protocol::SOCKET_NAME;
use crate::files;
use crate::kubeconfig::KubeconfigError;

/// Adds findings about paths that the server cannot write to. Writes nothing.
pub(super) fn check_writable_paths(config: &PartialConfig, found: &mut Vec<Diagnostic>) {
    if let Ok(Some(path)) = &config.generate_kubeconfig
        && let Err(source) = files::check_writable(path)
    {
        let location = file_location(path, "server.generateKubeconfig");
        let path = path.clone();
        found.push(unusable_file(location, &KubeconfigError { path, source }));
    }
    if let Ok(Some(path)) = &config.audit_file
        && let Err(error) = files::check_appendable(path)
    {
        let location = file_location(path, "server.audit.file");
        let text = format!("cannot be written: {error}; give the server write access");
        found.push(unusable_file(location, &text));
    }
    // An error about the pair in the state directory has the same cause and is already reported.
    let is_state_dir = |finding: &Diagnostic| {
        finding.severity == Severity::Error && &*finding.location.entry == "server.stateDir"
    };
    if let Ok(folder) = &config.state_dir
        && !found.iter().any(is_state_dir)
        && let Err(error) = check_state_dir(folder)
    {
        let text = format!(
            "no control socket, so `get mappings` does not work: {error}; give the server write access, or change `server.stateDir`"
        );
        let location = file_location(folder, "server.stateDir");
        found.push(Diagnostic::new(
            DiagnosticCode::UnusableFile,
            Severity::Warning,
            location,
            &text,
        ));
    }
}

/// Checks that the lock and the control socket can be created in the state directory. If its pair exists, a server
/// also runs without them.
fn check_state_dir(folder: &Path) -> io::Result<()> {
    files::check_lockable(folder)?;
    let socket = folder.join(SOCKET_NAME);
    // Fails if the path is too long: the limit is about a hundred bytes.
    SocketAddr::from_pathname(&socket)?;
    if socket.is_dir() {
        let text = format!("`{}` is a folder", socket.display());
        return Err(io::Error::other(text));
    }
    Ok(())
}
