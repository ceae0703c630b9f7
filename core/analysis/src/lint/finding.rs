//! The findings of lint, which are those of the configuration.

pub use ack_ram_config::diagnostic::{Finding, FindingCode, Position, Severity};

/// Collects the findings about one position.
pub(super) struct FindingSink<'a> {
    position: &'a Position,
    findings: &'a mut Vec<Finding>,
}

impl<'a> FindingSink<'a> {
    pub(super) fn new(position: &'a Position, findings: &'a mut Vec<Finding>) -> Self {
        Self { position, findings }
    }

    pub(super) fn add(
        &mut self,
        code: FindingCode,
        severity: Severity,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let finding = Finding::new(code, severity, self.position, message, advice);
        self.findings.push(finding);
    }
}
