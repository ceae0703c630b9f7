//! Filters that select mutants: arguments and regular expressions.

use std::path::Path;

use crate::failure::Failure;

/// Returns the arguments that select files and folders.
pub fn file_filters<P: AsRef<str>>(
    root: &Path,
    paths: impl IntoIterator<Item = P>,
) -> Result<Vec<String>, Failure> {
    let filter = |path: P| {
        let path = path.as_ref().trim_end_matches('/');
        let place = root.join(path);
        if place.is_dir() {
            Ok(format!("--file={path}/**"))
        } else if place.is_file() {
            Ok(format!("--file={path}"))
        } else {
            Err(Failure::Check(format!("no such file or folder: `{path}`")))
        }
    };
    paths.into_iter().map(filter).collect()
}

/// Returns the regular expression for the names of mutants in functions whose path ends with `function`.
pub fn function_filter(function: &str) -> String {
    // `replace f -> T with x` changes the whole function, `replace > with < in f` a part of it.
    format!("(replace |in |::){}( ->| with |$)", escape(function))
}

/// Escapes the metacharacters of regular expressions.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{escape, file_filters, function_filter};

    #[test]
    fn folder_selects_all_files_below_it() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
        let filters = file_filters(root, ["core/src/rules/", "core/src/login.rs"]).unwrap();
        assert_eq!(
            filters,
            ["--file=core/src/rules/**", "--file=core/src/login.rs"]
        );
        assert!(file_filters(root, ["core/src/absent"]).is_err());
    }

    #[test]
    fn names_are_escaped_in_filters() {
        for (name, expected) in [
            ("replace && with ||", r"replace && with \|\|"),
            ("-> Result<Vec<u8>, E>", "-> Result<Vec<u8>, E>"),
            ("vec![]", r"vec!\[\]"),
        ] {
            assert_eq!(escape(name), expected);
        }
        assert_eq!(
            function_filter("AwaitingSts::resume"),
            "(replace |in |::)AwaitingSts::resume( ->| with |$)"
        );
    }
}
