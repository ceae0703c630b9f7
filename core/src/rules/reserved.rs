//! Prefixes of usernames and groups that the rules of a backend cannot use.

use crate::rules::naming::{NameError, NameProblem, ResolvedNames};

/// The prefixes that the names of one backend cannot have (`server.reservedPrefixConfig`, as in aws-iam-authenticator).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservedPrefixes {
    /// The reserved prefixes of usernames.
    pub usernames: Vec<Box<str>>,
    /// The reserved prefixes of groups.
    pub groups: Vec<Box<str>>,
}

impl ReservedPrefixes {
    /// Returns `names`, or an error if one of them has a reserved prefix.
    pub(super) fn check(&self, names: ResolvedNames) -> Result<ResolvedNames, NameError> {
        let (username, groups) = &names;
        let refused = |field: String, prefix: &str| {
            let problem = NameProblem::ReservedForOthers(prefix.into());
            Err(NameError { field, problem })
        };
        if let Some(prefix) = reserved_prefix(username, &self.usernames) {
            return refused("username".to_owned(), prefix);
        }
        for (index, group) in groups.iter().enumerate() {
            if let Some(prefix) = reserved_prefix(group, &self.groups) {
                return refused(format!("groups[{index}]"), prefix);
            }
        }
        Ok(names)
    }
}

/// Returns the prefix of `prefixes` that `name` starts with, if any. Ignores leading space, as for `system:`.
fn reserved_prefix<'a>(name: &str, prefixes: &'a [Box<str>]) -> Option<&'a str> {
    let names = [name, name.trim_start()];
    let is_prefix = |prefix: &&str| names.iter().any(|name| name.starts_with(prefix));
    prefixes.iter().map(|prefix| &**prefix).find(is_prefix)
}
