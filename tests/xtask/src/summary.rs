//! The summary of `cargo xtask test`.

use std::fmt::Write as _;
use std::time::Duration;

use crate::counts::TestCounts;
use crate::failure::Failure;

/// The result of a stage.
pub enum StageResult {
    Passed,
    Failed,
    NotRun,
}

/// A line of the summary.
pub struct SummaryLine {
    /// The name of the stage.
    pub stage: &'static str,
    /// Its result.
    pub result: StageResult,
    /// How long it took.
    pub time: Duration,
    /// The numbers of its tests; `None` if it runs no tests.
    pub tests: Option<TestCounts>,
}

impl SummaryLine {
    /// Returns the line of a stage that did not run because of an earlier failure.
    pub fn not_run(stage: &'static str) -> Self {
        Self {
            stage,
            result: StageResult::NotRun,
            time: Duration::ZERO,
            tests: None,
        }
    }
}

impl From<Result<(), Failure>> for StageResult {
    fn from(ended: Result<(), Failure>) -> Self {
        if ended.is_ok() {
            Self::Passed
        } else {
            Self::Failed
        }
    }
}

/// Returns the table, and the number of tests on the last line.
pub fn table(lines: &[SummaryLine]) -> String {
    let mut text = String::from("\nstage        result    time        tests\n");
    let mut total = TestCounts::default();
    for line in lines {
        let (result, time) = match line.result {
            StageResult::Passed => ("ok", seconds(line.time)),
            StageResult::Failed => ("FAILED", seconds(line.time)),
            StageResult::NotRun => ("NOT RUN", String::new()),
        };
        let mut row = format!("{:<12} {result:<9} {time:<11}", line.stage);
        if let Some(tests) = &line.tests {
            let _ = write!(row, " {}", tests.passed + tests.failed);
            total += tests;
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    let _ = write!(text, "\n{} passed, {} failed", total.passed, total.failed);
    text
}

/// Formats a duration, such as `8.3 s` or `2 m 05 s`.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{} m {:02} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{StageResult, SummaryLine, seconds, table};
    use crate::counts::TestCounts;

    #[test]
    fn table_counts_tests_and_names_skipped_stages() {
        let tests = |passed, failed| {
            Some(TestCounts {
                passed,
                failed,
                ..TestCounts::default()
            })
        };
        let line = |stage, result, tests| SummaryLine {
            stage,
            result,
            time: Duration::from_millis(1500),
            tests,
        };
        let lines = [
            line("format", StageResult::Passed, None),
            line("tests", StageResult::Passed, tests(7, 0)),
            line("cluster", StageResult::Failed, tests(1, 2)),
            line("quickstart", StageResult::NotRun, None),
        ];
        let expected = "
stage        result    time        tests
format       ok        1.5 s
tests        ok        1.5 s       7
cluster      FAILED    1.5 s       3
quickstart   NOT RUN

8 passed, 2 failed";
        assert_eq!(table(&lines), expected);
    }

    #[test]
    fn seconds_are_formatted() {
        for (millis, expected) in [(0, "0.0 s"), (59_400, "59.4 s"), (125_000, "2 m 05 s")] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected);
        }
    }
}
