//! `cargo xtask mutants`: runs cargo-mutants, which changes one place of `core` at a time, so that a test has to fail.

mod accepted;
mod filters;
mod outcomes;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::mutants::accepted::Accepted;
use crate::mutants::filters::{escape, file_filters, function_filter};
use crate::mutants::outcomes::{Mutant, Outcome, read_outcomes};
use crate::run::Runner;
use crate::tools::cargo_program::CARGO_MUTANTS;
use crate::workspace::Workspace;

/// The code that decides about logins.
const DECIDING_CODE: [&str; 14] = [
    "core/src/gateway.rs",
    "core/src/gateway",
    "core/src/login.rs",
    "core/src/protocol/acs3.rs",
    "core/src/protocol/grammar.rs",
    "core/src/protocol/json.rs",
    "core/src/protocol/percent.rs",
    "core/src/protocol/quoted.rs",
    "core/src/protocol/v1.rs",
    "core/src/protocol/v2.rs",
    "core/src/review.rs",
    "core/src/rules",
    "core/src/sts",
    "core/src/token",
];
/// The tests of `ack-ram-tests` that need no server. The fast ones come first.
const LATER_STEPS: [Step; 2] = [
    Step {
        name: "vectors",
        tests: &[
            "backends",
            "cel",
            "gateway",
            "go_differences",
            "lint",
            "logins",
            "mapping_fields",
            "signatures",
            "tokens",
        ],
    },
    Step {
        name: "properties",
        tests: &["properties"],
    },
];
/// A regular expression for the placeholder module of CEL, which is not compiled in a build with CEL, such as this one.
const NOT_COMPILED: &str = "disabled::";
/// How long the tests of a mutant may run. If they run longer, the mutant is in an endless loop.
const TEST_LIMIT: Duration = Duration::from_secs(180);
/// How long a run may take. A complete run takes hours, and the user can interrupt it.
const RUN_LIMIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The mutants to run. An empty field selects all.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    /// Files and folders.
    pub paths: &'a [String],
    /// Names of functions, such as `AwaitingSts::resume`.
    pub functions: &'a [String],
    /// One part of the mutants, counted from 0: `0/8` to `7/8`.
    pub shard: Option<&'a str>,
}

/// Tests of `ack-ram-tests` that run together.
struct Step {
    name: &'static str,
    tests: &'static [&'static str],
}

/// Runs the selected mutants, prints their outcomes, and fails if a mutant survives that is not accepted.
///
/// The unit tests of `core`, which build in seconds, run first. Only the mutants that survive them get the next tests.
pub fn run(
    workspace: &Workspace,
    runner: &Runner,
    selection: Selection<'_>,
) -> Result<(), Failure> {
    let accepted = Accepted::read_list(&workspace.root)?;
    let lab = Lab::new(workspace, runner, selection)?;
    let mut mutants = lab.run_unit_tests(selection)?;
    if mutants.is_empty() {
        return Err(Failure::Check("no mutants selected".to_owned()));
    }
    for step in &LATER_STEPS {
        let (survivors, others): (Vec<_>, Vec<_>) = mutants
            .into_iter()
            .partition(|mutant| mutant.outcome == Outcome::Survived);
        mutants = others;
        if !survivors.is_empty() {
            mutants.extend(lab.run_integration_tests(step, &survivors)?);
        }
    }
    let verdict = accepted.compare(&mutants);
    println!("{verdict}");
    verdict.into_result()
}

/// A folder with a copy of the sources to change, its build, and the reports of cargo-mutants.
struct Lab<'a> {
    runner: &'a Runner,
    root: &'a Path,
    /// The start of the names of logs.
    name: String,
    folder: PathBuf,
}

impl<'a> Lab<'a> {
    /// Copies the sources. Each shard has its own lab, so that shards can run at the same time.
    fn new(
        workspace: &'a Workspace,
        runner: &'a Runner,
        selection: Selection<'_>,
    ) -> Result<Self, Failure> {
        let mut folder = workspace.target.join("mutants");
        let mut name = "mutants".to_owned();
        if let Some(shard) = selection.shard {
            let shard = shard.replace('/', "-of-");
            folder.push(format!("shard-{shard}"));
            name = format!("{name} {shard}");
        }
        let root = &workspace.root;
        tree::copy_sources(root, &folder.join("tree"))?;
        Ok(Self {
            runner,
            root,
            name,
            folder,
        })
    }

