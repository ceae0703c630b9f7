//! The file of the Alibaba Cloud CLI: `{"current": "<name>", "profiles": [...]}`.

use std::path::PathBuf;
use std::sync::Arc;

use ack_ram_core::protocol::json::{self, JsonObject, JsonValue};
use zeroize::Zeroizing;

use crate::error::SetupError;
use crate::files::{FileContent, FileError};
use crate::finding::{Findings, Topic};
use crate::origin::{Origin, Profile, Setting};
use crate::plan::Plan;
use crate::resolve::mode::{self, ModeContext};
use crate::resolve::output::OutputContext;
use crate::resolve::values::{self, Values};
use crate::resolve::{Inputs, paths, role};

/// The maximum number of members of an object in the file. A profile of the CLI has about fifty.
pub(super) const MAX_MEMBERS: usize = 1000;

/// The text of a file, which is parsed when it is needed.
pub(crate) struct CliText {
    path: PathBuf,
    text: Zeroizing<String>,
}

impl CliText {
    fn new(file: &Setting<PathBuf>, content: FileContent) -> Self {
        Self {
            path: file.value.clone(),
            text: content.text,
        }
    }

    /// Returns the whole text of the file.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    #[cfg(test)]
    pub(super) fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.to_owned().into(),
        }
    }
}

/// Makes the plan of the selected profile, with the role that is asked for; `None` if the default file does not exist.
pub(super) fn find(
    inputs: &Inputs<'_>,
    file: &Setting<PathBuf>,
    findings: &mut Findings,
) -> Result<Option<Plan>, SetupError> {
    let Some(content) = read(inputs, file)? else {
        return Ok(None);
    };
    paths::note_access(&file.value, content.access, findings);
    let text = Arc::new(CliText::new(file, content));
    let profiles = CliProfiles::parse(&text)?;
    let name = profiles.selected_name(inputs)?;
    findings.note(
        Topic::Files,
        format!(
            "the profile `{}` in `{}` is selected by {}",
            name.value.escape_debug(),
            file.value.display(),
            name.origin
        ),
    );
    let context = OutputContext::collect(inputs, Some(Arc::clone(&text)));
    let context = ModeContext::new(Arc::new(context));
    let plan = plan_of_profile(&profiles, &name, &context)?;
    let profile = profiles.named(&name);
    let object = profiles.get(&name, &profile)?;
    let values = Values::of_profile(object, profile);
    role::add_requested_role(inputs, plan, Some(&values)).map(Some)
}

/// Reads the file; `None` if the default file does not exist. An older CLI writes the file in place, so that a reader can
/// meet half of it, even half a character: such a file is read once more.
fn read(inputs: &Inputs<'_>, file: &Setting<PathBuf>) -> Result<Option<FileContent>, SetupError> {
    let is_whole = |content: &FileContent| {
        json::parse_object_with(content.text.as_bytes(), MAX_MEMBERS).is_ok()
    };
    let content = match inputs.files.read(&file.value) {
        Ok(content) if is_whole(&content) => Ok(content),
        Ok(content) => Ok(inputs.files.read_again(&file.value).unwrap_or(content)),
        Err(FileError::NotText) => inputs.files.read_again(&file.value),
        Err(error) => Err(error),
    };
    match content {
        Ok(content) => Ok(Some(content)),
        Err(FileError::NotFound) if file.origin == Origin::Default => Ok(None),
        Err(error) => Err(SetupError::File {
            path: file.value.clone(),
            selected_by: file.origin.clone(),
            error,
        }),
    }
}

/// Makes the plan of the profile `name`.
pub(super) fn plan_of_profile(
    profiles: &CliProfiles<'_>,
    name: &Setting<&str>,
    context: &ModeContext<'_>,
) -> Result<Plan, SetupError> {
    let profile = profiles.named(name);
    let context = context.with_profile(&profile)?;
    let object = profiles.get(name, &profile)?;
    mode::plan_of_profile(object, &profile, profiles, &context)
}

/// The profiles of a file.
pub(super) struct CliProfiles<'a> {
    path: &'a PathBuf,
    root: JsonObject<'a>,
}

impl<'a> CliProfiles<'a> {
    pub(super) fn parse(file: &'a CliText) -> Result<Self, SetupError> {
        let root = json::parse_object_with(file.text.as_bytes(), MAX_MEMBERS).map_err(|error| {
            SetupError::Json {
                path: file.path.clone(),
                error,
            }
        })?;
        let profiles = Self {
            path: &file.path,
            root,
        };
        match profiles.root.member("profiles") {
            Some(JsonValue::Array(_)) => Ok(profiles),
            _ => Err(SetupError::NoProfiles {
                path: file.path.clone(),
            }),
        }
    }

    /// Returns the name of the profile that the settings, the environment or the file select.
    fn selected_name<'n>(&'n self, inputs: &Inputs<'n>) -> Result<Setting<&'n str>, SetupError> {
        if let Some(name) = paths::profile_name(inputs) {
            return Ok(name);
        }
        match values::member(&self.root, "current", || Origin::Current)? {
            None | Some(JsonValue::Null) => Ok(Setting::new("default", Origin::Default)),
            // An empty name names no profile. The CLI and ack-ram-tool do not take the default, either.
            Some(JsonValue::String(name)) => Ok(Setting::new(&**name, Origin::Current)),
            Some(_) => Err(SetupError::Type {
                place: Origin::Current,
                expected: "a text",
            }),
        }
    }

    /// Returns the profile of this name, for messages.
    fn named(&self, name: &Setting<&str>) -> Arc<Profile> {
        Arc::new(Profile {
            file: self.path.clone(),
            name: name.value.to_owned(),
        })
    }

    /// Returns the first profile of this name.
    fn get(
        &self,
        name: &Setting<&str>,
        profile: &Arc<Profile>,
    ) -> Result<&JsonObject<'a>, SetupError> {
        for object in self.objects() {
            let place = || Origin::Member(Arc::clone(profile), "name");
            if let Some(JsonValue::String(known)) = values::member(object, "name", place)?
                && known == name.value
            {
                return Ok(object);
            }
        }
        Err(SetupError::NoProfile {
            wanted: Arc::clone(profile),
            selected_by: name.origin.clone(),
            known: self.names(),
        })
    }

    fn objects(&self) -> impl Iterator<Item = &JsonObject<'a>> {
        let list = match self.root.member("profiles") {
            Some(JsonValue::Array(list)) => list.as_slice(),
            _ => &[],
        };
        list.iter().filter_map(|profile| match profile {
            JsonValue::Object(object) => Some(object),
            _ => None,
        })
    }

    fn names(&self) -> Vec<String> {
        let names = self
            .objects()
            .filter_map(|object| object.string_member("name"));
        names.map(str::to_owned).collect()
    }
}
