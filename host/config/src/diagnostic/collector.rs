//! Collection of the diagnostics of a configuration. Loading reports the first error, `lint` and `--check` report all.

use super::Diagnostic;

/// The errors and the warnings of a configuration.
#[derive(Debug, Default)]
pub struct Diagnostics {
    /// Errors that make the configuration unusable, in reading order.
    pub errors: Vec<Diagnostic>,
    /// Warnings, with which the configuration is still usable.
    pub warnings: Vec<Diagnostic>,
}

/// A part of a configuration, or its first error. The error is also recorded in [`Diagnostics::errors`].
pub type Part<T> = Result<T, Diagnostic>;

impl Diagnostics {
    /// Records the error of `read`, if it is one, and returns `read`.
    pub(crate) fn record<T>(&mut self, read: Result<T, Diagnostic>) -> Part<T> {
        read.inspect_err(|error| self.errors.push(error.clone()))
    }

    /// Returns the error that loading reports.
    #[must_use]
    pub fn first_error(self) -> Option<Diagnostic> {
        self.errors.into_iter().next()
    }
}
