//! Transcripts of commands and their output, as a user sees them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;

use crate::program::{CommandRun, TestFolder};

/// Patterns for text that differs from run to run in the output of any command.
static VOLATILE: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let patterns = [
        (
            "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z",
            "<time>",
        ),
        ("uid [0-9]+", "uid <uid>"),
    ];
    patterns
        .map(|(pattern, placeholder)| (Regex::new(pattern).unwrap(), placeholder))
        .into()
});

/// Text that passwords and tokens in the input of commands contain.
const SECRET_MARKS: [&str; 2] = ["SECRET", "CANARY"];

/// A transcript of commands. Placeholders replace text that differs from run to run.
pub(crate) struct Transcript {
    text: String,
    secrets: Vec<(String, String)>,
    placeholders: Vec<(String, String)>,
    patterns: Vec<(Regex, String)>,
}

impl Transcript {
    pub(crate) fn new() -> Self {
        Self {
            text: String::new(),
            secrets: Vec::new(),
            placeholders: Vec::new(),
            patterns: Vec::new(),
        }
    }

    /// Shows `placeholder` wherever `value` is printed from now on.
    pub(crate) fn replace(&mut self, value: &str, placeholder: &str) {
        let pair = (value.to_owned(), placeholder.to_owned());
        self.placeholders.push(pair);
        // Replaces the longest value first, since a port may be part of a longer number.
        self.placeholders
            .sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    }

    /// Shows `placeholder` in place of `secret` in command lines from now on. Commands must not print the secret.
    pub(crate) fn hide_secret(&mut self, secret: &str, placeholder: &str) {
        let pair = (secret.to_owned(), placeholder.to_owned());
        self.secrets.push(pair);
    }

    /// Shows `placeholder` wherever `pattern` matches from now on.
    pub(crate) fn hide(&mut self, pattern: &str, placeholder: &str) {
        let pattern = Regex::new(pattern).unwrap();
        self.patterns.push((pattern, placeholder.to_owned()));
    }

    /// Starts a new case with a heading.
    pub(crate) fn heading(&mut self, title: &str) {
        let _ = writeln!(self.text, "## {title}");
    }

    /// Shows the text of a file that the commands read.
    pub(crate) fn file(&mut self, name: &str, text: &str) {
        let text = self.stable(text);
        let _ = writeln!(self.text, "# {name}:");
        for line in text.lines() {
            let line = format!("| {}", escaped(line));
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    /// Runs the program, and shows the command and its output.
    pub(crate) fn run(
        &mut self,
        folder: &TestFolder,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> CommandRun {
        self.run_with_input(folder, args, env, "")
    }

    pub(crate) fn run_with_input(
        &mut self,
        folder: &TestFolder,
        args: &[&str],
        env: &[(&str, &str)],
        input: &str,
    ) -> CommandRun {
        self.command(args, env);
        let run = folder.run_with_input(args, env, input);
        self.replace(&folder.path().display().to_string(), "<folder>");
        self.outcome(&run);
        run
    }

    fn command(&mut self, args: &[&str], env: &[(&str, &str)]) {
        let variables = env
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted(value)));
        let words = args.iter().map(|word| quoted(word));
        let line: Vec<String> = variables
            .chain(["ack-ram-authenticator".to_owned()])
            .chain(words)
            .collect();
        let mut line = line.join(" ");
        for (secret, placeholder) in &self.secrets {
            line = line.replace(secret, placeholder);
        }
        let line = self.stable(&line);
        let _ = writeln!(self.text, "$ {line}");
    }

    fn outcome(&mut self, run: &CommandRun) {
        for (name, stream) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            self.stream(name, stream);
        }
        let code = run.code.unwrap();
        let _ = writeln!(self.text, "[exit code {code}]\n");
    }

    /// Shows the text of the stream `name`.
    pub(crate) fn stream(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.refuse_secrets(text);
        let text = self.stable(text);
        let _ = writeln!(self.text, "[{name}]");
        for line in text.split_inclusive('\n') {
            let line = line.strip_suffix('\n').unwrap_or(line);
            let indent = if line.is_empty() { "" } else { "  " };
            let _ = writeln!(self.text, "{indent}{}", escaped(line));
        }
        if !text.ends_with('\n') {
            self.text.push_str("[no line break at the end]\n");
        }
    }

    /// Panics if a command prints a secret, so that nobody can accept a snapshot with a secret.
    fn refuse_secrets(&self, printed: &str) {
        // The names of variables contain `SECRET`.
        let printed = printed
            .replace("ACCESS_KEY_SECRET", "")
            .replace("SECRET_KEY", "");
        let secrets = self.secrets.iter().map(|(secret, _)| secret.as_str());
        for secret in SECRET_MARKS.into_iter().chain(secrets) {
            assert!(!printed.contains(secret), "a secret is printed: {printed}");
        }
    }

    /// Replaces text that differs from run to run with placeholders.
    fn stable(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // Replaces times before ports, whose digits may be part of a time.
        for (pattern, placeholder) in VOLATILE.iter() {
            text = pattern.replace_all(&text, *placeholder).into_owned();
        }
        for (value, placeholder) in &self.placeholders {
            text = text.replace(value, placeholder);
        }
        for (pattern, placeholder) in &self.patterns {
            text = pattern.replace_all(&text, placeholder).into_owned();
        }
        text
    }

    /// Compares the transcript with the snapshot `name`.
    #[track_caller]
    pub(crate) fn check(self, name: &str) {
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(".");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.text));
    }
}

/// Returns the word with quotes if a shell needs them.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+<>".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", escaped(word))
    }
}

/// Escapes control characters and characters outside ASCII.
fn escaped(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    for character in line.chars() {
        if character.is_ascii_graphic() || character == ' ' {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    shown
}
