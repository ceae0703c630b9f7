//! Where the server writes, and whether it can.

use std::io;
use std::os::unix::net::SocketAddr;
use std::path::Path;

use ack_ram_core::lint::{Code, Finding, Severity};

use crate::cli::check::{in_file, unusable};
use crate::cli::findings;
use crate::config::Needs;
use crate::files;
use crate::kubeconfig::KubeconfigError;
use crate::server::control::SOCKET;

/// Adds what the server could not write. Nothing is written.
pub(super) fn check(needs: &Needs, found: &mut Vec<Finding>) {
    if let Some(path) = &needs.generate_kubeconfig
        && let Err(source) = files::check_writable(path)
    {
        let position = in_file(path, "server.generateKubeconfig");
        let path = path.clone();
        found.push(unusable(position, &KubeconfigError { path, source }));
    }
    if let Some(path) = &needs.audit_file
        && let Err(error) = files::check_appendable(path)
    {
        let position = in_file(path, "server.audit.file");
        let text = format!("cannot be written: {error}; let the server write there");
        found.push(unusable(position, &text));
    }
    // A pair that cannot be read or made is worse, and was found before.
    let is_state_dir = |finding: &Finding| {
        finding.severity == Severity::Error && finding.position.entry == "server.stateDir"
    };
    if let Some(folder) = &needs.state_dir
        && !found.iter().any(is_state_dir)
        && let Err(error) = state_dir(folder)
    {
        let text = format!(
            "no control socket, so `get mappings` cannot ask this server: {error}; let the server write there, or set another `server.stateDir`"
        );
        let position = in_file(folder, "server.stateDir");
        found.push(findings::remark(
            Code::UnusableFile,
            Severity::Warning,
            position,
            &text,
        ));
    }
}

/// The lock and the control socket in the state directory. Without them the server runs if its pair is there.
fn state_dir(folder: &Path) -> io::Result<()> {
    files::check_lockable(folder)?;
    let socket = folder.join(SOCKET);
    // The path of a socket has room for about a hundred bytes.
    SocketAddr::from_pathname(&socket)?;
    if socket.is_dir() {
        let text = format!("`{}` is a folder", socket.display());
        return Err(io::Error::other(text));
    }
    Ok(())
}
