//! Paths that need no login.

/// The paths that need no login: some as they are, some with all below them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bypass {
    exact: Vec<String>,
    /// Folders, each ending in `/`: all paths below need no login.
    folders: Vec<String>,
}

impl Bypass {
    /// `entries` are paths, such as `/healthz`, or end in `/*`: all that is below. `/*` itself is none.
    ///
    /// # Errors
    /// The first entry that is neither.
    pub(crate) fn new(entries: &[String]) -> Result<Self, &String> {
        let mut bypass = Self::default();
        for entry in entries {
            let (path, list) = match entry.strip_suffix('*') {
                // Below `/` is everything: nobody would need a login.
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

    /// Returns whether a request for `path` needs no login. A path that servers might read differently always needs one.
    pub(crate) fn allows(&self, path: &str) -> bool {
        let is_listed = self.exact.iter().any(|exact| exact == path)
            || self
                .folders
                .iter()
                .any(|folder| path.starts_with(&**folder));
        is_listed && is_unambiguous(path)
    }
}

/// Returns whether all servers read `path` alike: no escapes of dots, slashes and the like, no `.` and `..`, no empty segment, no
/// parameters, no backslash.
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
    fn entry_that_is_no_path_or_folder_is_refused() {
        for entry in [
            "", "healthz", "/a*", "*", "/*b", "/a/../*", "/a?b", "/a//b", "/a%20b", "/a;b", "/a b",
            "/a/*/b", "/*",
        ] {
            assert!(Bypass::new(&[entry.to_owned()]).is_err(), "{entry}");
        }
    }
}
