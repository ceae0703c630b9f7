//! The file of the Alibaba Cloud CLI.

use crate::json::Json;
use crate::model::Model;
use crate::model_services::Regional;
use crate::outcome::{Key, Kind, RoleStep, Way};
use crate::values;

/// Choice: a chain has at most this number of profiles.
const MAX_CHAIN: usize = 10;

/// Follows the selected profile of a file.
pub(crate) fn follow(model: &Model<'_>, path: &str) -> Result<(Way, Regional), Kind> {
    let file = model.read(path, true, Json::parse)?;
    let Json::Object(_) = file else {
        return Err(Kind::Syntax);
    };
    let Ok(Some(Json::List(profiles))) = file.member("profiles") else {
        return Err(Kind::Syntax);
    };
    let name = match model.selected_profile() {
        Some(name) => name,
        None => match file.member("current")? {
            None => "default".to_owned(),
            // Choice: an empty name names no profile, as for ack-ram-tool.
            Some(Json::Text(name)) => name.clone(),
            Some(_) => return Err(Kind::Value),
        },
    };
    let way = Chain { model, profiles }.follow(&name, &mut Vec::new())?;
    Ok((way, Profile(find(profiles, &name)?).regional()))
}

/// Finds the first profile of a name.
fn find<'a>(profiles: &'a [Json], name: &str) -> Result<&'a Json, Kind> {
    for profile in profiles {
        if profile.member("name")? == Some(&Json::Text(name.to_owned())) {
            return Ok(profile);
        }
    }
    Err(Kind::Profile)
}

struct Chain<'a> {
    model: &'a Model<'a>,
    profiles: &'a [Json],
}

impl Chain<'_> {
    fn follow(&self, name: &str, earlier: &mut Vec<String>) -> Result<Way, Kind> {
        if earlier.iter().any(|known| known == name) || earlier.len() >= MAX_CHAIN {
            return Err(Kind::Chain);
        }
        earlier.push(name.to_owned());
        let profile = Profile(find(self.profiles, name)?);
        match profile.text("mode")?.as_deref() {
            None => Err(Kind::Mode),
            Some("AK") => Ok(Way::Key(profile.key(false)?)),
            Some("StsToken") => {
                profile.needed("sts_token")?;
                Ok(Way::Key(profile.key(true)?))
            }
            Some("RamRoleArn") => {
                let source = Way::Key(profile.key(true)?);
                self.assume(profile, source, None)
            }
            Some("EcsRamRole") => self.model.metadata(profile.text("ram_role_name")?),
            Some("RamRoleArnWithRoleName") => {
                let source = self.model.metadata(profile.text("ram_role_name")?)?;
                self.assume(profile, source, Some("default-session-name"))
            }
            Some("ChainableRamRoleArn") => {
                let source = self.follow(&profile.needed("source_profile")?, earlier)?;
                self.assume(profile, source, None)
            }
            Some("External") => {
                let command = profile.needed("process_command")?;
                match self.model.external_sources_are_off() {
                    true => Err(Kind::SwitchedOff),
                    false => Ok(Way::Process(values::words(&command)?)),
                }
            }
            Some("CredentialsURI") => self.model.url(&profile.needed("credentials_uri")?),
            Some("OIDC") => {
                let token_file = profile.needed("oidc_token_file")?;
                for name in ["oidc_provider_arn", "ram_session_name"] {
                    profile.needed(name)?;
                }
                self.oidc(profile, self.model.expand(&token_file)?)
            }
            Some("CloudSSO") => Ok(Way::CloudSso {
                sign_in_url: values::https_url(&profile.needed("cloud_sso_sign_in_url")?)?,
                account: profile.needed("cloud_sso_account_id")?,
                config: profile.needed("cloud_sso_access_config")?,
                token: profile.expiring("access_token", "cloud_sso_access_token_expire")?,
                session: profile.session()?,
            }),
            Some("OAuth") => Ok(Way::OAuth {
                site: match profile.needed("oauth_site_type")?.as_str() {
                    site @ ("CN" | "INTL") => site.to_owned(),
                    _ => return Err(Kind::Value),
                },
                token: profile.expiring("oauth_access_token", "oauth_access_token_expire")?,
                refresh: profile.credential("oauth_refresh_token")?,
                session: profile.session()?,
            }),
            // No mode but those above gives a key that can sign.
            Some(_) => Err(Kind::Mode),
        }
    }

    fn oidc(&self, profile: Profile<'_>, token_file: String) -> Result<Way, Kind> {
        Ok(Way::Oidc {
            role: RoleStep {
                role: values::role_arn(&profile.needed("ram_role_arn")?)?,
                name: Some(values::session_name(&profile.needed("ram_session_name")?)?),
                seconds: profile.seconds()?,
                policy: profile.policy()?,
                endpoint: self.model.endpoint(&profile.regional())?,
            },
            provider: values::provider_arn(&profile.needed("oidc_provider_arn")?)?,
            token_file,
        })
    }

    /// Adds the role of a profile. A profile with a default for the name of the session needs no name.
    fn assume(
        &self,
        profile: Profile<'_>,
        source: Way,
        default_name: Option<&str>,
    ) -> Result<Way, Kind> {
        let name = match (profile.text("ram_session_name")?, default_name) {
            (Some(name), _) => values::session_name(&name)?,
            (None, Some(default)) => self.model.default_session_name(default)?,
            (None, None) => return Err(Kind::Value),
        };
        Ok(Way::Assume {
            source: Box::new(source),
            role: RoleStep {
                role: values::role_arn(&profile.needed("ram_role_arn")?)?,
                name: Some(name),
                // Choice: the lifetime and the policy count in every profile with a role. A policy that does not count
                // would give more rights than the person wants.
                seconds: profile.seconds()?,
                policy: profile.policy()?,
                endpoint: self.model.endpoint(&profile.regional())?,
            },
            external_id: match profile.text("external_id")? {
                Some(id) => Some(values::external_id(&id)?),
                None => self.model.external_id_variable()?,
            },
        })
    }
}

