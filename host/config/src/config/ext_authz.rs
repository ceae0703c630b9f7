//! `server.extAuthz`: logins for proxies that ask this server.

use ack_ram_core::gateway::{Gateway, IdentityHeaders, TokenHeader};

use crate::config::error::{Problem, Warning, WarningKind};
use crate::config::file::Table;
use crate::config::given::Given;
use crate::config::keys;
use crate::config::layers::{Layers, boolean};
use crate::config::yaml::Value;

/// What proxies are answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtAuthz {
    /// Where the token is.
    pub token: TokenHeader,
    /// Whom a proxy lets pass, and how it names them to services.
    pub gateway: Gateway,
    /// Whether CORS preflights pass without a token.
    pub lets_preflights_pass: bool,
}

/// `server.extAuthz`; none unless it is enabled. In it nothing may be unknown or empty: without `requiredGroups`, everybody
/// passes.
pub(super) fn read(layers: &mut Layers<'_>) -> Result<Option<ExtAuthz>, Problem> {
    let Some(given) = layers.server.take("extAuthz") else {
        return Ok(None);
    };
    let mut table = Table::strict(given, keys::EXT_AUTHZ)?;
    let is_enabled = flag(&mut table, "enabled")?;
    let lets_preflights_pass = flag(&mut table, "allowPreflight")?;
    let joins_groups = table.take("joinGroups").map(|given| boolean(&given));
    let joins_groups = joins_groups.transpose()?;
    if is_enabled && joins_groups.is_none() {
        let problem = Problem::new(table.place().clone(), UNJOINED);
        let warning = Warning::new(WarningKind::GroupsUnjoined, problem);
        layers.warnings.push(warning);
    }
    let headers = headers(&mut table)?.joining_groups(joins_groups.unwrap_or(false));
    let token = token(&mut table, &headers)?;
    let required_groups = groups(&mut table, &mut layers.warnings)?;
    Ok(is_enabled.then_some(ExtAuthz {
        token,
        gateway: Gateway {
            headers,
            required_groups,
        },
        lets_preflights_pass,
    }))
}

const UNJOINED: &str = "`server.extAuthz.joinGroups` is not set; write `true` where the proxy keeps one of several equal headers, as Istio and Envoy Gateway do, or `false` where it sends all of them on";

fn headers(table: &mut Table) -> Result<IdentityHeaders, Problem> {
    let mut name = |key, standard: &str| {
        let given = table.text(key)?;
        Ok::<_, Problem>(given.map_or_else(|| standard.to_owned(), |given| given.value))
    };
    let user = name("userHeader", IdentityHeaders::USER)?;
    let group = name("groupHeader", IdentityHeaders::GROUP)?;
    let uid = name("uidHeader", IdentityHeaders::UID)?;
    let extra_prefix = name("extraHeaderPrefix", IdentityHeaders::EXTRA_PREFIX)?;
    let headers = IdentityHeaders::new(&user, &group, &uid, &extra_prefix);
    headers.map_err(|error| {
        let text = format!("`server.extAuthz` names a header that cannot be: {error}");
        Problem::new(table.place().clone(), text)
    })
}

fn token(table: &mut Table, headers: &IdentityHeaders) -> Result<TokenHeader, Problem> {
    let Some(given) = table.text("tokenHeader")? else {
        return Ok(TokenHeader::default());
    };
    if headers.is_ours(&given.value) {
        return Err(
            given.problem("is one of the headers that tell services who comes; write another")
        );
    }
    TokenHeader::new(&given.value).map_err(|error| given.problem(error))
}

fn groups(table: &mut Table, warnings: &mut Vec<Warning>) -> Result<Vec<String>, Problem> {
    let Some(given) = table.take("requiredGroups") else {
        return Ok(Vec::new());
    };
    // An empty text would be an empty list, with which everybody passes.
    if let Value::Text(_) = given.value {
        return Err(given.problem("is text; it must be a list"));
    }
    let groups = given.into_items(warnings)?;
    groups
        .into_iter()
        .map(|given| group(given.into_text()?))
        .collect()
}

fn group(given: Given<String>) -> Result<String, Problem> {
    let group = &given.value;
    if group.is_empty() || group.trim() != group || group.contains(',') {
        return Err(given.problem(
            "is a group that nobody passes with; write one that is not empty, has no comma, and neither starts nor ends with space",
        ));
    }
    Ok(given.value)
}

fn flag(table: &mut Table, key: &'static str) -> Result<bool, Problem> {
    table.take(key).map_or(Ok(false), |given| boolean(&given))
}
