//! Where the server writes, and whether it can.

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use crate::cli::commands::server::check::{file_location, unusable_file};
use crate::config::{Diagnostic, DiagnosticCode, PartialConfig, Severity};
use crate::control::protocol::SOCKET_NAME;
use crate::files;
use crate::kubeconfig::KubeconfigError;

/// Adds what the server could not write. Nothing is written.
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
        let text = format!("cannot be written: {error}; let the server write there");
        found.push(unusable_file(location, &text));
    }
    // A pair that cannot be read or made is worse, and was found before.
    let is_state_dir = |finding: &Diagnostic| {
        finding.severity == Severity::Error && &*finding.location.entry == "server.stateDir"
    };
    if let Ok(folder) = &config.state_dir
        && !found.iter().any(is_state_dir)
        && let Err(error) = check_state_dir(folder)
    {
        let text = format!(
            "no control socket, so `get mappings` cannot ask this server: {error}; let the server write there, or set another `server.stateDir`"
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

/// The lock and the control socket in the state directory. Without them the server runs if its pair is there.
fn check_state_dir(folder: &Path) -> io::Result<()> {
    files::check_lockable(folder)?;
    let socket = folder.join(SOCKET_NAME);
    // The path of a socket has room for about a hundred bytes.
    SocketAddr::from_pathname(&socket)?;
    if socket.is_dir() {
        let text = format!("`{}` is a folder", socket.display());
        return Err(io::Error::other(text));
    }
    Ok(())
}
