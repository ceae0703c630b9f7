//! The INI file with credentials.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::SetupError;
use crate::files::FileError;
use crate::finding::{Findings, Topic};
use crate::ini::Ini;
use crate::origin::{Origin, Profile, Setting};
use crate::plan::Plan;
use crate::resolve::mode::{self, ModeContext};
use crate::resolve::output::OutputContext;
use crate::resolve::values::Values;
use crate::resolve::{Inputs, paths, role};

/// Makes the plan of the selected section, with the role that is asked for; `None` if the default file does not exist.
/// `default_session_name` is the name of a session whose name is not given.
pub(super) fn find(
    inputs: &Inputs<'_>,
    file: &Setting<PathBuf>,
    default_session_name: &str,
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
    let ini = Ini::parse(&content.text).map_err(|error| SetupError::Ini {
        path: file.value.clone(),
        error,
    })?;
    let name = paths::profile_name(inputs).unwrap_or(Setting::new("default", Origin::Default));
    findings.note(
        Topic::Files,
        format!(
            "the section `{}` in `{}` is selected by {}",
            name.value.escape_debug(),
            file.value.display(),
            name.origin
        ),
    );
    let profile = Arc::new(Profile {
        file: file.value.clone(),
        name: name.value.to_owned(),
    });
    let section = ini
        .section(name.value)
        .ok_or_else(|| SetupError::NoProfile {
            wanted: Arc::clone(&profile),
            selected_by: name.origin.clone(),
            known: ini.names().into_iter().map(str::to_owned).collect(),
        })?;
    let context = OutputContext::collect(inputs, None);
    let context = ModeContext::new(Arc::new(context));
    let plan = mode::plan_of_section(section, &profile, default_session_name, &context)?;
    let values = Values::of_section(section, profile);
    role::add_requested_role(inputs, plan, Some(&values)).map(Some)
}