    fn run_unit_tests(&self, selection: Selection<'_>) -> Result<Vec<Mutant>, Failure> {
        let mut command = self.command("core")?;
        if selection.paths.is_empty() {
            command.args(file_filters(self.root, DECIDING_CODE)?);
        } else {
            command.args(file_filters(self.root, selection.paths)?);
        }
        for function in selection.functions {
            command.arg("--re").arg(function_filter(function));
        }
        if let Some(shard) = selection.shard {
            command.args(["--shard", shard]);
        }
        // The feature `lint` is off, because its unit tests take longer than all others.
        command.args(["--features=cel", "--cargo-arg=--lib"]);
        self.run("core", command)
    }

    fn run_integration_tests(
        &self,
        step: &Step,
        survivors: &[Mutant],
    ) -> Result<Vec<Mutant>, Failure> {
        let (count, name) = (survivors.len(), step.name);
        eprintln!("      {count} mutants remain for `{name}`");
        let tests = step.tests.iter().map(|test| format!("--test={test}"));
        // cargo-mutants looks for the tests of the baseline in the package that it changes, so the baseline runs here.
        let mut unchanged = cargo(&["test", "--package=ack-ram-tests"]);
        unchanged.args(tests.clone()).current_dir(self.tree());
        self.set_profile(&mut unchanged);
        self.runner
            .run(&format!("{} {name} unchanged", self.name), unchanged)?;

        let mut command = self.command(name)?;
        command.args(["--baseline=skip", "--test-package=ack-ram-tests"]);
        command.args(tests.map(|test| format!("--cargo-arg={test}")));
        let files: BTreeSet<_> = survivors.iter().map(|mutant| &mutant.file).collect();
        command.args(files.iter().map(|file| format!("--file={file}")));
        for Mutant { name, .. } in survivors {
            command.arg("--re").arg(format!("^{}$", escape(name)));
        }
        let mut mutants = self.run(name, command)?;
        // cargo-mutants 27.1.0 does not apply `--re` to mutants that delete a field.
        let names: BTreeSet<_> = survivors.iter().map(|mutant| &mutant.name).collect();
        mutants.retain(|mutant| names.contains(&mutant.name));
        Ok(mutants)
    }

    /// Returns the folder of the sources.
    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Builds a command of cargo-mutants that writes its report to the folder `step`.
    fn command(&self, step: &str) -> Result<Command, Failure> {
        let output = self.folder.join(step);
        fs::create_dir_all(&output).map_err(Failure::io(output.display().to_string()))?;
        let mut command = CARGO_MUTANTS.command(self.runner)?;
        command
            // Cargo passes this argument to its subcommands.
            .arg("mutants")
            .args(["--in-place", "--no-config", "--package=ack-ram-core"])
            .arg("--dir")
            .arg(self.tree())
            .arg("--output")
            .arg(output)
            .arg(format!("--timeout={}", TEST_LIMIT.as_secs()))
            .args(["--exclude-re", NOT_COMPILED])
            // A line for each result shows the progress.
            .args(["--caught", "--unviable"])
            .args(["--colors=never", "--annotations=none"]);
        self.set_profile(&mut command);
        Ok(command)
    }

    /// Sets the profile that makes the build of a mutant fast.
    fn set_profile(&self, command: &mut Command) {
        command
            .env("CARGO_TARGET_DIR", self.folder.join("build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_PROFILE_TEST_DEBUG", "false")
            // Overrides a setting that disables incremental builds. Without them, each mutant compiles all of `core`.
            .env("CARGO_INCREMENTAL", "1");
    }

    fn run(&self, step: &str, command: Command) -> Result<Vec<Mutant>, Failure> {
        let name = format!("{} {step}", self.name);
        let finished = self.runner.attempt(RUN_LIMIT, &name, command)?;
        // Exit code 2: some mutants survive. 3: some mutants time out.
        if !matches!(finished.status.code(), Some(0 | 2 | 3)) {
            eprint!("{}", finished.output);
            return finished.into_success().map(|_| Vec::new());
        }
        read_outcomes(&self.folder.join(step).join("mutants.out/outcomes.json"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{DECIDING_CODE, LATER_STEPS, file_filters};

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    #[test]
    fn selected_code_and_tests_exist() {
        file_filters(root(), DECIDING_CODE).unwrap();
        for test in LATER_STEPS.iter().flat_map(|step| step.tests) {
            let tests = root().join("tests/tests");
            let file = tests.join(format!("{test}.rs"));
            assert!(
                file.is_file() || tests.join(test).join("main.rs").is_file(),
                "{test}"
            );
        }
    }
}
