//! What ran, for people.

use std::fmt::Write as _;
use std::time::Duration;

use crate::counts::Tests;
use crate::failure::Failure;

/// How a stage ended.
pub enum Verdict {
    Passed,
    Failed,
    NotRun,
}

/// One line of the summary.
pub struct Line {
    pub stage: &'static str,
    pub result: Verdict,
    pub time: Duration,
    pub tests: Option<Tests>,
}

impl Line {
    /// A stage that an earlier failure kept from running.
    pub fn not_run(stage: &'static str) -> Self {
        Self {
            stage,
            result: Verdict::NotRun,
            time: Duration::ZERO,
            tests: None,
        }
    }
}

impl From<Result<(), Failure>> for Verdict {
    fn from(ended: Result<(), Failure>) -> Self {
        if ended.is_ok() {
            Self::Passed
        } else {
            Self::Failed
        }
    }
}

/// The table, and below it, alone on the last line, the number of tests.
pub fn table(lines: &[Line]) -> String {
    let mut text = String::from("\nstage        result    time        tests\n");
    let mut total = Tests::default();
    for line in lines {
        let (result, time) = match line.result {
            Verdict::Passed => ("ok", seconds(line.time)),
            Verdict::Failed => ("FAILED", seconds(line.time)),
            Verdict::NotRun => ("NOT RUN", String::new()),
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

/// `8.3 s`, `2 m 05 s`.
pub fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{} m {:02} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Line, Verdict, seconds, table};
    use crate::counts::Tests;

    #[test]
    fn the_table_counts_and_names_what_did_not_run() {
        let tests = |passed, failed| {
            Some(Tests {
                passed,
                failed,
                ..Tests::default()
            })
        };
        let line = |stage, result, tests| Line {
            stage,
            result,
            time: Duration::from_millis(1500),
            tests,
        };
        let lines = [
            line("format", Verdict::Passed, None),
            line("tests", Verdict::Passed, tests(7, 0)),
            line("cluster", Verdict::Failed, tests(1, 2)),
            line("quickstart", Verdict::NotRun, None),
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
    fn times() {
        for (millis, expected) in [(0, "0.0 s"), (59_400, "59.4 s"), (125_000, "2 m 05 s")] {
            assert_eq!(seconds(Duration::from_millis(millis)), expected);
        }
    }
}
