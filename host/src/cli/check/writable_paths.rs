//! Where the server writes, and whether it can.

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use ack_ram_analysis::lint::{Finding, FindingCode, Severity};

use crate::cli::check::{file_position, unusable_file};
use crate::cli::findings;
use crate::config::Requirements;
use crate::files;
use crate::kubeconfig::KubeconfigError;
use crate::server::control::SOCKET_NAME;

/// Adds what the server could not write. Nothing is written.
pub(super) fn check_writable_paths(requirements: &Requirements, found: &mut Vec<Finding>) {
    if let Some(path) = &requirements.generate_kubeconfig
        && let Err(source) = files::check_writable(path)
    {
        let position = file_position(path, "server.generateKubeconfig");
        let path = path.clone();
        found.push(unusable_file(position, &KubeconfigError { path, source }));
    }
    if let Some(path) = &requirements.audit_file
        && let Err(error) = files::check_appendable(path)
    {
        let position = file_position(path, "server.audit.file");
        let text = format!("cannot be written: {error}; let the server write there");
        found.push(unusable_file(position, &text));
    }
    // A pair that cannot be read or made is worse, and was found before.
    let is_state_dir = |finding: &Finding| {
        finding.severity == Severity::Error && finding.position.entry == "server.stateDir"
    };
    if let Some(folder) = &requirements.state_dir
        && !found.iter().any(is_state_dir)
        && let Err(error) = check_state_dir(folder)
    {
        let text = format!(
            "no control socket, so `get mappings` cannot ask this server: {error}; let the server write there, or set another `server.stateDir`"
        );
        let position = file_position(folder, "server.stateDir");
        found.push(findings::finding_from_text(
            FindingCode::UnusableFile,
            Severity::Warning,
            position,
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
