//! Manual pages, rendered from the definition of the command line.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// The page of a command.
pub(super) struct ManualPage {
    /// The names of the command, without the name of the program.
    pub(super) command: Vec<String>,
    /// The name of the file, such as `ack-ram-authenticator-token.1`.
    pub(super) file_name: String,
    /// The page in the language of roff.
    pub(super) text: String,
}

/// Renders the pages of `program` and of all its commands that are not hidden.
pub(super) fn all(program: Command) -> io::Result<Vec<ManualPage>> {
    // `help` repeats the other pages.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    add(&program, &program, &[], &mut pages)?;
    Ok(pages)
}

fn add(
    program: &Command,
    command: &Command,
    names: &[String],
    pages: &mut Vec<ManualPage>,
) -> io::Result<()> {
    pages.push(render(program, command, names)?);
    let shown = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set());
    for inner in shown {
        let names = [names, &[inner.get_name().to_owned()]].concat();
        add(program, inner, &names, pages)?;
    }
    Ok(())
}

fn render(program: &Command, command: &Command, names: &[String]) -> io::Result<ManualPage> {
    let name = program.get_name();
    let version = program.get_version().unwrap_or_default();
    let page = Man::new(command.clone())
        .source(format!("{name} {version}"))
        .manual("User Commands");
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    if command
        .get_arguments()
        .any(|argument| !argument.is_hide_set())
    {
        page.render_options_section(&mut text)?;
    }
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    let mut rest = Roff::new();
    if let Some(help) = command.get_after_long_help() {
        add_sections(&help.to_string(), &mut rest);
    }
    if !names.is_empty() {
        rest.control("SH", ["SEE ALSO"]);
        rest.text([bold(name), roman("(1)")]);
    }
    rest.to_writer(&mut text)?;
    Ok(ManualPage {
        command: names.to_vec(),
        file_name: page.get_filename(),
        text: String::from_utf8(text).map_err(io::Error::other)?,
    })
}

/// Adds the text after the options. A line such as `Examples:` starts a section, and indented lines keep their breaks.
fn add_sections(help: &str, page: &mut Roff) {
    let mut is_verbatim = false;
    for line in help.lines() {
        let is_indented = line.starts_with(' ');
        if is_verbatim && !is_indented && !line.is_empty() {
            page.control("fi", []);
            is_verbatim = false;
        }
        match line.strip_suffix(':') {
            _ if is_indented && !is_verbatim => {
                page.control("nf", []);
                page.text([roman(line)]);
                is_verbatim = true;
            }
            _ if is_verbatim => {
                page.text([roman(line)]);
            }
            Some(title) => {
                page.control("SH", [title.to_uppercase().as_str()]);
            }
            None if line.is_empty() => {
                page.control("PP", []);
            }
            None => {
                page.text([roman(line)]);
            }
        }
    }
    if is_verbatim {
        page.control("fi", []);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cli::command_line;

    /// The requests and macros that a page uses.
    const REQUESTS: [&str; 14] = [
        "TH", "SH", "PP", "TP", "IP", "RS", "RE", "nf", "fi", "br", "ie", "el", "ds", "B",
    ];

    fn pages() -> Vec<ManualPage> {
        all(command_line::command()).unwrap()
    }

    /// Returns the lines of a page that roff would read as requests that no page uses.
    fn unexpected_requests(text: &str) -> Vec<&str> {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.retain(|line| match line.strip_prefix('.') {
            Some(request) => {
                let name = request.split(' ').next().unwrap_or_default();
                !REQUESTS.contains(&name)
            }
            None => line.starts_with('\''),
        });
        lines
    }

    /// Returns `line` of a page as a reader sees it.
    fn shown(line: &str) -> String {
        let plain = line.replace("\\&", "").replace("\\*(Aq", "'");
        plain.replace("\\-", "-").replace("\\\\", "\\")
    }

    #[test]
    fn every_command_has_a_page_with_its_name() {
        fn names(command: &Command, path: &str, found: &mut BTreeSet<String>) {
            found.insert(format!("{path}.1"));
            for inner in command.get_subcommands() {
                if !inner.is_hide_set() && inner.get_name() != "help" {
                    names(inner, &format!("{path}-{}", inner.get_name()), found);
                }
            }
        }
        let mut expected = BTreeSet::new();
        names(
            &command_line::command(),
            "ack-ram-authenticator",
            &mut expected,
        );
        assert!(expected.len() > 6, "{expected:?}");
        let pages = pages();
        let found: BTreeSet<_> = pages.iter().map(|page| page.file_name.clone()).collect();
        assert_eq!(found, expected);
        for page in &pages {
            let name = page.file_name.trim_end_matches(".1");
            let start = format!(".TH {name} 1 ");
            assert!(page.text.contains(&start), "{}", page.text);
            for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"] {
                let heading = format!("\n.SH {section}\n");
                assert!(page.text.contains(&heading), "{name}: {section}");
            }
        }
    }

    #[test]
    fn pages_have_only_known_requests() {
        for page in pages() {
            let unexpected = unexpected_requests(&page.text);
            assert!(unexpected.is_empty(), "{}: {unexpected:?}", page.file_name);
        }
    }

    #[test]
    fn text_that_starts_with_a_dot_is_not_a_request() {
        let text = ".so /etc/passwd\n'br\n\nNotes:\n  .ab stop\n  'x'\n.pm\n";
        let command = Command::new("program")
            .about(".about")
            .long_about(text)
            .arg(clap::arg!(--option <VALUE> ".option\n.second").required(true))
            .after_long_help(text);
        let pages = all(command).unwrap();
        let [page] = pages.as_slice() else {
            panic!("{} pages", pages.len());
        };
        assert_eq!(unexpected_requests(&page.text), [""; 0], "{}", page.text);
        assert!(unexpected_requests(".so x\n'br\n.PP").len() == 2);
    }

    #[test]
    fn examples_keep_their_line_breaks() {
        let mut count = 0;
        let mut program = command_line::command();
        program.build();
        for page in pages() {
            let mut command = &program;
            for name in &page.command {
                command = command.find_subcommand(name).unwrap();
            }
            let Some(help) = command.get_after_long_help() else {
                continue;
            };
            let mut is_verbatim = false;
            let mut found = Vec::new();
            for line in page.text.lines() {
                match line {
                    ".nf" => is_verbatim = true,
                    ".fi" => is_verbatim = false,
                    line if is_verbatim => found.push(shown(line)),
                    _ => {}
                }
            }
            found.retain(|line| !line.is_empty());
            let help = help.to_string();
            let expected: Vec<_> = help.lines().filter(|line| line.starts_with(' ')).collect();
            count += expected.len();
            assert_eq!(found, expected, "{}", page.file_name);
        }
        assert!(count > 20, "only {count} lines were found");
    }
}
