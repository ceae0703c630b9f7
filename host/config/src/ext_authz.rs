//! `server.extAuthz`: logins for proxies that ask this server.

use ack_ram_core::gateway::{Gateway, IdentityHeaders, TokenHeader};

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::file::Table;
use crate::keys;
use crate::layers::{Layers, parse_bool};
use crate::located::Located;
use crate::yaml::Value;

/// What proxies are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtAuthzSettings {
    /// Where the token is.
    pub token: TokenHeader,
    /// Whom a proxy lets pass, and how it names them to services.
    pub gateway: Gateway,
    /// Whether CORS preflights pass without a token.
    pub allow_preflight: bool,
}

/// `server.extAuthz`; none unless it is enabled. In it nothing may be unknown or empty: without `requiredGroups`, everybody
/// passes.
pub(super) fn read_ext_authz(
    layers: &mut Layers<'_>,
) -> Result<Option<ExtAuthzSettings>, Diagnostic> {
    let Some(given) = layers.server.take("extAuthz") else {
        return Ok(None);
    };
    let mut table = Table::strict(given, keys::EXT_AUTHZ)?;
    let is_enabled = read_bool(&mut table, "enabled")?;
    let allow_preflight = read_bool(&mut table, "allowPreflight")?;
    let joins_groups = table.take("joinGroups").map(|given| parse_bool(&given));
    let joins_groups = joins_groups.transpose()?;
    if is_enabled && joins_groups.is_none() {
        let diagnostic = Diagnostic::invalid_setting(table.location().clone(), JOIN_GROUPS_UNSET);
        let warning = diagnostic.into_warning(DiagnosticCode::GroupsUnjoined);
        layers.diagnostics.warnings.push(warning);
    }
    let headers = read_headers(&mut table)?.with_joined_groups(joins_groups.unwrap_or(false));
    let token = read_token_header(&mut table, &headers)?;
    let required_groups = read_required_groups(&mut table, &mut layers.diagnostics.warnings)?;
    Ok(is_enabled.then_some(ExtAuthzSettings {
        token,
        gateway: Gateway {
            headers,
            required_groups,
        },
        allow_preflight,
    }))
}

const JOIN_GROUPS_UNSET: &str = "`server.extAuthz.joinGroups` is not set; write `true` where the proxy keeps one of several equal headers, as Istio and Envoy Gateway do, or `false` where it sends all of them on";

fn read_headers(table: &mut Table) -> Result<IdentityHeaders, Diagnostic> {
    let mut name = |key, standard: &str| {
        let given = table.text(key)?;
        Ok::<_, Diagnostic>(given.map_or_else(|| standard.to_owned(), |given| given.value))
    };
    let user = name("userHeader", IdentityHeaders::USER)?;
    let group = name("groupHeader", IdentityHeaders::GROUP)?;
    let uid = name("uidHeader", IdentityHeaders::UID)?;
    let extra_prefix = name("extraHeaderPrefix", IdentityHeaders::EXTRA_PREFIX)?;
    let headers = IdentityHeaders::new(&user, &group, &uid, &extra_prefix);
    headers.map_err(|error| {
        let text = format!("`server.extAuthz` names a header that cannot be: {error}");
        Diagnostic::invalid_setting(table.location().clone(), text)
    })
}

fn read_token_header(
    table: &mut Table,
    headers: &IdentityHeaders,
) -> Result<TokenHeader, Diagnostic> {
    let Some(given) = table.text("tokenHeader")? else {
        return Ok(TokenHeader::default());
    };
    if headers.is_identity_header(&given.value) {
        return Err(
            given.diagnostic("is one of the headers that tell services who comes; write another")
        );
    }
    TokenHeader::new(&given.value).map_err(|error| given.diagnostic(error))
}

fn read_required_groups(
    table: &mut Table,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<String>, Diagnostic> {
    let Some(given) = table.take("requiredGroups") else {
        return Ok(Vec::new());
    };
    // An empty text would be an empty list, with which everybody passes.
    if let Value::Text(_) = given.value {
        return Err(given.diagnostic("is text; it must be a list"));
    }
    let groups = given.into_items(warnings)?;
    groups
        .into_iter()
        .map(|given| parse_required_group(given.into_text()?))
        .collect()
}

fn parse_required_group(given: Located<String>) -> Result<String, Diagnostic> {
    let group = &given.value;
    if group.is_empty() || group.trim() != group || group.contains(',') {
        return Err(given.diagnostic(
            "is a group that nobody passes with; write one that is not empty, has no comma, and neither starts nor ends with space",
        ));
    }
    Ok(given.value)
}

fn read_bool(table: &mut Table, key: &'static str) -> Result<bool, Diagnostic> {
    table
        .take(key)
        .map_or(Ok(false), |given| parse_bool(&given))
}
