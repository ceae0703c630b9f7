//! Makes the findings fit for a public place: shortens the IDs of access keys, and the path of the home directory.

use crate::environment::Environment;
use crate::finding::Finding;
use crate::resolve::home;

/// The number of characters of an ID that is shown.
const SHOWN_CHARACTERS: usize = 8;
/// The starts of the IDs of access keys: permanent keys, and keys of sessions.
const ID_STARTS: [&str; 3] = ["LTAI", "STS.", "TMP."];

/// What is shortened in findings.
#[derive(Clone, Debug)]
pub struct Redaction {
    /// The path of the home directory, with a slash at the end.
    home: Option<String>,
}

impl Redaction {
    /// Creates the redaction for the user of this environment.
    #[must_use]
    pub fn new(environment: &Environment) -> Self {
        let home = home(environment).and_then(|home| home.to_str().map(str::to_owned));
        let home = home.filter(|home| home.trim_end_matches('/').len() > 1);
        Self {
            home: home.map(|home| format!("{}/", home.trim_end_matches('/'))),
        }
    }

    /// Returns the finding with shortened texts.
    #[must_use]
    pub fn apply(&self, finding: &Finding) -> Finding {
        Finding {
            text: self.shorten(&finding.text),
            remedy: finding.remedy.as_deref().map(|text| self.shorten(text)),
            ..finding.clone()
        }
    }

    fn shorten(&self, text: &str) -> String {
        let text = shorten_ids(text);
        match &self.home {
            Some(home) => text.replace(home, "~/"),
            None => text,
        }
    }
}

fn shorten_ids(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let mut out = String::new();
    for piece in text.split_inclusive(|c| !is_part(c)) {
        let word = piece.trim_end_matches(|c| !is_part(c));
        let rest = piece.get(word.len()..).unwrap_or_default();
        let is_id = ID_STARTS.iter().any(|start| word.starts_with(start));
        match word.get(..SHOWN_CHARACTERS) {
            Some(shown) if is_id && word.len() > SHOWN_CHARACTERS => {
                out.push_str(shown);
                out.push_str("...");
            }
            _ => out.push_str(word),
        }
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Level, Topic};

    #[test]
    fn access_key_ids_and_home_directory_are_shortened() {
        let environment = [("HOME".to_owned(), "/home/alice/".to_owned())];
        let redaction = Redaction::new(&environment.into_iter().collect());
        for (text, expected) in [
            (
                "the access key `LTAI5tFakeAccessKeyId001` from `X`",
                "the access key `LTAI5tFa...` from `X`",
            ),
            (
                "`STS.NFakeKeyOfASession01`, (LTAI5tFakeAccessKeyId001)",
                "`STS.NFak...`, (LTAI5tFa...)",
            ),
            ("LTAI5tFa LTAI", "LTAI5tFa LTAI"),
            (
                "`/home/alice/.aliyun/config.json` is read",
                "`~/.aliyun/config.json` is read",
            ),
            ("/home/alicex/a", "/home/alicex/a"),
            (
                "\u{e4}\u{f6} LTAI5tFakeAccessKeyId001",
                "\u{e4}\u{f6} LTAI5tFa...",
            ),
            ("", ""),
        ] {
            let finding = Finding {
                topic: Topic::Plan,
                level: Level::Note,
                text: text.to_owned(),
                remedy: Some(text.to_owned()),
            };
            let shown = redaction.apply(&finding);
            assert_eq!(shown.text, expected);
            assert_eq!(shown.remedy.as_deref(), Some(expected));
        }
        for home in ["/", ""] {
            let environment = [("HOME".to_owned(), home.to_owned())];
            let redaction = Redaction::new(&environment.into_iter().collect());
            assert_eq!(redaction.shorten("/a/b"), "/a/b");
        }
    }
}