#[derive(Clone, Copy)]
struct Profile<'a>(&'a Json);

impl Profile<'_> {
    /// Returns a member. An empty text counts as not given.
    fn text(&self, name: &str) -> Result<Option<String>, Kind> {
        match self.0.member(name)? {
            None => Ok(None),
            Some(Json::Text(text)) => Ok((!text.is_empty()).then(|| text.clone())),
            // Choice: a member of another type is an error, as for the CLI.
            Some(_) => Err(Kind::Value),
        }
    }

    fn needed(&self, name: &str) -> Result<String, Kind> {
        self.text(name)?.ok_or(Kind::Value)
    }

    fn credential(&self, name: &str) -> Result<Option<String>, Kind> {
        let text = self.text(name)?;
        text.map(|text| values::credential(&text)).transpose()
    }

    fn integer(&self, name: &str) -> Result<Option<i64>, Kind> {
        match self.0.member(name)? {
            None => Ok(None),
            Some(Json::Integer(number)) if *number >= 0 => Ok(Some(*number)),
            // Choice: a number that cannot be a time or a duration is an error.
            Some(_) => Err(Kind::Value),
        }
    }

    fn key(&self, with_token: bool) -> Result<Key, Kind> {
        let token = match with_token {
            true => self.text("sts_token")?,
            false => None,
        };
        values::key(
            &self.needed("access_key_id")?,
            &self.needed("access_key_secret")?,
            token.as_deref(),
        )
    }

    fn seconds(&self) -> Result<Option<u32>, Kind> {
        match self.integer("expired_seconds")? {
            None => Ok(None),
            Some(number) => values::seconds(number),
        }
    }

    fn policy(&self) -> Result<Option<String>, Kind> {
        let text = self.text("policy")?;
        text.map(|text| values::policy(&text)).transpose()
    }

    fn regional(&self) -> Regional {
        let enable_vpc = || match self.0.member("enable_vpc")? {
            None => Ok(false),
            Some(Json::Bool(is_on)) => Ok(*is_on),
            Some(_) => Err(Kind::Value),
        };
        Regional {
            sts_endpoint: self.text("sts_endpoint"),
            sts_region: self.text("sts_region"),
            enable_vpc: enable_vpc(),
        }
    }

    /// Returns a token with its end. A token without an end counts as one that has ended.
    fn expiring(&self, value: &str, end: &str) -> Result<Option<(String, i64)>, Kind> {
        match (self.text(value)?, self.integer(end)?) {
            (Some(value), Some(end)) if end > 0 => Ok(Some((values::credential(&value)?, end))),
            _ => Ok(None),
        }
    }

    /// Returns the key of a session. A session of which a part is missing counts as no session.
    fn session(&self) -> Result<Option<(Key, i64)>, Kind> {
        let id = self.text("access_key_id")?;
        let secret = self.text("access_key_secret")?;
        let token = self.text("sts_token")?;
        match (id, secret, token, self.integer("sts_expiration")?) {
            (Some(id), Some(secret), Some(token), Some(end)) if end > 0 => {
                Ok(Some((values::key(&id, &secret, Some(&token))?, end)))
            }
            _ => Ok(None),
        }
    }
}
