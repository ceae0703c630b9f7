//! Where the folder of the cache is.

use std::path::{Path, PathBuf};

use crate::cache::CacheFolder;
use crate::environment::Environment;
use crate::origin::{Origin, Setting};
use crate::resolve::home;

/// The name of the folder in the cache folder of kubectl.
const NAME: &str = "ack-ram-authenticator";

impl CacheFolder {
    /// Returns where the folder of the cache is, without opening it: `option` (`--cache-dir`),
    /// `ACK_RAM_AUTHENTICATOR_CACHE_DIR`, `$KUBECACHEDIR/ack-ram-authenticator`, or
    /// `~/.kube/cache/ack-ram-authenticator`.
    ///
    /// The first three may start with `~`. Returns `None` if the home directory is needed and unknown, and if a path is
    /// relative without an option: a variable would name another folder in each working directory.
    #[must_use]
    pub fn locate(option: Option<&Path>, environment: &Environment) -> Option<Setting<PathBuf>> {
        const OWN: &str = "ACK_RAM_AUTHENTICATOR_CACHE_DIR";
        const KUBECTL: &str = "KUBECACHEDIR";
        if let Some(path) = option.filter(|path| !path.as_os_str().is_empty()) {
            let path = expand(path, environment)?;
            return Some(Setting::new(path, Origin::Option("--cache-dir")));
        }
        let (path, origin) = if let Some(path) = environment.get(OWN) {
            (PathBuf::from(path), Origin::Variable(OWN))
        } else if let Some(path) = environment.get(KUBECTL) {
            (Path::new(path).join(NAME), Origin::Variable(KUBECTL))
        } else {
            let kube = home(environment)?.join(".kube");
            (kube.join("cache").join(NAME), Origin::Default)
        };
        let path = expand(&path, environment)?;
        path.is_absolute().then(|| Setting::new(path, origin))
    }
}

/// Replaces `~` at the start of a path. Without a home directory there is no such path.
fn expand(path: &Path, environment: &Environment) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        Ok(rest) => Some(home(environment)?.join(rest)),
        Err(_) => Some(path.to_owned()),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn folder_is_named_by_option_then_variables_then_home() {
        let own = ("ACK_RAM_AUTHENTICATOR_CACHE_DIR", "/own");
        let kubectl = ("KUBECACHEDIR", "/kube");
        let home = ("HOME", "/home/me");
        let default = "/home/me/.kube/cache/ack-ram-authenticator";
        let in_kubectl = "/kube/ack-ram-authenticator";
        for (option, variables, expected) in [
            (Some("/option"), vec![own, kubectl, home], Some("/option")),
            (Some("~/c"), vec![own, home], Some("/home/me/c")),
            (Some("~/c"), vec![own], None),
            (Some("c"), vec![], Some("c")),
            (Some(""), vec![own], Some("/own")),
            (None, vec![own, kubectl, home], Some("/own")),
            (None, vec![kubectl, home], Some(in_kubectl)),
            (None, vec![("KUBECACHEDIR", ""), home], Some(default)),
            (
                None,
                vec![("KUBECACHEDIR", "~/k"), home],
                Some("/home/me/k/ack-ram-authenticator"),
            ),
            (None, vec![("KUBECACHEDIR", "relative"), home], None),
            (None, vec![home], Some(default)),
            (None, vec![("HOME", "relative")], None),
            (None, vec![("HOME", "")], None),
            (None, vec![], None),
        ] {
            let environment: Environment = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            let found = CacheFolder::locate(option.map(Path::new), &environment);
            let found = found.map(|setting| setting.value);
            assert_eq!(
                found.as_deref(),
                expected.map(Path::new),
                "{option:?} {variables:?}"
            );
        }
    }
}
