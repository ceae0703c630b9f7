//! The INI file.

use crate::model::Model;
use crate::model_services::Regional;
use crate::outcome::{Key, Kind, RoleStep, Way};
use crate::values;

/// Follows the selected section of a file.
pub(crate) fn follow(model: &Model<'_>, path: &str) -> Result<(Way, Regional), Kind> {
    follow_with_name(model, path, model.world.options.program)
}

/// Follows the selected section of a file, with the default of a session name.
pub(crate) fn follow_with_name(
    model: &Model<'_>,
    path: &str,
    default_name: &str,
) -> Result<(Way, Regional), Kind> {
    let sections = model.read(path, false, parse)?;
    let name = model.selected_profile();
    let name = name.as_deref().unwrap_or("default");
    let (_, keys) = sections
        .iter()
        .find(|(known, _)| known == name)
        .ok_or(Kind::Profile)?;
    let section = Section(keys);
    // Choice: the endpoint and the external ID have the names that they have in a profile of the CLI.
    let regional = Regional {
        sts_endpoint: section.text("sts_endpoint"),
        sts_region: section.text("sts_region"),
        enable_vpc: section
            .text("enable_vpc")
            .map(|value| value.is_some_and(|value| value.to_lowercase() == "true")),
    };
    let way = match section.text("type")?.as_deref() {
        None => return Err(Kind::Mode),
        Some("access_key") => Way::Key(section.key(None)?),
        Some("sts") => {
            // The SDK writes the second name.
            let token = match section.text("sts_token")? {
                Some(token) => token,
                None => section.needed("security_token")?,
            };
            Way::Key(section.key(Some(&token))?)
        }
        Some("ram_role_arn") => Way::Assume {
            source: Box::new(Way::Key(section.key(None)?)),
            role: RoleStep {
                role: values::role_arn(&section.needed("role_arn")?)?,
                name: Some(match section.text("role_session_name")? {
                    Some(name) => values::session_name(&name)?,
                    None => model.default_session_name(default_name)?,
                }),
                seconds: match section.text("role_session_expiration")? {
                    Some(text) => values::seconds(text.parse::<i64>().map_err(|_| Kind::Value)?)?,
                    None => None,
                },
                policy: match section.text("policy")? {
                    Some(text) => Some(values::policy(&text)?),
                    None => None,
                },
                endpoint: model.endpoint(&regional)?,
            },
            external_id: match section.text("external_id")? {
                Some(id) => Some(values::external_id(&id)?),
                None => model.external_id_variable()?,
            },
        },
        Some("ecs_ram_role") => model.metadata(section.text("role_name")?)?,
        Some("external") => {
            let command = section.needed("process_command")?;
            match model.external_sources_are_off() {
                true => return Err(Kind::SwitchedOff),
                false => Way::Process(values::words(&command)?),
            }
        }
        Some("credentials_uri") => model.url(&section.needed("credentials_uri")?)?,
        Some(_) => return Err(Kind::Mode),
    };
    Ok((way, regional))
}

struct Section<'a>(&'a [(String, String)]);

impl Section<'_> {
    /// Returns the last value of a key. An empty value counts as not given. Choice: a key in another case is an error.
    fn text(&self, name: &str) -> Result<Option<String>, Kind> {
        let mut text = None;
        for (known, value) in self.0 {
            if known == name {
                text = Some(value.clone());
            } else if known.to_lowercase() == name {
                return Err(Kind::Value);
            }
        }
        Ok(text.filter(|text| !text.is_empty()))
    }

    fn needed(&self, name: &str) -> Result<String, Kind> {
        self.text(name)?.ok_or(Kind::Value)
    }

    fn key(&self, token: Option<&str>) -> Result<Key, Kind> {
        values::key(
            &self.needed("access_key_id")?,
            &self.needed("access_key_secret")?,
            token,
        )
    }
}

type Sections = Vec<(String, Vec<(String, String)>)>;

/// Parses the text of a file. Returns `None` if a line is neither a section, nor a key, nor a comment. Choice: the
/// description does not say what such a line means, so the file is refused. A key before the first section belongs to no
/// section.
fn parse(text: &str) -> Option<Sections> {
    let mut sections = Sections::new();
    for line in text.split('\n') {
        let line = line.trim();
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return None;
        }
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let (name, rest) = rest.split_once(']')?;
            let rest = rest.trim();
            if name.trim().is_empty() {
                return None;
            }
            if !rest.is_empty() && !rest.starts_with(['#', ';']) {
                return None;
            }
            sections.push((name.trim().to_owned(), Vec::new()));
            continue;
        }
        let (key, value) = line.split_once('=')?;
        let value = parse_value(value.trim())?;
        if key.trim().is_empty() {
            return None;
        }
        if let Some((_, keys)) = sections.last_mut() {
            keys.push((key.trim().to_owned(), value));
        }
    }
    Some(sections)
}

/// Parses a value: in quotes, or up to a comment.
fn parse_value(text: &str) -> Option<String> {
    for quote in ['"', '\''] {
        if let Some(rest) = text.strip_prefix(quote) {
            let (value, rest) = rest.split_once(quote)?;
            let rest = rest.trim();
            let is_whole = rest.is_empty() || rest.starts_with(['#', ';']);
            return is_whole.then(|| value.to_owned());
        }
    }
    let end = text.find(['#', ';']).unwrap_or(text.len());
    Some(text[..end].trim().to_owned())
}
