//! The output of a process: a profile, from which a plan is made.

use std::fmt;
use std::sync::Arc;

use ack_ram_core::protocol::json::{self, JsonObject};

use crate::environment::Environment;
use crate::error::SetupError;
use crate::flow::parse_time;
use crate::plan::{Plan, ProcessPlan};
use crate::resolve::Inputs;
use crate::resolve::cli_file::{CliProfiles, CliText, MAX_MEMBERS};
use crate::resolve::endpoint::EndpointSettings;
use crate::resolve::mode::{self, ModeContext};

/// What is needed to make a plan from the output of a process: the inputs that decide about it.
pub struct OutputContext {
    pub(super) environment: Environment,
    pub(crate) endpoints: EndpointSettings,
    /// The file of the CLI that names the process.
    pub(crate) file: Option<Arc<CliText>>,
}

impl OutputContext {
    pub(super) fn collect(inputs: &Inputs<'_>, file: Option<Arc<CliText>>) -> Self {
        Self {
            environment: inputs.environment.clone(),
            endpoints: EndpointSettings::collect(inputs.settings, inputs.environment),
            file,
        }
    }
}

impl fmt::Debug for OutputContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OutputContext")
    }
}

/// The reason why an output gives no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OutputError {
    /// The output has no JSON object with a mode.
    NoProfile,
    /// The profile is wrong.
    Setup(Box<SetupError>),
}

impl ProcessPlan {
    /// Makes the plan of the profile in `output`.
    ///
    /// The whole output is the profile, or else the first JSON object in it that has a `mode`.
    pub(crate) fn plan_of_output(&self, output: &str) -> Result<Plan, OutputError> {
        let object = find_profile(output).ok_or(OutputError::NoProfile)?;
        let setup = |error| OutputError::Setup(Box::new(error));
        let profiles = self.context.file.as_deref().map(CliProfiles::parse);
        let profiles = profiles.transpose().map_err(setup)?;
        let context = ModeContext::of_output(Arc::clone(&self.context), &self.origin);
        let mut plan = mode::plan_of_output(&object, profiles.as_ref(), &context).map_err(setup)?;
        if let Plan::Key(key) = &mut plan {
            // The SDK reads this member, in the form of RFC 3339.
            let expiration = object.string_member("expiration");
            key.expires = key.expires.or(expiration.and_then(parse_time));
        }
        Ok(plan)
    }
}

/// The maximum number of `{` that are tried. A document with thousands of them is no profile, and each of them costs a
/// search for the end.
const MAX_STARTS: usize = 100;

/// Returns the first JSON object in `output` that has a `mode`. An object inside another object is not a profile.
///
/// Returns `None` if there is no such object, or if an object before it is refused, for example because of a duplicate
/// key: the next object could have another identity.
fn find_profile(output: &str) -> Option<JsonObject<'_>> {
    let mut rest = output;
    for _ in 0..MAX_STARTS {
        rest = rest.get(rest.find('{')?..)?;
        let mut objects =
            serde_json::Deserializer::from_str(rest).into_iter::<serde::de::IgnoredAny>();
        let Some(Ok(_)) = objects.next() else {
            rest = rest.get(1..)?;
            continue;
        };
        let (text, after) = rest.split_at_checked(objects.byte_offset())?;
        let object = json::parse_object_with(text.as_bytes(), MAX_MEMBERS).ok()?;
        if object.string_member("mode").is_some() {
            return Some(object);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests;
