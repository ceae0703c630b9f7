//! The time since boot of a program under test, which the test can advance without waiting.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The source of a library that replaces `clock_gettime` of the C library.
const SHIM: &str = include_str!("uptime.c");
/// The environment variable with the path of the file that the library reads.
const AHEAD: &str = "ACK_RAM_UPTIME_AHEAD";

/// The time since boot of programs that run with this [`environment`](Self::environment).
#[derive(Debug)]
pub struct MovedUptime {
    library: PathBuf,
    ahead: PathBuf,
    moved: Duration,
}

impl MovedUptime {
    /// Compiles the library in `folder`.
    ///
    /// # Errors
    /// If there is no C compiler, or the folder cannot be written.
    pub fn start(folder: &Path) -> io::Result<Self> {
        let source = folder.join("uptime.c");
        let uptime = Self {
            library: folder.join("uptime.so"),
            ahead: folder.join("uptime-ahead"),
            moved: Duration::ZERO,
        };
        fs::write(&source, SHIM)?;
        fs::write(&uptime.ahead, "0")?;
        let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
        let compiled = Command::new(compiler)
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&uptime.library, &source])
            .status()?;
        if !compiled.success() {
            return Err(io::Error::other(format!(
                "the C compiler failed: {compiled}"
            )));
        }
        Ok(uptime)
    }

    /// Returns the environment variables for the programs.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("LD_PRELOAD", self.library.clone()),
            (AHEAD, self.ahead.clone()),
        ]
    }

    /// Advances the time by `by`, also for running programs.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn advance(&mut self, by: Duration) -> io::Result<()> {
        self.moved += by;
        // The rename is atomic: a program never reads a partial file.
        let new = self.ahead.with_extension("new");
        fs::write(&new, self.moved.as_secs().to_string())?;
        fs::rename(new, &self.ahead)
    }
}
