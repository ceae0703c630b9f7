//! The time since boot of a program under test, which the test moves ahead: what the program takes for the past has no
//! need to go by.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Reads the clock in place of the C library.
const SHIM: &str = include_str!("uptime.c");
/// Names the file that the shim reads.
const AHEAD: &str = "ACK_RAM_UPTIME_AHEAD";

/// Time since boot, as those programs have it that get its [`environment`](Self::environment).
#[derive(Debug)]
pub struct MovedUptime {
    library: PathBuf,
    ahead: PathBuf,
    moved: Duration,
}

impl MovedUptime {
    /// Compiles, into `folder`, what reads the clock.
    ///
    /// # Errors
    /// There is no C compiler, or the folder cannot be written.
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

    /// What a program needs in its environment.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [
            ("LD_PRELOAD", self.library.clone()),
            (AHEAD, self.ahead.clone()),
        ]
    }

    /// Moves the time ahead by `by`, for programs that run, too.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn advance(&mut self, by: Duration) -> io::Result<()> {
        self.moved += by;
        // A program never reads half of it.
        let new = self.ahead.with_extension("new");
        fs::write(&new, self.moved.as_secs().to_string())?;
        fs::rename(new, &self.ahead)
    }
}
