//! Findings about names that are not what they look like: with spaces around them, or characters that nobody sees.

use ack_ram_config::invisible;

use crate::lint::CompiledMapping;
use crate::lint::sink::DiagnosticSink;
use ack_ram_config::{DiagnosticCode, Severity};

/// `serves_proxies`: names come in headers, which do not keep the space around them.
pub(super) fn check(
    compiled: &CompiledMapping<'_>,
    serves_proxies: bool,
    report: &mut DiagnosticSink<'_>,
) {
    let mapping = &compiled.entry.mapping;
    let username = mapping
        .spec
        .username_expression
        .is_none()
        .then(|| ("username".to_owned(), &mapping.spec.username));
    let groups = mapping.spec.groups.iter().enumerate();
    let groups = groups.map(|(index, group)| (format!("groups[{index}]"), group));
    for (field, name) in username.into_iter().chain(groups) {
        if name.trim() != name {
            outer_space(&field, name, serves_proxies, report);
        }
        let inner = name.trim().chars();
        if let Some((character, what)) = inner
            .filter_map(|character| Some((character, invisible::character_name(character)?)))
            .next()
        {
            report.add(
                DiagnosticCode::InvisibleCharacter,
                Severity::Warning,
                format!(
                    "`{field}` is `{}`, with {what} (U+{:04X}): it is another name than the one that it looks like",
                    name.escape_debug(),
                    u32::from(character)
                ),
                "write the name without it, if that is not meant",
            );
        }
    }
}

fn outer_space(field: &str, name: &str, serves_proxies: bool, report: &mut DiagnosticSink<'_>) {
    let (severity, what) = if serves_proxies {
        (
            Severity::Error,
            "every login through it at a proxy is refused, since no header keeps such a space (`server.extAuthz`)",
        )
    } else {
        (
            Severity::Warning,
            "RBAC needs it with the space, and the API servers of extensions see it without: no header keeps such a space",
        )
    };
    let name = name.escape_debug();
    report.add(
        DiagnosticCode::OuterSpace,
        severity,
        format!("`{field}` is `{name}`, which starts or ends with a space: {what}"),
        "remove the space around the name",
    );
}
