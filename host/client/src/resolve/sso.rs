//! Sessions that a person starts in a browser. The profile holds the session, and a renewed session is written into it.

use std::sync::Arc;

use crate::error::SetupError;
use crate::origin::Profile;
use crate::plan::{CloudSsoPlan, HttpUrl, OAuthPlan, OAuthSite, Plan};
use crate::resolve::key;
use crate::resolve::values::Values;

/// Makes the plan of a CloudSSO session.
pub(super) fn cloud_sso(values: &Values<'_>, profile: &Arc<Profile>) -> Result<Plan, SetupError> {
    let sign_in_url = values.required("cloud_sso_sign_in_url")?;
    let account = values.required("cloud_sso_account_id")?;
    let access_config = values.required("cloud_sso_access_config")?;
    let url = HttpUrl::parse_encrypted(sign_in_url.value);
    Ok(Plan::CloudSso(CloudSsoPlan {
        profile: Arc::clone(profile),
        sign_in_url: url.map_err(|fault| SetupError::Url {
            place: sign_in_url.origin,
            fault,
        })?,
        account_id: account.value.to_owned(),
        access_config: access_config.value.to_owned(),
        access_token: key::expiring_token(values, "access_token", "cloud_sso_access_token_expire")?,
        session: key::session(values)?,
    }))
}

/// Makes the plan of an OAuth session.
pub(super) fn oauth(values: &Values<'_>, profile: &Arc<Profile>) -> Result<Plan, SetupError> {
    let site = values.required("oauth_site_type")?;
    let refresh_token = values.text("oauth_refresh_token")?;
    Ok(Plan::OAuth(OAuthPlan {
        profile: Arc::clone(profile),
        site: match site.value {
            "CN" => OAuthSite::China,
            "INTL" => OAuthSite::International,
            _ => {
                return Err(SetupError::Form {
                    place: site.origin,
                    what: "OAuth site",
                    form: "`CN` or `INTL`",
                });
            }
        },
        access_token: key::expiring_token(
            values,
            "oauth_access_token",
            "oauth_access_token_expire",
        )?,
        refresh_token: refresh_token
            .map(|token| key::parse_secret(&token))
            .transpose()?,
        session: key::session(values)?,
    }))
}
