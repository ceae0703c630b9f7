//! The numbers of tests that `cargo test` reports.

use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestCounts {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that did not run.
    pub skipped: usize,
    /// Integration test files in which no test ran.
    pub empty: Vec<String>,
}

impl TestCounts {
    /// Sums up the reports in the output of `cargo test`.
    pub fn parse(output: &str) -> Self {
        let mut tests = Self::default();
        let mut file = None;
        for line in output.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("Running ") {
                file = rest.split_whitespace().next();
            } else if line.starts_with("Doc-tests ") {
                file = None;
            } else if let Some(result) = line.strip_prefix("test result: ") {
                let report = TestReport::parse(result);
                tests.passed += report.passed;
                tests.failed += report.failed;
                tests.skipped += report.skipped;
                let ran = report.passed + report.failed;
                // Cargo prints `tests/x.rs` for integration tests, and `unittests src/...` for unit tests.
                tests.empty.extend(
                    file.filter(|name| ran == 0 && name.starts_with("tests/"))
                        .map(str::to_owned),
                );
            }
        }
        tests
    }
}

impl AddAssign<&TestCounts> for TestCounts {
    fn add_assign(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.empty.extend_from_slice(&other.empty);
    }
}

#[derive(Default)]
struct TestReport {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl TestReport {
    /// Parses `ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
    fn parse(result: &str) -> Self {
        let mut report = Self::default();
        let counts = result.split_once(". ").map_or("", |(_, counts)| counts);
        for part in counts.split("; ") {
            let Some((number, kind)) = part.split_once(' ') else {
                continue;
            };
            let number = number.parse().unwrap_or_default();
            match kind {
                "passed" => report.passed = number,
                "failed" => report.failed = number,
                "ignored" | "filtered out" => report.skipped += number,
                _ => {}
            }
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::TestCounts;

    #[track_caller]
    fn check(output: &str, passed: usize, failed: usize, skipped: usize, empty: &[&str]) {
        let expected = TestCounts {
            passed,
            failed,
            skipped,
            empty: empty.iter().map(|&name| name.to_owned()).collect(),
        };
        assert_eq!(TestCounts::parse(output), expected, "{output}");
    }

    #[test]
    fn cargo_test_report_has_expected_counts() {
        let rest = "0 measured; 0 filtered out; finished in 0.01s";
        check("", 0, 0, 0, &[]);
        check("error: could not compile `x`", 0, 0, 0, &[]);
        check(
            &format!("test result: ok. 3 passed; 0 failed; 0 ignored; {rest}"),
            3,
            0,
            0,
            &[],
        );
        check(
            &format!(
                "     Running unittests src/lib.rs (target/debug/deps/x-1)\n\n\
                 test result: ok. 0 passed; 0 failed; 0 ignored; {rest}\n\
                 \x20    Running tests/y.rs (target/debug/deps/y-1)\n\n\
                 test result: FAILED. 4 passed; 1 failed; 2 ignored; {rest}\n\
                 \x20    Running tests/z.rs (target/debug/deps/z-1)\n\n\
                 test result: ok. 0 passed; 0 failed; 0 ignored; {rest}\n\
                 \x20  Doc-tests x\n\n\
                 test result: ok. 0 passed; 0 failed; 0 ignored; {rest}"
            ),
            4,
            1,
            2,
            &["tests/z.rs"],
        );
    }
}
