//! A real headless Chromium, driven by the DevTools protocol.
//!
//! The protocol runs over two named pipes, so no port is open. When the pipes close, the browser exits.

mod connection;
mod page;

pub use page::{Page, Size};

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;
use tempfile::TempDir;

use self::connection::DevToolsConnection;
use crate::process::Process;
use crate::tools::CHROMIUM;

/// A running browser with its own profile. Dropping it stops the browser.
pub struct Browser {
    connection: Arc<DevToolsConnection>,
    _process: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser that sends no requests of its own.
    ///
    /// # Panics
    /// If Chromium is missing or does not start.
    pub fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder for the profile");
        let (commands, answers) = (
            profile.path().join("commands"),
            profile.path().join("answers"),
        );
        for pipe in [&commands, &answers] {
            mkfifo(pipe, Mode::S_IRUSR | Mode::S_IWUSR).expect("a named pipe");
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec 3<\"$1\" 4>\"$2\"; shift 2; exec \"$@\"", "sh"])
            .args([&commands, &answers])
            .arg(CHROMIUM.path())
            .args([
                "--headless",
                "--remote-debugging-pipe",
                // Chromium's sandbox does not run as root, and containers have no room in /dev/shm.
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--lang=en-US",
            ])
            .arg(format!(
                "--user-data-dir={}",
                profile.path().join("profile").display()
            ))
            .arg("about:blank");
        let process = Process::spawn("chromium", command).expect("chromium starts");
        let connection = connect(&commands, &answers).expect("pipes to chromium");
        Self {
            connection: Arc::new(connection),
            _process: process,
            _profile: profile,
        }
    }

    /// Opens a page in a context of its own: the page shares no storage with other pages.
    pub fn page(&self) -> Page {
        let context = self
            .connection
            .call(None, "Target.createBrowserContext", json!({}));
        let target = self.connection.call(
            None,
            "Target.createTarget",
            json!({ "url": "about:blank", "browserContextId": context["browserContextId"] }),
        );
        let attached = self.connection.call(
            None,
            "Target.attachToTarget",
            json!({ "targetId": target["targetId"], "flatten": true }),
        );
        let session = attached["sessionId"].as_str().expect("a session");
        Page::new(Arc::clone(&self.connection), session.to_owned())
    }
}

/// Connects to the pipes. Each side of a pipe waits for the other, so the order is that of the shell.
fn connect(commands: &Path, answers: &Path) -> io::Result<DevToolsConnection> {
    let commands = OpenOptions::new().write(true).open(commands)?;
    let answers = OpenOptions::new().read(true).open(answers)?;
    Ok(DevToolsConnection::new(commands, answers))
}
