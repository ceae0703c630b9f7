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
