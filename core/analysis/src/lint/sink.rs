//! The collector for findings about one location.

use ack_ram_config::{Diagnostic, DiagnosticCode, Location, Severity};

/// Collects the findings about one location.
pub(super) struct DiagnosticSink<'a> {
    location: &'a Location,
    findings: &'a mut Vec<Diagnostic>,
}

impl<'a> DiagnosticSink<'a> {
    pub(super) fn new(location: &'a Location, findings: &'a mut Vec<Diagnostic>) -> Self {
        Self { location, findings }
    }

    pub(super) fn add(
        &mut self,
        code: DiagnosticCode,
        severity: Severity,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let finding = Diagnostic::from_parts(code, severity, self.location, message, help);
        self.findings.push(finding);
    }
}
