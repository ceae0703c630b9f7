//! `server.extAuthz`.

use ack_ram_core::gateway::{Gateway, IdentityHeaders, TokenHeader};

use super::*;

fn load_ext_authz(settings: &str) -> Result<Option<ExtAuthzSettings>, String> {
    let yaml = format!("clusterID: c\nserver: {{extAuthz: {settings}}}\n");
    load_yaml(&yaml).map(|config| {
        assert_eq!(config.warnings, [], "{settings}");
        config.ext_authz
    })
}

#[test]
fn ext_authz_is_configured_when_enabled() {
    let standard = ExtAuthzSettings {
        token: TokenHeader::default(),
        gateway: Gateway::default(),
        allow_preflight: false,
    };
    let named = IdentityHeaders::new("x-user", "x-group", "x-id", "x-extra-").unwrap();
    let all = ExtAuthzSettings {
        token: TokenHeader::new("x-token").unwrap(),
        gateway: Gateway {
            headers: named.with_joined_groups(true),
            required_groups: vec!["dev".to_owned(), "ops team".to_owned()],
        },
        allow_preflight: true,
    };
    for (settings, expected) in [
        ("{}", None),
        ("null", None),
        ("{enabled: false, requiredGroups: [dev]}", None),
        ("{enabled: true, joinGroups: false}", Some(standard.clone())),
        (
            "{ENABLED: true, requiredGroups: [], joinGroups: false}",
            Some(standard),
        ),
        (
            "{enabled: true, tokenHeader: X-Token, requiredGroups: [dev, ops team], userHeader: X-User, \
             groupHeader: X-Group, uidHeader: X-Id, extraHeaderPrefix: X-Extra-, joinGroups: true, allowPreflight: true}",
            Some(all),
        ),
    ] {
        assert_eq!(load_ext_authz(settings), Ok(expected), "{settings}");
    }
}

#[test]
fn unset_join_groups_is_a_warning() {
    for (settings, warns) in [
        ("{enabled: true}", true),
        ("{enabled: true, joinGroups: true}", false),
        ("{enabled: true, joinGroups: false}", false),
        ("{enabled: false}", false),
        ("{}", false),
    ] {
        let yaml = format!("clusterID: c\nserver: {{extAuthz: {settings}}}\n");
        let config = load_yaml(&yaml).unwrap();
        let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            warnings.len(),
            usize::from(warns),
            "{settings}: {warnings:?}"
        );
        for warning in warnings {
            assert!(
                warning.contains("`server.extAuthz.joinGroups` is not set"),
                "{warning}"
            );
        }
    }
}

#[test]
fn ext_authz_setting_that_widens_access_is_refused() {
    for (settings, told) in [
        ("yes please", "`server.extAuthz` is text; it must be a map"),
        (
            "{enabled: 1}",
            "`server.extAuthz.enabled` must be `true` or `false`",
        ),
        (
            "{enabled: true, allowPreflight: 1}",
            "`server.extAuthz.allowPreflight` must be `true` or `false`",
        ),
        (
            "{enabled: true, requiredGroup: [dev]}",
            "unknown key `server.extAuthz.requiredGroup`; did you mean `requiredGroups`?",
        ),
        (
            "{enabled: true, requiredGroups: }",
            "`server.extAuthz.requiredGroups` has no value",
        ),
        (
            "{requiredGroups: ['']}",
            "`server.extAuthz.requiredGroups[0]` is a group that nobody passes with",
        ),
        (
            "{requiredGroups: [dev, 'a,b']}",
            "`server.extAuthz.requiredGroups[1]` is a group that nobody passes with",
        ),
        (
            "{requiredGroups: ''}",
            "`server.extAuthz.requiredGroups` is text; it must be a list",
        ),
        (
            "{requiredGroups: 'dev,ops'}",
            "`server.extAuthz.requiredGroups` is text; it must be a list",
        ),
        (
            "{requiredGroups: {dev: true}}",
            "`server.extAuthz.requiredGroups` is a map; it must be a list",
        ),
        (
            "{tokenHeader: Cookie}",
            "`server.extAuthz.tokenHeader` cannot carry a token; write `authorization`",
        ),
        (
            "{tokenHeader: X-Remote-Extra-Token}",
            "`server.extAuthz.tokenHeader` is one of the headers that tell services who comes",
        ),
        (
            "{userHeader: Authorization}",
            "`server.extAuthz` names a header that cannot be: `authorization` cannot be an identity header",
        ),
        (
            "{userHeader: x-who, uidHeader: X-Who}",
            "`server.extAuthz` names a header that cannot be: `x-who` cannot be",
        ),
        (
            "{joinGroups: maybe}",
            "`server.extAuthz.joinGroups` must be",
        ),
    ] {
        let error = load_ext_authz(settings).unwrap_err();
        assert!(error.contains(told), "{settings}: {error}");
    }
}
