//! The arguments of a plugin in a kubeconfig.

/// Returns the cluster ID in the arguments. The last one counts, and an empty one is none.
pub(super) fn cluster_id(args: &[String]) -> Option<&str> {
    let short = if is_of_tool(args) { "-c" } else { "-i" };
    option_value(args, "--cluster-id", short).filter(|id| !id.is_empty())
}

/// Returns whether the arguments name a configuration file.
pub(super) fn has_config_file(args: &[String]) -> bool {
    !is_of_tool(args) && option_value(args, "--config", "-c").is_some()
}

/// Returns whether the arguments are those of ack-ram-tool.
pub(super) fn is_of_tool(args: &[String]) -> bool {
    args.iter().any(|word| word == "credential-plugin")
}

/// Returns the value of the last option of this name.
fn option_value<'a>(args: &'a [String], long: &str, short: &str) -> Option<&'a str> {
    let mut found = None;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let value = if word == long || word == short {
            words.next().map(String::as_str)
        } else if let Some(value) = word.strip_prefix(long) {
            value.strip_prefix('=')
        } else {
            let value = word.strip_prefix(short);
            value.map(|value| value.strip_prefix('=').unwrap_or(value))
        };
        found = value.or(found);
    }
    found
}
