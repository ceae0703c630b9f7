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
use crate::resolve::{Inputs, paths};

/// The maximum number of members of an object in the file. A profile of the CLI has about fifty.
const MAX_MEMBERS: usize = 1000;

/// The text of a file, which is parsed when it is needed.
#[derive(Debug)]
pub(crate) struct CliText {
    pub(crate) path: PathBuf,
    pub(crate) text: Zeroizing<String>,
}

impl CliText {
    fn new(file: &Setting<PathBuf>, content: FileContent) -> Self {
        Self {
            path: file.value.clone(),
            text: content.text,
        }
    }
}

/// Makes the plan of the selected profile; `None` if the default file does not exist.
pub(super) fn find(
    inputs: &Inputs<'_>,
    file: &Setting<PathBuf>,
    findings: &mut Findings,
) -> Result<Option<Plan>, SetupError> {
    let content = match inputs.files.read(&file.value) {
        Ok(content) => content,
        Err(FileError::NotFound) if file.origin == Origin::Default => return Ok(None),
        Err(error) => {
            return Err(SetupError::File {
                path: file.value.clone(),
                selected_by: file.origin.clone(),
                error,
            });
        }
    };
    paths::note_access(&file.value, content.access, findings);
    let mut text = CliText::new(file, content);
    if CliProfiles::parse(&text).is_err() {
        // An older CLI writes the file in place, so a reader can meet half of it.
        let again = inputs.files.read_again(&file.value);
        text = again.map_or(text, |content| CliText::new(file, content));
    }
    let text = Arc::new(text);
    let profiles = CliProfiles::parse(&text)?;
    let name = profiles.selected_name(inputs);
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
    plan_of_profile(&profiles, &name, &context).map(Some)
}

/// Makes the plan of the profile `name`.
pub(super) fn plan_of_profile(
    profiles: &CliProfiles<'_>,
    name: &Setting<&str>,
    context: &ModeContext<'_>,
) -> Result<Plan, SetupError> {
    let profile = Arc::new(Profile {
        file: profiles.path.clone(),
        name: name.value.to_owned(),
    });
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
    fn selected_name<'n>(&'n self, inputs: &Inputs<'n>) -> Setting<&'n str> {
        let current = || match self.root.string_member("current") {
            Some(name) if !name.is_empty() => Setting::new(name, Origin::Current),
            _ => Setting::new("default", Origin::Default),
        };
        paths::profile_name(inputs).unwrap_or_else(current)
    }

    /// Returns the first profile of this name.
    fn get(
        &self,
        name: &Setting<&str>,
        profile: &Arc<Profile>,
    ) -> Result<&JsonObject<'a>, SetupError> {
        let mut objects = self.objects();
        objects
            .find(|object| object.string_member("name") == Some(name.value))
            .ok_or_else(|| SetupError::NoProfile {
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
