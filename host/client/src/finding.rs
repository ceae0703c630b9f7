//! What the client found out on its way to a token. The debug log, the texts of errors and `doctor` are views of the
//! findings. No finding contains a secret.

use serde::Serialize;

use crate::error::one_line;

/// A step on the way to a token, and its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What the finding is about.
    pub topic: Topic,
    /// How serious the finding is.
    pub level: Level,
    /// What was found: a sentence without a full stop, on one line.
    pub text: String,
    /// What to do; `None` if nothing has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The subject of a finding, in the order in which `doctor` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Topic {
    /// Which login is examined.
    Login,
    /// Environment variables.
    Environment,
    /// Files with profiles and tokens.
    Files,
    /// How the key is obtained.
    Plan,
    /// Calls to services, and processes.
    Calls,
    /// The clock of this machine.
    Clock,
    /// The token.
    Token,
    /// Entries of the cache.
    Cache,
    /// Kubeconfig files.
    Kubeconfig,
}

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// A fact.
    Note,
    /// Probably a mistake, but a login works.
    Warning,
    /// A login fails.
    Problem,
}

/// The findings so far. Each is logged when it is added: a warning as a warning, any other at the level `debug`.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a fact.
    pub fn note(&mut self, topic: Topic, text: impl Into<String>) {
        let text = one_line(&text.into());
        tracing::debug!("{text}");
        self.0.push(Finding {
            topic,
            level: Level::Note,
            text,
            remedy: None,
        });
    }

    /// Adds a probable mistake.
    pub fn warn(&mut self, topic: Topic, text: impl Into<String>, remedy: impl Into<String>) {
        let (text, remedy) = (one_line(&text.into()), one_line(&remedy.into()));
        tracing::warn!("{text}; {remedy}");
        self.0.push(Finding {
            topic,
            level: Level::Warning,
            text,
            remedy: Some(remedy),
        });
    }

    /// Adds a probable mistake that is not worth a warning at each login. `doctor` shows the finding.
    pub fn advise(&mut self, topic: Topic, text: impl Into<String>, remedy: impl Into<String>) {
        let (text, remedy) = (one_line(&text.into()), one_line(&remedy.into()));
        tracing::debug!("{text}; {remedy}");
        self.0.push(Finding {
            topic,
            level: Level::Warning,
            text,
            remedy: Some(remedy),
        });
    }

    /// Adds a reason why a login fails. The caller also returns the reason as an error, so it is not logged here.
    pub fn fail(&mut self, topic: Topic, text: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding {
            topic,
            level: Level::Problem,
            text: one_line(&text.into()),
            remedy: Some(one_line(&remedy.into())),
        });
    }

    /// Adds the findings of `other`.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Returns the findings, in the order in which they were added.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finding_about_a_name_with_line_breaks_has_one_line() {
        let mut findings = Findings::default();
        findings.note(Topic::Files, "`/a\nb` is read");
        findings.warn(Topic::Files, "`/a\rb` is read", "correct `/a\nb`");
        findings.fail(Topic::Files, "`/a\nb` is read", "correct `/a\nb`");
        for finding in findings.list() {
            assert_eq!(finding.text, "`/a b` is read");
            let remedy = finding.remedy.as_deref();
            assert!(remedy.is_none_or(|remedy| remedy == "correct `/a b`"));
        }
    }
}
