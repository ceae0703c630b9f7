//! The paths that need no login.

/// The paths that need no login: exact paths, and folders with all paths below them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bypass {
    exact: Vec<String>,
    /// Folders, each with a trailing `/`.
    folders: Vec<String>,
}

impl Bypass {
    /// Builds the list from `entries`: paths such as `/healthz`, and folders such as `/public/*`, which include all
    /// paths below. `/*` is not a valid entry.
    ///
    /// # Errors
    /// Returns the first invalid entry.
    pub(crate) fn new(entries: &[String]) -> Result<Self, &String> {
        let mut bypass = Self::default();
        for entry in entries {
            let (path, list) = match entry.strip_suffix('*') {
                // `/*` would exempt every path from the login.
                Some(folder) if folder.ends_with('/') && folder != "/" => {
                    (folder, &mut bypass.folders)
                }
                Some(_) => return Err(entry),
                None => (&**entry, &mut bypass.exact),
            };
            if !path.starts_with('/')
                || path.contains(['?', '#', '*', ' '])
                || !is_unambiguous(path)
            {
                return Err(entry);
            }
            list.push(path.to_owned());
        }
        Ok(bypass)
    }

    /// Returns whether a request for `path` needs no login. A path that servers may interpret differently always needs
    /// one.
    pub(crate) fn allows(&self, path: &str) -> bool {
        let is_listed = self.exact.iter().any(|exact| exact == path)
            || self
                .folders
                .iter()
                .any(|folder| path.starts_with(&**folder));
        is_listed && is_unambiguous(path)
    }
}

/// Returns whether every server interprets `path` in the same way: it has no percent escapes, no `.` or `..` segments,
/// no empty segments, no parameters and no backslashes.
fn is_unambiguous(path: &str) -> bool {
    let is_visible = path.bytes().all(|byte| byte.is_ascii_graphic());
    let segments = path.strip_prefix('/').unwrap_or(path);
    let is_segment = |segment: &str| !matches!(segment, "." | "..");
    is_visible
        && !path.contains(['\\', ';', '%', '#'])
        && !path.contains("//")
        && segments.split('/').all(is_segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_path_is_not_bypassed() {
        let entries = ["/healthz", "/public/*", "/a/b/"].map(str::to_owned);
        let bypass = Bypass::new(&entries).unwrap();
        for (path, passes) in [
            ("/healthz", true),
            ("/public/", true),
            ("/public/a.css", true),
            ("/public/a/b", true),
            ("/public/a..b", true),
            ("/a/b/", true),
            ("/public", false),
            ("/publicity", false),
            ("/healthz/", false),
            ("/healthz/x", false),
            ("/HEALTHZ", false),
            ("/public/../admin", false),
            ("/public/..", false),
            ("/public/./a", false),
            ("/public/%2e%2e/admin", false),
            ("/public/..%2fadmin", false),
            ("/public/%2F..", false),
            ("/public/a%20b", false),
            ("/public//admin", false),
            ("//public/a", false),
            ("/public/..;/admin", false),
            ("/public/a;b", false),
            ("/public/\\..\\admin", false),
            ("/public/a#b", false),
            ("/public/\u{ff0e}\u{ff0e}/admin", false),
            ("/public/a\tb", false),
            ("", false),
            ("/", false),
        ] {
            assert_eq!(bypass.allows(path), passes, "{path}");
        }
        assert!(!Bypass::default().allows("/healthz"));
    }

    #[test]
    fn invalid_bypass_entry_is_refused() {
        for entry in [
            "", "healthz", "/a*", "*", "/*b", "/a/../*", "/a?b", "/a//b", "/a%20b", "/a;b", "/a b",
            "/a/*/b", "/*",
        ] {
            assert!(Bypass::new(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }
}
