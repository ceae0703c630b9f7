//! `server.extAuthz`: authentication for proxies.

use ack_ram_core::gateway::{Gateway, IdentityHeaders, TokenHeader};

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::file::Table;
use crate::keys;
use crate::layers::{Layers, parse_bool};
use crate::located::Located;
use crate::yaml::Value;

/// Settings for answers to proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtAuthzSettings {
    /// Header that contains the token.
    pub token: TokenHeader,
    /// Groups that are required to pass, and headers that identify the user to services.
    pub gateway: Gateway,
    /// Whether CORS preflight requests pass without a token.
    pub allow_preflight: bool,
}

/// Reads `server.extAuthz`; `None` unless it is enabled.
///
/// Unknown keys and empty values are errors here: without `requiredGroups`, every user passes.
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

const JOIN_GROUPS_UNSET: &str = "`server.extAuthz.joinGroups` is not set; set it to `true` if the proxy keeps only one of several headers with the same name, as Istio and Envoy Gateway do, or to `false` if it forwards all of them";

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
        let text = format!("`server.extAuthz`: {error}");
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
            given.diagnostic("is also a header that identifies the user; use another header")
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
    // Empty text would become an empty list, with which every user passes.
    if let Value::Text(_) = given.value {
        return Err(given.wrong_type_diagnostic("a list"));
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
            "is a group that lets no user pass; must not be empty, contain a comma, or start or end with a space",
        ));
    }
    Ok(given.value)
}

fn read_bool(table: &mut Table, key: &'static str) -> Result<bool, Diagnostic> {
    table
        .take(key)
        .map_or(Ok(false), |given| parse_bool(&given))
}
