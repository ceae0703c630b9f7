//! Prefixes of usernames and groups that are reserved from a backend.

use crate::rules::naming::{NameError, NameProblem, ResolvedNames};

/// The prefixes that names of one backend may not have (`server.reservedPrefixConfig`, as aws-iam-authenticator has it).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservedPrefixes {
    /// Of usernames.
    pub usernames: Vec<Box<str>>,
    /// Of groups.
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

/// Returns the prefix of `prefixes` that `name` starts with; as with `system:`, leading space is ignored.
fn reserved_prefix<'a>(name: &str, prefixes: &'a [Box<str>]) -> Option<&'a str> {
    let names = [name, name.trim_start()];
    let is_prefix = |prefix: &&str| names.iter().any(|name| name.starts_with(prefix));
    prefixes.iter().map(|prefix| &**prefix).find(is_prefix)
}
