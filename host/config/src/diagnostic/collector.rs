//! The collector of what is wrong while a configuration is read. Loading takes the first error, `lint` and `--check` all.

use super::Diagnostic;

/// The errors and the warnings of a configuration.
#[derive(Debug, Default)]
pub struct Diagnostics {
    /// Why the configuration cannot be used, in the order of reading.
    pub errors: Vec<Diagnostic>,
    /// What is odd, but no reason to stop.
    pub warnings: Vec<Diagnostic>,
}

/// A part of a configuration; or the first reason why it cannot be used, which the collector has, too.
pub type Part<T> = Result<T, Diagnostic>;

impl Diagnostics {
    /// Records why `read` cannot be used.
    pub(crate) fn record<T>(&mut self, read: Result<T, Diagnostic>) -> Part<T> {
        read.inspect_err(|error| self.errors.push(error.clone()))
    }

    /// Returns the error that loading reports.
    #[must_use]
    pub fn first_error(self) -> Option<Diagnostic> {
        self.errors.into_iter().next()
    }
}
