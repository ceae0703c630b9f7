//! Findings about misleading names: names with surrounding spaces or invisible characters.

use ack_ram_config::invisible;

use crate::lint::CompiledMapping;
use crate::lint::sink::DiagnosticSink;
use ack_ram_config::{DiagnosticCode, Severity};

/// Checks the names of a mapping. `serves_proxies` says whether services receive names in headers, which lose
/// surrounding spaces.
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
                    "`{field}` is `{}`, with {what} (U+{:04X}): it differs from the name that it looks like",
                    name.escape_debug(),
                    u32::from(character)
                ),
                "remove the character, unless it is intended",
            );
        }
    }
}

fn outer_space(field: &str, name: &str, serves_proxies: bool, report: &mut DiagnosticSink<'_>) {
    let (severity, what) = if serves_proxies {
        (
            Severity::Error,
            "logins through this mapping at a proxy are always refused, because headers do not keep such a space (`server.extAuthz`)",
        )
    } else {
        (
            Severity::Warning,
            "RBAC compares the name with the space, but extension API servers receive the name without it, because headers do not keep such a space",
        )
    };
    let name = name.escape_debug();
    report.add(
        DiagnosticCode::OuterSpace,
        severity,
        format!("`{field}` is `{name}`, which starts or ends with a space: {what}"),
        "remove the spaces around the name",
    );
}
